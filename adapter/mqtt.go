package adapter

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"siomq/adapter/broker"
	"siomq/rooms/topic"
)

// MQTT carries the messages of all namespaces of one server through the topic
// namespace of a broker: an emit is a publish, and a publish by an MQTT client
// is an emit.
type MQTT struct {
	// Fixed after NewMQTT.
	broker     broker.Broker
	interest   broker.Interest // nil when the broker does not know its subscribers
	retainer   broker.Retainer // nil when it does not show what it retains
	codec      topic.Codec
	mayRespond func(clientID, topic string) bool
	ackTimeout time.Duration
	log        *zap.Logger

	responders atomic.Int64
	watches    topic.Tree[*watch] // of what this server publishes itself

	mu     sync.RWMutex // for the fields below; nothing is called while it is held
	locals map[string]Local
	remove func() // ends the subscription; nil until Start
}

// MQTTOptions are the options of NewMQTT. The zero value works.
type MQTTOptions struct {
	// Topics encodes and parses topics. Zero: the prefix "sio".
	Topics topic.Codec
	// MayRespond decides whether answers to what an MQTT client published may be
	// published to the Response Topic that it gave. Nil: no.
	MayRespond func(clientID, topic string) bool
	// AckTimeout is how long acknowledgements of sockets are waited for on behalf of a
	// Response Topic. Default 60 s.
	AckTimeout time.Duration
	// Logger receives what no caller can be told. Default: silent.
	Logger *zap.Logger
}

const defaultAckTimeout = time.Minute

// NewMQTT returns the adapter for a broker. Nothing is received before Start.
func NewMQTT(b broker.Broker, o *MQTTOptions) *MQTT {
	if o == nil {
		o = &MQTTOptions{}
	}
	m := &MQTT{
		broker: b, codec: o.Topics, mayRespond: o.MayRespond, ackTimeout: o.AckTimeout, log: o.Logger,
		locals: make(map[string]Local),
	}
	if m.ackTimeout <= 0 {
		m.ackTimeout = defaultAckTimeout
	}
	if m.log == nil {
		m.log = zap.NewNop()
	}
	m.interest, _ = b.(broker.Interest)
	m.retainer, _ = b.(broker.Retainer)
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

// watch is one function given to Watch.
type watch struct{ fn func(*broker.Message) }

// Watch implements TopicWatcher. What the server publishes itself does not come back from the
// broker, so it is shown on its way out.
func (m *MQTT) Watch(filter string, fn func(*broker.Message)) (stop func(), err error) {
	remove, err := m.broker.Handle(context.Background(), filter, func(p *broker.Message) error {
		fn(p)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("watch %q: %w", filter, err)
	}
	w := &watch{fn}
	m.watches.Add(topic.Filter(filter), w)
	return func() {
		m.watches.Remove(topic.Filter(filter), w)
		remove()
	}, nil
}

// send publishes p, and shows it to who watches its topic.
func (m *MQTT) send(p *broker.Message) error {
	m.watches.Match(topic.Name(p.Topic), func(w *watch) bool {
		w.fn(p)
		return true
	})
	return m.broker.Publish(context.Background(), p)
}

// wants reports whether anybody would get a publish on this topic.
func (m *MQTT) wants(name string) bool {
	return m.interest == nil || m.interest.Wants(name) || m.watches.Any(topic.Name(name))
}

// Open is a Constructor: it opens the adapter of one namespace.
func (m *MQTT) Open(local Local) Adapter {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.locals[local.Namespace()] = local
	return &mqttNamespace{mqtt: m, local: local}
}
