package ws_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"siomq/internal/ws"
)

// request is a good handshake, the example of RFC 6455 section 1.3, before a case changes it.
const request = "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"

// ask sends raw bytes to a server that upgrades every request with o, and returns the response, the connection and
// what Upgrade returned.
func ask(t *testing.T, raw string, o *ws.UpgradeOptions) (*http.Response, *bufio.Reader, net.Conn, *ws.Conn, error) {
	t.Helper()
	type result struct {
		c   *ws.Conn
		err error
	}
	results := make(chan result, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Set-Cookie", "a=b")
		c, err := ws.Upgrade(w, r, o)
		results <- result{c, err}
	}))
	t.Cleanup(s.Close)
	nc, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	if err := nc.SetDeadline(time.Now().Add(testWait)); err != nil {
		t.Fatalf("set deadline: %v", err)
	}
	if _, err := io.WriteString(nc, raw); err != nil {
		t.Fatalf("write request: %v", err)
	}
	br := bufio.NewReader(nc)
	resp, err := http.ReadResponse(br, nil)
	if err != nil {
		t.Fatalf("read response to %q: %v", raw, err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	res := <-results
	if res.c != nil {
		t.Cleanup(func() { _ = res.c.Close() })
	}
	return resp, br, nc, res.c, res.err
}

func TestUpgradeRefuses(t *testing.T) {
	without := func(name string) func(string) string {
		return func(s string) string {
			at := strings.Index(s, name+":")
			return s[:at] + s[at+strings.Index(s[at:], "\r\n")+2:]
		}
	}
	replace := func(old, new string) func(string) string {
		return func(s string) string { return strings.Replace(s, old, new, 1) }
	}
	tests := []struct {
		name   string
		change func(string) string
		status int
		header string // must be in the response
	}{
		{"POST", replace("GET", "POST"), 405, "Allow: GET"},
		{"HTTP/1.0", replace("HTTP/1.1", "HTTP/1.0"), 400, ""},
		{"no Upgrade", without("Upgrade"), 426, "Upgrade: websocket"},
		{"another Upgrade", replace("websocket", "h2c"), 426, "Upgrade: websocket"},
		{"no Connection", without("Connection"), 400, ""},
		{"another Connection", replace("Connection: Upgrade", "Connection: keep-alive"), 400, ""},
		{"no version", without("Sec-WebSocket-Version"), 426, "Sec-Websocket-Version: 13"},
		{"version 8", replace("Version: 13", "Version: 8"), 426, "Sec-Websocket-Version: 13"},
		{"no key", without("Sec-WebSocket-Key"), 400, ""},
		{"short key", replace("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZQ=="), 400, ""},
		{"key not base64", replace("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25j!!=="), 400, ""},
		{"key of 18 bytes", replace("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQzz"), 400, ""},
		{"two keys", replace("Upgrade: websocket", "Upgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="), 400, ""},
		{"body", func(s string) string {
			return replace("Upgrade: websocket", "Upgrade: websocket\r\nContent-Length: 2")(s) + "ab"
		}, 400, ""},
		{"no subprotocol", func(s string) string { return s }, 400, ""},
		{"another subprotocol", replace("Upgrade: websocket", "Upgrade: websocket\r\nSec-WebSocket-Protocol: chat, MQTT"), 400, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			resp, _, _, c, err := ask(t, tt.change(request), &ws.UpgradeOptions{Subprotocols: []string{"mqtt"}, RequireSubprotocol: true})
			var refused *ws.HandshakeError
			if c != nil || !errors.As(err, &refused) || refused.Status != tt.status || resp.StatusCode != tt.status {
				t.Fatalf("status %d, Upgrade returned %v, %v; want status %d in both", resp.StatusCode, c, err, tt.status)
			}
			if name, value, ok := strings.Cut(tt.header, ": "); ok && resp.Header.Get(name) != value {
				t.Errorf("header %s is %q, want %q", name, resp.Header.Get(name), value)
			}
		})
	}
}

