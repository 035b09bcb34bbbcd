package adapter

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"go.uber.org/zap"

	"siomq/adapter/broker"
	"siomq/adapter/payload"
	"siomq/rooms"
	"siomq/rooms/topic"
)

// MQTT carries the messages of all namespaces of one server through the topic
// namespace of a broker: an emit is a publish, and a publish by an MQTT client
// is an emit.
type MQTT struct {
	// Fixed after NewMQTT.
	broker   broker.Broker
	interest broker.Interest // nil when the broker does not know its subscribers
	codec    topic.Codec
	log      *zap.Logger

	mu     sync.RWMutex // for the fields below; nothing is called while it is held
	locals map[string]Local
	remove func() // ends the subscription; nil until Start
}

// MQTTOptions are the options of NewMQTT. The zero value works.
type MQTTOptions struct {
	// Topics encodes and parses topics. Zero: the prefix "sio".
	Topics topic.Codec
	// Logger receives what no caller can be told. Default: silent.
	Logger *zap.Logger
}

// NewMQTT returns the adapter for a broker. Nothing is received before Start.
func NewMQTT(b broker.Broker, o *MQTTOptions) *MQTT {
	if o == nil {
		o = &MQTTOptions{}
	}
	m := &MQTT{broker: b, codec: o.Topics, log: o.Logger, locals: make(map[string]Local)}
	if m.log == nil {
		m.log = zap.NewNop()
	}
	m.interest, _ = b.(broker.Interest)
	return m
}

// Start begins to receive what MQTT clients publish into the namespace.
func (m *MQTT) Start(ctx context.Context) error {
	filter := string(m.codec.Everything())
	remove, err := m.broker.Handle(ctx, filter, m.receive)
	if err != nil {
		return fmt.Errorf("receive %q: %w", filter, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.remove = remove
	return nil
}

// Stop ends receiving, and waits for what is being received.
func (m *MQTT) Stop() {
	m.mu.Lock()
	remove := m.remove
	m.remove = nil
	m.mu.Unlock()
	if remove != nil {
		remove()
	}
}

// Open is a Constructor: it opens the adapter of one namespace.
func (m *MQTT) Open(local Local) Adapter {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.locals[local.Namespace()] = local
	return &mqttNamespace{mqtt: m, local: local}
}

// receive is given each publish beneath the prefix. What it refuses, nobody gets.
func (m *MQTT) receive(p *broker.Message) error {
	addr, err := m.codec.Parse(topic.Name(p.Topic))
	if err != nil {
		return fmt.Errorf("%w: %w", broker.ErrInvalidTopic, err)
	}
	var kind rooms.TargetKind
	switch addr.Kind {
	case topic.All, topic.Room, topic.Socket, topic.User:
		kind = rooms.TargetKind(addr.Kind)
	default:
		return nil // no emit; who may publish there is a question of access
	}
	if p.Retain && len(p.Payload) == 0 {
		return nil // deletes the last value of the topic, and says nothing to anybody
	}
	m.mu.RLock()
	local := m.locals[addr.Namespace]
	m.mu.RUnlock()
	if local == nil {
		return nil // a namespace without sockets is an ordinary topic
	}
	args, err := payload.Decode(p.Payload, p.ContentType)
	if err != nil {
		return fmt.Errorf("payload of %q: %w", p.Topic, err)
	}
	return local.Receive(&rooms.Message{
		Namespace: addr.Namespace,
		Event:     addr.Event,
		Args:      args,
		Targets:   []rooms.Target{{Kind: kind, Name: addr.Name}},
		Retain:    p.Retain,
		QoS:       p.QoS,
		ClientID:  p.ClientID,
	})
}

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
	out := broker.Message{QoS: msg.QoS, Retain: msg.Retain}
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
		if !msg.Retain && a.mqtt.interest != nil && !a.mqtt.interest.Wants(out.Topic) {
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
		if err := a.mqtt.broker.Publish(context.Background(), &out); err != nil {
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
