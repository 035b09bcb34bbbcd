package bridge

import (
	"errors"
	"fmt"

	"go.uber.org/zap"

	"siomq/adapter/broker"
	"siomq/adapter/payload"
	"siomq/rooms"
	"siomq/rooms/args"
	"siomq/rooms/topic"
)

// receive is given each publish that matches the filter with this number. When several filters
// match, the first of them applies all rules, so that they apply in their order.
func (b *Bridge) receive(handler int, p *broker.Message) error {
	rules := b.in.find(firstLevel(p.Topic))
	if !first(rules, handler, topic.Name(p.Topic)) || !b.foreign(p.Topic) {
		return nil
	}
	checked := false
	hops := p.Hops()
	for _, r := range rules {
		var v values
		var set uint32
		if !r.topic.match(p.Topic, &v, &set) || !r.fit(&v) {
			continue
		}
		if !checked {
			if b.circles(p, hops) {
				return nil
			}
			checked = true
		}
		if err := b.mapIn(r, &v, p, hops); err != nil {
			return err
		}
	}
	return nil
}

// first reports whether the filter with this number is the first one that matches.
func first(rules []*compiled, handler int, name topic.Name) bool {
	for _, r := range rules {
		if r.filter.Match(name) {
			return r.handler == handler
		}
	}
	return false
}

// circles reports whether p comes from a bridge, and counts it.
func (b *Bridge) circles(p *broker.Message, hops uint8) bool {
	if hops >= b.maxHops {
		b.count.hops.Add(1)
		b.log.Debug("publish has passed too many bridges", zap.String("topic", p.Topic),
			zap.String("client", p.ClientID), zap.Uint8("hops", hops))
		return true
	}
	if hops == 0 && b.echoes.take(p.Topic, p.Payload) {
		b.count.echo.Add(1)
		b.log.Debug("publish repeats one by the bridge", zap.String("topic", p.Topic), zap.String("client", p.ClientID))
		return true
	}
	return false
}

var errRefused = errors.New("refused without a reason")

// mapIn emits what a rule makes of p. An error refuses the publish.
func (b *Bridge) mapIn(r *compiled, v *values, p *broker.Message, hops uint8) error {
	event := r.event.build(v)
	if len(r.event.parts) > 0 && topic.IsReservedEvent(event) {
		b.count.name.Add(1)
		b.log.Warn("publish would be a reserved event", zap.String("topic", p.Topic), zap.String("event", event))
		return nil
	}
	m := &rooms.Message{
		Namespace: r.Namespace, Event: event,
		Targets: []rooms.Target{{Kind: r.Target.Kind, Name: r.name.build(v)}},
		QoS:     r.QoS.of(p.QoS), Retain: r.Retain.of(p.Retain), Expiry: p.MessageExpiry,
		ClientID: p.ClientID, Hops: hops,
	}
	deletion := p.Retain && len(p.Payload) == 0 // of the last value; says nothing to anybody (MQTT 5 section 3.3.1.3)
	if deletion && !m.Retain {
		return nil
	}
	if !deletion {
		var err error
		if m.Args, err = r.decode(v, p); err != nil {
			b.count.payload.Add(1)
			b.log.Warn("payload is not of the rule's kind", zap.String("topic", p.Topic),
				zap.Stringer("kind", r.Payload), zap.String("client", p.ClientID), zap.Error(err))
			return nil
		}
		if m.Args.N == 0 || len(p.Payload) == 0 {
			m.Retain = false // there is nothing to keep
		}
	}
	emitted, err := b.emitter.EmitBridged(m)
	if emitted == nil {
		b.count.refused.Add(1)
		if err == nil {
			err = errRefused
		}
		return fmt.Errorf("bridge %q: %w", p.Topic, err)
	}
	b.count.in.Add(1)
	if err != nil {
		b.failed("bridged publish did not reach everybody", p.Topic, err)
	}
	if !deletion {
		_ = b.broadcast(emitted, p.Topic) // counted and logged
	}
	return nil
}

func (b *Bridge) failed(what, name string, err error) {
	b.count.failed.Add(1)
	b.log.Warn(what, zap.String("topic", name), zap.Error(err))
}

func (c *compiled) decode(v *values, p *broker.Message) (a rooms.Args, err error) {
	if c.Payload == payload.Auto {
		a, err = payload.Decode(p.Payload, p.ContentType)
	} else {
		a, err = payload.DecodeAs(p.Payload, c.Payload)
	}
	if err != nil || !c.PassVariables {
		return a, err
	}
	return c.pass(a, v), nil
}

// pass adds the object with the values of the variables. a shares memory with the
// publish, and is copied.
func (c *compiled) pass(a rooms.Args, v *values) rooms.Args {
	n := len(a.Raw) + 3
	for i, k := range c.keys {
		n += len(k) + len(v[i]) + 2
	}
	raw := append(make([]byte, 0, n), a.Raw...)
	if a.N > 0 {
		raw = append(raw, ',')
	}
	raw = append(raw, '{')
	for i, k := range c.keys {
		raw = append(raw, k...)
		raw = args.AppendString(raw, v[i])
	}
	return rooms.Args{Raw: append(raw, '}'), N: a.N + 1, Attachments: a.Attachments}
}

// keysOf returns what stands before each value in that object.
func keysOf(variables []variable) [][]byte {
	keys := make([][]byte, len(variables))
	for i, v := range variables {
		if i > 0 {
			keys[i] = append(keys[i], ',')
		}
		keys[i] = append(args.AppendString(keys[i], v.name), ':')
	}
	return keys
}
