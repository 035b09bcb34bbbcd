package engine_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"siomq/server/engine"
)

// Protocol, section "Handshake".
func TestOpenPacket(t *testing.T) {
	options := func(change func(*engine.Options)) *engine.Options {
		o := &engine.Options{PingInterval: 300 * time.Millisecond, PingTimeout: 200 * time.Millisecond, MaxPayload: 1234}
		if change != nil {
			change(o)
		}
		return o
	}
	for _, c := range []struct {
		name     string
		options  *engine.Options
		ws       bool
		upgrades []string
	}{
		{"polling", options(nil), false, []string{"websocket"}},
		{"websocket", options(nil), true, []string{}},
		{"no upgrades", options(func(o *engine.Options) { o.DisableUpgrades = true }), false, []string{}},
		{"polling only", options(func(o *engine.Options) { o.Transports = []string{engine.Polling} }), false, []string{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv := newServer(t, c.options, nil)
			var packet string
			if c.ws {
				conn, _ := srv.connect("EIO=4&transport=websocket")
				_, data := conn.next()
				packet = string(data)
			} else {
				r := srv.do("GET", "EIO=4&transport=polling", nil)
				packet = r.body
				if got := r.header.Get("Content-Type"); got != "text/plain; charset=UTF-8" {
					t.Errorf("Content-Type %q", got)
				}
				if got := r.header.Get("Cache-Control"); got != "no-store" {
					t.Errorf("Cache-Control %q", got)
				}
			}
			got := parseOpen(t, packet)
			s := srv.session()
			if got.SID != s.ID() || len(got.SID) != 20 {
				t.Errorf("sid %q, socket has %q", got.SID, s.ID())
			}
			if !slices.Equal(got.Upgrades, c.upgrades) || got.Upgrades == nil {
				t.Errorf("upgrades %q, want %q", got.Upgrades, c.upgrades)
			}
			if got.PingInterval != 300 || got.PingTimeout != 200 || got.MaxPayload != 1234 {
				t.Errorf("open packet %s", packet)
			}
			if n := srv.Len(); n != 1 {
				t.Errorf("Len %d, want 1", n)
			}
		})
	}
}

