package embedded_test

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"siomq/adapter/broker"
	bt "siomq/adapter/broker/brokertest"
	"siomq/adapter/broker/embedded"
)

// door connects to a broker that allows everything.
type door func() net.Conn

// bare is mochi as it comes.
type bare struct {
	*mochi.Server
	closed chan struct{} // receives when a connection has ended
}

// allowHook allows everything.
type allowHook struct{ mochi.HookBase }

func (*allowHook) Provides(what byte) bool {
	return what == mochi.OnConnectAuthenticate || what == mochi.OnACLCheck
}
func (*allowHook) OnConnectAuthenticate(*mochi.Client, packets.Packet) bool { return true }
func (*allowHook) OnACLCheck(*mochi.Client, string, bool) bool              { return true }

func newBare(t testing.TB) *bare {
	t.Helper()
	b := &bare{mochi.New(&mochi.Options{Logger: slog.New(slog.DiscardHandler), InlineClient: true}), make(chan struct{}, 100)}
	if err := b.AddHook(new(allowHook), nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() }) // it waits for its connections, which are closed before
	return b
}

// dial gives mochi one end of a TCP connection.
func (b *bare) dial(t testing.TB) net.Conn {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close(); <-b.closed })
	go func() { _ = b.EstablishConnection("bare", server); b.closed <- struct{}{} }()
	return client
}

// probe is a testing.TB for a check that is meant to fail: it notes why.
type probe struct {
	testing.TB
	why []string
}

func (p *probe) Helper()           {}
func (p *probe) Error(args ...any) { p.why = append(p.why, fmt.Sprint(args...)) }
func (p *probe) Errorf(format string, args ...any) {
	p.why = append(p.why, fmt.Sprintf(format, args...))
}
func (p *probe) Fatal(args ...any) { p.Error(args...); runtime.Goexit() }
func (p *probe) Fatalf(format string, args ...any) {
	p.Errorf(format, args...)
	runtime.Goexit()
}

// reason runs check and returns why it failed, empty if it did not.
func reason(t testing.TB, check func(testing.TB)) string {
	p := &probe{TB: t}
	done := make(chan struct{})
	go func() { defer close(done); check(p) }()
	<-done
	return strings.Join(p.why, "; ")
}

// refuses fails unless the filter is refused.
func refuses(filter string) func(testing.TB, door) {
	return func(t testing.TB, dial door) {
		c := bt.Dial(t, dial(), bt.Connect{})
		if codes := c.SubscribeWith(bt.Props{}, bt.Filter{Filter: filter}).Codes; codes[0] < 0x80 {
			t.Errorf("filter %q: %#x", filter, codes[0])
		}
	}
}

// hears fails unless a retained message of the topic comes for the filter.
func hears(filter, topic string) func(testing.TB, door) {
	return func(t testing.TB, dial door) {
		c := bt.Dial(t, dial(), bt.Connect{})
		c.Publish(&broker.Message{Topic: topic, Payload: []byte("x"), Retain: true, QoS: 1})
		c.Subscribe(filter, 0)
		c.Ping()
		if c.Pending(bt.PUBLISH) != 1 {
			t.Errorf("%q: %d retained messages of %q", filter, c.Pending(bt.PUBLISH), topic)
		}
	}
}

// TestBareMochi runs checks against the Broker, which passes, and against mochi as
// it comes, which fails. When a check passes there, what is done here for it may go.
func TestBareMochi(t *testing.T) {
	checks := []struct {
		name  string
		check func(testing.TB, door)
	}{
		{"a+/b is refused", refuses("a+/b")},
		{"abc# is refused", refuses("abc#")},
		{"a/b# is refused", refuses("a/b#")},
		{"$share//t is refused", refuses("$share//t")},
		{"x/# hears the retained x", hears("x/#", "x")},
		{"a/+/# hears the retained a/b", hears("a/+/#", "a/b")},
		{"packet identifiers of both directions are apart", identifiersApart},
		{"a receive maximum holds nothing back for ever", receiveMaximum},
		{"the backlog comes in order", backlogInOrder},
		{"a will to $SYS is not published", willToSYS},
		{"the packet size is announced", packetSizeAnnounced},
		{"a message over the client's packet size does not lock its session", packetSizeLocks},
	}
	for _, tt := range checks {
		t.Run(tt.name, func(t *testing.T) {
			b := openFree(t, embedded.Options{})
			tt.check(t, func() net.Conn { return dial(t, b) })
			m := newBare(t)
			if why := reason(t, func(p testing.TB) { tt.check(p, func() net.Conn { return m.dial(t) }) }); why == "" {
				t.Error("passes on bare mochi")
			} else {
				t.Log("bare mochi:", why)
			}
		})
	}
}

