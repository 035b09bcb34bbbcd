package embedded

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"go.uber.org/zap"

	"siomq/adapter/broker"
)

// conn is the net.Conn between a client and mochi. mochi reads whole, checked
// packets from it: CONNECT, SUBSCRIBE, UNSUBSCRIBE and DISCONNECT. The rest is
// answered here, in the goroutine in which mochi reads.
type conn struct {
	// fixed
	b        *Broker
	nc       net.Conn
	raw      *rawConn // nil when nc is no plain socket
	w        writer
	routine  uint64        // of the reading goroutine
	done     chan struct{} // closed when the session is free for another connection
	deadline time.Time     // for CONNECT

	// fixed once CONNECT was accepted
	client        *broker.Client
	session       *session
	version       byte
	clean         bool
	assigned      bool // the client identifier was made here
	window        int  // receive maximum of the client
	maxPacket     int  // of the client, 0: none
	aliasMax      int  // topic aliases that it takes and we use, 0: none
	keepAlive     time.Duration
	toldKeepAlive uint16 // Server Keep Alive, 0: the client's own

	// owned by the reading goroutine
	in            *buffer // read and not yet handled from at on; nil while empty
	at            int
	forMochi      []byte // rest of the packet that mochi reads
	connected     bool   // CONNECT was accepted
	established   bool   // CONNACK was sent
	sessionExpiry uint32
	aliases       map[uint16]string
	lastTopic     string // the last topic name, which most clients repeat
	will          *pendingWill
	orderly       bool // DISCONNECT without will
	refused       []byte
	granted       []*subscription
	mochi         *mqtt.Client

	mu  sync.Mutex
	end *closeError // why it ends; the first reason counts

	// guarded by session.mu
	topics map[string]uint16 // topic aliases that the client was given
}

func (b *Broker) newConn(nc net.Conn, listener string) *conn {
	c := &conn{b: b, nc: nc, raw: newRawConn(nc), done: make(chan struct{}), routine: goroutineID()}
	c.client = &broker.Client{Addr: nc.RemoteAddr().String(), Listener: listener}
	// A write is under way only while ServeConn is, which Close waits for.
	c.w = writer{conn: nc, raw: c.raw, limit: b.opts.MaxQueue, spawn: b.work.Go}
	c.deadline = time.Now().Add(b.opts.ConnectTimeout)
	return c
}

// send queues bytes for the client; the caller flushes. When the bound is
// reached the connection ends.
func (c *conn) send(add func(dst []byte) []byte) bool {
	if c.w.send(add) {
		return true
	}
	if c.w.overflowed() {
		c.closeLater(&closeError{codeQuotaExceeded, reasonOverflow, "the client does not read"})
	}
	return false
}

// closeLater ends the connection for a reason. It does not block: the reading
// goroutine wakes and does the rest. The first reason counts.
func (c *conn) closeLater(why *closeError) {
	c.mu.Lock()
	first := c.end == nil
	if first {
		c.end = why
	}
	if first && c.nc != nil {
		_ = c.nc.SetReadDeadline(time.Unix(1, 0))
		_ = c.nc.SetWriteDeadline(time.Now().Add(flushTime))
	}
	c.mu.Unlock()
}

func (c *conn) endReason() *closeError {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.end
}

// Read gives mochi the next bytes of the packets that are for it.
func (c *conn) Read(p []byte) (int, error) {
	for len(c.forMochi) == 0 {
		if err := c.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, c.forMochi)
	c.forMochi = c.forMochi[n:]
	return n, nil
}

// next handles one packet.
func (c *conn) next() error {
	header, packet, err := c.readPacket()
	if err != nil {
		return c.readFailed(err)
	}
	if why := c.handle(packet[0], packet, packet[header:]); why != nil {
		c.closeLater(why)
		return why
	}
	return nil
}

// readFailed turns the error of a read into the reason for the end.
func (c *conn) readFailed(err error) error {
	var why *closeError
	if errors.As(err, &why) {
		c.closeLater(why)
		return why
	}
	if end := c.endReason(); end != nil {
		return end
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded) && c.connected:
		c.closeLater(&closeError{codeKeepAliveTimeout, reasonKeepAlive, "nothing received"})
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.closeLater(&closeError{codeUnspecified, reasonConnectTime, "no CONNECT"})
	default:
		c.closeLater(&closeError{codeSuccess, reasonClosed, err.Error()})
	}
	return c.endReason()
}

// readPacket returns the next whole packet and the length of its fixed header. The
// packet is valid until the next call.
func (c *conn) readPacket() (header int, packet []byte, err error) {
	c.setDeadline()
	for {
		if c.in != nil {
			b := c.in.b[c.at:]
			header, total, why := frame(b)
			switch {
			case why != nil:
				return 0, nil, why
			case len(b) > 0 && !c.connected && b[0]>>4 != typeConnect:
				return 0, nil, violation("first packet is not CONNECT") // [MQTT-3.1.0-1]
			case total > c.b.opts.MaxPacketSize:
				return 0, nil, &closeError{codeTooLarge, "packet too large", "over the announced size"}
			case total > 0 && len(b) >= total:
				c.at += total
				return header, b[:total], nil
			}
			if err := c.makeRoom(total); err != nil {
				return 0, nil, err
			}
		}
		if err := c.fill(); err != nil {
			return 0, nil, err
		}
	}
}

