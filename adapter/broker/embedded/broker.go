package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"go.uber.org/zap"

	"siomq/adapter/broker"
	"siomq/rooms/topic"
)

// Broker is an MQTT broker inside the process. It implements [broker.Broker],
// [broker.Interest], [broker.Guarded] and [broker.Clients]; its methods may be
// called by many goroutines at once.
type Broker struct {
	// fixed after New
	opts      Options
	log       *zap.Logger
	limits    topic.Limits
	mqtt      *mqtt.Server
	listeners []*listener
	ready     chan struct{} // closed by SetAccess
	closing   chan struct{} // closed by Close

	access    atomic.Pointer[broker.Access]
	index     index
	retained  retained
	handlers  handlers
	observers observers
	stats     counters
	flusher   flusher
	work      sync.WaitGroup // every goroutine; added to under mu while not closed

	mu       sync.Mutex
	closed   bool
	conns    map[*conn]struct{}
	sessions map[string]*session // by client identifier
}

var (
	_ broker.Broker   = (*Broker)(nil)
	_ broker.Interest = (*Broker)(nil)
	_ broker.Guarded  = (*Broker)(nil)
	_ broker.Clients  = (*Broker)(nil)
)

// New starts a broker, which listens at once on o.Addr and o.Listeners. Every CONNECT waits
// until SetAccess was called. A nil o has the defaults.
func New(o *Options) (*Broker, error) {
	opts, err := o.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("embedded broker: %w", err)
	}
	b := &Broker{
		opts:     opts,
		log:      opts.Logger,
		limits:   topic.Limits{MaxBytes: opts.MaxTopicLength, MaxLevels: opts.MaxTopicLevels},
		ready:    make(chan struct{}),
		closing:  make(chan struct{}),
		conns:    make(map[*conn]struct{}),
		sessions: make(map[string]*session),
	}
	b.flusher.b = b
	b.retained.max = opts.MaxRetained
	if b.mqtt, err = newMochi(b); err != nil {
		return nil, fmt.Errorf("embedded broker: %w", err)
	}
	if b.listeners, err = listenAll(&opts); err != nil {
		return nil, fmt.Errorf("embedded broker: %w", err)
	}
	for _, l := range b.listeners {
		b.spawn(func() { b.serve(l) })
	}
	return b, nil
}

// newMochi makes the mochi server. It is not told to Serve: its event loop publishes
// $SYS, expires sessions with their subscriptions left behind and retained messages
// after a day; none of that is wanted.
func newMochi(b *Broker) (*mqtt.Server, error) {
	caps := mqtt.NewDefaultServerCapabilities()
	caps.MaximumMessageExpiryInterval = 0
	caps.MaximumClientWritesPending = 1 // deliveries do not go through mochi's queue
	caps.MaximumClients = math.MaxInt64
	caps.TopicAliasMaximum = 0
	caps.MaximumInflight = uint16(b.opts.MaxInflight)
	caps.ReceiveMaximum = uint16(b.opts.MaxInflight)
	caps.MaximumPacketSize = uint32(b.opts.MaxPacketSize)
	caps.MaximumSessionExpiryInterval = b.capExpiry(neverExpires)
	s := mqtt.New(&mqtt.Options{
		Capabilities:            caps,
		ClientNetReadBufferSize: 16, // packets come whole from conn
		Logger:                  slog.New(slog.DiscardHandler),
		SysTopicResendInterval:  math.MaxInt32,
	})
	return s, s.AddHook(&hook{b: b}, nil)
}

// capExpiry bounds a session expiry interval in seconds.
func (b *Broker) capExpiry(seconds uint32) uint32 {
	if most := b.opts.MaxSessionExpiry; most > 0 {
		return uint32(min(int64(seconds), int64((most+time.Second-1)/time.Second)))
	}
	return seconds
}

// SetAccess implements [broker.Guarded].
func (b *Broker) SetAccess(a broker.Access) {
	if b.access.Swap(&a) == nil {
		close(b.ready)
	}
}

var allowAll = &broker.Access{}

func (b *Broker) accessNow() *broker.Access {
	if a := b.access.Load(); a != nil {
		return a
	}
	return allowAll
}

func (b *Broker) isClosed() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closed
}

// spawn starts a goroutine that Close waits for, unless the broker is closed.
func (b *Broker) spawn(f func()) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return false
	}
	b.work.Go(f)
	return true
}

// do runs f in the calling goroutine, which Close waits for, unless the broker
// is closed.
func (b *Broker) do(f func()) {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return
	}
	b.work.Add(1)
	b.mu.Unlock()
	defer b.work.Done()
	f()
}

