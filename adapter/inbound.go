package adapter

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"go.uber.org/zap"

	"siomq/adapter/broker"
	"siomq/adapter/payload"
	"siomq/rooms"
	"siomq/rooms/args"
	"siomq/rooms/topic"
)

// receive is given each publish beneath the prefix. What it refuses, nobody gets.
func (m *MQTT) receive(p *broker.Message) error {
	addr, err := m.codec.Parse(topic.Name(p.Topic))
	if err != nil {
		return fmt.Errorf("%w: %w", broker.ErrInvalidTopic, err)
	}
	m.mu.RLock()
	local := m.locals[addr.Namespace]
	m.mu.RUnlock()
	if local == nil {
		return nil // a namespace without sockets is an ordinary topic
	}
	switch addr.Kind {
	case topic.All, topic.Room, topic.Socket, topic.User:
		return m.receiveEmit(local, addr, p)
	case topic.Ack:
		return receiveAck(local, addr, p)
	case topic.ControlSocket, topic.ControlRoom:
		return receiveControl(local, addr, p)
	}
	return nil // who may publish there is a question of access
}

// receiveEmit hands a publish to the namespace, and with a Response Topic sees to it
// that the acknowledgements of the sockets are published there.
func (m *MQTT) receiveEmit(local Local, addr topic.Address, p *broker.Message) error {
	if p.Retain && len(p.Payload) == 0 {
		return nil // deletes the last value of the topic, and says nothing to anybody
	}
	msg, err := emitOf(addr, p)
	if err != nil {
		return err
	}
	if p.ResponseTopic == "" {
		return local.Receive(msg, nil)
	}
	if _, err := (topic.Limits{}).Name(p.ResponseTopic); err != nil {
		return fmt.Errorf("response topic: %w", err)
	}
	if m.mayRespond == nil || !m.mayRespond(p.ClientID, p.ResponseTopic) {
		return fmt.Errorf("response topic %q: %w", p.ResponseTopic, broker.ErrRefused)
	}
	if m.responders.Add(1) > maxResponders {
		m.responders.Add(-1)
		return fmt.Errorf("response topic %q: %w", p.ResponseTopic, errManyResponders)
	}
	ctx, cancel := context.WithTimeout(context.Background(), m.ackTimeout)
	context.AfterFunc(ctx, func() { m.responders.Add(-1) })
	r := &responder{
		mqtt: m, topic: p.ResponseTopic, correlation: bytes.Clone(p.CorrelationData), qos: p.QoS, finish: cancel,
	}
	if err := local.Receive(msg, &Call{Expect: r.expect, Answer: r.answer, Context: ctx}); err != nil {
		cancel()
		return err
	}
	return nil
}

// maxResponders bounds the publishes whose acknowledgements are waited for at once.
const maxResponders = 10_000

var errManyResponders = errors.New("too many publishes wait for acknowledgements")

// emitOf is the message that a publish to an address means.
func emitOf(addr topic.Address, p *broker.Message) (*rooms.Message, error) {
	a, err := payload.Decode(p.Payload, p.ContentType)
	if err != nil {
		return nil, fmt.Errorf("payload of %q: %w", p.Topic, err)
	}
	return &rooms.Message{
		Namespace: addr.Namespace,
		Event:     addr.Event,
		Args:      a,
		Targets:   []rooms.Target{{Kind: rooms.TargetKind(addr.Kind), Name: addr.Name}},
		Retain:    p.Retain,
		QoS:       p.QoS,
		ClientID:  p.ClientID,
		Hops:      p.Hops(),
	}, nil
}

// responder publishes the acknowledgements of sockets to the Response Topic of a publish.
type responder struct {
	mqtt        *MQTT
	topic       string
	correlation []byte
	qos         byte
	finish      func() // ends the wait; may be called more than once
	missing     atomic.Int64
}

func (r *responder) expect(n int) { r.settle(int64(n)) }

// settle ends the wait when every answer that is expected has come; answers may come first.
func (r *responder) settle(n int64) {
	if r.missing.Add(n) == 0 {
		r.finish()
	}
}

func (r *responder) answer(id rooms.SocketID, a rooms.Args, err error) {
	defer r.settle(-1)
	if err != nil {
		return // the socket is gone
	}
	out := broker.Message{Topic: r.topic, CorrelationData: r.correlation, QoS: r.qos}
	if out.Payload, out.ContentType, err = payload.Encode(a); err == nil {
		out.UserProperties = []broker.Property{{Key: "sid", Value: id}}
		err = r.mqtt.send(&out)
	}
	if err != nil {
		r.mqtt.log.Warn("acknowledgement not published", zap.String("topic", r.topic), zap.String("socket", id), zap.Error(err))
	}
}

func receiveAck(local Local, addr topic.Address, p *broker.Message) error {
	a, err := payload.Decode(p.Payload, p.ContentType)
	if err != nil {
		return fmt.Errorf("payload of %q: %w", p.Topic, err)
	}
	local.Acknowledge(addr.Name, addr.ID, a) // the first reply counts
	return nil
}

// receiveControl reads an order: the rooms to join or leave are a string, several, or an array
// of strings; disconnect takes true to close the connection too.
func receiveControl(local Local, addr topic.Address, p *broker.Message) error {
	a, err := payload.Decode(p.Payload, p.ContentType)
	if err != nil {
		return fmt.Errorf("payload of %q: %w", p.Topic, err)
	}
	c := &Control{Target: rooms.Target{Kind: rooms.ToSocket, Name: addr.Name}, Verb: addr.Verb}
	if addr.Kind == topic.ControlRoom {
		c.Target.Kind = rooms.ToRoom
	}
	if c.Verb == topic.VerbDisconnect {
		err = args.Bind(a, &c.Close)
	} else {
		c.Rooms, err = roomNames(a)
	}
	if err != nil {
		return fmt.Errorf("payload of %q: %w", p.Topic, err)
	}
	local.Control(c)
	return nil
}

var errNoRooms = errors.New("names no room")

func roomNames(a rooms.Args) ([]rooms.Room, error) {
	var names []rooms.Room
	for _, raw := range args.All(a) {
		if args.KindOf(raw) == args.Array {
			var several []rooms.Room
			if err := args.Decode(raw, nil, &several); err != nil {
				return nil, err
			}
			names = append(names, several...)
			continue
		}
		var one rooms.Room
		if err := args.Decode(raw, nil, &one); err != nil {
			return nil, err
		}
		names = append(names, one)
	}
	if len(names) == 0 {
		return nil, errNoRooms
	}
	return names, nil
}
