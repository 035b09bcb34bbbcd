package bridge

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"siomq/adapter/broker"
	"siomq/rooms"
	"siomq/rooms/topic"
)

// Emitter is what a bridge needs of the server whose rooms it feeds. Its methods
// may be called by many goroutines at once.
type Emitter interface {
	// EmitBridged emits m in its namespace, as an emit by the MQTT client m.ClientID:
	// middleware for publishes runs first, the topic of the target is published too. It must
	// not give the message back to Bridge.Broadcast. It returns what was emitted, which
	// middleware may have changed, or nil when it was refused; the error says why, or
	// beside a message what failed after local sockets had it. It may block the
	// publishing client. m shares memory with the publish, which is gone afterwards.
	//
	// When m.Retain is set and there are no arguments, nobody receives anything and the last value
	// of the target's topic is deleted.
	EmitBridged(m *rooms.Message) (emitted *rooms.Message, err error)
	// HasSocket reports whether a socket of the namespace has this id: what is emitted to a room of
	// that name is a private message.
	HasSocket(namespace string, id rooms.SocketID) bool
}

// Options of a Bridge. The zero value works, and maps nothing.
type Options struct {
	// Rules in their order.
	Rules []Rule
	// Topics of the rooms themselves, which rules leave alone. Zero: the prefix "sio".
	Topics topic.Codec
	// MaxHops is how many bridges a message may pass. Default 1: what a bridge has published is
	// mapped by none. At most 255.
	MaxHops int
	// EchoWindow is how long a publish without hop count that repeats one by this bridge, topic
	// and payload, is taken for its echo. Default 1 s; negative: not at all, for deployments where
	// nothing carries messages in a circle.
	EchoWindow time.Duration
	// Logger receives what no caller can be told. Default: silent.
	Logger *zap.Logger
}

const (
	defaultMaxHops    = 1
	defaultEchoWindow = time.Second
)

// Stats counts what a bridge has done since New.
type Stats struct {
	In  uint64 // publishes mapped to an emit, once for each rule
	Out uint64 // emits mapped to a publish, once for each rule and topic

	DroppedHops uint64 // had passed MaxHops bridges
	DroppedEcho uint64 // repeated a publish of this bridge
	BadPayload  uint64 // not of the rule's kind
	BadName     uint64 // names that cannot stand in a topic, and reserved events
	Refused     uint64 // by the Emitter
	Failed      uint64 // not published, by an error of the broker
}

// Bridge maps publishes to emits and emits to publishes. All methods may be called
// by many goroutines at once.
type Bridge struct {
	// Fixed after New.
	broker   broker.Broker
	interest broker.Interest // nil when the broker does not know its subscribers
	emitter  Emitter
	topics   topic.Codec
	maxHops  uint8
	log      *zap.Logger
	in       index            // by the first level of the topic
	out      map[string]index // by namespace, then by event
	filters  []topic.Filter   // distinct, of the rules in
	oneHop   []broker.Property

	echoes echoes
	count  counters

	mu     sync.Mutex // for the field below; nothing is called while it is held
	remove []func()   // end the subscriptions
}

type counters struct {
	in, out, hops, echo, payload, name, refused, failed atomic.Uint64
}

// index finds the rules for a key, in their order.
type index struct {
	byKey  map[string][]*compiled // with this key, or any
	others []*compiled            // with any key
}

func (x *index) find(key string) []*compiled {
	if rules, ok := x.byKey[key]; ok {
		return rules
	}
	return x.others
}

// newIndex builds an index; key returns false for a rule that fits any key.
func newIndex(rules []*compiled, key func(*compiled) (string, bool)) index {
	x := index{byKey: make(map[string][]*compiled)}
	for _, r := range rules {
		if k, ok := key(r); ok {
			x.byKey[k] = nil
		}
	}
	for _, r := range rules {
		if k, ok := key(r); ok {
			x.byKey[k] = append(x.byKey[k], r)
			continue
		}
		x.others = append(x.others, r)
		for k := range x.byKey {
			x.byKey[k] = append(x.byKey[k], r)
		}
	}
	return x
}

