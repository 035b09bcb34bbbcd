package embedded_test

import (
	"context"
	"errors"
	"flag"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"siomq/adapter/broker"
	bt "siomq/adapter/broker/brokertest"
	"siomq/adapter/broker/embedded"
)

var stalled = flag.Int("stalled", 100, "how many clients of TestClientsThatNeverRead do not read")

// TestClientsThatNeverRead: a publisher at full speed fills the queues of many;
// they are closed and counted, memory stays bounded, and who reads loses nothing.
// `make soak` runs it with 1,000.
func TestClientsThatNeverRead(t *testing.T) {
	const queue = 512 << 10
	clients := *stalled
	b := openFree(t, embedded.Options{MaxQueue: queue, MaxPacketSize: 128 << 10, Logger: zap.NewNop()})
	for i := range clients {
		c := connect(t, b, bt.Connect{})
		c.Subscribe("flood", byte(i%2))
		_ = c.Conn.(*net.TCPConn).SetReadBuffer(4 << 10)
	}
	good := connect(t, b, bt.Connect{})
	good.Subscribe("flood", 0)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	payload := make([]byte, 32<<10)
	var peak uint64
	sent := 0
	for b.Stats().Closed["queue overflow"] < int64(clients) {
		publish(t, b, &broker.Message{Topic: "flood", Payload: payload, QoS: 1})
		good.Receive()
		if sent++; sent%10 == 0 {
			runtime.ReadMemStats(&after)
			peak = max(peak, after.HeapInuse)
		}
		if sent > 3000 {
			t.Fatalf("after %d messages only %v ended", sent, b.Stats().Closed)
		}
	}
	good.Nothing()
	// A queue is a slice that grows, so old and new are there for a moment.
	if bound := uint64(clients * queue * 4); peak > before.HeapInuse+bound {
		t.Errorf("heap grew from %d to %d KiB, more than %d", before.HeapInuse>>10, peak>>10, bound>>10)
	}
}

// TestAbsentQueue: the queue of an absent client is bounded; what does not fit
// is dropped and counted.
func TestAbsentQueue(t *testing.T) {
	b := openFree(t, embedded.Options{MaxQueue: 16 << 10, MaxPacketSize: 4 << 10})
	c := connect(t, b, session("c"))
	c.Subscribe("t", 1)
	c.Disconnect()
	const n = 40
	for i := range n {
		publish(t, b, &broker.Message{Topic: "t", QoS: 1, Payload: append(number(i), make([]byte, 1000)...)})
	}
	dropped := int(b.Stats().Dropped["session queue full"])
	if dropped == 0 || dropped == n {
		t.Errorf("%d of %d dropped", dropped, n)
	}
	c = connect(t, b, session("c"))
	for i := range n - dropped {
		if p := c.Receive(); !strings.HasPrefix(string(p.Payload), string(number(i))) {
			t.Errorf("message %d begins %q", i, p.Payload[:3])
		}
	}
	c.Nothing()
}

// TestNoAcknowledgements: a client that reads but never acknowledges is closed when
// what waits for it is over the bound, and its session stays.
func TestNoAcknowledgements(t *testing.T) {
	b := openFree(t, embedded.Options{MaxQueue: 16 << 10, MaxPacketSize: 4 << 10, MaxInflight: 5})
	c := connect(t, b, session("c"))
	c.Subscribe("t", 1)
	for range 40 {
		publish(t, b, &broker.Message{Topic: "t", QoS: 1, Payload: make([]byte, 1000)})
	}
	if p := c.AwaitClose(); p == nil || p.Code != 0x97 {
		t.Errorf("DISCONNECT %+v, want 0x97", p)
	}
	if !b.Known("c") {
		t.Error("the session is gone")
	}
}

// TestManyRetained: retained messages beyond the queue of a client do not close it.
func TestManyRetained(t *testing.T) {
	b := openFree(t, embedded.Options{MaxQueue: 64 << 10, MaxPacketSize: 16 << 10, MaxRetained: 1000})
	for i := range 1000 {
		publish(t, b, &broker.Message{Topic: "r/" + string(number(i)), Payload: make([]byte, 2000), Retain: true})
	}
	err := b.Publish(context.Background(), &broker.Message{Topic: "r/more", Payload: []byte("x"), Retain: true})
	if !errors.Is(err, broker.ErrTooLarge) {
		t.Errorf("one more: %v", err)
	}
	c := connect(t, b, bt.Connect{})
	if code := c.Publish(&broker.Message{Topic: "r/more", Payload: []byte("x"), Retain: true, QoS: 1}); code != 0x97 {
		t.Errorf("one more by a client: %#x", code)
	}
	c.Subscribe("r/#", 0)
	for range 1000 {
		c.Receive()
	}
	c.Nothing()
	for i := range 1000 {
		publish(t, b, &broker.Message{Topic: "r/" + string(number(i)), Retain: true})
	}
	if n := b.Stats().Retained; n != 0 {
		t.Errorf("%d messages retained", n)
	}
}