func TestUpgrade(t *testing.T) {
	tests := []struct {
		name    string
		replace string // of "Upgrade: websocket"
		ours    []string
		chosen  string
	}{
		{"plain", "Upgrade: websocket", nil, ""},
		{"lists and case", "uPGRADE: foo, WebSocket\r\nConnection: keep-alive", nil, ""},
		{"empty body", "Upgrade: websocket\r\nContent-Length: 0", nil, ""},
		{"extension not taken", "Upgrade: websocket\r\nSec-WebSocket-Extensions: permessage-deflate", nil, ""},
		{"subprotocol", "Upgrade: websocket\r\nSec-WebSocket-Protocol: mqtt", []string{"mqtt"}, "mqtt"},
		{"our preference", "Upgrade: websocket\r\nSec-WebSocket-Protocol: b,\ta", []string{"a", "b"}, "a"},
		{"subprotocols in two lines", "Upgrade: websocket\r\nSec-WebSocket-Protocol: x\r\nSec-WebSocket-Protocol: y,b", []string{"a", "b"}, "b"},
		{"offer not wanted", "Upgrade: websocket\r\nSec-WebSocket-Protocol: x", nil, ""},
		{"none in common", "Upgrade: websocket\r\nSec-WebSocket-Protocol: x", []string{"a"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			raw := strings.Replace(request, "Upgrade: websocket", tt.replace, 1)
			resp, _, _, c, err := ask(t, raw, &ws.UpgradeOptions{Subprotocols: tt.ours})
			if err != nil || resp.StatusCode != 101 {
				t.Fatalf("status %d, error %v, want 101", resp.StatusCode, err)
			}
			if got, want := resp.Header.Get("Sec-Websocket-Accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="; got != want {
				t.Errorf("accept is %q, want %q", got, want)
			}
			if got := resp.Header.Get("Sec-Websocket-Protocol"); got != tt.chosen || c.Subprotocol() != tt.chosen {
				t.Errorf("subprotocol is %q in the response and %q in the Conn, want %q", got, c.Subprotocol(), tt.chosen)
			}
			if got := resp.Header["Sec-Websocket-Extensions"]; got != nil {
				t.Errorf("extensions are %q, want none", got)
			}
		})
	}
}

func TestUpgradeHeaders(t *testing.T) {
	resp, _, _, _, err := ask(t, request, &ws.UpgradeOptions{Header: http.Header{
		"X-One":                {"1", "2"},
		"X-Split":              {"a\r\nX-Injected: yes"},
		"Bad Name":             {"x"},
		"Sec-Websocket-Accept": {"forged"},
		"X-Long":               {strings.Repeat("x", 2*ws.BufferSize)},
	}})
	if err != nil {
		t.Fatalf("upgrade: %v", err)
	}
	want := map[string]string{"X-One": "[1 2]", "X-Split": "[a  X-Injected: yes]", "X-Injected": "[]", "Set-Cookie": "[a=b]",
		"Sec-Websocket-Accept": "[s3pPLMBiTxaQ9kYGzzhZRbK+xOo=]"}
	for name, v := range want {
		if got := fmt.Sprint(resp.Header[name]); got != v {
			t.Errorf("header %s is %s, want %s", name, got, v)
		}
	}
	if n := len(resp.Header.Get("X-Long")); n != 2*ws.BufferSize {
		t.Errorf("long header has %d bytes, want %d", n, 2*ws.BufferSize)
	}
}

// TestUpgradeKeepsEarlyBytes sends frames together with the request.
func TestUpgradeKeepsEarlyBytes(t *testing.T) {
	for _, n := range []int{1, 300, 3000, 20000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			long := strings.Repeat("x", n)
			_, _, _, c, err := ask(t, request+string(frame(0x81, "early"))+string(frame(0x81, long)), nil)
			if err != nil {
				t.Fatalf("upgrade: %v", err)
			}
			for _, want := range []string{"early", long} {
				if _, got, err := c.Next(nil); err != nil || string(got) != want {
					t.Errorf("message is %s with error %v, want %s", brief(string(got)), err, brief(want))
				}
			}
		})
	}
}

// noHijack is a ResponseWriter that cannot be taken over.
type noHijack struct{ http.ResponseWriter }

