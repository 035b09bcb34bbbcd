package server_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"siomq/adapter"
	"siomq/adapter/broker/embedded"
	"siomq/internal/siotest"
	"siomq/rooms"
	"siomq/server"
)

// startBoth runs a server with an embedded broker and returns the addresses of both doors.
func startBoth(t testing.TB, o *server.Options) (io *server.Server, url, mqtt string) {
	t.Helper()
	b, err := embedded.New(&embedded.Options{
		Addr: "127.0.0.1:0", Logger: zaptest.NewLogger(t, zaptest.Level(zap.WarnLevel)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), siotest.Deadline)
		defer cancel()
		if err := b.Close(ctx); err != nil {
			t.Errorf("close broker: %v", err)
		}
	})
	if o == nil {
		o = &server.Options{}
	}
	o.Broker = b
	io, url = start(t, o)
	return io, url, b.Addr().String()
}

// device is an MQTT 5 client.
type device struct {
	t        testing.TB
	client   *paho.Client
	received chan *paho.Publish
}

func dialDevice(t testing.TB, addr, id string) *device {
	t.Helper()
	d := &device{t: t}
	code, err := d.connect(addr, id)
	if err != nil || code != 0 {
		t.Fatalf("connect %q: code %#x, %v", id, code, err)
	}
	return d
}

func (d *device) connect(addr, id string) (code byte, err error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return 0, err
	}
	return d.connectOn(conn, id)
}

// login connects with a user name and password.
func (d *device) login(addr, id, user, password string) (code byte, err error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return 0, err
	}
	return d.connectWith(conn, &paho.Connect{
		ClientID: id, CleanStart: true, KeepAlive: 30,
		UsernameFlag: true, Username: user, PasswordFlag: true, Password: []byte(password),
	})
}

func (d *device) connectOn(conn net.Conn, id string) (code byte, err error) {
	return d.connectWith(conn, &paho.Connect{ClientID: id, CleanStart: true, KeepAlive: 30})
}

func (d *device) connectWith(conn net.Conn, p *paho.Connect) (code byte, err error) {
	d.received = make(chan *paho.Publish, 10_000)
	d.client = paho.NewClient(paho.ClientConfig{
		Conn: packets.NewThreadSafeConn(conn), // it writes a packet in pieces, and pings beside them
		OnPublishReceived: []func(paho.PublishReceived) (bool, error){
			func(p paho.PublishReceived) (bool, error) { d.received <- p.Packet; return true, nil },
		},
	})
	ctx, cancel := context.WithTimeout(context.Background(), siotest.Deadline)
	defer cancel()
	ack, err := d.client.Connect(ctx, p)
	if ack != nil {
		code = ack.ReasonCode
	}
	if code == 0 && err == nil {
		d.t.Cleanup(func() { _ = d.client.Disconnect(&paho.Disconnect{}); <-d.client.Done() })
	}
	return code, err
}

func (d *device) subscribe(filters ...string) {
	d.t.Helper()
	if _, err := d.trySubscribe(filters...); err != nil {
		d.t.Fatalf("subscribe %q: %v", filters, err)
	}
}

func (d *device) trySubscribe(filters ...string) (*paho.Suback, error) {
	var s paho.Subscribe
	for _, f := range filters {
		s.Subscriptions = append(s.Subscriptions, paho.SubscribeOptions{Topic: f, QoS: 1})
	}
	ctx, cancel := context.WithTimeout(context.Background(), siotest.Deadline)
	defer cancel()
	return d.client.Subscribe(ctx, &s)
}

// publish returns the reason code of the acknowledgement.
func (d *device) publish(topic, payload, contentType string) byte {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), siotest.Deadline)
	defer cancel()
	p := &paho.Publish{Topic: topic, Payload: []byte(payload), QoS: 1, Properties: &paho.PublishProperties{ContentType: contentType}}
	res, err := d.client.Publish(ctx, p)
	if res == nil {
		d.t.Fatalf("publish %q: %v", topic, err)
	}
	return res.ReasonCode
}

// expect fails unless this is received next.
func (d *device) expect(topic, payload, contentType string) {
	d.t.Helper()
	p := receive(d.t, d.received)
	ct := ""
	if p.Properties != nil {
		ct = p.Properties.ContentType
	}
	if p.Topic != topic || string(p.Payload) != payload || ct != contentType {
		d.t.Fatalf("got %q %q %q, want %q %q %q", p.Topic, p.Payload, ct, topic, payload, contentType)
	}
}

// quiet fails when anything is received before a message that the device sends itself.
func (d *device) quiet() {
	d.t.Helper()
	topic := "quiet/" + d.client.ClientID()
	d.subscribe(topic)
	if code := d.publish(topic, "mark", ""); code != 0 {
		d.t.Fatalf("publish: %#x", code)
	}
	d.expect(topic, "mark", "")
}

