// Package acl decides who may publish, subscribe and receive. One decision
// serves both doors: MQTT clients, and sockets that read or write topics.
//
// [Default] is the policy of docs/TOPICS.md, the one in force where nothing
// else is configured. Other policies implement [Policy] beside it.
//
//	var policy acl.Policy = acl.NewDefault(codec)
//	p := &acl.Principal{ID: "sensor-1"}
//	policy.CanPublish(p, "sio/main/room/lobby/message") // true
//	policy.CanSubscribe(p, "#")                         // true: each delivery is decided
//	policy.CanReceive(p, "sio/main/socket/other/note")  // false
//
// Access is decided on the real topic of each delivery, so no wildcard, shared
// subscription, retained message or will shows what its reader may not read.
// Refusing a subscription is a courtesy: it tells a client early that nothing
// will come.
//
// The functions are pure and may be called by many goroutines at once. They
// do not block.
package acl

import (
	"errors"
	"strings"

	"siomq/rooms/topic"
)

// Principal is who asks.
type Principal struct {
	// ID is the MQTT client identifier or the socket id: the name of the
	// private topic socket/{sid}. Empty means none.
	ID string
	// Username is who was authenticated, the name of the private topic
	// user/{user}. Empty means nobody: an anonymous client is no user.
	Username string
}

// Policy decides. Implementations take topic names and filters that are valid,
// with $share/{group}/ removed. All methods may be called by many
// goroutines at once; they do not block, and do not keep p, which is not nil.
type Policy interface {
	// CanPublish decides a publish, Will Messages included.
	CanPublish(p *Principal, n topic.Name) bool
	// CanSubscribe decides a subscription. It refuses a filter only when
	// CanReceive would refuse every name that the filter matches.
	CanSubscribe(p *Principal, f topic.Filter) bool
	// CanReceive decides one delivery by its real topic.
	CanReceive(p *Principal, n topic.Name) bool
}

// Default is the default policy, the table of docs/TOPICS.md:
//
//   - all and room: everybody publishes and subscribes;
//   - socket/{sid} and user/{user}: everybody publishes, the named one receives;
//   - presence: everybody subscribes, servers publish;
//   - from, call, ack, control, and what is between servers: for servers and
//     backends, which do not come in by a door, so nobody here;
//   - beneath the prefix and none of these: nobody;
//   - $SYS is for reading, other topics that begin with $ for nobody;
//   - every other topic is plain MQTT and open.
//
// The zero Default has the prefix "sio".
type Default struct {
	codec topic.Codec
}

var _ Policy = Default{}

// NewDefault returns the default policy for the prefix of codec.
func NewDefault(codec topic.Codec) Default { return Default{codec: codec} }

// CanPublish implements [Policy].
func (d Default) CanPublish(_ *Principal, n topic.Name) bool {
	a, err := d.codec.Parse(n)
	switch {
	case err == nil:
		return a.Kind <= topic.User // all, room, socket, user
	case errors.Is(err, topic.ErrForeign):
		return !isDollar(string(n)) && !d.codec.IsServers(n)
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
		return d.readsForeign(n)
	}
	return false
}

// EveryoneReceives reports whether CanReceive is true for every principal, so
// that a delivery to very many clients need ask only once.
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

// readsForeign decides a name that is not beneath the prefix.
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

// reads decides an address.
func (p *Principal) reads(k topic.Kind, name string) bool {
	switch k {
	case topic.Socket:
		return p.ID != "" && name == p.ID
	case topic.User:
		return p.Username != "" && name == p.Username
	}
	return isOpen(k)
}

// CanSubscribe implements [Policy].
func (d Default) CanSubscribe(p *Principal, f topic.Filter) bool {
	if isDollar(string(f)) {
		return isSYS(string(f))
	}
	if allBeneath(string(f), d.codec.Prefix()) {
		return d.reachesReadable(p, f)
	}
	return !allBeneath(string(f), d.codec.ServersPrefix())
}

// reachesReadable reports whether f, beneath the prefix, matches something
// that p may receive.
func (d Default) reachesReadable(p *Principal, f topic.Filter) bool {
	for _, k := range [...]topic.Kind{topic.All, topic.Room, topic.PresenceSocket, topic.PresenceRoom} {
		if d.codec.Reaches(f, k) {
			return true
		}
	}
	return p.ID != "" && d.codec.ReachesName(f, topic.Socket, p.ID) ||
		p.Username != "" && d.codec.ReachesName(f, topic.User, p.Username)
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
