package embedded_test

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"siomq/adapter/broker"
	bt "siomq/adapter/broker/brokertest"
	"siomq/adapter/broker/embedded"
)

func str(s string) string { return string(bt.AppendString(nil, s)) }

// packet puts a fixed header before the parts.
func packet(first byte, parts ...string) []byte {
	return bt.Frame(first, []byte(strings.Join(parts, "")))
}

// bad packets, each with what an MQTT 5 client is told. The body is for MQTT 5
// when v5 is set, for 3.1.1 when v4 is; without either it is for both.
var badPackets = []struct {
	name   string
	bytes  []byte
	code   byte
	v4, v5 bool
}{
	{name: "packet type 0", bytes: []byte{0x00, 0}, code: 0x81},
	{name: "remaining length of five bytes", bytes: []byte{0x30, 0x80, 0x80, 0x80, 0x80, 1}, code: 0x81},
	{name: "remaining length with a useless byte", bytes: []byte{0xC0, 0x80, 0x00}, code: 0x81},
	{name: "flags of PINGREQ", bytes: []byte{0xC1, 0}, code: 0x81},
	{name: "body of PINGREQ", bytes: []byte{0xC0, 1, 0}, code: 0x81},
	{name: "flags of SUBSCRIBE", bytes: packet(0x80, "\x00\x01", str("a"), "\x00"), code: 0x81},
	{name: "flags of PUBREL", bytes: packet(0x60, "\x00\x01"), code: 0x81},
	{name: "second CONNECT", bytes: bt.Connect{Version: 5}.Bytes(), code: 0x82},
	{name: "AUTH", bytes: []byte{0xF0, 0}, code: 0x82},
	{name: "CONNACK from a client", bytes: []byte{0x20, 2, 0, 0}, code: 0x82},
	{name: "SUBACK from a client", bytes: packet(0x90, "\x00\x01\x00"), code: 0x82},
	{name: "packet over the limit", bytes: []byte{0x30, 0xff, 0xff, 0xff, 0x7f}, code: 0x95},

	{name: "publish at QoS 3", bytes: packet(0x36, str("a"), "\x00\x01\x00"), code: 0x81},
	{name: "publish with DUP at QoS 0", bytes: packet(0x38, str("a"), "\x00"), code: 0x81},
	{name: "publish with + in the topic", bytes: packet(0x30, str("a/+"), "\x00"), code: 0x90},
	{name: "publish with # in the topic", bytes: packet(0x30, str("#"), "\x00"), code: 0x90},
	{name: "publish of too many levels", bytes: packet(0x30, str(strings.Repeat("/", 200)), "\x00"), code: 0x90},
	{name: "publish of too long a topic", bytes: packet(0x30, str(strings.Repeat("x", 5000)), "\x00"), code: 0x90},
	{name: "publish to nothing", bytes: packet(0x30, str(""), "\x00"), code: 0x82},
	{name: "publish with a topic cut off", bytes: packet(0x30, "\x00\x09abc"), code: 0x81},
	{name: "publish with a topic that is not UTF-8", bytes: packet(0x30, str("a\xff"), "\x00"), code: 0x81},
	{name: "publish with U+0000 in the topic", bytes: packet(0x30, str("a\x00"), "\x00"), code: 0x81},
	{name: "publish with a surrogate in the topic", bytes: packet(0x30, str("\xed\xa0\x80"), "\x00"), code: 0x81},
	{name: "publish with identifier 0", bytes: packet(0x32, str("a"), "\x00\x00\x00"), code: 0x82},
	{name: "publish without its identifier", bytes: packet(0x32, str("a"), "\x00"), code: 0x81},
	{name: "publish with properties cut off", bytes: packet(0x30, str("a"), "\x05\x01"), code: 0x81, v5: true},
	{name: "publish with an unknown property", bytes: packet(0x30, str("a"), "\x02\x7e\x00"), code: 0x81, v5: true},
	{name: "publish with a property of CONNECT", bytes: packet(0x30, str("a"), "\x05\x11\x00\x00\x00\x01"), code: 0x82, v5: true},
	{name: "publish with a property twice", bytes: packet(0x30, str("a"), "\x04\x01\x01\x01\x01"), code: 0x82, v5: true},
	{name: "publish with a subscription identifier", bytes: packet(0x30, str("a"), "\x02\x0b\x01"), code: 0x82, v5: true},
	{name: "publish with payload format 2", bytes: packet(0x30, str("a"), "\x02\x01\x02"), code: 0x82, v5: true},
	{name: "publish with a user property cut off", bytes: packet(0x30, str("a"), "\x05\x26\x00\x01k\x00"), code: 0x81, v5: true},
	{name: "publish with a wildcard as response topic", bytes: packet(0x30, str("a"), "\x06\x08", str("b/#")), code: 0x82, v5: true},
	{name: "publish with alias 0", bytes: packet(0x30, str("a"), "\x03\x23\x00\x00"), code: 0x94, v5: true},
	{name: "publish with an alias over the maximum", bytes: packet(0x30, str("a"), "\x03\x23\xff\xff"), code: 0x94, v5: true},
	{name: "publish with an alias never set", bytes: packet(0x30, str(""), "\x03\x23\x00\x01"), code: 0x82, v5: true},

	{name: "PUBACK cut off", bytes: packet(0x40, "\x00"), code: 0x81},
	{name: "PUBACK with identifier 0", bytes: packet(0x40, "\x00\x00"), code: 0x82},
	{name: "PUBREL with properties cut off", bytes: packet(0x62, "\x00\x01\x00\x09"), code: 0x81, v5: true},
	{name: "PUBCOMP with a reason code", bytes: packet(0x70, "\x00\x01\x00"), v4: true},

	// The options byte of the last filter is missing: this ended a whole mochi process.
	{name: "subscribe truncated", bytes: packet(0x82, "\x00\x01\x00", str("a")), code: 0x81, v5: true},
	{name: "subscribe truncated, 3.1.1", bytes: packet(0x82, "\x00\x01", str("a")), v4: true},
	{name: "subscribe cut off in the filter", bytes: packet(0x82, "\x00\x01\x00\x00\x09a"), code: 0x81, v5: true},
	{name: "subscribe with identifier 0", bytes: packet(0x82, "\x00\x00\x00", str("a"), "\x00"), code: 0x82, v5: true},
	{name: "subscribe to nothing", bytes: packet(0x82, "\x00\x01\x00"), code: 0x82, v5: true},
	{name: "subscribe at QoS 3", bytes: packet(0x82, "\x00\x01\x00", str("a"), "\x03"), code: 0x81, v5: true},
	{name: "subscribe with reserved bits", bytes: packet(0x82, "\x00\x01\x00", str("a"), "\x40"), code: 0x81, v5: true},
	{name: "subscribe with options of MQTT 5", bytes: packet(0x82, "\x00\x01", str("a"), "\x04"), v4: true},
	{name: "subscribe with retain handling 3", bytes: packet(0x82, "\x00\x01\x00", str("a"), "\x30"), code: 0x82, v5: true},
	{name: "subscribe with No Local, shared", bytes: packet(0x82, "\x00\x01\x00", str("$share/g/a"), "\x04"), code: 0x82, v5: true},
	{name: "subscribe with identifier property 0", bytes: packet(0x82, "\x00\x01\x02\x0b\x00", str("a"), "\x00"), code: 0x82, v5: true},
	{name: "subscribe to what is not UTF-8", bytes: packet(0x82, "\x00\x01\x00", str("\xc0\x80"), "\x00"), code: 0x81, v5: true},
	{name: "unsubscribe from nothing", bytes: packet(0xA2, "\x00\x01\x00"), code: 0x82, v5: true},
	{name: "unsubscribe cut off", bytes: packet(0xA2, "\x00\x01\x00\x00\x05a"), code: 0x81, v5: true},
	{name: "disconnect with properties cut off", bytes: packet(0xE0, "\x00\x05"), code: 0x81, v5: true},
	{name: "disconnect that sets an expiry", bytes: packet(0xE0, "\x00\x05\x11\x00\x00\x00\x01"), code: 0x82, v5: true},
}

