package adapter

import (
	"context"
	"errors"
	"fmt"

	"go.uber.org/zap"

	"siomq/adapter/broker"
	"siomq/adapter/payload"
	"siomq/rooms"
	"siomq/rooms/topic"
)

// mqttNamespace is the adapter of one namespace.
type mqttNamespace struct {
	mqtt  *MQTT
	local Local
}

func (a *mqttNamespace) Close() {
	a.mqtt.mu.Lock()
	defer a.mqtt.mu.Unlock()
	delete(a.mqtt.locals, a.local.Namespace())
}

func (a *mqttNamespace) Broadcast(msg *rooms.Message) error {
	err := a.local.Deliver(msg)
	if msg.Local {
		return err
	}
	return errors.Join(err, a.publish(msg))
}

// Call asks the sockets; MQTT subscribers receive the event as any other.
func (a *mqttNamespace) Call(c *Call) error {
	err := a.local.Call(c)
	if c.Message.Local {
		return err
	}
	return errors.Join(err, a.publish(c.Message))
}

// ServerSideEmit reaches nobody: the broker is in this process, and serves this
// server alone.
func (a *mqttNamespace) ServerSideEmit(context.Context, string, rooms.Args, bool) ([]rooms.Args, error) {
	return nil, nil
}

// publish publishes msg on the topic of each of its targets that anybody wants. The payload is
// encoded once, and only if there is one who wants it.
func (a *mqttNamespace) publish(msg *rooms.Message) error {
	targets := msg.Targets
	if len(targets) == 0 {
		targets = everyone
	}
	out := broker.Message{QoS: msg.QoS, Retain: msg.Retain, MessageExpiry: msg.Expiry}
	out.SetHops(msg.Hops)
	encoded := false
	var errs error
	var buf [256]byte
	for _, t := range targets {
		name, err := a.mqtt.codec.AppendName(buf[:0], a.address(msg, t))
		if err != nil {
			errs = errors.Join(errs, err)
			continue
		}
		out.Topic = string(name)
		if !msg.Retain && !a.mqtt.wants(out.Topic) {
			continue
		}
		if !encoded {
			if out.Payload, out.ContentType, err = payload.Encode(msg.Args); err != nil {
				return errors.Join(errs, fmt.Errorf("payload for MQTT: %w", err))
			}
			encoded = true
		}
		if msg.Retain && len(out.Payload) == 0 {
			return errors.Join(errs, ErrRetainEmpty)
		}
		if err := a.mqtt.send(&out); err != nil {
			errs = errors.Join(errs, fmt.Errorf("publish %q: %w", out.Topic, err))
		}
	}
	return errs
}

// ErrRetainEmpty says that the payload would be empty, and an empty retained publish
// deletes the last value (MQTT 5 section 3.3.1.3).
var ErrRetainEmpty = errors.New("an empty payload cannot be retained")

// everyone are the targets of a message that names none.
var everyone = []rooms.Target{{Kind: rooms.ToAll}}

// address says on which topic msg goes to t. The id of a live socket, used as
// a room, is a private message.
func (a *mqttNamespace) address(msg *rooms.Message, t rooms.Target) topic.Address {
	kind := topic.Kind(t.Kind)
	if t.Kind == rooms.ToRoom && a.local.HasSocket(t.Name) {
		kind = topic.Socket
	}
	return topic.Address{Kind: kind, Namespace: msg.Namespace, Name: t.Name, Event: msg.Event}
}

// Joined implements Watcher: the socket receives the last value of each topic of the rooms, and of
// the namespace when it has just come in.
func (a *mqttNamespace) Joined(id rooms.SocketID, names []rooms.Room, connected bool) {
	if a.mqtt.retainer == nil {
		return
	}
	if connected {
		a.lastValues(id, topic.All, "")
	}
	for _, name := range names {
		if name != id {
			a.lastValues(id, topic.Room, name)
		}
	}
}

// lastValues gives a socket what is retained for a room, or for everyone.
func (a *mqttNamespace) lastValues(id rooms.SocketID, kind topic.Kind, name string) {
	filter, err := a.mqtt.codec.TargetFilter(kind, a.local.Namespace(), name)
	if err != nil {
		return // no topic can have such a name
	}
	a.mqtt.retainer.Retained(string(filter), func(p *broker.Message) bool {
		addr, err := a.mqtt.codec.Parse(topic.Name(p.Topic))
		if err != nil {
			return true
		}
		msg, err := emitOf(addr, p)
		if err == nil {
			msg.Only = id
			err = a.local.Receive(msg, nil)
		}
		if err != nil {
			a.mqtt.log.Debug("last value not delivered", zap.String("topic", p.Topic), zap.Error(err))
		}
		return true
	})
}

// Emitted implements Watcher: what a socket emits to the server goes out on its from or call
// topic, if anybody wants it.
func (a *mqttNamespace) Emitted(e *Emitted) {
	if a.mqtt.interest != nil && !a.mqtt.interest.Subscribed() && a.mqtt.watches.Len() == 0 {
		return
	}
	addr := topic.Address{Kind: topic.From, Namespace: a.local.Namespace(), Name: e.ID, Event: e.Event}
	if e.Ack != "" {
		addr.Kind, addr.ID = topic.Call, e.Ack
	}
	name, err := a.mqtt.codec.Name(addr)
	if err != nil || !a.mqtt.wants(string(name)) {
		return // an event whose name fits no topic is for the listeners here alone
	}
	out := broker.Message{Topic: string(name), QoS: 1}
	if out.Payload, out.ContentType, err = payload.Encode(e.Args); err == nil && e.Ack != "" && e.Expect() {
		var reply topic.Name
		reply, err = a.mqtt.codec.Name(topic.Address{Kind: topic.Ack, Namespace: addr.Namespace, Name: e.ID, ID: e.Ack})
		out.ResponseTopic = string(reply)
	}
	if err == nil {
		err = a.mqtt.send(&out)
	}
	if err != nil {
		a.mqtt.log.Warn("event of a socket not published", zap.String("topic", out.Topic), zap.Error(err))
	}
}

// Watch implements TopicWatcher.
func (a *mqttNamespace) Watch(filter string, fn func(*broker.Message)) (stop func(), err error) {
	return a.mqtt.Watch(filter, fn)
}
