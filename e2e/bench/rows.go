//go:build linux

package main

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"time"
)

// row is one workload.
type row struct {
	name    string
	sockets bool   // uses the Socket.IO door, where the peer has one
	mqtt    bool   // uses the MQTT door
	also    string // a peer without sockets that it is for all the same
	full    bool   // left out of the short version
	run     func(s *session) (result, error)
}

// suits tells whether the row is for the peer.
func (r *row) suits(p *peer) bool {
	switch {
	case r.sockets && r.mqtt:
		return p.sockets && p.mqtt || p.name == r.also
	case r.sockets:
		return p.sockets
	default:
		return p.mqtt && p.name != "node" // aedes has rows of its own
	}
}

// session is one peer, started for one row.
type session struct {
	*clients
	peer    *peer
	server  *process
	traffic *traffic
	plan    plan
	quick   bool
}

var rows = []*row{
	{name: "room500", sockets: true, run: room(500, 1, 4)},
	{name: "room500w1", sockets: true, run: room(500, 1, 1)},
	{name: "room500p4", sockets: true, full: true, run: room(500, 4, 1)},
	{name: "ack", sockets: true, run: acknowledged},
	{name: "mqttroom", sockets: true, mqtt: true, run: func(s *session) (result, error) {
		return s.roomAndDevices(500, 0, 0, 4, 0)
	}},
	{name: "idle", sockets: true, run: idle},
	{name: "open500", sockets: true, run: openLoop},
	{name: "room100", sockets: true, full: true, run: room(100, 1, 4)},
	{name: "room10000", sockets: true, full: true, run: room(10_000, 1, 4)},
	{name: "rooms100k", sockets: true, full: true, run: manyRooms},
	{name: "mixed", sockets: true, mqtt: true, run: func(s *session) (result, error) {
		return s.roomAndDevices(250, 100, 2, 2, 0)
	}},
	{name: "mqtt0", mqtt: true, run: fanOut(200, 0)},
	{name: "mqtt1", mqtt: true, run: fanOut(200, 1)},
	{name: "emit", sockets: true, mqtt: true, also: "mochi", run: emitToDevices},
}

const patience = 1 * time.Second // of silence, after which messages are lost

// measure starts p, runs the row and ends p.
func (r *row) measure(p *peer, pl plan, quick bool, extra ...string) (res result, err error) {
	ports, err := freePorts(2)
	if err != nil {
		return res, err
	}
	var listens []string
	mqtt := ""
	if p.sockets {
		listens = append(listens, ports[0])
	}
	if r.mqtt {
		mqtt = ports[1]
		listens = append(listens, mqtt)
	}
	name, args := p.command(ports[0], mqtt)
	server, err := start(name, append(args, extra...), p.dir, listens...)
	if err != nil {
		return res, err
	}
	defer server.stop()
	l, err := newLoop()
	if err != nil {
		return res, err
	}
	defer l.closeAll()
	s := &session{
		clients: &clients{loop: l, sockets: netip.MustParseAddrPort(ports[0]), mqtt: netip.MustParseAddrPort(ports[1])},
		peer:    p, server: server, traffic: &traffic{loop: l}, plan: pl, quick: quick,
	}
	s.plan.patience = patience
	return r.run(s)
}

const (
	atOnce      = 64              // connections that are being opened
	openTimeout = 5 * time.Second // of silence, after which connections are lost
)

// connect opens n connections with open, a few at a time, and waits until all
// are ready.
func (s *session) connect(n int, open func(ready func(*conn)) (*conn, error)) ([]*conn, error) {
	conns := make([]*conn, 0, n)
	ready := 0
	for ready < n {
		for len(conns) < n && len(conns)-ready < atOnce {
			c, err := open(func(*conn) { ready++ })
			if err != nil {
				return nil, err
			}
			conns = append(conns, c)
		}
		target := ready + 1
		if err := s.loop.run(func() bool { return ready >= target }, openTimeout); err != nil {
			return conns, fmt.Errorf("connection %d of %d: %w", ready, n, err)
		}
	}
	return conns, nil
}

// joinAll puts sockets into rooms, and waits until they are told so.
func (s *session) joinAll(conns []*conn, rooms int, name func(c, i int) string) error {
	done := 0
	for ci, c := range conns {
		c.onAck = func(*conn, uint64) { done++ }
		for i := range rooms {
			s.join(c, name(ci, i), uint64(i))
		}
		if ci%atOnce != atOnce-1 && ci != len(conns)-1 {
			continue
		}
		if err := s.loop.run(func() bool { return done == (ci+1)*rooms }, 10*time.Second); err != nil {
			return fmt.Errorf("%d of %d joined: %w", done, len(conns)*rooms, err)
		}
	}
	return nil
}

// audience opens n sockets in the room bench.
func (s *session) audience(n int) ([]*conn, error) {
	conns, err := s.connect(n, s.socket)
	if err != nil {
		return nil, err
	}
	for _, c := range conns {
		c.onText = s.traffic.text
	}
	return conns, s.joinAll(conns, 1, func(int, int) string { return "bench" })
}

// speakers adds publishers on sockets that are not in the room.
func (s *session) speakers(n, receivers, window int) error {
	conns, err := s.connect(n, s.socket)
	for i, c := range conns {
		s.traffic.add(len(s.traffic.publishers), receivers, window, s.broadcasts(conns[i]))
		c.onText = nil
	}
	return err
}