func TestMalformedPackets(t *testing.T) {
	b := open(t, embedded.Options{})
	b.SetAccess(broker.Access{})
	other := connect(t, b, bt.Connect{})
	other.Subscribe("#", 0)
	for _, tt := range badPackets {
		for _, version := range []byte{3, 4, 5} {
			if version == 5 && tt.v4 || version < 5 && tt.v5 {
				continue
			}
			c := connect(t, b, bt.Connect{Version: version, ClientID: "bad"})
			c.Send(tt.bytes)
			p := c.AwaitClose()
			switch {
			case version < 5 && p != nil:
				t.Errorf("%s: version %d got DISCONNECT, which its servers do not send", tt.name, version)
			case version == 5 && p == nil:
				t.Errorf("%s: closed without DISCONNECT", tt.name)
			case version == 5 && p.Code != tt.code:
				t.Errorf("%s: DISCONNECT %#x, want %#x", tt.name, p.Code, tt.code)
			}
		}
	}
	other.Nothing()
	closed := b.Stats().Closed
	for _, reason := range []string{"malformed packet", "protocol error", "packet too large", "topic name invalid", "topic alias invalid"} {
		if closed[reason] == 0 {
			t.Errorf("nothing counted as %q: %v", reason, closed)
		}
	}
}

// TestBadConnect sends what is no CONNECT, or none that can be accepted.
func TestBadConnect(t *testing.T) {
	b := open(t, embedded.Options{})
	b.SetAccess(broker.Access{})
	const rest5, rest4 = "\x00\x00\x3c\x00", "\x02\x00\x3c"
	tests := []struct {
		name  string
		bytes []byte
		ack   int // reason code of CONNACK, -1: closed without
	}{
		{"another packet first", packet(0xC0), -1},
		{"first byte of HTTP", []byte("GET / HTTP/1.1\r\n\r\n"), -1},
		{"another protocol", packet(0x10, str("MQTX"), "\x05", rest5, str("c")), -1},
		{"version 6", packet(0x10, str("MQTT"), "\x06", rest5, str("c")), 1},
		{"version 4 named as 3", packet(0x10, str("MQIsdp"), "\x04", rest4, str("c")), 1},
		{"reserved flag", packet(0x10, str("MQTT"), "\x05\x01\x00\x3c\x00", str("c")), 0x81},
		{"will QoS 3", packet(0x10, str("MQTT"), "\x05\x1c\x00\x3c\x00", str("c"), "\x00", str("w"), str("")), 0x81},
		{"will flags without will", packet(0x10, str("MQTT"), "\x05\x20\x00\x3c\x00", str("c")), 0x81},
		{"will with a wildcard", packet(0x10, str("MQTT"), "\x05\x04\x00\x3c\x00", str("c"), "\x00", str("w/#"), str("")), 0x90},
		{"will to nothing, 3.1.1", packet(0x10, str("MQTT"), "\x04\x06\x00\x3c", str("c"), str(""), str("x")), -1},
		{"cut off", packet(0x10, str("MQTT"), "\x05\x02\x00\x3c\x00\x00\x09c"), 0x81},
		{"bytes after the end", packet(0x10, str("MQTT"), "\x05\x02\x00\x3c\x00", str("c"), "x"), 0x81},
		{"password without user name, 3.1.1", packet(0x10, str("MQTT"), "\x04\x42\x00\x3c", str("c"), str("p")), -1},
		{"receive maximum 0", packet(0x10, str("MQTT"), "\x05\x02\x00\x3c\x03\x21\x00\x00", str("c")), 0x82},
		{"maximum packet size 0", packet(0x10, str("MQTT"), "\x05\x02\x00\x3c\x05\x27\x00\x00\x00\x00", str("c")), 0x82},
		{"authentication method", packet(0x10, str("MQTT"), "\x05\x02\x00\x3c\x04\x15", str("x"), str("c")), 0x8C},
		{"no identifier for a session, 3.1.1", packet(0x10, str("MQTT"), "\x04\x00\x00\x3c", str("")), 2},
		{"no identifier, 3.1", packet(0x10, str("MQIsdp"), "\x03\x02\x00\x3c", str("")), 2},
		{"identifier that is not UTF-8", packet(0x10, str("MQTT"), "\x04\x02\x00\x3c", str("\xff")), -1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			version := byte(4)
			if tt.ack >= 0x80 {
				version = 5
			}
			c := bt.NewClient(t, dial(t, b), version)
			c.Send(tt.bytes)
			if tt.ack >= 0 {
				if p := c.Await(bt.CONNACK); int(p.Code) != tt.ack {
					t.Errorf("CONNACK %#x, want %#x", p.Code, tt.ack)
				}
			}
			p, err := c.Read()
			if err == nil {
				t.Errorf("got packet %+v, want the end", p)
			}
		})
	}
	connect(t, b, bt.Connect{}).Ping()
}