func TestDeviceAndSocketShareARoom(t *testing.T) {
	io, url, addr := startBoth(t, nil)
	io.OnConnection(func(s *server.Socket) { echo(s); _ = s.Join("lobby") })
	c := siotest.Dial(t, url)
	sid := c.Connect("/")
	c.Quiet("/")
	d := dialDevice(t, addr, "sensor-1")
	d.subscribe("sio/main/room/lobby/#", "sio/main/all/#", "sio/main/socket/sensor-1/#")

	t.Run("device to room, and no echo to the server", func(t *testing.T) {
		d.publish("sio/main/room/lobby/message", "hello", "text/plain")
		c.Expect("message", "hello")
		d.expect("sio/main/room/lobby/message", "hello", "text/plain") // as MQTT has it: no No Local
		c.Quiet("/")
		d.quiet()
	})
	t.Run("device to everyone", func(t *testing.T) {
		d.publish("sio/main/all/news", "1", "application/json")
		c.Expect("news", 1)
		d.expect("sio/main/all/news", "1", "application/json")
	})
	t.Run("device to a socket", func(t *testing.T) {
		d.publish("sio/main/socket/"+sid+"/note", "psst", "")
		c.Expect("note", "psst")
		d.quiet()
	})
	t.Run("server to a room", func(t *testing.T) {
		_ = io.To("lobby").Emit("message", "hi")
		c.Expect("message", "hi")
		d.expect("sio/main/room/lobby/message", "hi", "text/plain")
	})
	t.Run("server to everyone", func(t *testing.T) {
		_ = io.Emit("news", map[string]int{"n": 1})
		c.Expect("news", map[string]int{"n": 1})
		d.expect("sio/main/all/news", `{"n":1}`, "application/json")
	})
	t.Run("server to a device", func(t *testing.T) {
		_ = io.ToSocket("sensor-1").Emit("interval", 5)
		d.expect("sio/main/socket/sensor-1/interval", "5", "application/json")
		c.Quiet("/")
	})
	t.Run("what stays on the server", func(t *testing.T) {
		_ = io.Local().Emit("news", "local")
		c.Expect("news", "local")
		d.quiet()
	})
	t.Run("the private message of a socket", func(t *testing.T) {
		spy := dialDevice(t, addr, "spy")
		spy.subscribe("#", "sio/#", "sio/main/socket/+/+", "sio/main/#")
		_ = io.To(sid).Emit("secret", "x")
		c.Expect("secret", "x")
		d.publish("sio/main/socket/"+sid+"/secret", "y", "")
		c.Expect("secret", "y")
		spy.quiet()
	})
	t.Run("a namespace of its own", func(t *testing.T) {
		io.Of("/chat").OnConnection(echo)
		c.Connect("/chat")
		d.publish("sio/chat/all/news", "chat", "text/plain")
		if p := c.Expect("news", "chat"); p.Namespace != "/chat" {
			t.Errorf("namespace %q", p.Namespace)
		}
	})
}

// TestPayloadRows sends each row of the payload table both ways.
func TestPayloadRows(t *testing.T) {
	io, url, addr := startBoth(t, nil)
	c := siotest.Dial(t, url)
	c.Connect("/")
	d := dialDevice(t, addr, "device")
	d.subscribe("sio/main/all/#")
	tests := []struct {
		name        string
		values      []any
		payload     string
		contentType string
	}{
		{"none", nil, "", ""},
		{"string", []any{"héllo"}, "héllo", "text/plain"},
		{"number", []any{1.5}, "1.5", "application/json"},
		{"boolean", []any{true}, "true", "application/json"},
		{"null", []any{nil}, "null", "application/json"},
		{"object", []any{map[string]any{"a": []any{1, "x"}}}, `{"a":[1,"x"]}`, "application/json"},
		{"array", []any{[]int{1, 2}}, "[1,2]", "application/json"},
		{"binary", []any{[]byte{0, 1, 255}}, "\x00\x01\xff", "application/octet-stream"},
		{"two", []any{"a", 2}, `["a",2]`, "application/vnd.siomq.args+json"},
		{"binary inside", []any{map[string]any{"b": []byte{7}}}, "\x91\x81\xa1b\xc4\x01\x07", "application/vnd.siomq.args+msgpack"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := io.Emit("row", tt.values...); err != nil {
				t.Fatal(err)
			}
			c.Expect("row", tt.values...)
			d.expect("sio/main/all/row", tt.payload, tt.contentType)
			if code := d.publish("sio/main/all/row", tt.payload, tt.contentType); code != 0 {
				t.Fatalf("publish: %#x", code)
			}
			c.Expect("row", tt.values...)
			d.expect("sio/main/all/row", tt.payload, tt.contentType)
		})
	}
}