// Protocol, section "Query parameters", and the error codes of
// https://socket.io/docs/v4/server-api/#event-connection_error
func TestRefusedRequests(t *testing.T) {
	srv := newServer(t, &engine.Options{
		AllowRequest: func(r *http.Request) error {
			if r.Header.Get("X-No") != "" {
				return errors.New(`not "you"`)
			}
			return nil
		},
	}, nil)
	noUpgrades := newServer(t, &engine.Options{DisableUpgrades: true}, nil)
	wsOnly := newServer(t, &engine.Options{Transports: []string{engine.WebSocket}}, nil)
	polling, _ := srv.poll()
	noUpgrade, _ := noUpgrades.poll()
	const (
		unknownTransport = `{"code":0,"message":"Transport unknown"}`
		badMethod        = `{"code":2,"message":"Bad handshake method"}`
		unsupported      = `{"code":5,"message":"Unsupported protocol version"}`
	)
	for _, c := range []struct {
		name          string
		srv           *server
		method, query string
		header        string
		status        int
		body          string
	}{
		{"no transport", srv, "GET", "EIO=4", "", 400, unknownTransport},
		{"unknown transport", srv, "GET", "EIO=4&transport=abc", "", 400, unknownTransport},
		{"transport of an object's prototype", srv, "GET", "EIO=4&transport=constructor", "", 400, unknownTransport},
		{"transport not enabled", wsOnly, "GET", "EIO=4&transport=polling", "", 400, unknownTransport},
		{"unknown sid, GET", srv, "GET", "EIO=4&transport=polling&sid=abc", "", 400, unknownSID},
		{"unknown sid, POST", srv, "POST", "EIO=4&transport=polling&sid=abc", "", 400, unknownSID},
		{"unknown sid, WebSocket", srv, "WS", "EIO=4&transport=websocket&sid=abc", "", 400, unknownSID},
		{"handshake by POST", srv, "POST", "EIO=4&transport=polling", "", 400, badMethod},
		{"handshake by PUT", srv, "PUT", "EIO=4&transport=polling", "", 400, badMethod},
		{"handshake by OPTIONS without CORS", srv, "OPTIONS", "EIO=4&transport=polling", "", 400, badMethod},
		{"websocket without upgrade", srv, "GET", "EIO=4&transport=websocket", "", 400, badRequest},
		{"polling with upgrade", srv, "WS", "EIO=4&transport=polling", "", 400, badRequest},
		{"websocket without upgrade, of a session", srv, "GET", "EIO=4&transport=websocket&sid=" + polling.sid, "", 400, badRequest},
		{"unknown method of a session", srv, "PUT", polling.query(), "", 400, badRequest},
		{"upgrade where there is none", noUpgrades, "WS", "EIO=4&transport=websocket&sid=" + noUpgrade.sid, "", 400, badRequest},
		{"not allowed", srv, "GET", "EIO=4&transport=polling", "X-No", 403, `{"code":4,"message":"not \"you\""}`},
		{"not allowed, WebSocket", srv, "WS", "EIO=4&transport=websocket", "X-No", 403, `{"code":4,"message":"not \"you\""}`},
		{"no EIO", srv, "GET", "transport=polling", "", 400, unsupported},
		{"EIO of no revision", srv, "GET", "EIO=abc&transport=polling", "", 400, unsupported},
		{"revision 3", srv, "GET", "EIO=3&transport=polling", "", 400, unsupported},
		{"revision 3, WebSocket", srv, "WS", "EIO=3&transport=websocket", "", 400, unsupported},
	} {
		t.Run(c.name, func(t *testing.T) {
			var headers []string
			if c.header != "" {
				headers = []string{c.header, "1"}
			}
			var r reply
			if c.method == "WS" {
				_, r = c.srv.connect(c.query, headers...)
			} else {
				r = c.srv.do(c.method, c.query, nil, headers...)
			}
			r.want(t, c.status, c.body)
			if got := r.header.Get("Content-Type"); got != "application/json" {
				t.Errorf("Content-Type %q", got)
			}
		})
	}
	if got, want := srv.Stats().HTTPErrors, [6]uint64{3, 3, 3, 4, 2, 4}; got != want {
		t.Errorf("HTTPErrors %v, want %v", got, want)
	}
	if r := polling.post("4x"); r.status != 200 {
		t.Errorf("the session that was there all the time: %d %s", r.status, r.body)
	}
}

func TestCookie(t *testing.T) {
	for _, c := range []struct {
		name   string
		cookie *engine.Cookie
		want   string // %s is the sid
	}{
		{"defaults", &engine.Cookie{}, "io=%s; Path=/; HttpOnly; SameSite=Lax"},
		{"all set", &engine.Cookie{
			Name: "n", Path: "/p", Domain: "example.test", MaxAge: time.Minute, Secure: true,
			SameSite: http.SameSiteNoneMode, VisibleToScripts: true,
		}, "n=%s; Path=/p; Domain=example.test; Max-Age=60; Secure; SameSite=None"},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv := newServer(t, &engine.Options{Cookie: c.cookie}, nil)
			r := srv.do("GET", "EIO=4&transport=polling", nil)
			sid := parseOpen(t, r.body).SID
			if got, want := r.header.Get("Set-Cookie"), fmt.Sprintf(c.want, sid); got != want {
				t.Errorf("polling: %q, want %q", got, want)
			}
			p := &poller{t, srv, sid}
			if got := p.post("4x").header.Get("Set-Cookie"); got != "" {
				t.Errorf("later request: %q", got)
			}
			_, r = srv.connect("EIO=4&transport=websocket")
			srv.session()
			if got, want := r.header.Get("Set-Cookie"), fmt.Sprintf(c.want, srv.session().ID()); got != want {
				t.Errorf("websocket: %q, want %q", got, want)
			}
		})
	}
}