// TestGoodConnect sends what is legal and yet often refused.
func TestGoodConnect(t *testing.T) {
	b := open(t, embedded.Options{})
	b.SetAccess(broker.Access{})
	tests := map[string][]byte{
		"password without user name":  packet(0x10, str("MQTT"), "\x05\x42\x00\x3c\x00", str("c1"), str("p")),
		"empty password":              packet(0x10, str("MQTT"), "\x05\xc2\x00\x3c\x00", str("c2"), str("u"), str("")),
		"empty user name":             packet(0x10, str("MQTT"), "\x05\x82\x00\x3c\x00", str("c3"), str("")),
		"empty will payload":          packet(0x10, str("MQTT"), "\x05\x26\x00\x3c\x00", str("c4"), "\x00", str("w"), str("")),
		"receive maximum, alias":      packet(0x10, str("MQTT"), "\x05\x02\x00\x3c\x06\x21\x00\x01\x22\x00\x05", str("c5")),
		"clean start and user proper": packet(0x10, str("MQTT"), "\x05\x02\x00\x3c\x0f\x26", str("k"), str("v"), "\x26", str(""), str("v"), "\x19\x01", str("c6")),
	}
	for name, bytes := range tests {
		c := bt.NewClient(t, dial(t, b), 5)
		c.Send(bytes)
		if p := c.Await(bt.CONNACK); p.Code != 0 {
			t.Errorf("%s: CONNACK %#x %s", name, p.Code, p.Props.Reason)
		}
	}
}

