package server

import (
	"fmt"
	"math"
	"slices"
	"time"

	"siomq/rooms"
	"siomq/rooms/args"
	"siomq/server/engine"
	"siomq/server/packet"
)

// BroadcastOperator says to whom, and how, an event is emitted. Its methods
// return a new operator and leave the old one as it was, so one may be kept and used
// by many goroutines.
type BroadcastOperator struct {
	nsp           *Namespace
	from          *Socket // on whose behalf, nil for the server
	targets       []rooms.Target
	exceptRooms   []rooms.Room
	exceptSockets []rooms.SocketID
	volatile      bool
	local         bool
	retain        bool
	verbatim      bool
	qos           byte
	qosSet        bool
	timeout       time.Duration
	expiry        time.Duration
}

// To adds rooms to those that receive the event; without any, everyone in the
// namespace does. A socket in several rooms receives it once. The id of a
// connected socket is a room too, and what is sent there is a private message. MQTT clients receive what
// is sent to a room when they subscribe to its topics.
func (b *BroadcastOperator) To(names ...rooms.Room) *BroadcastOperator {
	c := *b
	c.targets = slices.Clip(c.targets)
	for _, name := range names {
		c.targets = append(c.targets, rooms.Target{Kind: rooms.ToRoom, Name: name})
	}
	return &c
}

// In is another name for To.
func (b *BroadcastOperator) In(names ...rooms.Room) *BroadcastOperator { return b.To(names...) }

// ToSocket adds a private message: to a socket by its id, or to an MQTT client
// by its client identifier, on the topic that this client alone may read. To
// with the id of a socket does the same; an MQTT client is reached by ToSocket only,
// so that no device can take the place of a room by its name.
func (b *BroadcastOperator) ToSocket(ids ...rooms.SocketID) *BroadcastOperator {
	c := *b
	c.targets = slices.Clip(c.targets)
	for _, id := range ids {
		c.targets = append(c.targets, rooms.Target{Kind: rooms.ToSocket, Name: id})
	}
	return &c
}

// ToUser adds a private message to a person: to all sockets whose user that is
// ([Socket.SetUser]), and to MQTT clients that logged in by that name.
func (b *BroadcastOperator) ToUser(users ...string) *BroadcastOperator {
	c := *b
	c.targets = slices.Clip(c.targets)
	for _, user := range users {
		c.targets = append(c.targets, rooms.Target{Kind: rooms.ToUser, Name: user})
	}
	return &c
}

// Except leaves out the sockets that are in these rooms. MQTT subscribers
// cannot be left out.
func (b *BroadcastOperator) Except(names ...rooms.Room) *BroadcastOperator {
	c := *b
	c.exceptRooms = append(slices.Clip(c.exceptRooms), names...)
	return &c
}

// Volatile lets the event be dropped for a client that is not ready to receive
// it, and publishes it at QoS 0.
func (b *BroadcastOperator) Volatile() *BroadcastOperator {
	c := *b
	c.volatile = true
	return &c
}

// Local keeps the event on this server: no other server and no MQTT client gets it.
func (b *BroadcastOperator) Local() *BroadcastOperator {
	c := *b
	c.local = true
	return &c
}

// Compress says whether the event may be compressed on its way to the sockets of this
// server, which is so unless it was said otherwise: see PerMessageDeflate and HTTPCompression in
// [engine.Options]. Turn it off for what is compressed already.
func (b *BroadcastOperator) Compress(on bool) *BroadcastOperator {
	c := *b
	c.verbatim = !on
	return &c
}

// Retain makes the event the last value of its topics, which the broker hands to
// whoever subscribes later. An event whose payload is empty (no argument, or one that is
// an empty string or empty binary) cannot be retained.
func (b *BroadcastOperator) Retain() *BroadcastOperator {
	c := *b
	c.retain = true
	return &c
}

// QoS sets the MQTT quality of service of the publish, 0 to 2. Default: 1, and 0 for a
// volatile event.
func (b *BroadcastOperator) QoS(level byte) *BroadcastOperator {
	c := *b
	c.qos, c.qosSet = level, true
	return &c
}

// Expiry is how long the broker keeps the event for MQTT clients that are away, and as a last
// value (MQTT 5 section 3.3.2.3.3). It is rounded up to seconds; 0: for ever.
func (b *BroadcastOperator) Expiry(d time.Duration) *BroadcastOperator {
	c := *b
	c.expiry = d
	return &c
}

// Timeout bounds the wait of EmitWithAck.
func (b *BroadcastOperator) Timeout(d time.Duration) *BroadcastOperator {
	c := *b
	c.timeout = d
	return &c
}

// Emit sends the event. It returns when the event is in the queue of every
// local socket and has been handed to the broker; it does not wait for clients. Of
// an error, the message says what failed; local sockets have the event all the same unless
// it could not be encoded.
func (b *BroadcastOperator) Emit(event string, values ...any) error {
	m, err := b.message(event, values)
	if err != nil {
		return err
	}
	if err := b.nsp.adapter.Broadcast(m); err != nil {
		return fmt.Errorf("emit %q: %w", event, err)
	}
	return nil
}