// identifiersApart: a SUBSCRIBE may use an identifier under which a message came.
func identifiersApart(t testing.TB, dial door) {
	c := bt.Dial(t, dial(), bt.Connect{})
	c.Subscribe("t", 1) // identifier 1
	other := bt.Dial(t, dial(), bt.Connect{})
	other.Publish(&broker.Message{Topic: "t", QoS: 1})
	p := c.Await(bt.PUBLISH) // not acknowledged
	c.Send(bt.Frame(bt.SUBSCRIBE<<4|2, append([]byte{byte(p.ID >> 8), byte(p.ID), 0, 0, 1, 'u'}, 0)))
	if codes := c.Await(bt.SUBACK).Codes; codes[0] != 0 {
		t.Errorf("SUBACK %#x", codes[0])
	}
}

// receiveMaximum: whoever acknowledges gets everything.
func receiveMaximum(t testing.TB, dial door) {
	c := bt.Dial(t, dial(), bt.Connect{Props: bt.Props{ReceiveMaximum: 4}})
	c.Subscribe("t", 1)
	other := bt.Dial(t, dial(), bt.Connect{})
	for range 60 {
		other.Publish(&broker.Message{Topic: "t", QoS: 1})
	}
	got := 0
	for c.Ping(); c.Pending(bt.PUBLISH) > 0; c.Ping() {
		c.Receive()
		got++
	}
	if got != 60 {
		t.Errorf("%d of 60 messages", got)
	}
}

// backlogInOrder: what waited for a client comes as it was published.
func backlogInOrder(t testing.TB, dial door) {
	o := session("c")
	c := bt.Dial(t, dial(), o)
	c.Subscribe("t", 1)
	c.Disconnect()
	other := bt.Dial(t, dial(), bt.Connect{})
	for i := range 100 {
		other.Publish(&broker.Message{Topic: "t", QoS: 1, Payload: number(i)})
	}
	c = bt.Dial(t, dial(), o)
	for i := range 100 {
		if p := c.Receive(); string(p.Payload) != string(number(i)) || p.Dup() {
			t.Fatalf("message %d is %q, DUP %v", i, p.Payload, p.Dup())
		}
	}
}

// willToSYS: what a client may not publish it may not leave as its will.
func willToSYS(t testing.TB, dial door) {
	watcher := bt.Dial(t, dial(), bt.Connect{})
	watcher.Subscribe("$SYS/#", 0)
	watcher.Subscribe("end", 0)
	c := bt.Dial(t, dial(), bt.Connect{Will: &broker.Message{Topic: "$SYS/will", Payload: []byte("x")}})
	c.Send([]byte{0, 0}) // a reserved type: the will is published before the connection is closed
	c.AwaitClose()
	bt.Dial(t, dial(), bt.Connect{}).Publish(&broker.Message{Topic: "end", QoS: 1})
	if p := watcher.Receive(); p.Topic != "end" {
		t.Errorf("received %q", p.Topic)
	}
}

func packetSizeAnnounced(t testing.TB, dial door) {
	c := bt.NewClient(t, dial(), 5)
	if ack := c.Connect(bt.Connect{}); ack.Props.MaximumPacket == 0 {
		t.Error("no maximum packet size")
	}
}

// packetSizeLocks: the session can be resumed, without the large message.
func packetSizeLocks(t testing.TB, dial door) {
	o := session("c")
	o.Props.MaximumPacket = 200
	c := bt.Dial(t, dial(), o)
	c.Subscribe("t", 1)
	c.Disconnect()
	other := bt.Dial(t, dial(), bt.Connect{})
	other.Publish(&broker.Message{Topic: "t", QoS: 1, Payload: make([]byte, 1000)})
	other.Publish(&broker.Message{Topic: "t", QoS: 1, Payload: []byte("small")})
	c = bt.Dial(t, dial(), o)
	if p := c.Receive(); string(p.Payload) != "small" {
		t.Errorf("received %d bytes", len(p.Payload))
	}
	c.Ping()
}

// truncated is a SUBSCRIBE of MQTT 5 that ends where the options should stand.
var truncated = []byte{bt.SUBSCRIBE<<4 | 2, 6, 0, 1, 0, 0, 1, 't'}

// TestBareMochiDies: one packet ends the process of bare mochi, and here its connection.
func TestBareMochiDies(t *testing.T) {
	const child = "SIOMQ_TEST_BARE_MOCHI"
	if os.Getenv(child) != "" {
		m := newBare(t)
		c := bt.Dial(t, m.dial(t), bt.Connect{})
		c.Send(truncated)
		_ = c.Conn.SetReadDeadline(time.Now().Add(bt.Patience))
		_, _ = io.Copy(io.Discard, c.Conn)
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestBareMochiDies$")
	cmd.Env = append(os.Environ(), child+"=1")
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || !strings.Contains(string(out), "panic: ") {
		t.Errorf("bare mochi: %v: %.500s", err, out)
	}
	b := openFree(t, embedded.Options{})
	c := connect(t, b, bt.Connect{})
	c.Send(truncated)
	if p := c.AwaitClose(); p == nil || p.Code != 0x81 {
		t.Errorf("DISCONNECT %+v, want 0x81", p)
	}
	connect(t, b, bt.Connect{}).Ping()
}