func TestRefusedPublishes(t *testing.T) {
	io, url, addr := startBoth(t, nil)
	io.OnConnection(echo)
	refused := errors.New("not here")
	io.UsePublish(func(p *server.Publish) error {
		switch {
		case p.Event() == "forbidden":
			return refused
		case p.Event() == "panic":
			panic("in a middleware")
		}
		return nil
	})
	c := siotest.Dial(t, url)
	c.Connect("/")
	d := dialDevice(t, addr, "device")
	d.subscribe("sio/#")
	for _, topic := range []string{
		"sio/main/all/connect", "sio/main/all/disconnect", "sio/main/all/newListener",
		"sio/main/nope/x/y", "sio/main/room/a/b/c", "sio/main/from/x/y", "sio/main/presence/room/x",
		"sio/main/all/forbidden", "sio/main/all/panic",
	} {
		if code := d.publish(topic, "x", ""); code < 0x80 {
			t.Errorf("publish to %q: reason code %#x, want a refusal", topic, code)
		}
	}
	d.quiet()
	c.Quiet("/")
}

func TestPublishMiddleware(t *testing.T) {
	io, url, addr := startBoth(t, nil)
	io.UsePublish(func(p *server.Publish) error {
		var text string
		if room, ok := p.Room(); !ok || room != "lobby" {
			return nil
		}
		if err := p.Bind(&text); err != nil {
			return err
		}
		return p.SetArgs(map[string]any{"from": p.ClientID(), "text": text})
	})
	io.OnConnection(func(s *server.Socket) { echo(s); _ = s.Join("lobby") })
	c := siotest.Dial(t, url)
	c.Connect("/")
	c.Quiet("/")
	d := dialDevice(t, addr, "sensor-1")
	d.subscribe("sio/main/room/+/+")
	d.publish("sio/main/room/lobby/message", "hello", "")
	c.Expect("message", map[string]any{"from": "sensor-1", "text": "hello"})
	d.expect("sio/main/room/lobby/message", "hello", "")
}

func TestClientIdentifierOfALiveSocketIsRefused(t *testing.T) {
	_, url, addr := startBoth(t, nil)
	c := siotest.Dial(t, url)
	sid := c.Connect("/")
	thief := &device{t: t}
	if code, _ := thief.connect(addr, sid); code != 0x85 {
		t.Errorf("reason code %#x, want 0x85", code)
	}
}

func TestMQTTClientsAreSeen(t *testing.T) {
	io, _, addr := startBoth(t, nil)
	dialDevice(t, addr, "a").subscribe("sio/main/room/lobby/#")
	dialDevice(t, addr, "b").subscribe("sio/+/room/+/temperature")
	dialDevice(t, addr, "c").subscribe("sio/main/room/kitchen/x")
	dialDevice(t, addr, "d").subscribe("other/#")
	tests := []struct {
		rooms []string
		want  []string
	}{
		{[]string{"lobby"}, []string{"a", "b"}},
		{[]string{"kitchen"}, []string{"b", "c"}},
		{[]string{"lobby", "kitchen"}, []string{"a", "b", "c"}},
		{nil, []string{"a", "b", "c"}},
	}
	for _, tt := range tests {
		var got []string
		for _, c := range io.MQTTClients(tt.rooms...) {
			got = append(got, c.ID)
		}
		if slices.Sort(got); !slices.Equal(got, tt.want) {
			t.Errorf("MQTTClients(%q) = %q, want %q", tt.rooms, got, tt.want)
		}
	}
}

func TestMQTTOverWebSocket(t *testing.T) {
	io, base, _ := startBoth(t, nil)
	ctx, cancel := context.WithTimeout(context.Background(), siotest.Deadline)
	defer cancel()
	dial := func(origin string) (*websocket.Conn, error) {
		o := &websocket.DialOptions{Subprotocols: []string{"mqtt"}}
		if origin != "" {
			o.HTTPHeader = map[string][]string{"Origin": {origin}}
		}
		conn, _, err := websocket.Dial(ctx, strings.Replace(base, "http", "ws", 1)+"/mqtt", o)
		return conn, err
	}
	conn, err := dial("")
	if err != nil {
		t.Fatal(err)
	}
	if conn.Subprotocol() != "mqtt" {
		t.Errorf("subprotocol %q", conn.Subprotocol())
	}
	d := &device{t: t}
	if code, err := d.connectOn(websocket.NetConn(context.Background(), conn, websocket.MessageBinary), "ws-device"); code != 0 || err != nil {
		t.Fatalf("connect: %#x, %v", code, err)
	}
	d.subscribe("sio/main/all/+")
	_ = io.Emit("news", "x")
	d.expect("sio/main/all/news", "x", "text/plain")

	if _, err := dial("https://evil.example"); err == nil {
		t.Error("a page of another origin was let in")
	}
	u, _ := url.Parse(base)
	own, err := dial("http://" + u.Host)
	if err != nil {
		t.Fatalf("a page of this origin was refused: %v", err)
	}
	_ = own.CloseNow()
}