// accept takes a publish by a client: access, handlers, delivery. It returns the
// reason code of the acknowledgement. routine is the number of the calling
// goroutine.
func (b *Broker) accept(p *publication, client *broker.Client, routine uint64) byte {
	b.stats.received.Add(1)
	if p.topic == "$SYS" || strings.HasPrefix(p.topic, "$SYS/") { // section 4.7.2
		b.stats.add(&b.stats.refused, "$SYS")
		return codeNotAuthorized
	}
	if allow := b.accessNow().Publish; allow != nil && !allow(client, p.topic) {
		b.stats.add(&b.stats.refused, "access")
		return codeNotAuthorized
	}
	if p.retain && !b.retained.room(p) {
		b.stats.add(&b.stats.refused, "too many retained messages")
		return codeQuotaExceeded
	}
	b.handlers.collect(p)
	if err := p.run(routine); err != nil {
		b.stats.add(&b.stats.refused, "handler")
		b.log.Debug("mqtt publish refused", zap.String("topic", p.topic), zap.String("client", client.ID), zap.Error(err))
		return refusalOf(err)
	}
	b.deliver(p)
	return codeSuccess
}

// deliver stores p, when it is retained, and queues it for every subscriber.
// Then the connections write, in this goroutine as far as they do not block.
func (b *Broker) deliver(p *publication) {
	if p.retain {
		b.retained.mu.Lock()
		b.retained.storeLocked(p)
	}
	b.index.match(p)
	for i := range p.targets {
		t := &p.targets[i]
		if !b.mayReceive(t.session, p.topic) {
			continue
		}
		if c := t.session.deliver(p, t); c != nil {
			p.flush = append(p.flush, c)
		}
	}
	if p.retain {
		b.retained.mu.Unlock()
	}
	b.flusher.flush(p.flush, len(p.topic)+len(p.payload)+len(p.message.props))
}

func (b *Broker) mayReceive(s *session, topic string) bool {
	allow := b.accessNow().Receive
	return allow == nil || allow(s.client.Load(), topic)
}

// Publish implements [broker.Broker].
func (b *Broker) Publish(_ context.Context, m *broker.Message) error {
	if _, err := b.limits.Name(m.Topic); err != nil {
		if errors.Is(err, topic.ErrTooLong) {
			return fmt.Errorf("publish: %w: %w", broker.ErrTooLarge, err)
		}
		return fmt.Errorf("publish: %w: %w", broker.ErrInvalidTopic, err)
	}
	if err := b.checkProperties(m); err != nil {
		return fmt.Errorf("publish %q: %w", m.Topic, err)
	}
	if b.isClosed() {
		return fmt.Errorf("publish %q: %w", m.Topic, broker.ErrClosed)
	}
	p := newPublication()
	defer p.release()
	p.fromServer(m)
	if p.retain && !b.retained.room(p) {
		return fmt.Errorf("publish %q: %w: too many retained messages", m.Topic, broker.ErrTooLarge)
	}
	b.stats.published.Add(1)
	b.deliver(p)
	return nil
}

// checkProperties judges what cannot be written.
func (b *Broker) checkProperties(m *broker.Message) error {
	size := len(m.Topic) + len(m.Payload) + len(m.ContentType) + len(m.ResponseTopic) + len(m.CorrelationData)
	long := max(len(m.ContentType), len(m.ResponseTopic), len(m.CorrelationData))
	for _, u := range m.UserProperties {
		size += 5 + len(u.Key) + len(u.Value)
		long = max(long, len(u.Key), len(u.Value))
	}
	switch {
	case m.QoS > 2:
		return fmt.Errorf("QoS %d", m.QoS)
	case long > math.MaxUint16, size+64 > b.opts.MaxPacketSize:
		return broker.ErrTooLarge
	case strings.ContainsAny(m.ResponseTopic, "+#"):
		return fmt.Errorf("response topic: %w", broker.ErrInvalidTopic)
	}
	return nil
}

// Close implements [broker.Broker]: clients are told and their connections ended,
// sessions and retained messages are forgotten. When ctx ends first, what is left
// is cut off and the error of ctx returned.
func (b *Broker) Close(ctx context.Context) error {
	b.mu.Lock()
	first := !b.closed
	b.closed = true
	if first {
		close(b.closing)
		for _, s := range b.sessions {
			s.stopExpiry()
			s.takeWill()
		}
	}
	open := make([]*conn, 0, len(b.conns))
	for c := range b.conns {
		open = append(open, c)
	}
	b.mu.Unlock()
	if first {
		closeAll(b.listeners)
	}
	for _, c := range open {
		c.closeLater(&closeError{codeShuttingDown, reasonShutdown, ""})
	}
	finished := make(chan struct{})
	go func() {
		b.work.Wait()
		close(finished)
	}()
	select {
	case <-finished:
	case <-ctx.Done():
		for _, c := range open {
			c.cut()
		}
		return fmt.Errorf("close broker: %w", ctx.Err())
	}
	if first {
		return b.mqtt.Close()
	}
	return nil
}
