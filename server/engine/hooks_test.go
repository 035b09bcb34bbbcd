package engine_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"siomq/server/engine"
)

// https://socket.io/docs/v4/server-api/#event-connection_error
func TestConnectionError(t *testing.T) {
	refused := make(chan *engine.ConnectionError, 10)
	options := func(change func(*engine.Options)) *engine.Options {
		o := &engine.Options{OnConnectionError: func(e *engine.ConnectionError) { refused <- e }}
		if change != nil {
			change(o)
		}
		return o
	}
	const websocket = "the request asks for a WebSocket"
	for _, c := range []struct {
		name          string
		change        func(*engine.Options)
		method, query string
		headers       []string
		code          int
		message       string
		context       map[string]any
	}{
		{"transport", nil, "GET", "EIO=4&transport=pigeon", nil, 0, "Transport unknown", map[string]any{"transport": "pigeon"}},
		{"session", nil, "GET", "EIO=4&transport=polling&sid=nobody", nil, 1, "Session ID unknown", map[string]any{"sid": "nobody"}},
		{"method", nil, "POST", "EIO=4&transport=polling", nil, 2, "Bad handshake method", map[string]any{"method": "POST"}},
		{"websocket without upgrade", nil, "GET", "EIO=4&transport=websocket", nil, 3, "Bad request", map[string]any{"name": "TRANSPORT_HANDSHAKE_ERROR"}},
		{"id", func(o *engine.Options) { o.NewID = func(*http.Request) (string, error) { return "", nil } },
			"GET", "EIO=4&transport=polling", nil, 3, "Bad request", map[string]any{"name": "ID_GENERATION_ERROR", "error": nil}},
		{"refused", func(o *engine.Options) { o.AllowRequest = func(*http.Request) error { return errors.New("not today") } },
			"GET", "EIO=4&transport=polling", nil, 4, "Forbidden", map[string]any{"message": "not today"}},
		{"origin", nil, websocket, "EIO=4&transport=websocket", []string{"Origin", "https://evil.test"}, 4, "Forbidden",
			map[string]any{"name": "INVALID_ORIGIN", "origin": "https://evil.test"}},
		{"revision", nil, "GET", "EIO=3&transport=polling", nil, 5, "Unsupported protocol version", map[string]any{"protocol": "3"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv := newServer(t, options(c.change), nil)
			var r reply
			if c.method == websocket {
				_, r = srv.connect(c.query, c.headers...)
			} else {
				r = srv.do(c.method, c.query, nil, c.headers...)
			}
			e := next(t, refused, "connection error")
			if e.Code != c.code || e.Message != c.message || e.Error() != c.message || fmt.Sprint(e.Context) != fmt.Sprint(c.context) {
				t.Errorf("%d %q %v, want %d %q %v", e.Code, e.Message, e.Context, c.code, c.message, c.context)
			}
			if e.Request == nil || e.Request.URL.RawQuery != c.query {
				t.Errorf("request %v", e.Request)
			}
			if !strings.Contains(r.body, fmt.Sprintf(`"code":%d`, c.code)) {
				t.Errorf("body %q", r.body)
			}
		})
	}
	t.Run("transport of a session", func(t *testing.T) {
		srv := newServer(t, options(nil), nil)
		_, s := srv.ws()
		srv.do("POST", "EIO=4&transport=polling&sid="+s.ID(), strings.NewReader("4x")).want(t, 400, badRequest)
		e := next(t, refused, "connection error")
		want := map[string]any{"name": "TRANSPORT_MISMATCH", "transport": "polling", "previousTransport": "websocket"}
		if e.Code != 3 || fmt.Sprint(e.Context) != fmt.Sprint(want) {
			t.Errorf("%d %v, want %v", e.Code, e.Context, want)
		}
	})
}

// https://socket.io/docs/v4/server-instance/#events: initial_headers, headers.
func TestHeaders(t *testing.T) {
	var mu sync.Mutex
	var calls []string
	note := func(what string) func(http.Header, *http.Request) {
		return func(h http.Header, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			calls = append(calls, what+" "+r.Method)
			h.Set("X-"+what, r.Method)
		}
	}
	took := func() string {
		mu.Lock()
		defer mu.Unlock()
		s := strings.Join(calls, ", ")
		calls = nil
		return s
	}
	srv := newServer(t, &engine.Options{InitialHeaders: note("Initial"), Headers: note("Every")}, nil)
	check := func(what string, r reply, initial, every, want string) {
		t.Helper()
		if r.header.Get("X-Initial") != initial || r.header.Get("X-Every") != every {
			t.Errorf("%s: headers %v", what, r.header)
		}
		if got := took(); got != want {
			t.Errorf("%s: called %q, want %q", what, got, want)
		}
	}

	r := srv.do("GET", "EIO=4&transport=polling", nil)
	check("handshake", r, "GET", "GET", "Initial GET, Every GET")
	s := srv.session()
	p := &poller{t, srv, s.ID()}
	check("POST", p.post("4x"), "", "POST", "Every POST")
	if err := s.Send(text("x")); err != nil {
		t.Fatal(err)
	}
	check("GET", p.get(), "", "GET", "Every GET")
	_, r = srv.connect("EIO=4&transport=websocket&sid=" + s.ID())
	check("upgrade", r, "", "GET", "Every GET")
	_, r = srv.connect("EIO=4&transport=websocket")
	check("websocket", r, "GET", "GET", "Initial GET, Every GET")
	check("refused", srv.do("GET", "EIO=4&transport=pigeon", nil), "", "", "")
}
