package engine_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"siomq/server/engine"
)

// Revision 3 of the protocol: https://github.com/socketio/engine.io-protocol/tree/v3,
// sections "Encoding", "Transports" and "Timeouts".

func options3() *engine.Options { return &engine.Options{AllowEIO3: true} }

func bin(data ...byte) engine.Part { return engine.Part{Data: data, Binary: true} }

func txt(s string) engine.Part { return engine.Part{Data: []byte(s)} }

// digits of a length in the binary form, with its ends.
func lengthBytes(kind byte, n int) string {
	b := []byte{kind}
	for _, d := range strconv.Itoa(n) {
		b = append(b, byte(d-'0'))
	}
	return string(append(b, 255))
}

// Section "Payload". That its example of the binary form leaves out the packet
// type of the bytes is an error there: every implementation sends it.
func TestPayload3(t *testing.T) {
	for _, c := range []struct {
		name   string
		parts  []engine.Part
		text   string // when the client takes text alone
		binary string // "": the same
	}{
		{"two texts", []engine.Part{txt("hello"), txt("€")}, "6:4hello2:4€", ""},
		{"surrogate pair", []engine.Part{txt("🦊é")}, "4:4🦊é", ""},
		{"empty text", []engine.Part{txt("")}, "1:4", ""},
		{"text and bytes", []engine.Part{txt("€"), bin(1, 2, 3, 4)},
			"2:4€10:b4AQIDBA==", "\x00\x04\xff4€\x01\x05\xff\x04\x01\x02\x03\x04"},
		{"no bytes", []engine.Part{bin()}, "2:b4", "\x01\x01\xff\x04"},
		{"like a header", []engine.Part{bin(255, 0, 255)}, "6:b4/wD/", "\x01\x04\xff\x04\xff\x00\xff"},
		{"long", []engine.Part{txt(strings.Repeat("x", 999)), bin(make([]byte, 66000)...)},
			"1000:4" + strings.Repeat("x", 999) + "88002:b4" + base64.StdEncoding.EncodeToString(make([]byte, 66000)),
			lengthBytes(0, 1000) + "4" + strings.Repeat("x", 999) + lengthBytes(1, 66001) + "\x04" + string(make([]byte, 66000))},
	} {
		t.Run(c.name, func(t *testing.T) {
			whole := []*engine.Message{engine.NewMessage(c.parts...)}
			var single []*engine.Message
			for _, p := range c.parts {
				single = append(single, engine.NewMessage(p))
			}
			for _, m := range [][]*engine.Message{whole, single} {
				if got, binary := engine.Payload3(true, m...); string(got) != c.text || binary {
					t.Errorf("base64: %.80q, binary %v, want %.80q", got, binary, c.text)
				}
				want := c.binary
				if want == "" {
					want = c.text
				}
				if got, binary := engine.Payload3(false, m...); string(got) != want || binary != (c.binary != "") {
					t.Errorf("binary: %.80q, binary %v, want %.80q", got, binary, want)
				}
			}
		})
	}
}

func TestFrames3(t *testing.T) {
	m := engine.NewText(5, func(dst []byte) []byte { return append(dst, "hello"...) }, []byte{1, 2, 3, 4}, nil)
	for _, c := range []struct {
		b64  bool
		want string
	}{
		{false, "\x81\x064hello\x82\x05\x04\x01\x02\x03\x04\x82\x01\x04"},
		{true, "\x81\x064hello\x81\x0ab4AQIDBA==\x81\x02b4"},
	} {
		if got := engine.Frames3(m, c.b64); string(got) != c.want {
			t.Errorf("base64 %v: %q, want %q", c.b64, got, c.want)
		}
		first, second := engine.Frames3(m, c.b64), engine.Frames3(m, c.b64)
		if &first[0] != &second[0] {
			t.Errorf("base64 %v: made twice", c.b64)
		}
	}
	plain := text("hello")
	if &engine.Frames3(plain, false)[0] != &engine.Frames(plain)[0] {
		t.Error("a text has a form of its own")
	}
}

