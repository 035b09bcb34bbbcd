package engine_test

import (
	"strings"
	"testing"
	"time"

	"siomq/server/engine"
)

func TestOptions(t *testing.T) {
	for _, c := range []struct {
		name    string
		options engine.Options
		err     string // "" is valid
	}{
		{"zero", engine.Options{}, ""},
		{"smallest", engine.Options{
			PingInterval: time.Millisecond, PingTimeout: time.Millisecond, UpgradeTimeout: time.Millisecond,
			CloseTimeout: time.Millisecond, MaxPayload: 1, MaxQueue: 1,
		}, ""},
		{"negative interval", engine.Options{PingInterval: -1}, "PingInterval"},
		{"interval under a millisecond", engine.Options{PingInterval: time.Microsecond}, "PingInterval"},
		{"negative timeout", engine.Options{PingTimeout: -time.Second}, "PingTimeout"},
		{"negative upgrade timeout", engine.Options{UpgradeTimeout: -1}, "UpgradeTimeout"},
		{"negative close timeout", engine.Options{CloseTimeout: -1}, "CloseTimeout"},
		{"negative payload", engine.Options{MaxPayload: -1}, "MaxPayload"},
		{"negative queue", engine.Options{MaxQueue: -1}, "MaxQueue"},
		{"compression", engine.Options{
			PerMessageDeflate: &engine.PerMessageDeflate{Threshold: 1, Level: 9},
			HTTPCompression:   &engine.HTTPCompression{Threshold: 1, Level: 9},
		}, ""},
		{"negative threshold", engine.Options{PerMessageDeflate: &engine.PerMessageDeflate{Threshold: -1}}, "PerMessageDeflate.Threshold"},
		{"level too high", engine.Options{PerMessageDeflate: &engine.PerMessageDeflate{Level: 10}}, "PerMessageDeflate.Level"},
		{"negative threshold of responses", engine.Options{HTTPCompression: &engine.HTTPCompression{Threshold: -1}}, "HTTPCompression.Threshold"},
		{"negative level", engine.Options{HTTPCompression: &engine.HTTPCompression{Level: -1}}, "HTTPCompression.Level"},
		{"unknown transport", engine.Options{Transports: []string{"polling", "smoke"}}, `"smoke"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv, err := engine.New(&c.options, func(*engine.Socket) engine.Handler { return nil })
			switch {
			case c.err == "" && err != nil:
				t.Errorf("error %v", err)
			case c.err == "":
				srv.Close()
			case err == nil || !strings.Contains(err.Error(), c.err):
				t.Errorf("error %v, want one that names %s", err, c.err)
			}
		})
	}
}

// https://fetch.spec.whatwg.org/#http-cors-protocol
func TestCORS(t *testing.T) {
	const origin = "https://a.test"
	for _, c := range []struct {
		name    string
		cors    *engine.CORS
		origin  string
		allowed string // Access-Control-Allow-Origin
		vary    string
	}{
		{"none", nil, origin, "", ""},
		{"any", &engine.CORS{Origins: []string{"*"}}, origin, "*", ""},
		{"listed", &engine.CORS{Origins: []string{"https://b.test", origin}}, origin, origin, "Origin"},
		{"not listed", &engine.CORS{Origins: []string{"https://b.test"}}, origin, "", "Origin"},
		{"no origin", &engine.CORS{Origins: []string{origin}}, "", "", "Origin"},
		{"by function", &engine.CORS{AllowOrigin: func(o string) bool { return o == origin }}, origin, origin, "Origin"},
		{"not by function", &engine.CORS{AllowOrigin: func(string) bool { return false }, Origins: []string{"*"}}, origin, "", "Origin"},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv := newServer(t, &engine.Options{CORS: c.cors}, nil)
			for _, query := range []string{"EIO=4&transport=polling", "EIO=4&transport=none"} { // refusals too, or a page could not read them
				var headers []string
				if c.origin != "" {
					headers = []string{"Origin", c.origin}
				}
				r := srv.do("GET", query, nil, headers...)
				if got := r.header.Get("Access-Control-Allow-Origin"); got != c.allowed {
					t.Errorf("%s: Allow-Origin %q, want %q", query, got, c.allowed)
				}
				if got := r.header.Get("Vary"); got != c.vary {
					t.Errorf("%s: Vary %q, want %q", query, got, c.vary)
				}
			}
		})
	}
}

func TestPreflight(t *testing.T) {
	srv := newServer(t, &engine.Options{CORS: &engine.CORS{
		Origins: []string{"https://a.test"}, Credentials: true, MaxAge: time.Hour, ExposedHeaders: []string{"X-A", "X-B"},
	}}, nil)
	r := srv.do("OPTIONS", "EIO=4&transport=polling&sid=any", nil,
		"Origin", "https://a.test", "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "x-one,x-two")
	r.want(t, 204, "")
	for name, want := range map[string]string{
		"Access-Control-Allow-Origin":      "https://a.test",
		"Access-Control-Allow-Credentials": "true",
		"Access-Control-Allow-Methods":     "GET,HEAD,PUT,PATCH,POST,DELETE",
		"Access-Control-Allow-Headers":     "x-one,x-two",
		"Access-Control-Max-Age":           "3600",
		"Access-Control-Expose-Headers":    "",
	} {
		if got := r.header.Get(name); got != want {
			t.Errorf("preflight: %s %q, want %q", name, got, want)
		}
	}
	if got := strings.Join(r.header.Values("Vary"), ","); got != "Origin,Access-Control-Request-Headers" {
		t.Errorf("Vary %q", got)
	}
	r = srv.do("GET", "EIO=4&transport=polling", nil, "Origin", "https://a.test")
	if got := r.header.Get("Access-Control-Expose-Headers"); got != "X-A,X-B" {
		t.Errorf("Expose-Headers %q", got)
	}
	if got := r.header.Get("Access-Control-Allow-Methods"); got != "" {
		t.Errorf("Allow-Methods outside a preflight: %q", got)
	}
	c, r := srv.connect("EIO=4&transport=websocket", "Origin", "https://a.test")
	if c == nil || r.header.Get("Access-Control-Allow-Origin") != "https://a.test" {
		t.Errorf("websocket: %d %v", r.status, r.header)
	}
}