func (b *BroadcastOperator) message(event string, values []any) (*rooms.Message, error) {
	if err := checkEvent(event); err != nil {
		return nil, err
	}
	if b.from != nil {
		targets := b.targets
		if len(targets) == 0 {
			targets = toAll
		}
		if err := b.from.mayEmit(targets, event); err != nil {
			return nil, err
		}
	}
	a, err := args.Encode(values...)
	if err != nil {
		return nil, fmt.Errorf("emit %q: %w", event, err)
	}
	m := &rooms.Message{
		Namespace: b.nsp.name, Event: event, Args: a,
		Targets: b.targets, ExceptRooms: b.exceptRooms, ExceptSockets: b.exceptSockets,
		Volatile: b.volatile, Local: b.local, Retain: b.retain, Verbatim: b.verbatim, QoS: 1,
	}
	if b.expiry > 0 {
		m.Expiry = uint32(min(int64((b.expiry+time.Second-1)/time.Second), math.MaxUint32))
	}
	switch {
	case b.qosSet && b.qos > 2:
		return nil, fmt.Errorf("emit %q: QoS %d: must be 0, 1 or 2", event, b.qos)
	case b.qosSet:
		m.QoS = b.qos
	case b.volatile:
		m.QoS = 0
	}
	return m, nil
}

// encode makes the Engine.IO message of a packet, framed once for all its
// receivers. CONNECT and CONNECT_ERROR, which are for one client, go through client.encode.
func (srv *Server) encode(p *packet.Packet) (*engine.Message, error) { return encode(srv.codec, p) }

func encode(codec packet.Codec, p *packet.Packet) (*engine.Message, error) {
	size := 64 + len(p.Namespace) + len(p.Event) + len(p.Args.Raw) + len(p.Data)
	var err error
	if codec.Binary() {
		var b []byte
		if b, err = codec.Append(nil, p); err != nil {
			return nil, err
		}
		return engine.NewMessage(engine.Part{Data: b, Binary: true}), nil
	}
	m := engine.NewText(size, func(dst []byte) []byte {
		var b []byte
		b, err = codec.Append(dst, p)
		return b
	}, p.Args.Attachments...)
	return m, err
}

// Deliver implements adapter.Local: the message is framed once, goes into the queue of
// each socket it is for, and then each connection is flushed. Broadcasts that run at the
// same time meet in the queues and leave in common writes.
func (n *Namespace) Deliver(m *rooms.Message) error {
	return n.deliver(m, &packet.Packet{Type: packet.Event, Namespace: n.name, Event: m.Event, Args: m.Args}, nil)
}

// deliver sends p to the sockets that m is for. each, when not nil, is called
// with every one of them before the packet is in its queue.
func (n *Namespace) deliver(m *rooms.Message, p *packet.Packet, each func(*Socket) bool) error {
	d := deliveries.Get().(*delivery)
	err := n.enqueue(d, m, p, each)
	for i, s := range d.watched {
		s.notifyOutgoing(p)
		d.watched[i] = nil
	}
	d.watched = d.watched[:0]
	d.volatile = m.Volatile
	n.server.flusher.flush(d)
	return err
}

// enqueue puts p into the queues of the sockets that m is for. With a memory,
// queues and log have the same order.
func (n *Namespace) enqueue(d *delivery, m *rooms.Message, p *packet.Packet, each func(*Socket) bool) error {
	logged := n.memory != nil && !m.Volatile && !m.Transient && !p.HasID
	if logged {
		n.memory.mu.Lock()
		defer n.memory.mu.Unlock()
		var err error
		if p, err = n.memory.numberedLocked(p); err != nil {
			return err
		}
	}
	frame, err := n.server.encode(p)
	if err != nil {
		return err
	}
	d.size = frame.Len()
	if m.Verbatim {
		frame.DisableCompression()
	}
	if logged {
		n.memory.recordLocked(frame, m)
	}
	visit := func(s *Socket) bool {
		if each != nil && !each(s) {
			return true
		}
		if s.watched.Load() {
			d.watched = append(d.watched, s)
		}
		enqueue := s.client.conn.Enqueue
		if m.Volatile {
			enqueue = s.client.conn.EnqueueVolatile
		}
		if enqueue(frame) == nil { // else the connection is closing, and says so itself
			d.conns = append(d.conns, s.client.conn)
		}
		return true
	}
	if m.Only == "" {
		n.index.Each(selection(m), visit)
	} else if s, ok := n.index.Get(m.Only); ok {
		visit(s)
	}
	return nil
}

// toAll are the targets of an operator that names none.
var toAll = []rooms.Target{{Kind: rooms.ToAll}}

// selection says which sockets a message is for.
func selection(m *rooms.Message) rooms.Selection {
	s := rooms.Selection{ExceptRooms: roomKeys(m.ExceptRooms), Except: m.ExceptSockets}
	for _, t := range m.Targets {
		if t.Kind == rooms.ToAll {
			s.Rooms = nil
			break
		}
		s.Rooms = append(s.Rooms, targetKey(t))
	}
	return s
}
