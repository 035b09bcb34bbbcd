//go:build linux

package main

import (
	"strconv"
	"time"
)

const (
	maxStreams  = 4
	payloadSize = 128 // bytes
	headSize    = 11  // of these: the stream, one digit, and the number, ten digits
)

// traffic counts what publishers send and receivers get.
type traffic struct {
	loop       *loop
	publishers []*publisher

	published int // messages
	expected  int // deliveries
	received  int
	disorder  int // deliveries that came after a later one, or twice
	inflight  int // messages that some receiver lacks
	stopped   bool
	counting  bool // latencies of what is sent now count
	latency   histogram
}

// publisher sends one stream of messages.
type publisher struct {
	traffic   *traffic
	stream    int
	receivers int
	window    int // closed loop: messages in flight; open loop: 0
	send      func(number uint64, payload []byte)

	payload  [payloadSize]byte
	number   uint64 // of the next message
	inflight int
	slots    []slot // by number; a power of two
}

// slot is a message in flight.
type slot struct {
	number  uint64
	left    int
	at      int64 // when it was, or should have been, sent
	counted bool
}

// add makes a publisher whose messages reach receivers connections each.
func (t *traffic) add(stream, receivers, window int, send func(number uint64, payload []byte)) *publisher {
	p := &publisher{traffic: t, stream: stream, receivers: receivers, window: window, send: send}
	p.slots = make([]slot, 64)
	if window == 0 {
		p.slots = make([]slot, 1<<14)
	}
	for i := range p.payload {
		p.payload[i] = 'x'
	}
	p.payload[0] = '0' + byte(stream)
	t.publishers = append(t.publishers, p)
	return p
}

// publish sends the next message. at is when it is due.
func (p *publisher) publish(at int64) {
	t := p.traffic
	for n, i := p.number, headSize-1; i > 0; n, i = n/10, i-1 {
		p.payload[i] = '0' + byte(n%10)
	}
	s := &p.slots[p.number&uint64(len(p.slots)-1)]
	if s.left > 0 { // as many as there are slots in flight: give the oldest up
		p.inflight--
		t.inflight--
	}
	*s = slot{number: p.number, left: p.receivers, at: at, counted: t.counting}
	p.send(p.number, p.payload[:])
	p.number++
	p.inflight++
	t.inflight++
	t.published++
	t.expected += p.receivers
}

func (p *publisher) fill() {
	for p.inflight < p.window && !p.traffic.stopped {
		p.publish(p.traffic.loop.now)
	}
}

// text takes a delivery of a broadcast to c.
func (t *traffic) text(c *conn, payload []byte) {
	if len(payload) < headSize {
		return
	}
	stream := int(payload[0] - '0')
	if stream >= len(t.publishers) {
		return
	}
	number := uint64(0)
	for _, d := range payload[1:headSize] {
		number = number*10 + uint64(d-'0')
	}
	t.arrived(t.publishers[stream], c, number)
}

// arrived counts the delivery of one message to c.
func (t *traffic) arrived(p *publisher, c *conn, number uint64) {
	t.received++
	if number < c.next[p.stream] {
		t.disorder++
	} else {
		c.next[p.stream] = number + 1
	}
	s := &p.slots[number&uint64(len(p.slots)-1)]
	if s.number != number || s.left == 0 {
		return // given up
	}
	if s.counted {
		t.latency.add(t.loop.now - s.at)
	}
	if s.left--; s.left == 0 {
		p.inflight--
		t.inflight--
		p.fill()
	}
}

// giveUp forgets what is in flight, so that a server that loses messages gets
// others. What comes late still counts as received.
func (t *traffic) giveUp() {
	for _, p := range t.publishers {
		for i := range p.slots {
			p.slots[i].left = 0
		}
		t.inflight -= p.inflight
		p.inflight = 0
	}
}