// TestLimitsAnnounced: a client is told what is enforced.
func TestLimitsAnnounced(t *testing.T) {
	b := open(t, embedded.Options{
		MaxPacketSize: 1000, MaxInflight: 7, MaxTopicAlias: 3, MaxKeepAlive: 30 * time.Second, MaxSessionExpiry: time.Minute,
	})
	b.SetAccess(broker.Access{})
	c := bt.NewClient(t, dial(t, b), 5)
	p := c.Connect(bt.Connect{Props: bt.Props{SessionExpiry: 3600}}).Props
	if p.MaximumPacket != 1000 || p.ReceiveMaximum != 7 || p.AliasMaximum != 3 || p.KeepAlive != 30 || p.SessionExpiry != 60 {
		t.Errorf("announced %+v", p)
	}
	if len(p.AssignedID) < 20 {
		t.Errorf("assigned client identifier %q", p.AssignedID)
	}
	fits := &broker.Message{Topic: "t", QoS: 1, Payload: make([]byte, 980)}
	if code := c.Publish(fits); code != 0 {
		t.Errorf("publish that fits: %#x", code)
	}
	c.Send(c.PublishBytes(&broker.Message{Topic: "t", Payload: make([]byte, 1000)}, 0, bt.Props{}))
	if p := c.AwaitClose(); p == nil || p.Code != 0x95 {
		t.Errorf("publish over the limit: %+v", p)
	}
	c = connect(t, b, bt.Connect{})
	for id := uint16(1); id <= 8; id++ {
		c.Send(c.PublishBytes(&broker.Message{Topic: "t", QoS: 2}, id, bt.Props{}))
	}
	if p := c.AwaitClose(); p == nil || p.Code != 0x93 {
		t.Errorf("QoS 2 over the receive maximum: %+v", p)
	}
}