func TestEachPacket3(t *testing.T) {
	for _, c := range []struct {
		name, payload string
		want          []string
		err           error
	}{
		{"two", "6:4hello2:4€", []string{"4hello", "4€"}, nil},
		{"surrogate pairs", "5:4🦊🦊1:2", []string{"4🦊🦊", "2"}, nil},
		{"a colon and digits inside", "5:43:4x1:2", []string{"43:4x", "2"}, nil},
		{"none", "0:", nil, nil},
		{"one that is empty", "0:1:2", []string{"2"}, nil},
		{"leading zeros", "01:2", []string{"2"}, nil},
		{"empty payload", "", nil, engine.ErrPacket},
		{"no length", ":4", nil, engine.ErrPacket},
		{"no colon", "12", nil, engine.ErrPacket},
		{"one too short", "3:4a", nil, engine.ErrPacket},
		{"bytes for characters", "4:4€", nil, engine.ErrPacket},
		{"half a surrogate pair", "2:4🦊", nil, engine.ErrPacket},
		{"negative", "-1:4", nil, engine.ErrPacket},
		{"sign", "+1:4", nil, engine.ErrPacket},
		{"exponent", "1e0:4", nil, engine.ErrPacket},
		{"hexadecimal", "0x1:4", nil, engine.ErrPacket},
		{"space", " 1:4", nil, engine.ErrPacket},
		{"over 64 bits", "18446744073709551617:4", nil, engine.ErrPacket},
		{"many digits", strings.Repeat("9", 100_000) + ":4", nil, engine.ErrPacket},
		{"rest without length", "1:2x", []string{"2"}, engine.ErrPacket},
		{"payload of revision 4", "4hello\x1e4world", nil, engine.ErrPacket},
		{"not UTF-8", "2:4\xff", nil, engine.ErrUTF8},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			err := engine.EachPacket3([]byte(c.payload), func(p []byte) error {
				got = append(got, string(p))
				return nil
			})
			if !slices.Equal(got, c.want) || !errors.Is(err, c.err) {
				t.Errorf("%.80q: %q, %v, want %q, %v", c.payload, got, err, c.want, c.err)
			}
		})
	}
}

func TestEachPacketBinary3(t *testing.T) {
	for _, c := range []struct {
		name, payload string
		want          []string
		err           error
	}{
		{"text and bytes", "\x00\x04\xff4€\x01\x05\xff\x04\x01\x02\x03\x04", []string{"text 4€", "bytes \x04\x01\x02\x03\x04"}, nil},
		{"two digits", "\x00\x01\x00\xff4123456789", []string{"text 4123456789"}, nil},
		{"255 inside", "\x01\x03\xff\x04\xff\xff\x00\x01\xff2", []string{"bytes \x04\xff\xff", "text 2"}, nil},
		{"empty payload", "", nil, engine.ErrPacket},
		{"no end of the length", "\x00\x01", nil, engine.ErrPacket},
		{"no length", "\x00\xff", nil, engine.ErrPacket},
		{"no kind", "\xff", nil, engine.ErrPacket},
		{"unknown kind", "\x02\x01\xff2", nil, engine.ErrPacket},
		{"digit 10", "\x00\x0a\xff" + strings.Repeat("2", 10), nil, engine.ErrPacket},
		{"ASCII digit", "\x001\xff2", nil, engine.ErrPacket},
		{"one too short", "\x01\x03\xff\x04a", nil, engine.ErrPacket},
		{"over 64 bits", "\x01" + strings.Repeat("\x09", 400) + "\xff\x04", nil, engine.ErrPacket},
		{"text not UTF-8", "\x00\x02\xff4\xff", nil, engine.ErrUTF8},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			err := engine.EachPacketBinary3([]byte(c.payload), func(p []byte, binary bool) error {
				kind := "text "
				if binary {
					kind = "bytes "
				}
				got = append(got, kind+string(p))
				return nil
			})
			if !slices.Equal(got, c.want) || !errors.Is(err, c.err) {
				t.Errorf("%q: %q, %v, want %q, %v", c.payload, got, err, c.want, c.err)
			}
		})
	}
}