// New compiles the rules. The error joins one for each rule at fault. Nothing is
// received before Start.
func New(b broker.Broker, e Emitter, o *Options) (*Bridge, error) {
	if o == nil {
		o = &Options{}
	}
	br := &Bridge{broker: b, emitter: e, topics: o.Topics, log: o.Logger, maxHops: defaultMaxHops}
	br.interest, _ = b.(broker.Interest)
	if br.log == nil {
		br.log = zap.NewNop()
	}
	switch {
	case o.MaxHops < 0 || o.MaxHops > math.MaxUint8:
		return nil, fmt.Errorf("option MaxHops %d: must be 0 to 255", o.MaxHops)
	case o.MaxHops > 0:
		br.maxHops = uint8(o.MaxHops)
	}
	window := o.EchoWindow
	if window == 0 {
		window = defaultEchoWindow
	}
	br.echoes.init(window)
	br.oneHop = []broker.Property{{Key: broker.HopsProperty, Value: strconv.Itoa(1)}}
	var errs []error
	var in, out []*compiled
	for i, r := range o.Rules {
		c, err := r.compile()
		if err == nil {
			err = br.outside(c)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("rule %d: %w", i+1, err))
			continue
		}
		if c.Direction != Out {
			in = append(in, c)
			c.handler = br.handlerOf(c.filter)
		}
		if c.Direction != In {
			out = append(out, c)
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	br.in = newIndex(in, func(c *compiled) (string, bool) {
		first := firstLevel(string(c.filter))
		return first, first != "+" && first != "#"
	})
	br.out = outIndex(out)
	return br, nil
}

func outIndex(rules []*compiled) map[string]index {
	byNamespace := make(map[string][]*compiled)
	for _, c := range rules {
		byNamespace[c.Namespace] = append(byNamespace[c.Namespace], c)
	}
	all := make(map[string]index, len(byNamespace))
	for ns, rules := range byNamespace {
		all[ns] = newIndex(rules, func(c *compiled) (string, bool) { return c.event.head, len(c.event.parts) == 0 })
	}
	return all
}

func firstLevel(name string) string {
	first, _, _ := strings.Cut(name, "/")
	return first
}

// outside refuses a rule for the topics of the rooms themselves: what is published there
// is an emit already.
func (b *Bridge) outside(c *compiled) error {
	for _, prefix := range [...]string{b.topics.Prefix(), b.topics.ServersPrefix()} {
		if rest, ok := strings.CutPrefix(string(c.filter), prefix); ok && (rest == "" || rest[0] == '/') {
			return &fault{"topic", c.Topic, fmt.Errorf("beneath %q are the rooms themselves", prefix)}
		}
	}
	return nil
}

// foreign reports whether a topic is none of the rooms' own.
func (b *Bridge) foreign(name string) bool {
	_, err := b.topics.Parse(topic.Name(name))
	return err == topic.ErrForeign && !b.topics.IsServers(topic.Name(name)) //nolint:errorlint // ErrForeign comes unwrapped
}

func (b *Bridge) handlerOf(f topic.Filter) int {
	for i, have := range b.filters {
		if have == f {
			return i
		}
	}
	b.filters = append(b.filters, f)
	return len(b.filters) - 1
}

// Start begins to receive publishes.
func (b *Bridge) Start(ctx context.Context) error {
	for i, f := range b.filters {
		remove, err := b.broker.Handle(ctx, string(f), func(m *broker.Message) error { return b.receive(i, m) })
		if err != nil {
			b.Stop()
			return fmt.Errorf("bridge %q: %w", f, err)
		}
		b.mu.Lock()
		b.remove = append(b.remove, remove)
		b.mu.Unlock()
	}
	return nil
}

// Stop ends receiving, and waits for what is being received. Broadcast works on.
func (b *Bridge) Stop() {
	b.mu.Lock()
	all := b.remove
	b.remove = nil
	b.mu.Unlock()
	for _, remove := range all {
		remove()
	}
}

// Stats returns the counters.
func (b *Bridge) Stats() Stats {
	c := &b.count
	return Stats{
		In: c.in.Load(), Out: c.out.Load(),
		DroppedHops: c.hops.Load(), DroppedEcho: c.echo.Load(),
		BadPayload: c.payload.Load(), BadName: c.name.Load(), Refused: c.refused.Load(), Failed: c.failed.Load(),
	}
}