// setDeadline gives the client its time for the next packet, [MQTT-3.1.2-22].
func (c *conn) setDeadline() {
	if c.in != nil && c.at < len(c.in.b) {
		return // more was read already
	}
	var t time.Time
	switch {
	case !c.connected:
		t = c.deadline
	case c.keepAlive > 0:
		t = time.Now().Add(c.keepAlive + c.keepAlive/2)
	}
	c.mu.Lock()
	if c.end == nil { // else it is in the past, and stays
		_ = c.nc.SetReadDeadline(t)
	}
	c.mu.Unlock()
}

// makeRoom moves the start of a packet to the front of a buffer that holds more
// of it. Buffers grow with what has come, not with what was announced.
func (c *conn) makeRoom(total int) error {
	b := c.in.b[c.at:]
	if len(b) == 0 {
		c.in.b, c.at = c.in.b[:0], 0
		if c.raw != nil || cap(c.in.b) > idleBuffer {
			putBuffer(c.in)
			c.in = nil
		}
		return nil
	}
	if len(c.in.b) < cap(c.in.b) {
		return nil
	}
	size := cap(c.in.b)
	if c.at == 0 {
		size = max(min(total, 2*size), size+bufferSize)
	}
	grown := &buffer{make([]byte, len(b), size)}
	copy(grown.b, b)
	putBuffer(c.in)
	c.in, c.at = grown, 0
	return nil
}

// idleBuffer is what a connection holds that cannot wait without a buffer.
const idleBuffer = 256

// fill reads once, after what was queued for the client has left.
func (c *conn) fill() error {
	c.w.flush()
	if c.in == nil && c.raw != nil {
		b, err := c.raw.read()
		if err != nil {
			return err
		}
		if len(b.b) == 0 {
			putBuffer(b)
			return io.EOF
		}
		c.in, c.at = b, 0
		return nil
	}
	if c.in == nil {
		// A TLS or WebSocket connection keeps a small buffer while it waits.
		c.in, c.at = &buffer{make([]byte, 0, idleBuffer)}, 0
	}
	n, err := c.nc.Read(c.in.b[len(c.in.b):cap(c.in.b)])
	c.in.b = c.in.b[:len(c.in.b)+n]
	if n > 0 {
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// Write takes packets of mochi. It never blocks.
func (c *conn) Write(p []byte) (int, error) {
	if !c.send(func(dst []byte) []byte { return append(dst, p...) }) {
		return 0, net.ErrClosed
	}
	return len(p), nil
}

// Close is mochi's; the connection itself is closed once mochi is done with it.
func (c *conn) Close() error { return nil }

func (c *conn) LocalAddr() net.Addr  { return c.nc.LocalAddr() }
func (c *conn) RemoteAddr() net.Addr { return c.nc.RemoteAddr() }

// The deadlines are kept here, since mochi does not see every packet.

func (c *conn) SetDeadline(time.Time) error      { return nil }
func (c *conn) SetReadDeadline(time.Time) error  { return nil }
func (c *conn) SetWriteDeadline(time.Time) error { return nil }

// How long an ending connection may take to write what is queued and, after a
// DISCONNECT of ours, to read it.
const (
	flushTime  = time.Second
	lingerTime = 250 * time.Millisecond
)

// finish tells the client why, writes what is queued and closes.
func (c *conn) finish() {
	why := c.endReason()
	c.b.ended(c, why)
	ours := why != nil && why.code >= codeUnspecified
	if ours && c.established && c.version == version5 {
		c.w.send(func(dst []byte) []byte {
			return append(dst, typeDisconnect<<4, 2, why.code, 0)
		})
	}
	c.w.stop()
	if !c.w.overflowed() {
		_ = c.nc.SetWriteDeadline(time.Now().Add(flushTime))
	} else {
		_ = c.nc.SetWriteDeadline(time.Unix(1, 0))
	}
	c.w.drain()
	switch {
	case c.w.failed():
		c.cut()
	case ours:
		c.linger()
	}
	_ = c.nc.Close()
	if c.in != nil {
		putBuffer(c.in)
		c.in = nil
	}
}

// linger reads on for a moment after the last write: closing a socket with unread
// bytes resets it, and the client would not see why it was closed.
func (c *conn) linger() {
	half, ok := c.nc.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	_ = c.nc.SetReadDeadline(time.Now().Add(lingerTime))
	b := getBuffer()
	defer putBuffer(b)
	for {
		if _, err := c.nc.Read(b.b[:cap(b.b)]); err != nil {
			return
		}
	}
}

// ended counts and logs the end of a connection.
func (b *Broker) ended(c *conn, why *closeError) {
	if why == nil {
		why = &closeError{codeSuccess, reasonClosed, ""}
	}
	b.stats.add(&b.stats.closed, why.reason)
	fields := []zap.Field{
		zap.String("reason", why.reason), zap.String("detail", why.detail), zap.String("client", c.client.ID),
		zap.String("addr", c.client.Addr), zap.String("listener", c.client.Listener),
	}
	if why.code >= codeUnspecified && why.reason != reasonShutdown {
		b.log.Warn("mqtt connection ended", fields...)
		return
	}
	b.log.Debug("mqtt connection ended", fields...)
}
