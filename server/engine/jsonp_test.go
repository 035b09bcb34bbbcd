package engine_test

import (
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"siomq/server/engine"
)

// https://github.com/socketio/engine.io-protocol/tree/v3, section "JSONP".

func TestScript(t *testing.T) {
	for _, c := range []struct{ name, j, payload, want string }{
		{"the example of the protocol", "4", "packet data", `___eio[4]("packet data");`},
		{"quotes and backslashes", "0", `4["a\n"]`, `___eio[0]("4[\"a\\n\"]");`},
		{"line ends", "0", "4\n\r", `___eio[0]("4\n\r");`},
		{"line ends of JavaScript", "0", "4\u2028\u2029", `___eio[0]("4\u2028\u2029");`},
		{"separator of revision 4", "12", "4a\x1e4b", `___eio[12]("4a\u001e4b");`},
		{"end of a script", "0", "4</script>", `___eio[0]("4\u003c/script\u003e");`},
		{"characters", "0", "4é🦊", `___eio[0]("4é🦊");`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := engine.Script(c.j, c.payload); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// formOf is what the official client makes of a payload: it escapes line feeds
// and what could be taken for one that is escaped.
func formOf(payload string) string {
	payload = strings.ReplaceAll(payload, `\n`, "\\\n")
	return "d=" + url.QueryEscape(strings.ReplaceAll(payload, "\n", `\n`))
}

func TestFormPayload(t *testing.T) {
	for _, c := range []struct {
		name, body, want string
		err              error
	}{
		{"plain", "d=6%3A4hello", "6:4hello", nil},
		{"not escaped", "d=4a;4b", "4a;4b", nil},
		{"plus is a space", "d=4a+b%2B", "4a b+", nil},
		{"line feed", `d=4a\nb`, "4a\nb", nil},
		{"escaped line feed", `d=4a%5C%5Cnb`, `4a\nb`, nil},
		{"three backslashes", `d=%5C%5C%5Cn`, `\\n`, nil},
		{"backslash at the end", `d=4%5C`, `4\`, nil},
		{"other fields", "a=1&d=4x&e=2", "4x", nil},
		{"empty", "d=", "", nil},
		{"no field", "4hello", "", engine.ErrPacket},
		{"another field", "dd=4hello", "", engine.ErrPacket},
		{"bad escape", "d=%zz", "", engine.ErrPacket},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := engine.FormPayload([]byte(c.body))
			if string(got) != c.want || !errors.Is(err, c.err) {
				t.Errorf("%q: %q, %v, want %q, %v", c.body, got, err, c.want, c.err)
			}
		})
	}
}

// FuzzJSONP: what a client sends is what arrives, and what is sent to it is one
// string of a script, whatever is in it.
func FuzzJSONP(f *testing.F) {
	for _, seed := range []string{"", "6:4hello", "4\n", `4\n`, `4\\n`, "4\\\n\\n", "4\r\n", "4\u2028", `4");alert(1);("`, "4</script>"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, payload string) {
		// A client replaces overlapping escapes in its own way; those do not come
		// from JSON, where a backslash before a line feed cannot be.
		if !strings.Contains(payload, "\\\n") && !strings.Contains(payload, `\\n`) {
			if got, err := engine.FormPayload([]byte(formOf(payload))); err != nil || string(got) != payload {
				t.Fatalf("form of %q: %q, %v", payload, got, err)
			}
		}
		_, _ = engine.FormPayload([]byte(payload)) // no panic
		script := engine.Script("7", payload)
		inner, ok := strings.CutPrefix(script, `___eio[7](`)
		inner, end := strings.CutSuffix(inner, ");")
		var back string
		if err := json.Unmarshal([]byte(inner), &back); err != nil || !ok || !end || strings.ContainsAny(inner, "\n\r\u2028\u2029<>") {
			t.Fatalf("%q: %q, %v", payload, script, err)
		}
		if utf8.ValidString(payload) && back != payload {
			t.Fatalf("%q: %q", payload, back)
		}
	})
}

func TestJSONP(t *testing.T) {
	for _, c := range []struct {
		name, eio  string
		post, want string
	}{
		{"revision 3", "3", "8:4a\\n\n\u2028🦊10:b4AQIDBA==", `___eio[5]("8:4a\\n\n\u2028🦊10:b4AQIDBA==");`},
		{"revision 4", "4", "4a\\n\n\u2028🦊\x1ebAQIDBA==", `___eio[5]("4a\\n\n\u2028🦊\u001ebAQIDBA==");`},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv := newServer(t, options3(), echo)
			query := "transport=polling&j=5&EIO=" + c.eio
			r := srv.do("GET", query, nil)
			inner, ok := strings.CutPrefix(r.body, `___eio[5]("`)
			if !ok || !strings.HasSuffix(inner, `");`) || r.status != 200 {
				t.Fatalf("handshake: %d %q", r.status, r.body)
			}
			for name, want := range map[string]string{
				"Content-Type":           "text/javascript; charset=UTF-8",
				"X-Content-Type-Options": "nosniff",
				"X-XSS-Protection":       "0",
			} {
				if got := r.header.Get(name); got != want {
					t.Errorf("%s: %q, want %q", name, got, want)
				}
			}
			s := srv.session()
			query += "&sid=" + s.ID()
			srv.do("POST", query, strings.NewReader(formOf(c.post)), "Content-Type", "application/x-www-form-urlencoded").want(t, 200, "ok")
			srv.do("GET", query, nil).want(t, 200, c.want)
		})
	}
}

func TestJSONPRefused(t *testing.T) {
	srv := newServer(t, options3(), nil)
	for _, j := range []string{"", "x", "0]);alert(1);([", "-1", "1.5", strings.Repeat("1", 11)} {
		srv.do("GET", "EIO=3&transport=polling&j="+url.QueryEscape(j), nil).want(t, 400, badRequest)
	}
	srv.do("GET", "EIO=3&transport=polling&j=0", nil)
	s := srv.session()
	query := "EIO=3&transport=polling&j=0&sid=" + s.ID()
	srv.do("POST", query, strings.NewReader("2:4x")).want(t, 400, badRequest)
	s.wantClosed(t, engine.ParseError)
	if r := srv.do("GET", query, nil); r.status != 400 || r.header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%d, headers %v", r.status, r.header)
	}
}

func TestJSONPTooLarge(t *testing.T) {
	o := options3()
	o.MaxPayload = 100
	srv := newServer(t, o, nil)
	srv.do("GET", "EIO=3&transport=polling&j=0", nil)
	s := srv.session()
	if r := srv.do("POST", "EIO=3&transport=polling&j=0&sid="+s.ID(), strings.NewReader("d="+strings.Repeat("x", 99))); r.status != 413 {
		t.Errorf("status %d", r.status)
	}
	s.wantClosed(t, engine.TransportError)
}

// A script is not subject to CORS in the browser, so the server applies it.
func TestJSONPOrigin(t *testing.T) {
	some := &engine.CORS{Origins: []string{"https://friend.test"}}
	for _, c := range []struct {
		name    string
		cors    *engine.CORS
		headers []string
		ok      bool
	}{
		{"no browser", nil, nil, true},
		{"same origin", nil, []string{"Sec-Fetch-Site", "same-origin"}, true},
		{"typed into the address bar", nil, []string{"Sec-Fetch-Site", "none"}, true},
		{"old browser, same host", nil, []string{"Referer", "http://example.test/page"}, true},
		{"old browser, another host", nil, []string{"Referer", "http://evil.test/page"}, false},
		{"another site", nil, []string{"Sec-Fetch-Site", "cross-site", "Referer", "https://friend.test/"}, false},
		{"another site that says nothing", nil, []string{"Sec-Fetch-Site", "cross-site"}, false},
		{"a form of another site", nil, []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.test"}, false},
		{"a form without an origin", nil, []string{"Sec-Fetch-Site", "cross-site", "Origin", "null"}, false},
		{"allowed", some, []string{"Sec-Fetch-Site", "cross-site", "Referer", "https://friend.test/page?x"}, true},
		{"allowed, a form", some, []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://friend.test"}, true},
		{"not allowed", some, []string{"Sec-Fetch-Site", "cross-site", "Referer", "https://evil.test/https://friend.test"}, false},
		{"no URL", some, []string{"Referer", "::"}, false},
		{"all allowed", &engine.CORS{Origins: []string{"*"}}, []string{"Sec-Fetch-Site", "cross-site"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv := newServer(t, &engine.Options{AllowEIO3: true, CORS: c.cors}, nil)
			r := srv.do("GET", "EIO=3&transport=polling&j=0", nil, c.headers...)
			if want := map[bool]int{true: 200, false: 403}[c.ok]; r.status != want {
				t.Errorf("status %d %q, want %d", r.status, r.body, want)
			}
		})
	}
}