// subscribers opens n MQTT clients with a subscription.
func (s *session) subscribers(n int, qos byte) error {
	conns, err := s.connect(n, func(ready func(*conn)) (*conn, error) { return s.device(topic, qos, ready) })
	for _, c := range conns {
		c.onText = s.traffic.text
	}
	return err
}

// talker adds a publisher on an MQTT client.
func (s *session) talker(receivers, window int, qos byte) error {
	c, err := s.device("", 0, nil)
	if err == nil {
		s.traffic.add(len(s.traffic.publishers), receivers, window, s.publishes(c, qos))
	}
	return err
}

func (s *session) measureTraffic() (result, error) { return s.traffic.run(s.plan, s.server) }

// room: broadcasts by some sockets to a room of others.
func room(sockets, speakers, window int) func(*session) (result, error) {
	return func(s *session) (result, error) {
		if _, err := s.audience(sockets); err != nil {
			return result{}, err
		}
		if err := s.speakers(speakers, sockets, window); err != nil {
			return result{}, err
		}
		return s.measureTraffic()
	}
}

// openLoop: broadcasts at a fixed rate, latency from the time each was due.
func openLoop(s *session) (result, error) {
	if s.plan.rate == 0 {
		s.plan.rate = 50
	}
	return room(500, 1, 0)(s)
}

// manyRooms: room500 while its sockets are in 100,000 rooms of their own.
func manyRooms(s *session) (result, error) {
	conns, err := s.audience(500)
	if err != nil {
		return result{}, err
	}
	const each = 200
	cpu := s.server.cpu()
	err = s.joinAll(conns, each, func(c, i int) string { return strconv.Itoa(c) + "-" + strconv.Itoa(i) })
	if err != nil {
		return result{}, err
	}
	joins := s.server.cpu() - cpu
	if err := s.speakers(1, len(conns), 4); err != nil {
		return result{}, err
	}
	res, err := s.measureTraffic()
	res.joinCPU = joins.Seconds() * 1e6 / float64(len(conns)*each)
	return res, err
}

// acknowledged: 50 sockets, each waits for the acknowledgement of its event.
func acknowledged(s *session) (result, error) {
	conns, err := s.connect(50, s.socket)
	if err != nil {
		return result{}, err
	}
	for _, c := range conns {
		p := s.traffic.add(0, 1, 1, s.echoes(c))
		c.onAck = func(c *conn, id uint64) { s.traffic.arrived(p, c, id) }
	}
	return s.measureTraffic()
}

// roomAndDevices: publishes by a device, and broadcasts by a socket if sockets
// may, to a room of sockets and devices.
func (s *session) roomAndDevices(sockets, devices, socketWindow, deviceWindow int, qos byte) (result, error) {
	if _, err := s.audience(sockets); err != nil {
		return result{}, err
	}
	if err := s.subscribers(devices, qos); err != nil {
		return result{}, err
	}
	if socketWindow > 0 {
		if err := s.speakers(1, sockets+devices, socketWindow); err != nil {
			return result{}, err
		}
	}
	if err := s.talker(sockets+devices, deviceWindow, qos); err != nil {
		return result{}, err
	}
	return s.measureTraffic()
}

// fanOut: publishes by a device to others.
func fanOut(devices int, qos byte) func(*session) (result, error) {
	return func(s *session) (result, error) {
		if err := s.subscribers(devices, qos); err != nil {
			return result{}, err
		}
		if err := s.talker(devices, 4, qos); err != nil {
			return result{}, err
		}
		return s.measureTraffic()
	}
}

// emitToDevices: broadcasts by a socket to devices; a broker without sockets
// gets the same as a publish.
func emitToDevices(s *session) (result, error) {
	if !s.peer.sockets {
		return fanOut(200, 0)(s)
	}
	if err := s.subscribers(200, 0); err != nil {
		return result{}, err
	}
	if err := s.speakers(1, 200, 4); err != nil {
		return result{}, err
	}
	return s.measureTraffic()
}

// idle: memory for each connection that does nothing, and how fast they came.
func idle(s *session) (result, error) {
	n := 9_000
	if s.quick {
		n = 3_000
	}
	settle := 3 * time.Second
	// The first connections bring in code and pools that later ones share.
	if _, err := s.connect(500, s.socket); err != nil {
		return result{}, err
	}
	if err := s.wait(settle); err != nil {
		return result{}, err
	}
	before, err := s.server.memory()
	if err != nil {
		return result{}, err
	}
	cpu, begin := s.server.cpu(), nanotime()
	conns, err := s.connect(n, s.socket)
	took := time.Duration(nanotime() - begin)
	lost := 0
	if errors.Is(err, errStalled) { // some were never answered
		took -= openTimeout
		lost = n - len(conns)
		for _, c := range conns {
			if !c.ready {
				lost++
			}
		}
	} else if err != nil {
		return result{}, err
	}
	used := s.server.cpu() - cpu
	if err := s.wait(settle); err != nil {
		return result{}, err
	}
	after, err := s.server.memory()
	return result{
		expected:  n,
		lost:      lost,
		memory:    (after - before) / float64(n),
		accepted:  float64(n-lost) / took.Seconds(),
		acceptCPU: used.Seconds() * 1e6 / float64(n),
	}, err
}

func (s *session) wait(d time.Duration) error {
	for end := nanotime() + int64(d); nanotime() < end; {
		if _, err := s.loop.poll(end); err != nil {
			return err
		}
	}
	return nil
}

var errNoRow = errors.New("no such row")