// poll3 opens a polling session of revision 3; more is added to the query of
// each request.
func (s *server) poll3(more string) (*poller3, *session) {
	s.t.Helper()
	p := &poller3{srv: s, query: "EIO=3&transport=polling" + more}
	r := p.get()
	digits, packet, _ := strings.Cut(r.body, ":")
	if r.err != nil || r.status != 200 || digits != strconv.Itoa(len(packet)) {
		s.t.Fatalf("handshake: %d %q %v", r.status, r.body, r.err)
	}
	p.open = parseOpen(s.t, packet)
	p.query += "&sid=" + p.open.SID
	return p, s.session()
}

type poller3 struct {
	srv   *server
	query string
	open  openPacket
}

func (p *poller3) get() reply { return p.srv.do("GET", p.query, nil) }

func (p *poller3) post(body string) reply {
	return p.srv.do("POST", p.query, strings.NewReader(body), "Content-Type", "text/plain;charset=UTF-8")
}

func (p *poller3) postBinary(body string) reply {
	return p.srv.do("POST", p.query, strings.NewReader(body), "Content-Type", "application/octet-stream")
}

func TestHandshake3(t *testing.T) {
	o := options3()
	o.PingInterval, o.PingTimeout, o.MaxPayload = 300*time.Millisecond, 200*time.Millisecond, 1234
	srv := newServer(t, o, nil)
	p, s := srv.poll3("")
	want := openPacket{SID: p.open.SID, Upgrades: []string{"websocket"}, PingInterval: 300, PingTimeout: 200, MaxPayload: 1234}
	if fmt.Sprint(p.open) != fmt.Sprint(want) {
		t.Errorf("%+v, want %+v", p.open, want)
	}
	if s.Request().Protocol != 3 {
		t.Errorf("protocol %d", s.Request().Protocol)
	}
	c, _ := srv.connect("EIO=3&transport=websocket")
	_, packet := c.next()
	if got := parseOpen(t, string(packet)); len(got.Upgrades) != 0 || got.PingInterval != 300 {
		t.Errorf("on websocket: %+v", got)
	}
	if s := srv.session(); s.Request().Protocol != 3 {
		t.Errorf("protocol on websocket %d", s.Request().Protocol)
	}
}

func TestRevisions(t *testing.T) {
	for _, c := range []struct {
		eio     string
		allow   bool
		session int // 0: refused
	}{
		{"EIO=3", false, 0}, {"", false, 0}, {"EIO=4", false, 4},
		{"EIO=3", true, 3}, {"", true, 3}, {"EIO=4", true, 4},
		{"EIO=2", true, 0}, {"EIO=5", true, 0}, {"EIO=33", true, 0}, {"EIO=%33", true, 3}, {"EIO=abc", true, 0},
	} {
		t.Run(fmt.Sprintf("%s allowed %v", c.eio, c.allow), func(t *testing.T) {
			srv := newServer(t, &engine.Options{AllowEIO3: c.allow}, nil)
			r := srv.do("GET", "transport=polling&"+c.eio, nil)
			if c.session == 0 {
				r.want(t, 400, `{"code":5,"message":"Unsupported protocol version"}`)
				return
			}
			if s := srv.session(); r.status != 200 || s.Request().Protocol != c.session {
				t.Errorf("%d %q, protocol %d, want %d", r.status, r.body, s.Request().Protocol, c.session)
			}
		})
	}
}

func TestPollingMessages3(t *testing.T) {
	for _, c := range []struct {
		name, query string
		body        string
		binary      bool // the body is sent as bytes
		want        string
		contentType string
	}{
		{"text", "", "6:4hello2:4€", false, "6:4hello2:4€", "text/plain; charset=UTF-8"},
		{"base64 in text", "&b64=1", "3:4🦊10:b4AQIDBA==", false, "3:4🦊10:b4AQIDBA==", "text/plain; charset=UTF-8"},
		{"base64 in, bytes out", "", "6:b4/wD/", false, "\x01\x04\xff\x04\xff\x00\xff", "application/octet-stream"},
		{"bytes", "", "\x00\x04\xff4€\x01\x03\xff\x04\x01\x02", true, "\x00\x04\xff4€\x01\x03\xff\x04\x01\x02", "application/octet-stream"},
		{"bytes in, base64 out", "&b64=1", "\x01\x03\xff\x04\x01\x02", true, "6:b4AQI=", "text/plain; charset=UTF-8"},
		{"text as bytes", "", "\x00\x04\xff4€", true, "2:4€", "text/plain; charset=UTF-8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv := newServer(t, options3(), echo)
			p, _ := srv.poll3(c.query)
			post := p.post
			if c.binary {
				post = p.postBinary
			}
			post(c.body).want(t, 200, "ok")
			r := p.get()
			r.want(t, 200, c.want)
			if got := r.header.Get("Content-Type"); got != c.contentType {
				t.Errorf("Content-Type %q, want %q", got, c.contentType)
			}
		})
	}
}