// TestAcknowledgedMeansQueued: when a device has its PUBACK, every socket's queue
// has the message, ahead of whatever the server emits next.
func TestAcknowledgedMeansQueued(t *testing.T) {
	io, url, addr := startBoth(t, nil)
	c := siotest.Dial(t, url)
	c.Connect("/")
	d := dialDevice(t, addr, "device")
	for i := range 200 {
		if code := d.publish("sio/main/all/device", fmt.Sprint(i), "application/json"); code != 0x10 && code != 0 {
			t.Fatalf("publish: %#x", code)
		}
		_ = io.Emit("server", i)
	}
	for i := range 200 {
		c.Expect("device", i)
		c.Expect("server", i)
	}
}

// TestUnwantedBroadcastsAreNotPublished: what no MQTT session is subscribed to costs no publish.
func TestUnwantedBroadcastsAreNotPublished(t *testing.T) {
	o := &server.Options{}
	io, url, addr := startBoth(t, o)
	io.OnConnection(echo)
	c := siotest.Dial(t, url)
	c.Connect("/")
	d := dialDevice(t, addr, "device")
	d.subscribe("sio/main/room/kitchen/+", "other/#")
	published := func() int64 { return o.Broker.(*embedded.Broker).Stats().Published }
	before := published()
	for range 100 {
		_ = io.Emit("news", 1)
		_ = io.To("lobby").Emit("news", 1)
	}
	c.Emit("/", "to the server", 1)
	for range 100 {
		c.Expect("news", 1)
	}
	c.Quiet("/")
	if n := published() - before; n != 0 {
		t.Errorf("%d publishes that nobody wanted", n)
	}
	_ = io.To("kitchen", "lobby").Emit("news", 1)
	d.expect("sio/main/room/kitchen/news", "1", "application/json")
	if n := published() - before; n != 1 {
		t.Errorf("%d publishes, want 1", n)
	}
}

func TestRetain(t *testing.T) {
	io, _, addr := startBoth(t, nil)
	for _, values := range [][]any{nil, {""}, {[]byte{}}} {
		if err := io.Retain().Emit("x", values...); !errors.Is(err, adapter.ErrRetainEmpty) {
			t.Errorf("Retain().Emit(%q) = %v, want ErrRetainEmpty", values, err)
		}
	}
	if err := io.To("lobby").Retain().Emit("last", 7); err != nil {
		t.Fatal(err)
	}
	d := dialDevice(t, addr, "late")
	d.subscribe("sio/main/room/lobby/#")
	d.expect("sio/main/room/lobby/last", "7", "application/json")
}

func TestTopicOf(t *testing.T) {
	io, _, _ := startBoth(t, &server.Options{Prefix: "site/a"})
	got, err := io.Of("/chat").Topic(rooms.Target{Kind: rooms.ToRoom, Name: "a/b"}, "x")
	if want := "site/a/chat/room/a%2Fb/x"; got != want || err != nil {
		t.Errorf("Topic = %q, %v, want %q", got, err, want)
	}
	b, err := embedded.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close(context.Background())
	if _, err := server.New(&server.Options{Broker: b, Prefix: "a/+"}); err == nil || !strings.Contains(err.Error(), "Prefix") {
		t.Errorf("a wildcard as prefix: %v", err)
	}
}

// TestShutdownLeavesMQTTToTheBroker: an MQTT connection on the HTTP port does not hold
// up the end of the server.
func TestShutdownLeavesMQTTToTheBroker(t *testing.T) {
	io, base, _ := startBoth(t, nil)
	ctx, cancel := context.WithTimeout(context.Background(), siotest.Deadline)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, strings.Replace(base, "http", "ws", 1)+"/mqtt",
		&websocket.DialOptions{Subprotocols: []string{"mqtt"}})
	if err != nil {
		t.Fatal(err)
	}
	d := &device{t: t}
	if code, err := d.connectOn(websocket.NetConn(context.Background(), conn, websocket.MessageBinary), "ws"); code != 0 || err != nil {
		t.Fatalf("connect: %#x, %v", code, err)
	}
	if err := io.Shutdown(ctx); err != nil {
		t.Error(err)
	}
}
