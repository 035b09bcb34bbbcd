package embedded

// These tests look at what crosses from the guard to mochi, at the tree and at
// allocations, none of which shows outside.

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/mochi-mqtt/server/v2/packets"
	"go.uber.org/zap"
	zapobserver "go.uber.org/zap/zaptest/observer"

	"siomq/adapter/broker"
	"siomq/adapter/broker/brokertest"
	"siomq/rooms/topic"
)

// decodable reports why mochi's codec does not take a packet.
func decodable(b []byte, version byte) error {
	in := bytes.NewReader(b)
	first, _ := in.ReadByte()
	var fh packets.FixedHeader
	if err := fh.Decode(first); err != nil {
		return err
	}
	n, _, err := packets.DecodeLength(in)
	if err != nil || n != in.Len() {
		return fmt.Errorf("length %d of %d: %w", n, in.Len(), err)
	}
	fh.Remaining = n
	pk := packets.Packet{FixedHeader: fh, ProtocolVersion: version}
	body := b[len(b)-n:]
	switch fh.Type {
	case packets.Connect:
		if err := pk.ConnectDecode(body); err != nil {
			return err
		}
		if code := pk.ConnectValidate(); code != packets.CodeSuccess {
			return code
		}
		return nil
	case packets.Subscribe:
		return pk.SubscribeDecode(body)
	case packets.Unsubscribe:
		return pk.UnsubscribeDecode(body)
	case packets.Disconnect:
		return pk.DisconnectDecode(body)
	}
	return fmt.Errorf("packet type %d must not reach mochi", fh.Type)
}

// FuzzGuard feeds bytes to a connection after and before its CONNECT. What
// reaches mochi must be packets that its codec takes; nothing may panic.
func FuzzGuard(f *testing.F) {
	connect := brokertest.Connect{Version: 5, ClientID: "c"}.Bytes()
	seeds := [][]byte{
		connect, brokertest.Connect{Version: 4, ClientID: "c", Username: "u", Password: "p"}.Bytes(),
		brokertest.Connect{Version: 5, Will: full("w"), Props: brokertest.Props{SessionExpiry: 1}}.Bytes(),
		{0x82, 6, 0, 1, 0, 0, 1, 'a'}, {0x82, 7, 0, 1, 0, 0, 1, 'a', 0},
		{0x82, 9, 0, 1, 2, 0x0b, 5, 0, 1, '#', 1}, {0xA2, 6, 0, 1, 0, 0, 1, 'a'},
		{0x30, 5, 0, 1, 'a', 0, 'x'}, {0x3d, 9, 0, 1, 'a', 0, 1, 3, 0x23, 0, 1}, {0x40, 2, 0, 1}, {0x62, 4, 0, 1, 0x92, 0},
		{0xC0, 0}, {0xE0, 0}, {0xE0, 7, 0, 5, 0x11, 0, 0, 0, 1}, {0xF0, 0}, {0x30, 0xff, 0xff, 0xff, 0x7f}, {0, 0},
	}
	for _, s := range seeds {
		f.Add(s, false)
		f.Add(append(slices.Clone(connect), s...), true)
	}
	core, logs := zapobserver.New(zap.DebugLevel)
	b, err := New(&Options{MaxPacketSize: 4 << 10, Logger: zap.New(core)})
	if err != nil {
		f.Fatal(err)
	}
	b.SetAccess(broker.Access{})
	f.Cleanup(func() { _ = b.Close(context.Background()) })
	f.Fuzz(func(t *testing.T, data []byte, _ bool) {
		client, server := net.Pipe()
		defer client.Close()
		c := b.newConn(server, "fuzz")
		go func() {
			defer client.Close()
			_, _ = client.Write(data)
		}()
		c.readAll(t)
		_ = server.Close()
		// And the whole of it, mochi included.
		client, server = net.Pipe()
		go func() {
			defer client.Close()
			_, _ = client.Write(data)
		}()
		go func() { _, _ = io.Copy(io.Discard, client) }()
		_ = b.ServeConn(server, "fuzz")
		for _, e := range logs.TakeAll() {
			if m := e.ContextMap(); m["reason"] == reasonPanic || m["reason"] == reasonMochi {
				t.Fatalf("%x: %v", data, m)
			}
		}
	})
}

func full(topic string) *broker.Message {
	return &broker.Message{Topic: topic, Payload: []byte("x"), QoS: 2, Retain: true}
}

// readAll handles packets until the end, and holds what mochi would read against
// its codec.
func (c *conn) readAll(t *testing.T) {
	c.w.limit = 1 << 20
	c.w.spawn = func(func()) {} // nobody reads
	for c.next() == nil {
		if len(c.forMochi) > 0 {
			if err := decodable(c.forMochi, c.version); err != nil {
				t.Fatalf("mochi is given %x: %v", c.forMochi, err)
			}
			c.forMochi = nil
		}
	}
	if c.session != nil {
		c.sessionExpiry, c.established = 0, false
		c.b.leave(c)
	}
}

func TestFuzzSeedsCoverPackets(t *testing.T) {
	if err := decodable([]byte{0x82, 6, 0, 1, 0, 0, 1, 'a'}, 4); err == nil {
		t.Error("decodable takes a truncated SUBSCRIBE")
	}
	if err := decodable([]byte{0x30, 3, 0, 1, 'a'}, 4); err == nil {
		t.Error("decodable lets a PUBLISH pass")
	}
}

// levels are few, so that random filters and names often match.
var levels = []string{"a", "b", "", "$x", "é"}