func TestWebSocketMessages3(t *testing.T) {
	for _, b64 := range []bool{false, true} {
		t.Run(fmt.Sprintf("base64 %v", b64), func(t *testing.T) {
			srv := newServer(t, options3(), echo)
			query := "EIO=3&transport=websocket"
			if b64 {
				query += "&b64=1"
			}
			c, _ := srv.connect(query)
			c.next()
			c.send("4hello")
			c.want("4hello")
			c.sendFrame(opBinary, []byte{4, 1, 2, 3, 4})
			c.send("b4AQIDBA==")
			for range 2 {
				if b64 {
					c.want("b4AQIDBA==")
				} else {
					c.wantBinary([]byte{4, 1, 2, 3, 4})
				}
			}
			c.send("2")
			c.want("3")
			c.send("2probe") // section "ping": a session that is open answers without the data, as the reference does
			c.want("3")
			if n := srv.Stats().MessagesIn; n != 3 {
				t.Errorf("%d messages in, want 3", n)
			}
		})
	}
}

// Section "Transport upgrading": what was queued while polling goes out on the
// WebSocket in a form that the client takes.
func TestUpgrade3(t *testing.T) {
	srv := newServer(t, options3(), echo)
	p, s := srv.poll3("&b64=1")
	c, _ := srv.connect("EIO=3&transport=websocket&sid=" + p.open.SID)
	c.send("2probe")
	c.want("3probe")
	p.get().want(t, 200, "1:6")
	p.post("3:4🦊").want(t, 200, "ok")
	p.get().want(t, 200, "3:4🦊")
	if err := s.Send(engine.NewMessage(txt("queued"), bin(1))); err != nil {
		t.Fatal(err)
	}
	c.send("5")
	c.want("4queued")
	c.want("b4AQ==")
	c.sendFrame(opBinary, []byte{4, 1})
	c.wantBinary([]byte{4, 1}) // b64 was for polling alone
	p.get().want(t, 400, badRequest)
}

func TestClose3(t *testing.T) {
	t.Run("by the client, polling", func(t *testing.T) {
		srv := newServer(t, options3(), nil)
		p, s := srv.poll3("")
		p.post("2:4x1:1").want(t, 200, "ok")
		s.wantMessage(t, "x", false)
		s.wantClosed(t, engine.TransportClose)
		p.get().want(t, 200, "1:6") // sent before the client knew
		p.get().want(t, 400, unknownSID)
	})
	t.Run("by the server, polling", func(t *testing.T) {
		srv := newServer(t, options3(), nil)
		p, s := srv.poll3("")
		if err := s.Send(text("last")); err != nil {
			t.Fatal(err)
		}
		s.Socket.Close(engine.ForcedClose)
		p.get().want(t, 200, "5:4last")
		p.get().want(t, 200, "1:1")
		s.wantClosed(t, engine.ForcedClose)
	})
	t.Run("by the server, websocket", func(t *testing.T) {
		srv := newServer(t, options3(), nil)
		c, _ := srv.connect("EIO=3&transport=websocket")
		c.next()
		s := srv.session()
		s.Socket.Close(engine.ForcedClose)
		c.wantClose()
		s.wantClosed(t, engine.ForcedClose)
	})
}

