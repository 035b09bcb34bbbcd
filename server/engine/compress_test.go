package engine_test

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"siomq/server/engine"
)

const deflateOffer = "permessage-deflate; client_max_window_bits"

// inflate restores a compressed payload, RFC 7692 section 7.2.2.
func inflate(t *testing.T, payload []byte) string {
	t.Helper()
	tail := strings.NewReader("\x00\x00\xff\xff\x01\x00\x00\xff\xff")
	b, err := io.ReadAll(flate.NewReader(io.MultiReader(bytes.NewReader(payload), tail)))
	if err != nil {
		t.Fatalf("inflate %x: %v", payload, err)
	}
	return string(b)
}

// wantFrame reads a frame and checks whether it is compressed.
func (c *client) wantFrame(payload string, compressed bool) {
	c.t.Helper()
	_ = c.conn.SetReadDeadline(time.Now().Add(patience))
	first, got, err := c.frame()
	if err != nil {
		c.t.Fatalf("read: %v", err)
	}
	if is := first&0x40 != 0; is != compressed {
		c.t.Fatalf("frame of %d bytes is compressed: %v, want %v", len(got), is, compressed)
	}
	if compressed {
		got = []byte(inflate(c.t, got))
	}
	if string(got) != payload {
		c.t.Fatalf("got %.40q of %d bytes, want %.40q of %d", got, len(got), payload, len(payload))
	}
}

// deflating opens a WebSocket session that offers compression.
func (s *server) deflating(offer string) (*client, *session) {
	s.t.Helper()
	c, r := s.connect("EIO=4&transport=websocket", "Sec-WebSocket-Extensions", offer)
	if c == nil {
		s.t.Fatalf("handshake refused: %d %s", r.status, r.body)
	}
	if !strings.HasPrefix(r.header.Get("Sec-Websocket-Extensions"), "permessage-deflate") {
		s.t.Fatalf("extensions are %q", r.header.Get("Sec-Websocket-Extensions"))
	}
	_, data := c.next()
	parseOpen(s.t, string(data))
	return c, s.session()
}

// RFC 7692; https://socket.io/docs/v4/server-options/#permessagedeflate
func TestPerMessageDeflate(t *testing.T) {
	long := strings.Repeat("kitchen ", 200)
	for _, c := range []struct {
		name    string
		options engine.PerMessageDeflate
		message *engine.Message
		want    []string // one for each frame, "z" in front of those compressed
	}{
		{"short", engine.PerMessageDeflate{}, text("hello"), []string{" 4hello"}},
		{"long", engine.PerMessageDeflate{}, text(long), []string{"z4" + long}},
		{"under the threshold", engine.PerMessageDeflate{}, text(long[:1022]), []string{" 4" + long[:1022]}},
		{"at the threshold", engine.PerMessageDeflate{}, text(long[:1023]), []string{"z4" + long[:1023]}},
		{"own threshold", engine.PerMessageDeflate{Threshold: 2000, Level: 9}, text(long), []string{" 4" + long}},
		{"parts", engine.PerMessageDeflate{}, engine.NewMessage(
			engine.Part{Data: []byte("a")}, engine.Part{Data: []byte(long), Binary: true}, engine.Part{Data: []byte("b"), Binary: true},
		), []string{" 4a", "z" + long, " b"}},
		{"attachment", engine.PerMessageDeflate{}, engine.NewText(1, func(dst []byte) []byte { return append(dst, 'a') }, []byte(long)), []string{" 4a", "z" + long}},
		{"text before an attachment", engine.PerMessageDeflate{}, engine.NewText(1, func(dst []byte) []byte { return append(dst, long...) }, []byte("b")), []string{"z4" + long, " b"}},
		{"not to be compressed", engine.PerMessageDeflate{}, text(long).DisableCompression(), []string{" 4" + long}},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv := newServer(t, &engine.Options{PerMessageDeflate: &c.options}, nil)
			cl, s := srv.deflating(deflateOffer)
			plain, sp := srv.ws() // a client without compression gets the same message
			for range 2 {
				if err := s.Send(c.message); err != nil {
					t.Fatal(err)
				}
				if err := sp.Send(c.message); err != nil {
					t.Fatal(err)
				}
				for _, w := range c.want {
					cl.wantFrame(w[1:], w[0] == 'z')
					plain.wantFrame(w[1:], false)
				}
			}
		})
	}
}

