package bridge

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.uber.org/zap"

	"siomq/adapter/broker"
	"siomq/adapter/payload"
	"siomq/rooms"
	"siomq/rooms/topic"
)

// everyone are the targets of a message that names none.
var everyone = []rooms.Target{{Kind: rooms.ToAll}}

// Broadcast publishes what the rules make of m, which has been emitted. The error joins those of
// the publishes that failed; they are counted and logged too. What stays on this server, and what is for
// a single socket that has joined, is not mapped. It does not wait for subscribers, and
// costs two map lookups when no rule has the namespace and the event.
func (b *Bridge) Broadcast(m *rooms.Message) error { return b.broadcast(m, "") }

// broadcast is Broadcast for a message that came in by the topic from, to which it does not return.
func (b *Bridge) broadcast(m *rooms.Message, from string) error {
	if m.Local || m.Only != "" {
		return nil
	}
	byEvent, ok := b.out[m.Namespace]
	if !ok {
		return nil
	}
	rules := byEvent.find(m.Event)
	if len(rules) == 0 {
		return nil
	}
	targets := m.Targets
	if len(targets) == 0 {
		targets = everyone
	}
	o := outgoing{bridge: b, message: m}
	for _, r := range rules {
		o.done = o.done[:0]
		for _, t := range targets {
			if name, ok := b.topicOf(r, m, t); ok && name != from {
				o.publish(r, name)
			}
		}
	}
	return o.errs
}

// topicOf returns the topic on which a rule publishes what m says to t; false if there is none.
func (b *Bridge) topicOf(r *compiled, m *rooms.Message, t rooms.Target) (string, bool) {
	switch {
	case t.Kind == rooms.ToRoom && r.Target.Kind == rooms.ToRoom:
		if b.emitter.HasSocket(m.Namespace, t.Name) {
			return "", false // a private message is not for the topics of a room
		}
	case t.Kind == rooms.ToRoom && r.Target.Kind == rooms.ToSocket:
		if !b.emitter.HasSocket(m.Namespace, t.Name) {
			return "", false
		}
	case t.Kind != r.Target.Kind:
		return "", false
	}
	var v values
	var set uint32
	if !r.event.match(m.Event, &v, &set) || !r.name.match(t.Name, &v, &set) {
		return "", false
	}
	name := ""
	fits := true
	for i, variable := range r.variables {
		if variable.class.takes(v[i]) {
			continue
		}
		if variable.class == word || variable.class == number {
			return "", false // the rule is for others
		}
		fits = false
	}
	if fits {
		name = r.topic.build(&v)
		_, err := topic.Limits{MaxLevels: -1}.Name(name)
		fits = err == nil && name[0] != '$' && b.foreign(name)
	}
	if !fits {
		b.count.name.Add(1)
		b.log.Debug("no topic can have such a name", zap.String("rule", r.Topic), zap.String("name", t.Name), zap.String("event", m.Event))
	}
	return name, fits
}

// outgoing is one message on its way to topics.
type outgoing struct {
	bridge  *Bridge
	message *rooms.Message
	errs    error
	done    []string // topics of the rule at work

	// The payload, in one kind.
	encoded     bool
	kind        payload.Kind
	payload     []byte
	contentType string
}

// publish publishes the message as a rule wants it, unless nobody wants it.
func (o *outgoing) publish(r *compiled, name string) {
	b, m := o.bridge, o.message
	if slices.Contains(o.done, name) {
		return // two rooms, one topic
	}
	if len(m.Targets) > 1 {
		o.done = append(o.done, name)
	}
	if m.Hops >= b.maxHops {
		b.count.hops.Add(1)
		b.log.Debug("message has passed too many bridges", zap.String("topic", name), zap.Uint8("hops", m.Hops))
		return
	}
	retain := r.Retain.of(m.Retain)
	if !retain && b.interest != nil && !b.interest.Wants(name) {
		return
	}
	if err := o.encode(r.Payload); err != nil {
		b.count.payload.Add(1)
		b.log.Warn("arguments have no form in the rule's kind", zap.String("topic", name), zap.Stringer("kind", r.Payload), zap.Error(err))
		o.errs = errors.Join(o.errs, fmt.Errorf("bridge to %q: %w", name, err))
		return
	}
	out := broker.Message{
		Topic: name, Payload: o.payload, ContentType: o.contentType,
		QoS: r.QoS.of(m.QoS), MessageExpiry: m.Expiry,
		// An empty retained publish would delete the last value (MQTT 5 section 3.3.1.3).
		Retain: retain && len(o.payload) > 0,
	}
	if m.Hops == 0 {
		out.UserProperties = b.oneHop
	} else {
		out.SetHops(m.Hops + 1)
	}
	b.remember(&out)
	if err := b.broker.Publish(context.Background(), &out); err != nil {
		b.failed("emit not published", name, err)
		o.errs = errors.Join(o.errs, fmt.Errorf("bridge to %q: %w", name, err))
		return
	}
	b.count.out.Add(1)
}

func (o *outgoing) encode(k payload.Kind) (err error) {
	if o.encoded && o.kind == k {
		return nil
	}
	if k == payload.Auto {
		o.payload, o.contentType, err = payload.Encode(o.message.Args)
	} else {
		o.payload, o.contentType, err = payload.EncodeAs(o.message.Args, k)
	}
	o.encoded, o.kind = err == nil, k
	return err
}

// remember notes a publish that a rule would map if it came back.
func (b *Bridge) remember(p *broker.Message) {
	if b.echoes.window <= 0 {
		return
	}
	for _, r := range b.in.find(firstLevel(p.Topic)) {
		if r.filter.Match(topic.Name(p.Topic)) {
			b.echoes.put(p.Topic, p.Payload)
			return
		}
	}
}
