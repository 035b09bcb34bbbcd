package acl

import (
	"errors"
	"strings"

	"siomq/rooms"
	"siomq/rooms/topic"
)

// Default is the default policy, the table of docs/TOPICS.md:
//
//   - all and room: everybody publishes and subscribes;
//   - socket/{sid} and user/{user}: everybody publishes, the named one receives;
//   - presence: everybody subscribes, servers publish;
//   - from and call: servers publish, backends subscribe;
//   - ack and control: backends publish, servers subscribe;
//   - beneath the prefix and none of these: nobody;
//   - what is between servers: servers;
//   - $SYS is for reading, other topics that begin with $ for nobody;
//   - every other topic is plain MQTT and open.
//
// Servers and backends that come in by a door are known by their role,
// [RoleServer] and [RoleBackend]. The zero Default has the prefix "sio".
type Default struct {
	codec topic.Codec
}

var (
	_ Policy  = Default{}
	_ Uniform = Default{}
)

// NewDefault returns the default policy for the prefix of codec.
func NewDefault(codec topic.Codec) Default { return Default{codec: codec} }

// CanPublish implements [Policy].
func (d Default) CanPublish(p *Principal, n topic.Name) bool {
	a, err := d.codec.Parse(n)
	switch {
	case err == nil:
		return p.writes(a.Kind)
	case errors.Is(err, topic.ErrForeign):
		return !isDollar(string(n)) && (!d.codec.IsServers(n) || p.Is(RoleServer))
	}
	return false
}

// CanReceive implements [Policy].
func (d Default) CanReceive(p *Principal, n topic.Name) bool {
	a, err := d.codec.Parse(n)
	switch {
	case err == nil:
		return p.reads(a.Kind, a.Name)
	case errors.Is(err, topic.ErrForeign):
		return d.readsForeign(n) || d.codec.IsServers(n) && p.Is(RoleServer)
	}
	return false
}

// EveryoneReceives implements [Uniform]; here false says that somebody does
// not.
func (d Default) EveryoneReceives(n topic.Name) bool {
	a, err := d.codec.Parse(n)
	switch {
	case err == nil:
		return isOpen(a.Kind)
	case errors.Is(err, topic.ErrForeign):
		return d.readsForeign(n)
	}
	return false
}

// readsForeign decides a name that is not beneath the prefix, for everybody.
func (d Default) readsForeign(n topic.Name) bool {
	if isDollar(string(n)) {
		return isSYS(string(n))
	}
	return !d.codec.IsServers(n)
}

// isOpen reports whether everybody receives the topics of k.
func isOpen(k topic.Kind) bool {
	switch k {
	case topic.All, topic.Room, topic.PresenceSocket, topic.PresenceRoom:
		return true
	}
	return false
}

// reads decides a delivery by its address.
func (p *Principal) reads(k topic.Kind, name string) bool {
	switch k {
	case topic.All, topic.Room, topic.PresenceSocket, topic.PresenceRoom:
		return true
	case topic.Socket:
		if p.ID != "" && name == p.ID {
			return true
		}
	case topic.User:
		if p.Username != "" && name == p.Username {
			return true
		}
	case topic.From, topic.Call:
		if p.Is(RoleBackend) {
			return true
		}
	}
	return p.Is(RoleServer)
}

// writes decides a publish by its kind.
func (p *Principal) writes(k topic.Kind) bool {
	switch k {
	case topic.All, topic.Room, topic.Socket, topic.User:
		return true
	case topic.Ack, topic.ControlSocket, topic.ControlRoom:
		if p.Is(RoleBackend) {
			return true
		}
	}
	return p.Is(RoleServer)
}

// CanSubscribe implements [Policy].
func (d Default) CanSubscribe(p *Principal, f topic.Filter) bool {
	if isDollar(string(f)) {
		return isSYS(string(f))
	}
	if allBeneath(string(f), d.codec.Prefix()) {
		return d.reachesReadable(p, f)
	}
	return !allBeneath(string(f), d.codec.ServersPrefix()) || p.Is(RoleServer)
}

// reachesReadable reports whether f, beneath the prefix, matches something
// that p may receive.
func (d Default) reachesReadable(p *Principal, f topic.Filter) bool {
	for _, k := range [...]topic.Kind{topic.All, topic.Room, topic.PresenceSocket, topic.PresenceRoom} {
		if d.codec.Reaches(f, k) {
			return true
		}
	}
	if p.ID != "" && d.codec.ReachesName(f, topic.Socket, p.ID) ||
		p.Username != "" && d.codec.ReachesName(f, topic.User, p.Username) {
		return true
	}
	if p.Is(RoleServer) {
		for k := topic.All; k <= topic.PresenceRoom; k++ {
			if d.codec.Reaches(f, k) {
				return true
			}
		}
	}
	return p.Is(RoleBackend) && (d.codec.Reaches(f, topic.From) || d.codec.Reaches(f, topic.Call))
}

// CanConnect implements [Policy]: everybody may be in every namespace.
func (d Default) CanConnect(*Principal, string) bool { return true }

// CanJoin implements [Policy]: everybody may be in every room, and in those
// that are a subscription which CanSubscribe grants.
func (d Default) CanJoin(p *Principal, _ string, room rooms.Room) bool {
	if s, ok := strings.CutPrefix(room, TopicRoom); ok {
		f, err := topicRoom(s)
		return err == nil && d.CanSubscribe(p, f)
	}
	return true
}

// topicRoom returns the filter of a topic room. A shared subscription is none:
// the sockets of a room would share its messages with other rooms.
func topicRoom(s string) (topic.Filter, error) { return topic.Limits{}.Filter(s) }

// CanEmit implements [Policy]: everybody may emit everything but the events that
// are Socket.IO's own.
func (d Default) CanEmit(_ *Principal, _ string, _ rooms.Target, event string) bool {
	return !topic.IsReservedEvent(event)
}

// allBeneath reports whether every name that a filter matches is the prefix or
// beneath it. A wildcard in the place of a level of the prefix can be another
// level, and then it is not.
func allBeneath(filter, prefix string) bool {
	for {
		f, frest, fmore := strings.Cut(filter, "/")
		p, prest, pmore := strings.Cut(prefix, "/")
		switch {
		case f != p: // a wildcard is no level of a prefix
			return false
		case !pmore:
			return true
		case !fmore: // above the prefix
			return false
		}
		filter, prefix = frest, prest
	}
}

// isDollar reports whether s is kept for the broker's own use (MQTT 5 section
// 4.7.2).
func isDollar(s string) bool { return strings.HasPrefix(s, "$") }

// isSYS reports whether s is $SYS or beneath it.
func isSYS(s string) bool { return s == "$SYS" || strings.HasPrefix(s, "$SYS/") }