func randomName() string {
	parts := make([]string, 1+rand.IntN(4))
	for i := range parts {
		parts[i] = levels[rand.IntN(len(levels))]
	}
	return strings.Join(parts, "/")
}

func randomFilter() string {
	parts := strings.Split(randomName(), "/")
	for i := range parts {
		if rand.IntN(3) == 0 {
			parts[i] = "+"
		}
	}
	if rand.IntN(3) == 0 {
		parts[len(parts)-1] = "#"
	}
	return strings.Join(parts, "/")
}

// TestTree holds the tree against Filter.Match, both ways round.
func TestTree(t *testing.T) {
	for range 200 {
		var filters, names tree[string]
		in := map[string]bool{}
		all := map[string]bool{}
		for range 30 {
			f := randomFilter()
			*filters.add(f) = f
			in[f] = true
			n := randomName()
			*names.add(n) = n
			all[n] = true
		}
		for f := range in {
			if rand.IntN(3) == 0 {
				filters.remove(f)
				filters.remove(f + "/none")
				delete(in, f)
			}
		}
		for range 30 {
			name := randomName()
			var got, want []string
			filters.match(name, func(l *string) bool { got = append(got, *l); return true })
			for f := range in {
				if topic.Filter(f).Match(topic.Name(name)) {
					want = append(want, f)
				}
			}
			if !sameSet(got, want) {
				t.Fatalf("name %q: matched by %q, want %q", name, got, want)
			}
			filter := randomFilter()
			got, want = nil, nil
			names.names(filter, func(l *string) { got = append(got, *l) })
			for n := range all {
				if topic.Filter(filter).Match(topic.Name(n)) {
					want = append(want, n)
				}
			}
			if !sameSet(got, want) {
				t.Fatalf("filter %q: names %q, want %q", filter, got, want)
			}
		}
		for f := range in {
			filters.remove(f)
		}
		if r := &filters.root; len(r.children) > 0 || r.plus != nil || r.hash != nil {
			t.Fatal("an empty tree keeps nodes")
		}
	}
}

func sameSet(a, b []string) bool {
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}

// TestVarint: section 1.5.5.
func TestVarint(t *testing.T) {
	for _, v := range []int{0, 1, 127, 128, 16383, 16384, 2097151, 2097152, 268435455} {
		b := appendVarint(nil, v)
		got, n := varint(b)
		if got != v || n != len(b) || n != varintLen(v) {
			t.Errorf("%d: %x gives %d in %d bytes", v, b, got, n)
		}
		for i := range b {
			if _, n := varint(b[:i]); n != 0 {
				t.Errorf("%d: the first %d bytes give %d", v, i, n)
			}
		}
	}
	for _, bad := range []string{"\x80\x00", "\xff\xff\xff\xff\x01", "\x80\x80\x80\x80"} {
		if _, n := varint([]byte(bad)); n != -1 {
			t.Errorf("%x: %d, want -1", bad, n)
		}
	}
}

// discard is a connection that takes everything.
type discard struct{ net.Conn }

func (discard) TryWrite(p []byte) (int, error) { return len(p), nil }
func (discard) Write(p []byte) (int, error)    { return len(p), nil }

// subscribeDirectly adds n sessions with a connection each, without one.
func subscribeDirectly(b *Broker, n int, qos byte) {
	for i := range n {
		s := &session{b: b, id: fmt.Sprint("s", i)}
		s.client.Store(&broker.Client{ID: s.id})
		c := &conn{b: b, session: s, version: byte(4 + i%2), window: 1 << 30}
		c.w = writer{conn: discard{}, limit: 1 << 30, spawn: func(func()) {}}
		s.conn = c
		s.online.Store(true)
		s.subscribe(&subscription{session: s, name: "bench/+", filter: "bench/+", qos: qos})
	}
}

// TestPublishAllocations: nothing is allocated for each subscriber at QoS 0.
func TestPublishAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("with -race a sync.Pool forgets on purpose")
	}
	b, err := New(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.Close(context.Background()) }()
	subscribeDirectly(b, 200, 0)
	m := &broker.Message{Topic: "bench/1", Payload: make([]byte, 128)}
	ctx := context.Background()
	_ = b.Publish(ctx, m)
	if n := testing.AllocsPerRun(100, func() { _ = b.Publish(ctx, m) }); n > 2 {
		t.Errorf("a publish to 200 subscribers allocates %v times", n)
	}
	if n := testing.AllocsPerRun(100, func() { b.Wants("bench/1") }); n > 0 {
		t.Errorf("Wants allocates %v times", n)
	}
}

// BenchmarkPublish is a publish to 200 subscribers whose connections take
// everything at once.
func BenchmarkPublish(bench *testing.B) {
	for _, qos := range []byte{0, 1} {
		bench.Run(fmt.Sprintf("QoS%d", qos), func(bench *testing.B) {
			b, err := New(nil)
			if err != nil {
				bench.Fatal(err)
			}
			defer func() { _ = b.Close(context.Background()) }()
			subscribeDirectly(b, 200, qos)
			m := &broker.Message{Topic: "bench/1", Payload: make([]byte, 128), QoS: qos}
			bench.ReportAllocs()
			for bench.Loop() {
				_ = b.Publish(context.Background(), m)
				for _, s := range b.index.tree.get("bench/+").subs {
					s.session.sent = s.session.sent[:0]
				}
			}
			bench.ReportMetric(float64(bench.Elapsed().Nanoseconds())/float64(bench.N)/200, "ns/delivery")
		})
	}
}