// A message is compressed for nobody who does not need it, and once for all who do.
func TestPerMessageDeflateIsMadeOnce(t *testing.T) {
	srv := newServer(t, &engine.Options{PerMessageDeflate: &engine.PerMessageDeflate{}}, nil)
	m := text(strings.Repeat("x", 5000))
	plain, sp := srv.ws()
	if err := sp.Send(m); err != nil {
		t.Fatal(err)
	}
	plain.wantFrame("4"+strings.Repeat("x", 5000), false)
	if engine.Deflated(m) != nil {
		t.Error("compressed for a client that has not agreed to it")
	}
	var first *engine.Message
	for range 3 {
		c, s := srv.deflating(deflateOffer)
		if err := s.Send(m); err != nil {
			t.Fatal(err)
		}
		c.wantFrame("4"+strings.Repeat("x", 5000), true)
		if first == nil {
			first = engine.Deflated(m)
		}
		if engine.Deflated(m) != first {
			t.Error("compressed again for another client")
		}
	}
}

// A client whose window is small gets what does not fit there uncompressed.
func TestPerMessageDeflateWindow(t *testing.T) {
	srv := newServer(t, &engine.Options{PerMessageDeflate: &engine.PerMessageDeflate{}}, nil)
	c, s := srv.deflating("permessage-deflate; server_max_window_bits=11")
	for _, n := range []int{2047, 2048} {
		data := strings.Repeat("x", n)
		if err := s.Send(text(data)); err != nil {
			t.Fatal(err)
		}
		c.wantFrame("4"+data, n == 2047)
	}
}

func TestPerMessageDeflateIsOffByDefault(t *testing.T) {
	srv := newServer(t, nil, nil)
	c, r := srv.connect("EIO=4&transport=websocket", "Sec-WebSocket-Extensions", deflateOffer)
	if c == nil || r.header.Get("Sec-Websocket-Extensions") != "" {
		t.Fatalf("status %d, extensions %q, want none", r.status, r.header.Get("Sec-Websocket-Extensions"))
	}
	c.next()
	s := srv.session()
	c.sendFrame(0x40|opText, []byte("\xf2\x48\xcd\xc9\xc9\x07\x00"))
	s.wantClosed(t, engine.TransportError)
}

// What a client compresses is read, and the limit is one of what it inflates to.
func TestPerMessageDeflateReceives(t *testing.T) {
	pack := func(data string) []byte {
		var b bytes.Buffer
		w, _ := flate.NewWriter(&b, 9)
		_, _ = io.WriteString(w, data)
		_ = w.Flush()
		return bytes.TrimSuffix(b.Bytes(), []byte("\x00\x00\xff\xff"))
	}
	srv := newServer(t, &engine.Options{PerMessageDeflate: &engine.PerMessageDeflate{}, MaxPayload: 10_000}, nil)
	c, s := srv.deflating(deflateOffer)
	long := strings.Repeat("room ", 1900)
	c.sendFrame(0x40|opText, pack("4"+long))
	s.wantMessage(t, long, false)
	c.sendFrame(0x40|opBinary, pack(long))
	s.wantMessage(t, long, true)
	c.sendFrame(opText, []byte("4plain"))
	s.wantMessage(t, "plain", false)
	c.sendFrame(0x40|opText, pack("4"+strings.Repeat("x", 5_000_000)))
	s.wantClosed(t, engine.TransportError)
	if n := srv.Stats().TooLarge; n != 1 {
		t.Errorf("%d messages counted as too large, want 1", n)
	}
	if op, payload := c.next(); op != opClose || len(payload) < 2 || string(payload[:2]) != "\x03\xf1" {
		t.Errorf("got opcode %d %q, want close code 1009", op, payload)
	}
}

// Many broadcasts at once, to clients with and without compression: all arrive,
// each goroutine's in its order.
func TestPerMessageDeflateConcurrently(t *testing.T) {
	const senders, messages = 4, 50
	srv := newServer(t, &engine.Options{PerMessageDeflate: &engine.PerMessageDeflate{Threshold: 100}}, nil)
	var clients []*client
	var sessions []*session
	for i := range 6 {
		open := func() (*client, *session) { return srv.deflating(deflateOffer) }
		if i%3 == 0 {
			open = srv.ws
		}
		c, s := open()
		clients, sessions = append(clients, c), append(sessions, s)
	}
	var sending sync.WaitGroup
	for from := range senders {
		sending.Go(func() {
			for i := range messages {
				m := text(fmt.Sprintf("%d %d %s", from, i, strings.Repeat("x", i*10)))
				for _, s := range sessions {
					_ = s.Enqueue(m)
				}
				for _, s := range sessions {
					s.Flush()
				}
			}
		})
	}
	for _, c := range clients {
		var seen [senders]int
		for range senders * messages {
			_ = c.conn.SetReadDeadline(time.Now().Add(patience))
			first, payload, err := c.frame()
			if err != nil {
				t.Fatalf("read: %v", err)
			}
			if first&0x40 != 0 {
				payload = []byte(inflate(t, payload))
			}
			var from, i int
			if _, err := fmt.Sscanf(string(payload), "4%d %d", &from, &i); err != nil || i != seen[from] {
				t.Fatalf("got %.20q, want message %v", payload, seen)
			}
			seen[from]++
		}
	}
	sending.Wait()
}