func TestUpgradeWithoutHijack(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header = http.Header{"Upgrade": {"websocket"}, "Connection": {"Upgrade"}, "Sec-Websocket-Version": {"13"},
		"Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}}
	w := httptest.NewRecorder()
	if _, err := ws.Upgrade(noHijack{w}, r, nil); err == nil || w.Code != http.StatusNotImplemented {
		t.Errorf("status %d with error %v, want 501", w.Code, err)
	}
}

func TestUpgradeCompression(t *testing.T) {
	const agreed = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
	tests := []struct {
		name  string
		offer string // "-": none
		want  string // "": declined; "400": malformed
		takes int    // the longest payload that may be compressed; 0: any
	}{
		{"plain offer", "permessage-deflate", agreed, 0},
		{"no offer", "-", "", 0},
		{"empty header", "", "", 0},
		{"another extension", "x-webkit-deflate-frame", "", 0},
		{"as browsers offer it", "permessage-deflate; client_max_window_bits", agreed, 0},
		{"RFC 7692 7.1.2.2, hint", "permessage-deflate; client_max_window_bits=10", agreed, 0},
		{"context takeover offered away", "permessage-deflate; client_no_context_takeover; server_no_context_takeover", agreed, 0},
		{"RFC 7692 7.1.2.1", "permessage-deflate; server_max_window_bits=10", agreed + "; server_max_window_bits=10", 1024},
		{"smallest window", "permessage-deflate; server_max_window_bits=8", agreed + "; server_max_window_bits=8", 256},
		{"whole window", "permessage-deflate; server_max_window_bits=15", agreed + "; server_max_window_bits=15", 0},
		{"RFC 7692 7.1.3, fallback", "permessage-deflate; client_max_window_bits; server_max_window_bits=10, permessage-deflate; client_max_window_bits",
			agreed + "; server_max_window_bits=10", 1024},
		{"second offer when the first cannot be taken", "permessage-deflate; server_max_window_bits=7, permessage-deflate", agreed, 0},
		{"second of two extensions", "foo; a=1; b=\"c\", permessage-deflate", agreed, 0},
		{"two lines", "foo\r\nSec-WebSocket-Extensions: permessage-deflate", agreed, 0},
		{"quoted value", "permessage-deflate; server_max_window_bits=\"1\\0\"", agreed + "; server_max_window_bits=10", 1024},
		{"spaces and empty elements", " ,\t, permessage-deflate\t; server_max_window_bits = 9 ,, ", agreed + "; server_max_window_bits=9", 512},

		{"unknown parameter", "permessage-deflate; foo", "", 0},
		{"parameter twice", "permessage-deflate; client_max_window_bits; client_max_window_bits=9", "", 0},
		{"value of a flag", "permessage-deflate; server_no_context_takeover=1", "", 0},
		{"value of a flag of the client", "permessage-deflate; client_no_context_takeover=true", "", 0},
		{"no value of a number", "permessage-deflate; server_max_window_bits", "", 0},
		{"window too large", "permessage-deflate; server_max_window_bits=16", "", 0},
		{"window with a leading zero", "permessage-deflate; server_max_window_bits=08", "", 0},
		{"window of the client too small", "permessage-deflate; client_max_window_bits=7", "", 0},
		{"window that is no number", "permessage-deflate; client_max_window_bits=1x", "", 0},
		{"another case", "Permessage-Deflate", "", 0},

		{"no name", "; a", "400", 0},
		{"no parameter", "permessage-deflate;", "400", 0},
		{"no parameter between", "permessage-deflate; ; a", "400", 0},
		{"empty value", "permessage-deflate; server_max_window_bits=", "400", 0},
		{"two words", "permessage-deflate foo", "400", 0},
		{"value without a name", "permessage-deflate; =1", "400", 0},
		{"name with a value", "permessage-deflate=1", "400", 0},
		{"quote not closed", "permessage-deflate; server_max_window_bits=\"10", "400", 0},
		{"quoted is no token", "foo; a=\"b c\"", "400", 0},
		{"quoted nothing", "foo; a=\"\"", "400", 0},
		{"behind a good one", "permessage-deflate, (", "400", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			raw := request
			if tt.offer != "-" {
				raw = strings.Replace(raw, "Upgrade: websocket", "Upgrade: websocket\r\nSec-WebSocket-Extensions: "+tt.offer, 1)
			}
			resp, _, _, c, err := ask(t, raw, &ws.UpgradeOptions{Compression: true})
			if tt.want == "400" {
				if err == nil || resp.StatusCode != http.StatusBadRequest {
					t.Errorf("offer %q: status %d with error %v, want 400", tt.offer, resp.StatusCode, err)
				}
				return
			}
			if err != nil {
				t.Fatalf("offer %q: %v", tt.offer, err)
			}
			if got := resp.Header.Get("Sec-Websocket-Extensions"); got != tt.want {
				t.Errorf("offer %q is answered with %q, want %q", tt.offer, got, tt.want)
			}
			most := tt.takes
			if most == 0 {
				most = 1 << 20
			}
			if got := c.TakesCompressed(most); got != (tt.want != "") {
				t.Errorf("offer %q: TakesCompressed(%d) = %v", tt.offer, most, got)
			}
			if tt.takes != 0 && c.TakesCompressed(tt.takes+1) {
				t.Errorf("offer %q: TakesCompressed(%d) = true", tt.offer, tt.takes+1)
			}
		})
	}
}

func FuzzNegotiate(f *testing.F) {
	f.Add("permessage-deflate; client_max_window_bits, permessage-deflate")
	f.Add(`foo; a="b\"c"; d=e,,; permessage-deflate; server_max_window_bits="10"`)
	f.Fuzz(func(t *testing.T, line string) {
		response := ws.Negotiate(line)
		if response == "" {
			return
		}
		// What is answered is an offer that would be answered in the same way.
		if again := ws.Negotiate(response); again != response {
			t.Errorf("%q is answered with %q, which would be answered with %q", line, response, again)
		}
	})
}
