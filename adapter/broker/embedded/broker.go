package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
	"go.uber.org/zap"

	"siomq/adapter/broker"
	"siomq/rooms/topic"
)

// Broker is an MQTT broker inside the process. It implements [broker.Broker],
// [broker.Interest], [broker.Guarded] and [broker.Clients]; its methods may be
// called by many goroutines at once.
type Broker struct {
	// fixed after New
	opts     Options
	log      *zap.Logger
	limits   topic.Limits
	mqtt     *mqtt.Server
	listener net.Listener  // nil without Addr
	ready    chan struct{} // closed by SetAccess
	closing  chan struct{} // closed by Close

	access    atomic.Pointer[broker.Access]
	index     index
	retained  retained
	handlers  handlers
	observers observers
	stats     counters
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

// New starts a broker, which listens at once when o.Addr is set. Every CONNECT waits
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
	b.retained.max = opts.MaxRetained
	if b.mqtt, err = newMochi(b); err != nil {
		return nil, fmt.Errorf("embedded broker: %w", err)
	}
	if opts.Addr != "" {
		if b.listener, err = net.Listen("tcp", opts.Addr); err != nil {
			return nil, fmt.Errorf("embedded broker: listen on %q: %w", opts.Addr, err)
		}
		b.spawn(b.serve)
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

// Addr returns the address listened on, nil without one.
func (b *Broker) Addr() net.Addr {
	if b.listener == nil {
		return nil
	}
	return b.listener.Addr()
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

// serve accepts connections until the listener is closed.
func (b *Broker) serve() {
	for delay := time.Duration(0); ; {
		nc, err := b.listener.Accept()
		if err == nil {
			delay = 0
			if !b.spawn(func() { _ = b.ServeConn(nc, "tcp") }) {
				_ = nc.Close()
			}
			continue
		}
		if errors.Is(err, net.ErrClosed) {
			return
		}
		// Out of file descriptors, most likely: wait for some to be given back.
		delay = min(max(2*delay, 5*time.Millisecond), time.Second)
		b.log.Warn("mqtt accept", zap.Error(err), zap.Duration("retry", delay))
		select {
		case <-time.After(delay):
		case <-b.closing:
			return
		}
	}
}

// ServeConn serves a connection that came by another way, such as a WebSocket.
// listener names that way in Client.Listener. It blocks until the connection
// has ended and closes nc. The error says why when the client is to blame.
//
// nc needs working deadlines; see [TryWriter] for what else is good to have.
func (b *Broker) ServeConn(nc net.Conn, listener string) error {
	c := b.newConn(nc, listener)
	b.mu.Lock()
	full := len(b.conns) >= b.opts.MaxConnections
	if b.closed || full {
		b.mu.Unlock()
		_ = nc.Close()
		if full {
			b.stats.add(&b.stats.closed, reasonConnections)
			b.log.Warn("mqtt connection refused", zap.String("reason", reasonConnections), zap.Stringer("addr", nc.RemoteAddr()))
			return errors.New(reasonConnections)
		}
		return broker.ErrClosed
	}
	b.conns[c] = struct{}{}
	b.work.Add(1)
	b.mu.Unlock()
	defer b.work.Done()
	b.stats.opened.Add(1)

	c.run(listener)
	b.leave(c)
	c.finish()
	b.mu.Lock()
	delete(b.conns, c)
	b.mu.Unlock()
	if why := c.endReason(); why != nil && why.code >= codeUnspecified {
		return why
	}
	return nil
}

// run gives the connection to mochi until it ends. A panic ends this connection
// and nothing else.
func (c *conn) run(listener string) {
	defer func() {
		if r := recover(); r != nil {
			c.b.log.Error("mqtt connection panicked", zap.Any("panic", r), zap.String("client", c.client.ID),
				zap.ByteString("stack", debug.Stack()))
			c.closeLater(&closeError{codeUnspecified, reasonPanic, fmt.Sprint(r)})
		}
	}()
	err := c.b.mqtt.EstablishConnection(listener, c)
	switch {
	case err == nil || c.endReason() != nil:
	case errors.Is(err, net.ErrClosed): // an answer could not be written
		c.closeLater(&closeError{codeSuccess, reasonClosed, err.Error()})
	case errors.Is(err, packets.ErrPacketTooLarge): // nothing to say that the client would take
		c.closeLater(&closeError{codeSuccess, reasonSmallPackets, "its maximum packet size is below an answer"})
	default:
		c.closeLater(&closeError{codeSuccess, reasonMochi, err.Error()})
	}
}

// admit authenticates a CONNECT and takes its client identifier.
func (b *Broker) admit(c *conn, p *connectPacket) *closeError {
	wait := time.NewTimer(time.Until(c.deadline))
	defer wait.Stop()
	select {
	case <-b.ready:
	case <-b.closing:
		return &closeError{codeUnavailable, reasonShutdown, ""}
	case <-wait.C:
		return &closeError{codeUnavailable, reasonRefused, "not ready yet"}
	}
	if authenticate := b.accessNow().Authenticate; authenticate != nil {
		c.client.Password = p.password
		err := authenticate(c.client)
		c.client.Password = nil
		switch {
		case errors.Is(err, broker.ErrClientID):
			return &closeError{codeBadClientID, reasonRefused, err.Error()}
		case err != nil:
			return &closeError{codeBadCredentials, reasonRefused, err.Error()}
		}
	}
	return b.claim(c, wait.C)
}

// claim takes the session of c's client identifier. A connection that has it is
// ended first [MQTT-3.1.4-3], and has left it when claim returns: there is never
// more than one at once, so mochi need not take over.
func (b *Broker) claim(c *conn, timeout <-chan time.Time) *closeError {
	id := c.client.ID
	for {
		b.mu.Lock()
		s := b.sessions[id]
		if s == nil {
			s = &session{b: b, id: id}
			s.client.Store(c.client)
			b.sessions[id] = s
		}
		old := s.owner
		if old == nil {
			s.owner, c.session = c, s
			s.stopExpiry()
			b.mu.Unlock()
			return nil
		}
		b.mu.Unlock()
		old.closeLater(&closeError{codeTakenOver, reasonTakenOver, ""})
		select {
		case <-old.done:
		case <-b.closing:
			return &closeError{codeUnavailable, reasonShutdown, ""}
		case <-timeout:
			return &closeError{codeUnavailable, reasonRefused, "the earlier connection does not end"}
		}
	}
}

// leave gives the session back after mochi is done with the connection.
func (b *Broker) leave(c *conn) {
	defer close(c.done)
	s := c.session
	if s == nil {
		return
	}
	s.detach(c)
	if !b.isClosed() {
		b.guard(c, func() { s.leaveWill(c) })
	}
	if c.established {
		b.tell(broker.ClientEvent{Kind: broker.ClientDisconnected, Client: *c.client})
	}
	if c.sessionExpiry == 0 {
		b.endSession(s)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	s.owner = nil
	if c.sessionExpiry != neverExpires && !b.closed {
		s.startExpiry(time.Duration(c.sessionExpiry) * time.Second)
	}
}

// guard runs f, in which handlers are called, and survives their panics.
func (b *Broker) guard(c *conn, f func()) {
	defer func() {
		if r := recover(); r != nil {
			b.log.Error("mqtt will panicked", zap.Any("panic", r), zap.String("client", c.client.ID),
				zap.ByteString("stack", debug.Stack()))
		}
	}()
	f()
}

// endSession forgets a session. The caller owns it.
func (b *Broker) endSession(s *session) {
	if w := s.takeWill(); w != nil {
		b.publishWill(w)
	}
	if cl, ok := b.mqtt.Clients.Get(s.id); ok {
		b.mqtt.UnsubscribeClient(cl)
		b.mqtt.Clients.Delete(s.id)
	}
	s.mu.Lock()
	s.ended = true
	s.mu.Unlock()
	s.clear()
	b.mu.Lock()
	defer b.mu.Unlock()
	s.owner = nil
	delete(b.sessions, s.id)
}

// startExpiry and stopExpiry are called with Broker.mu held.
func (s *session) startExpiry(d time.Duration) {
	s.expiry = time.AfterFunc(d, func() { s.b.do(s.expire) })
}

func (s *session) stopExpiry() {
	if s.expiry != nil {
		s.expiry.Stop()
		s.expiry = nil
	}
}

// expire ends a session whose client did not come back [MQTT-4.1.0-2].
func (s *session) expire() {
	holder := &conn{done: make(chan struct{})} // who connects now waits
	defer close(holder.done)
	s.b.mu.Lock()
	if s.owner != nil || s.expiry == nil || s.b.sessions[s.id] != s {
		s.b.mu.Unlock()
		return
	}
	s.owner = holder
	s.b.mu.Unlock()
	s.b.endSession(s)
}

// restart empties the session when CONNACK says that there was none.
func (s *session) restart() {
	if w := s.takeWill(); w != nil { // the session that it belonged to ends
		s.b.publishWill(w)
	}
	s.clear()
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
	for _, c := range p.flush {
		c.w.flush()
	}
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
	if first && b.listener != nil {
		_ = b.listener.Close()
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
			_ = c.nc.Close()
		}
		return fmt.Errorf("close broker: %w", ctx.Err())
	}
	if first {
		return b.mqtt.Close()
	}
	return nil
}
