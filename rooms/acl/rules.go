package acl

import (
	"errors"
	"strings"

	"siomq/rooms"
	"siomq/rooms/topic"
)

// Rules are the default policy with what an operator adds: an ACL file of
// Mosquitto, rules for rooms, or both. How they combine is said in the package
// documentation. Rules are not modified.
type Rules struct {
	table Default
	codec topic.Codec
	file  *Mosquitto // nil: none
	rooms *RoomRules // nil: none
}

var (
	_ Policy  = (*Rules)(nil)
	_ Uniform = (*Rules)(nil)
)

// NewRules returns the policy for the prefix of codec. file and roomRules may
// be nil.
func NewRules(codec topic.Codec, file *Mosquitto, roomRules *RoomRules) *Rules {
	return &Rules{table: NewDefault(codec), codec: codec, file: file, rooms: roomRules}
}

// CanPublish implements [Policy].
func (r *Rules) CanPublish(p *Principal, n topic.Name) bool {
	a, err := r.codec.Parse(n)
	switch {
	case err == nil:
		return p.writes(a.Kind) && r.roomsAllow(p, publishing(&a)) && r.fileAllows(p, n, &a, accessWrite)
	case !errors.Is(err, topic.ErrForeign):
		return false
	case r.file == nil:
		return r.table.CanPublish(p, n)
	}
	return (!r.codec.IsServers(n) || p.Is(RoleServer)) && r.file.CanPublish(p, n)
}

// CanReceive implements [Policy].
func (r *Rules) CanReceive(p *Principal, n topic.Name) bool {
	a, err := r.codec.Parse(n)
	switch {
	case err == nil:
		return p.reads(a.Kind, a.Name) && r.roomsAllow(p, receiving(&a)) && r.fileAllows(p, n, &a, accessRead)
	case !errors.Is(err, topic.ErrForeign):
		return false
	case r.file == nil:
		return r.table.CanReceive(p, n)
	}
	return (!r.codec.IsServers(n) || p.Is(RoleServer)) && r.file.CanReceive(p, n)
}

// EveryoneReceives implements [Uniform]. Mosquitto's file grants nothing to
// everybody: no line is for a client whose name has a wildcard in it and no lines
// of its own.
func (r *Rules) EveryoneReceives(n topic.Name) bool {
	if r.file != nil || !r.table.EveryoneReceives(n) {
		return false
	}
	a, err := r.codec.Parse(n)
	if err != nil || r.rooms == nil {
		return true // not beneath the prefix, and the table is the same for everybody
	}
	q := receiving(&a)
	return r.rooms.allowsEveryone(&q)
}

// receiving is the request of a delivery at the MQTT door. What is for one
// recipient, or about one, is received by being in the namespace.
func receiving(a *topic.Address) roomRequest {
	q := roomRequest{actions: actionJoin | actionSubscribe, namespace: a.Namespace}
	switch a.Kind {
	case topic.Room, topic.PresenceRoom:
		q.to, q.room = toRoom, a.Name
	case topic.All, topic.Socket, topic.User, topic.PresenceSocket:
		q.to = toAll
	}
	return q
}

// publishing is the request of a publish at the MQTT door.
func publishing(a *topic.Address) roomRequest {
	q := roomRequest{actions: actionEmit | actionPublish, namespace: a.Namespace, event: a.Event}
	if a.Kind <= topic.User {
		q.to = targetsOf(rooms.TargetKind(a.Kind)) // the values are the same
	}
	if a.Kind == topic.Room {
		q.room = a.Name
	}
	return q
}

// roomsAllow asks the rules for rooms. What has no target for them is between
// servers and backends, and the table's alone.
func (r *Rules) roomsAllow(p *Principal, q roomRequest) bool {
	return r.rooms == nil || q.to == 0 || r.rooms.allows(p, &q)
}