func TestHostile3(t *testing.T) {
	srv := newServer(t, options3(), echo)
	bystanders := bystanders(srv)
	for _, c := range []struct {
		name, body string
		binary     bool
		reason     engine.Reason
	}{
		{"pong", "1:3", false, engine.TransportError},
		{"pong in bytes", "\x00\x01\xff3", true, engine.TransportError},
		{"unknown packet type", "1:7", false, engine.ParseError},
		{"payload of revision 4", "4hello\x1e4world", false, engine.ParseError},
		{"length too large", "1000000:4", false, engine.ParseError},
		{"length of 64 bits", "18446744073709551615:4", false, engine.ParseError},
		{"length of 64 bits in bytes", "\x01" + strings.Repeat("\x09", 20) + "\xff\x04", true, engine.ParseError},
		{"base64 without type", "1:b", false, engine.ParseError},
		{"base64 of another type", "2:b2", false, engine.ParseError},
		{"no base64", "4:b4A*", false, engine.ParseError},
		{"bytes of another type", "\x01\x02\xff\x02a", true, engine.ParseError},
		{"bytes without type", "\x01\x00\xff", true, engine.ParseError},
		{"empty", "", false, engine.ParseError},
		{"empty bytes", "", true, engine.ParseError},
	} {
		t.Run("POST "+c.name, func(t *testing.T) {
			p, s := srv.poll3("")
			post := p.post
			if c.binary {
				post = p.postBinary
			}
			post(c.body).want(t, 400, badRequest)
			s.wantClosed(t, c.reason)
			p.get().want(t, 400, unknownSID)
			bystanders(t)
		})
	}
	t.Run("POST too large", func(t *testing.T) {
		p, s := srv.poll3("")
		if r := p.postBinary(strings.Repeat("x", 1_000_001)); r.err == nil && r.status != 413 {
			t.Errorf("status %d", r.status)
		}
		s.wantClosed(t, engine.TransportError)
		bystanders(t)
	})
	for _, c := range []struct {
		name   string
		op     byte
		data   string
		reason engine.Reason
	}{
		{"empty bytes", opBinary, "", engine.ParseError},
		{"bytes of another type", opBinary, "\x02", engine.ParseError},
		{"bytes as in revision 4", opBinary, "\x01\x02", engine.ParseError},
		{"base64 as in revision 4", opText, "bAQID", engine.ParseError},
		{"pong", opText, "3", engine.TransportError},
	} {
		t.Run("frame "+c.name, func(t *testing.T) {
			conn, _ := srv.connect("EIO=3&transport=websocket")
			conn.next()
			s := srv.session()
			conn.sendFrame(c.op, []byte(c.data))
			conn.wantClose()
			s.wantClosed(t, c.reason)
			bystanders(t)
		})
	}
}

// A client that sends pings without end and reads nothing makes no queue.
func TestManyPings(t *testing.T) {
	srv := newServer(t, options3(), nil)
	p, s := srv.poll3("")
	p.post(strings.Repeat("1:2", 100_000)).want(t, 200, "ok")
	p.get().want(t, 200, "1:3")
	if err := s.Send(text("x")); err != nil {
		t.Fatal(err)
	}
	p.post("1:21:2").want(t, 200, "ok")
	p.get().want(t, 200, "2:4x1:3")
}

func heartbeatOptions3() *engine.Options {
	o := heartbeatOptions()
	o.AllowEIO3 = true
	return o
}

// Section "Timeouts": the client pings. The server sends none and gives it the
// interval and the timeout.
func TestHeartbeat3(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newPipeServer(t, heartbeatOptions3(), nil)
		c, _ := srv.connect("EIO=3&transport=websocket")
		c.next()
		s := srv.session()
		for range 3 {
			time.Sleep(interval + timeout - time.Millisecond)
			c.send("2")
			c.want("3")
		}
		start := time.Now()
		time.Sleep(interval)
		c.send("4x") // is no ping
		c.wantClose()
		wantAfter(t, "close", start, interval+timeout)
		if got := s.wantClosed(t, engine.PingTimeout); got.err == nil {
			t.Error("closed without an error")
		}
	})
}

func TestHeartbeatPolling3(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newPipeServer(t, heartbeatOptions3(), nil)
		p, s := srv.poll3("")
		for range 3 {
			time.Sleep(interval)
			p.post("1:2").want(t, 200, "ok")
			p.get().want(t, 200, "1:3")
		}
		start := time.Now()
		p.get().want(t, 200, "1:1")
		wantAfter(t, "close", start, interval+timeout)
		s.wantClosed(t, engine.PingTimeout)
		p.get().want(t, 400, unknownSID)
	})
}

