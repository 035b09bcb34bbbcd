package bridge

import (
	"fmt"
	"strings"

	"siomq/adapter/payload"
	"siomq/rooms"
)

// Direction says which way a rule maps.
type Direction uint8

// The directions, as seen from the rooms.
const (
	In   Direction = iota // -> from the topic into the room
	Out                   // <- from the room out to the topic
	Both                  // <-> either way
)

var arrows = [...]string{In: "->", Out: "<-", Both: "<->"}

// String returns the arrow of d, as it stands between topic and room.
func (d Direction) String() string {
	if int(d) < len(arrows) {
		return arrows[d]
	}
	return "unknown"
}

// QoS is the MQTT quality of service of what a rule maps.
type QoS uint8

// The values of QoS.
const (
	KeepQoS     QoS = iota // that of the publish or emit
	AtMostOnce             // 0
	AtLeastOnce            // 1
	ExactlyOnce            // 2
)

// of returns the level for a message that came with the level came.
func (q QoS) of(came byte) byte {
	if q == KeepQoS {
		return came
	}
	return byte(q - AtMostOnce)
}

// Retain says whether what a rule maps becomes the last value of where it goes.
type Retain uint8

// The values of Retain.
const (
	KeepRetain Retain = iota // if the publish or emit was retained
	Always
	Never
)

var retains = [...]string{KeepRetain: "keep", Always: "always", Never: "never"}

// String returns the word of r in a rule.
func (r Retain) String() string {
	if int(r) < len(retains) {
		return retains[r]
	}
	return "unknown"
}

func (r Retain) of(came bool) bool { return r == Always || r == KeepRetain && came }

// Rule maps the topics of a template to a target and an event, or back. The
// zero values of the fields after Event are good.
//
// A template is text with variables in braces. In Topic a variable says what it
// stands for: {name} for any text in one level, {name:word} for letters, digits
// and _, {name:number} for digits, {name...}, as the last level, for one or more
// levels. Elsewhere it is {name}. Braces that are meant are doubled.
type Rule struct {
	Direction Direction
	// Topic is the template of topic names.
	Topic string
	// Namespace is its name, without variables. Empty: "/".
	Namespace string
	// Target is the room, socket or user whose Name is a template, or everyone.
	Target rooms.Target
	// Event is the template of events.
	Event string

	// Payload fixes the kind of payloads. Auto: what the content type says, and
	// without one what they look like.
	Payload payload.Kind
	QoS     QoS
	Retain  Retain
	// PassVariables adds an argument to what comes in: an object with the values of the
	// variables of the topic.
	PassVariables bool
}

// String returns r as a line that Parse reads.
func (r Rule) String() string {
	var b strings.Builder
	word := func(key, value string) {
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(key)
		b.WriteByte(' ')
		b.WriteString(quote(value))
	}
	b.WriteString(quote(r.Topic))
	b.WriteByte(' ')
	b.WriteString(r.Direction.String())
	if r.Namespace != "" {
		word("namespace", r.Namespace)
	}
	if r.Target.Kind == rooms.ToAll {
		word("to", "all")
	} else {
		word(r.Target.Kind.String(), r.Target.Name)
	}
	word("event", r.Event)
	if r.Payload != payload.Auto {
		word("payload", r.Payload.String())
	}
	if r.QoS != KeepQoS {
		word("qos", fmt.Sprint(r.QoS-AtMostOnce))
	}
	if r.Retain != KeepRetain {
		word("retain", r.Retain.String())
	}
	if r.PassVariables {
		word("pass", "variables")
	}
	return b.String()
}