// fileAllows asks Mosquitto's file about n, which says a. A name can be spelled in
// more than one way (%6C is l), and a deny would be easy to walk around: the
// file must allow the name as it is and as the codec writes it.
func (r *Rules) fileAllows(p *Principal, n topic.Name, a *topic.Address, want access) bool {
	if r.file == nil {
		return true
	}
	if !r.file.decide(p, n, want) {
		return false
	}
	var buf [128]byte
	b, err := r.codec.AppendName(buf[:0], *a)
	if err != nil {
		return false
	}
	return string(b) == string(n) || r.file.decide(p, topic.Name(b), want)
}

// CanSubscribe implements [Policy].
func (r *Rules) CanSubscribe(p *Principal, f topic.Filter) bool {
	if r.file == nil || allBeneath(string(f), r.codec.Prefix()) || allBeneath(string(f), r.codec.ServersPrefix()) {
		return r.table.CanSubscribe(p, f) && r.roomsMayAllow(p, f)
	}
	return r.file.CanSubscribe(p, f)
}

// roomsMayAllow refuses a filter that is for one room, or for one namespace's
// all, and names it without a wildcard.
func (r *Rules) roomsMayAllow(p *Principal, f topic.Filter) bool {
	if r.rooms == nil {
		return true
	}
	rest, ok := strings.CutPrefix(string(f), r.codec.Prefix()+"/")
	if !ok {
		return true
	}
	// {ns}/all or {ns}/room/{room}, and then anything.
	parts := strings.SplitN(rest, "/", 4)
	switch {
	case len(parts) >= 2 && parts[1] == "all":
		parts = parts[:2]
	case len(parts) >= 3 && parts[1] == "room":
		parts = parts[:3]
	default:
		return true
	}
	named := strings.Join(parts, "/")
	if strings.ContainsAny(named, "+#") {
		return true
	}
	a, err := r.codec.Parse(topic.Name(r.codec.Prefix() + "/" + named))
	return err != nil || r.roomsAllow(p, receiving(&a))
}

// CanConnect implements [Policy].
func (r *Rules) CanConnect(p *Principal, namespace string) bool {
	return r.roomsAllow(p, roomRequest{actions: actionJoin, to: toAll, namespace: namespace}) &&
		r.fileReads(p, topic.All, namespace, "")
}

// CanJoin implements [Policy].
func (r *Rules) CanJoin(p *Principal, namespace string, room rooms.Room) bool {
	if !r.roomsAllow(p, roomRequest{actions: actionJoin, to: toRoom, namespace: namespace, room: room}) {
		return false
	}
	if s, ok := strings.CutPrefix(room, TopicRoom); ok {
		f, err := topicRoom(s)
		return err == nil && r.CanSubscribe(p, f)
	}
	return r.fileReads(p, topic.Room, namespace, room)
}

// fileReads asks Mosquitto's file whether p receives every event of a room, or
// of everyone in a namespace.
func (r *Rules) fileReads(p *Principal, k topic.Kind, namespace, name string) bool {
	if r.file == nil {
		return true
	}
	f, err := r.codec.TargetFilter(k, namespace, name)
	if err != nil {
		return false // no topic has this name, and no line speaks of it
	}
	// {...}/#, without the parent: every event has a level of its own.
	return r.file.receivesAll(p, topic.Filter(strings.TrimSuffix(string(f), "#")+"+"))
}

// CanEmit implements [Policy].
func (r *Rules) CanEmit(p *Principal, namespace string, to rooms.Target, event string) bool {
	q := roomRequest{actions: actionEmit, to: targetsOf(to.Kind), namespace: namespace, event: event}
	if to.Kind == rooms.ToRoom {
		q.room = to.Name
	}
	if q.to == 0 || !r.table.CanEmit(p, namespace, to, event) || !r.roomsAllow(p, q) {
		return false
	}
	if r.file == nil || to.Kind == ToServer {
		return true // what is for the server alone is no publish
	}
	var buf [128]byte
	b, err := r.codec.AppendName(buf[:0], topic.Address{Kind: topic.Kind(to.Kind), Namespace: namespace, Name: to.Name, Event: event})
	return err == nil && r.file.decide(p, topic.Name(b), accessWrite)
}