func TestSubscribeFilters(t *testing.T) {
	b := open(t, embedded.Options{MaxSubscriptions: 3})
	b.SetAccess(broker.Access{})
	bad := []string{
		"a+/b", "abc#", "a/b#", "a/#/b", "+a", "#/", "$share//t", "$share/g", "$share/g/", "$share/+/t", "$share/g/a#",
		"", strings.Repeat("/", 200), strings.Repeat("x", 5000),
	}
	for version, code := range map[byte]byte{4: 0x80, 5: 0x8F} {
		c := connect(t, b, bt.Connect{Version: version})
		for _, filter := range bad {
			ack := c.SubscribeWith(bt.Props{}, bt.Filter{Filter: "ok", QoS: 2}, bt.Filter{Filter: filter}, bt.Filter{Filter: "ok/2", QoS: 1})
			if want := string([]byte{2, code, 1}); string(ack.Codes) != want {
				t.Errorf("version %d, filter %.20q: SUBACK %x, want %x", version, filter, ack.Codes, want)
			}
		}
	}
	c := connect(t, b, bt.Connect{})
	ack := c.SubscribeWith(bt.Props{}, bt.Filter{Filter: "1"}, bt.Filter{Filter: "2"}, bt.Filter{Filter: "3"})
	if string(ack.Codes) != "\x00\x00\x00" {
		t.Errorf("SUBACK %x", ack.Codes)
	}
	ack = c.SubscribeWith(bt.Props{User: []broker.Property{{Key: "k", Value: "v"}}}, bt.Filter{Filter: "4"}, bt.Filter{Filter: "3", QoS: 1})
	if string(ack.Codes) != "\x97\x01" || len(ack.Props.User) > 0 {
		t.Errorf("over the limit: SUBACK %x %v, want 97 01", ack.Codes, ack.Props.User)
	}
	if un := c.Unsubscribe("3", "never", "a+"); string(un.Codes) != "\x00\x11\x11" {
		t.Errorf("UNSUBACK %x, want 00 11 11", un.Codes)
	}
}

func TestConnectionLimit(t *testing.T) {
	b := open(t, embedded.Options{MaxConnections: 2})
	b.SetAccess(broker.Access{})
	one := connect(t, b, bt.Connect{})
	connect(t, b, bt.Connect{})
	c := bt.NewClient(t, dial(t, b), 5)
	if _, err := c.Read(); err == nil {
		t.Error("a third connection was served")
	}
	one.Disconnect()
	for b.Stats().Connections > 1 {
		time.Sleep(time.Millisecond)
	}
	connect(t, b, bt.Connect{}).Ping()
	if n := b.Stats().Closed["too many connections"]; n != 1 {
		t.Errorf("counted %d", n)
	}
}