// https://socket.io/docs/v4/server-options/#httpcompression
func TestHTTPCompression(t *testing.T) {
	long := strings.Repeat("kitchen ", 200)
	for _, c := range []struct {
		name     string
		options  *engine.HTTPCompression
		accept   string
		message  *engine.Message
		encoding string
	}{
		{"gzip", nil, "gzip, deflate, br", text(long), "gzip"},
		{"deflate", nil, "deflate", text(long), "deflate"},
		{"neither", nil, "br", text(long), ""},
		{"nothing accepted", nil, "", text(long), ""},
		{"short", nil, "gzip", text("hello"), ""},
		{"under the threshold", nil, "gzip", text(long[:1022]), ""},
		{"at the threshold", nil, "gzip", text(long[:1023]), "gzip"},
		{"own threshold", &engine.HTTPCompression{Threshold: 10, Level: 9}, "gzip", text(strings.Repeat("x", 100)), "gzip"},
		{"no shorter", &engine.HTTPCompression{Threshold: 1}, "gzip", text("hello"), ""},
		{"off", &engine.HTTPCompression{Off: true}, "gzip", text(long), ""},
		{"not to be compressed", nil, "gzip", text(long).DisableCompression(), ""},
		{"binary", nil, "gzip", engine.NewMessage(engine.Part{Data: []byte(long), Binary: true}), "gzip"},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv := newServer(t, &engine.Options{HTTPCompression: c.options}, nil)
			p, s := srv.poll()
			for range 2 { // the second with a compressor that was used before
				if err := s.Send(c.message); err != nil {
					t.Fatal(err)
				}
				// With the header set, net/http leaves the body as it is.
				r := srv.do("GET", p.query(), nil, "Accept-Encoding", c.accept)
				if got := r.header.Get("Content-Encoding"); got != c.encoding {
					t.Fatalf("encoding %q, want %q", got, c.encoding)
				}
				if body, want := decodeBody(t, r), engine.Payload(c.message); body != want {
					t.Errorf("body %.40q of %d bytes, want %.40q of %d", body, len(body), want, len(want))
				}
				if c.encoding != "" && r.header.Get("Vary") != "Accept-Encoding" {
					t.Errorf("Vary is %q", r.header.Get("Vary"))
				}
			}
		})
	}
}

// decodeBody undoes the content coding of a response.
func decodeBody(t *testing.T, r reply) string {
	t.Helper()
	var body io.Reader = strings.NewReader(r.body)
	var err error
	switch r.header.Get("Content-Encoding") {
	case "gzip":
		body, err = gzip.NewReader(body)
	case "deflate":
		body, err = zlib.NewReader(body)
	}
	if err != nil {
		t.Fatalf("body: %v", err)
	}
	b, err := io.ReadAll(body)
	if err != nil {
		t.Fatalf("body: %v", err)
	}
	return string(b)
}

// RFC 9110 section 12.5.3
func TestAcceptedCoding(t *testing.T) {
	for header, want := range map[string]string{
		"":                                 "",
		"gzip":                             "gzip",
		"GZIP":                             "gzip",
		"x-gzip":                           "gzip",
		"deflate":                          "deflate",
		"deflate, gzip":                    "gzip",
		"gzip;q=0.5, deflate":              "deflate",
		"gzip;q=0, deflate;q=0":            "",
		"gzip ; q=0.001":                   "gzip",
		"*":                                "gzip",
		"*;q=0":                            "",
		"gzip;q=0, *":                      "deflate",
		"br, zstd":                         "",
		"identity":                         "",
		"identity, gzip;q=0.5":             "",
		"identity;q=0.5, gzip":             "gzip",
		"gzip;q=2":                         "",
		"gzip;q=NaN":                       "",
		"gzip;q":                           "",
		"gzip;level=1":                     "",
		",, gzip ,":                        "gzip",
		"compress, gzip;Q=1.000, deflate;": "gzip",
	} {
		if got := engine.AcceptedCoding(http.Header{"A": {header}}["A"]); got != want {
			t.Errorf("Accept-Encoding %q chooses %q, want %q", header, got, want)
		}
	}
}