// plan says how long to run, and how.
type plan struct {
	warm, measure time.Duration
	patience      time.Duration // silence after which messages are lost
	rate          float64       // open loop: messages a second; 0: closed loop
	measured      func()        // called when the measured time begins
	finished      func() error  // called in the end, while the server still runs
}

// result is what one run gave.
type result struct {
	cpu       float64 // microseconds of the server for each delivery
	rate      float64 // deliveries a second
	p50, p99  time.Duration
	expected  int
	lost      int
	disorder  int
	memory    float64 // bytes for each idle connection
	accepted  float64 // connections a second
	acceptCPU float64 // microseconds of the server for each connection
	joinCPU   float64 // microseconds of the server for each join
	missing   string  // why there is no result
}

// run drives the publishers and measures.
func (t *traffic) run(pl plan, server *process) (result, error) {
	begin := t.loop.now
	if err := t.drive(pl, begin, begin+int64(pl.warm)); err != nil {
		return result{}, err
	}
	if pl.measured != nil {
		pl.measured()
	}
	t.counting = true
	cpu, received, start := server.cpu(), t.received, t.loop.now
	if err := t.drive(pl, start, start+int64(pl.measure)); err != nil {
		return result{}, err
	}
	used, n, took := server.cpu()-cpu, t.received-received, time.Duration(t.loop.now-start)
	if err := t.drain(pl); err != nil {
		return result{}, err
	}
	if pl.finished != nil {
		if err := pl.finished(); err != nil {
			return result{}, err
		}
	}
	return result{
		cpu:      used.Seconds() * 1e6 / float64(max(n, 1)),
		rate:     float64(n) / took.Seconds(),
		p50:      t.latency.quantile(0.5),
		p99:      t.latency.quantile(0.99),
		expected: t.expected,
		lost:     t.expected - t.received,
		disorder: t.disorder,
	}, nil
}

// drive keeps the load up until the time end.
func (t *traffic) drive(pl plan, begin, end int64) error {
	var interval, due int64
	if pl.rate > 0 {
		interval = int64(1e9 / pl.rate)
		due = begin + interval
	}
	quiet := t.loop.now // since when nothing has come
	for turn := 0; t.loop.now < end; {
		for ; interval > 0 && due <= t.loop.now; due += interval {
			t.publishers[turn%len(t.publishers)].publish(due)
			turn++
		}
		until := min(end, quiet+int64(pl.patience))
		if interval > 0 {
			until = min(until, due)
		} else {
			for _, p := range t.publishers {
				p.fill()
			}
		}
		handled, err := t.loop.poll(until)
		if err != nil {
			return err
		}
		if handled > 0 || t.inflight == 0 {
			quiet = t.loop.now
		} else if t.loop.now-quiet >= int64(pl.patience) {
			t.giveUp()
			quiet = t.loop.now
		}
	}
	return nil
}

// drain waits for what is in flight, and for what was given up.
func (t *traffic) drain(pl plan) error {
	t.stopped = true
	for t.received < t.expected {
		handled, err := t.loop.poll(nanotime() + int64(pl.patience))
		if err != nil {
			return err
		}
		if handled == 0 {
			return nil
		}
	}
	return nil
}

// broadcasts makes c publish to the room as a socket.
func (p *clients) broadcasts(c *conn) func(uint64, []byte) {
	return func(_ uint64, payload []byte) {
		p.send(c, []byte(`42["pub","`), payload, []byte(`"]`))
	}
}

// publishes makes c publish to the room, or topic, as an MQTT client.
func (p *clients) publishes(c *conn, qos byte) func(uint64, []byte) {
	return func(number uint64, payload []byte) { p.publish(c, qos, number, payload) }
}

// echoes makes c ask for acknowledgements.
func (p *clients) echoes(c *conn) func(uint64, []byte) {
	var id []byte
	return func(number uint64, payload []byte) {
		id = strconv.AppendUint(id[:0], number, 10)
		p.send(c, []byte("42"), id, []byte(`["echo","`), payload, []byte(`"]`))
	}
}