// While Message blocks, pings cannot be read, and are not missed.
func TestBlockedHandler3(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		srv := newPipeServer(t, heartbeatOptions3(), func(*session, []byte, bool) { <-release })
		c, _ := srv.connect("EIO=3&transport=websocket")
		c.next()
		s := srv.session()
		c.send("4x")
		time.Sleep(10 * (interval + timeout))
		close(release)
		time.Sleep(timeout - time.Millisecond)
		c.send("2")
		c.want("3")
		start := time.Now()
		c.wantClose()
		wantAfter(t, "close", start, interval+timeout)
		s.wantClosed(t, engine.PingTimeout)
	})
}

// What one revision is sent is not what the other is, from one message.
func TestBroadcastToBothRevisions(t *testing.T) {
	srv := newServer(t, options3(), nil)
	four, s4 := srv.ws()
	three, _ := srv.connect("EIO=3&transport=websocket")
	three.next()
	s3 := srv.session()
	p, sp := srv.poll3("&b64=1")
	m := engine.NewMessage(txt("€"), bin(1, 2))
	for range 2 {
		for _, s := range []*session{s4, s3, sp} {
			if err := s.Send(m); err != nil {
				t.Fatal(err)
			}
		}
		four.want("4€")
		four.wantBinary([]byte{1, 2})
		three.want("4€")
		three.wantBinary([]byte{4, 1, 2})
		p.get().want(t, 200, "2:4€6:b4AQI=")
	}
}

// FuzzPayload3: what is taken is what would be sent, but for leading zeros and
// empty packets.
func FuzzPayload3(f *testing.F) {
	for _, seed := range []string{"6:4hello2:4€", "2:4€10:b4AQIDBA==", "0:", "", "3:4🦊", "01:2", "2:4🦊", "99999999999999999999:4", "1:2x"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		var again strings.Builder
		total := 0
		err := engine.EachPacket3(payload, func(p []byte) error {
			if total += len(p); len(p) == 0 {
				t.Fatalf("%q: an empty packet", payload)
			}
			again.WriteString(strconv.Itoa(utf16Length(string(p))) + ":" + string(p))
			return nil
		})
		if total > len(payload) {
			t.Fatalf("%q: %d bytes of packets", payload, total)
		}
		if err != nil || again.Len() == 0 {
			return
		}
		var first, second []string
		_ = engine.EachPacket3(payload, func(p []byte) error { first = append(first, string(p)); return nil })
		err = engine.EachPacket3([]byte(again.String()), func(p []byte) error { second = append(second, string(p)); return nil })
		if err != nil || !slices.Equal(first, second) {
			t.Fatalf("%q: %q, then %q, %v", payload, first, second, err)
		}
	})
}

// utf16Length counts as JavaScript does, in another way than the engine.
func utf16Length(s string) int {
	n := 0
	for _, r := range s {
		if n++; r > 0xffff {
			n++
		}
	}
	return n
}

// FuzzPayloadBinary3: likewise for the binary form, and parsing ends with the
// first packet that is refused.
func FuzzPayloadBinary3(f *testing.F) {
	for _, seed := range []string{"\x00\x04\xff4€\x01\x05\xff\x04\x01\x02\x03\x04", "\x00\x01\x00\xff4123456789", "", "\x00\xff", "\x02\x01\xff2", "\x01\x00\xff"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		var again []byte
		n := 0
		err := engine.EachPacketBinary3(payload, func(p []byte, binary bool) error {
			n++
			kind := byte(0)
			if binary {
				kind = 1
			}
			again = append(append(again, lengthBytes(kind, len(p))...), p...)
			return nil
		})
		if len(again) > len(payload) {
			t.Fatalf("%q: %q", payload, again)
		}
		// Leading zeros of a length are the only bytes that may be missing.
		if err == nil && bytes.Count(payload, []byte{0}) == bytes.Count(again, []byte{0}) && !bytes.Equal(payload, again) {
			t.Fatalf("%q: %q", payload, again)
		}
		refused := errors.New("refused")
		if err := engine.EachPacketBinary3(payload, func([]byte, bool) error { return refused }); n > 0 && !errors.Is(err, refused) {
			t.Fatalf("%q: error %v", payload, err)
		}
	})
}