// TestTimeouts runs on in-memory connections and a clock of its own.
func TestTimeouts(t *testing.T) {
	serve := func(t *testing.T, use func(t *testing.T, conn net.Conn)) {
		synctest.Test(t, func(t *testing.T) {
			b, err := embedded.New(&embedded.Options{MaxQueue: 8 << 10, MaxPacketSize: 4 << 10})
			if err != nil {
				t.Fatal(err)
			}
			b.SetAccess(broker.Access{})
			for i := range 20 {
				publish(t, b, &broker.Message{Topic: "r/" + string(number(i)), Payload: make([]byte, 1000), Retain: true})
			}
			client, server := net.Pipe()
			go func() { _ = b.ServeConn(server, "pipe") }()
			use(t, client)
			client.Close()
			if err := b.Close(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	ended := func(t *testing.T, conn net.Conn, after time.Duration) {
		t.Helper()
		start := time.Now()
		buf := make([]byte, 100)
		for {
			if _, err := conn.Read(buf); err != nil {
				break
			}
		}
		if got := time.Since(start).Round(time.Second); got != after {
			t.Errorf("ended after %v, want %v", got, after)
		}
	}
	t.Run("silent", func(t *testing.T) {
		serve(t, func(t *testing.T, conn net.Conn) { ended(t, conn, 10*time.Second) })
	})
	t.Run("a byte a second", func(t *testing.T) {
		serve(t, func(t *testing.T, conn net.Conn) {
			start := time.Now()
			for _, c := range (bt.Connect{Version: 5, ClientID: "slow"}).Bytes() {
				if _, err := conn.Write([]byte{c}); err != nil {
					break
				}
				time.Sleep(time.Second)
			}
			if got := time.Since(start); got != 10*time.Second && got != 11*time.Second {
				t.Errorf("ended after %v", got)
			}
		})
	})
	t.Run("keep alive", func(t *testing.T) {
		serve(t, func(t *testing.T, conn net.Conn) {
			_, _ = conn.Write(bt.Connect{Version: 5, ClientID: "k", KeepAlive: 20}.Bytes())
			ended(t, conn, 30*time.Second)
		})
	})
	// Only so long is a client waited for that does not read its retained messages.
	t.Run("retained messages not read", func(t *testing.T) {
		serve(t, func(t *testing.T, conn net.Conn) {
			_, _ = conn.Write(bt.Connect{Version: 4, ClientID: "r"}.Bytes())
			_, _ = io.ReadFull(conn, make([]byte, 4)) // CONNACK
			_, _ = conn.Write(packet(0x82, "\x00\x01", str("#"), "\x00"))
			start := time.Now()
			// The pipe takes no PINGREQ as long as nobody reads at the other end.
			_, _ = conn.Write([]byte{0xC0, 0})
			if got := time.Since(start); got < 30*time.Second || got > 32*time.Second {
				t.Errorf("ended after %v", got)
			}
		})
	})
}

func TestOptions(t *testing.T) {
	first := open(t, embedded.Options{})
	tests := []struct {
		name string
		o    embedded.Options
		want string
	}{
		{"port in use", embedded.Options{Addr: first.Addr().String()}, first.Addr().String()},
		{"no address", embedded.Options{Addr: "nowhere"}, "nowhere"},
		{"packet size too small", embedded.Options{MaxPacketSize: 63}, "MaxPacketSize"},
		{"packet size too large", embedded.Options{MaxPacketSize: 268_435_456}, "MaxPacketSize"},
		{"queue below two packets", embedded.Options{MaxPacketSize: 1000, MaxQueue: 1999}, "MaxQueue"},
		{"negative connections", embedded.Options{MaxConnections: -1}, "MaxConnections"},
		{"inflight over 16 bits", embedded.Options{MaxInflight: 65536}, "MaxInflight"},
		{"negative timeout", embedded.Options{ConnectTimeout: -1}, "ConnectTimeout"},
		{"keep alive in parts of seconds", embedded.Options{MaxKeepAlive: time.Millisecond}, "MaxKeepAlive"},
		{"negative expiry", embedded.Options{MaxSessionExpiry: -1}, "MaxSessionExpiry"},
	}
	for _, tt := range tests {
		if _, err := embedded.New(&tt.o); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want one that names %q", tt.name, err, tt.want)
		}
	}
	smallest := open(t, embedded.Options{MaxPacketSize: 64, MaxQueue: 128, MaxInflight: 1, MaxTopicAlias: -1})
	smallest.SetAccess(broker.Access{})
	c := connect(t, smallest, bt.Connect{ClientID: "c"})
	c.Subscribe("#", 1)
	c.Publish(&broker.Message{Topic: "t", QoS: 1, Payload: []byte("x")})
	c.Receive()
	if b, err := embedded.New(nil); err != nil || b.Addr() != nil {
		t.Errorf("without options: %v, address %v", err, b.Addr())
	}
}