func TestOwnID(t *testing.T) {
	ids := []string{"first", "first", "", "with space", `quo"te`, "é"}
	i := 0
	srv := newServer(t, &engine.Options{NewID: func(*http.Request) (string, error) {
		i++
		if i > len(ids) {
			return "", errors.New("no more")
		}
		return ids[i-1], nil
	}}, nil)
	if p, s := srv.poll(); p.sid != "first" || s.ID() != "first" {
		t.Errorf("sid %q, %q", p.sid, s.ID())
	}
	for range len(ids) {
		srv.do("GET", "EIO=4&transport=polling", nil).want(t, 400, badRequest)
	}
	if n := srv.Len(); n != 1 {
		t.Errorf("Len %d, want 1", n)
	}
}

func TestRequest(t *testing.T) {
	srv := newServer(t, nil, nil)
	before := time.Now()
	c, _ := srv.connect("EIO=4&transport=websocket&a=b%20c", "X-One", "1: one", "X-Two", "2", "x-two", "3")
	c.next()
	r := srv.session().Request()
	if got := r.Header()["X-Two"]; !slices.Equal(got, []string{"2", "3"}) {
		t.Errorf("X-Two %q", got)
	}
	if got := r.Get("x-one"); got != "1: one" {
		t.Errorf("x-one %q", got)
	}
	if got := r.Get("x-none"); got != "" {
		t.Errorf("x-none %q", got)
	}
	if got := r.Query().Get("a"); got != "b c" {
		t.Errorf("query a %q", got)
	}
	if got := r.URL().Path; got != "/engine.io/" {
		t.Errorf("path %q", got)
	}
	if r.Protocol != 4 || r.TLS != nil || r.Host != "example.test" || !strings.HasPrefix(r.RemoteAddr, "127.0.0.1:") || r.Time.Before(before) {
		t.Errorf("request %+v", r)
	}
}

func TestAccept(t *testing.T) {
	t.Run("may send, after the open packet", func(t *testing.T) {
		for _, transport := range []string{engine.Polling, engine.WebSocket} {
			srv, err := engine.New(nil, func(s *engine.Socket) engine.Handler {
				_ = s.Send(text("hello"))
				return &session{Socket: s, closed: make(chan ended, 1)}
			})
			if err != nil {
				t.Fatal(err)
			}
			h := mount(t, srv)
			if transport == engine.Polling {
				r := h.do("GET", "EIO=4&transport=polling", nil)
				packets := strings.Split(r.body, "\x1e")
				if len(packets) != 2 || packets[1] != "4hello" {
					t.Errorf("polling: %q", r.body)
				}
				continue
			}
			c, _ := h.connect("EIO=4&transport=websocket")
			_, open := c.next()
			parseOpen(t, string(open))
			c.want("4hello")
		}
	})
	t.Run("may refuse", func(t *testing.T) {
		srv, err := engine.New(nil, func(*engine.Socket) engine.Handler { return nil })
		if err != nil {
			t.Fatal(err)
		}
		h := mount(t, srv)
		c, _ := h.connect("EIO=4&transport=websocket")
		c.next()
		c.wantClose()
		r := h.do("GET", "EIO=4&transport=polling", nil)
		if !strings.HasSuffix(r.body, "\x1e1") {
			t.Errorf("polling: %q", r.body)
		}
		until(t, "no session is left", func() bool { return srv.Len() == 0 })
	})
	t.Run("may panic", func(t *testing.T) {
		srv, err := engine.New(nil, func(*engine.Socket) engine.Handler { panic("no") })
		if err != nil {
			t.Fatal(err)
		}
		h := mount(t, srv)
		c, _ := h.connect("EIO=4&transport=websocket")
		c.wantClose()
		h.do("GET", "EIO=4&transport=polling", nil).want(t, 200, "1")
		until(t, "no session is left", func() bool { return srv.Len() == 0 })
	})
}