// TestHandlerPanics: it ends that connection, with the stack in the log, and
// nothing else.
func TestHandlerPanics(t *testing.T) {
	core, logs := observer.New(zap.ErrorLevel)
	b := openFree(t, embedded.Options{Logger: zap.New(core)})
	remove, err := b.Handle(context.Background(), "panic/#", func(*broker.Message) error { panic("as asked") })
	if err != nil {
		t.Fatal(err)
	}
	other := connect(t, b, bt.Connect{})
	other.Subscribe("#", 1)
	o := session("c")
	o.Will = &broker.Message{Topic: "panic/will"}
	c := connect(t, b, o)
	c.Subscribe("own", 1)
	c.Send(c.PublishBytes(&broker.Message{Topic: "panic/1", QoS: 1}, 1, bt.Props{}))
	if p := c.AwaitClose(); p == nil || p.Code != 0x80 {
		t.Errorf("DISCONNECT %+v, want 0x80", p)
	}
	eventually(t, "the connection is gone", func() bool { return b.Stats().Connections == 1 })
	if n := len(logs.FilterField(zap.Any("panic", "as asked")).All()); n != 2 { // publish and will
		t.Errorf("%d panics logged: %v", n, logs.All())
	}
	for _, e := range logs.All() {
		if stack := e.ContextMap()["stack"].(string); !strings.Contains(stack, "TestHandlerPanics") {
			t.Errorf("stack: %s", stack)
		}
	}
	other.Nothing()
	remove()
	o.Will = nil
	c = connect(t, b, o)
	publish(t, b, &broker.Message{Topic: "own", QoS: 1})
	if p := c.Receive(); p.Topic != "own" {
		t.Errorf("got %q", p.Topic)
	}
	o.Resume, o.Props.SessionExpiry = false, 0
	connect(t, b, o).Disconnect()
	eventually(t, "the session is gone", func() bool { return !b.Known("c") })
}

// TestCloseIsBounded: Close returns when its context ends although a handler
// blocks, and is complete once the handler has returned.
func TestCloseIsBounded(t *testing.T) {
	b, err := embedded.New(&embedded.Options{Addr: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	b.SetAccess(broker.Access{})
	entered, leave := make(chan struct{}), make(chan struct{})
	if _, err := b.Handle(context.Background(), "#", func(*broker.Message) error { close(entered); <-leave; return nil }); err != nil {
		t.Fatal(err)
	}
	c := connect(t, b, bt.Connect{})
	c.Send(c.PublishBytes(&broker.Message{Topic: "t"}, 0, bt.Props{}))
	<-entered
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if err := b.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("close: %v", err)
	}
	close(leave)
	if err := b.Close(context.Background()); err != nil {
		t.Errorf("close again: %v", err)
	}
}

// TestRetainedNeverGoesBack: whoever subscribes while a retained topic changes
// ends with the last value.
func TestRetainedNeverGoesBack(t *testing.T) {
	b := openFree(t, embedded.Options{})
	const n = 500
	var publisher sync.WaitGroup
	publisher.Go(func() {
		for i := range n {
			_ = b.Publish(context.Background(), &broker.Message{Topic: "t", Payload: number(i + 100), Retain: true, QoS: 1})
		}
	})
	var readers []*bt.Client
	for range 20 {
		c := connect(t, b, bt.Connect{})
		c.Subscribe("t", 0)
		readers = append(readers, c)
	}
	publisher.Wait()
	for _, c := range readers {
		c.Ping()
		last := 0
		for c.Pending(bt.PUBLISH) > 0 {
			p := c.Receive()
			v := 0
			for _, d := range p.Payload {
				v = 10*v + int(d-'0')
			}
			if v < last {
				t.Fatalf("%d after %d", v, last)
			}
			last = v
		}
		if last != n+99 {
			t.Errorf("the last value is %d, want %d", last, n+99)
		}
	}
}
