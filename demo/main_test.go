package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"go.uber.org/goleak"

	"siomq/internal/siotest"
)

// The tests are in the package: a command has no other door than run, and pages without the
// browser libraries cannot be embedded for a test.

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// output is what the demo printed so far, to be read while it runs.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// demo is a running demo.
type demo struct {
	http, mqtt string // "http://127.0.0.1:…", "127.0.0.1:…"
	log        *output
}

// start runs the demo on free ports until the test ends.
func start(t *testing.T, args ...string) demo {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var out, log output
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, append([]string{"-http", "127.0.0.1:0", "-mqtt", "127.0.0.1:0"}, args...), &out, &log)
	}()
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run = %v, want nil\n%s", err, log.String())
		}
	})
	address := regexp.MustCompile(`http://localhost:(\d+)\nMQTT over TCP +mqtt://localhost:(\d+)\n`)
	for deadline := time.Now().Add(siotest.Deadline); ; time.Sleep(time.Millisecond) {
		if m := address.FindStringSubmatch(out.String()); m != nil {
			return demo{http: "http://127.0.0.1:" + m[1], mqtt: "127.0.0.1:" + m[2], log: &log}
		}
		if time.Now().After(deadline) {
			t.Fatalf("no addresses printed, but %q", out.String())
		}
	}
}

// answered is an HTTP response that was read.
type answered struct {
	status int
	header http.Header
	body   string
}

func get(t *testing.T, method, url string, header http.Header) answered {
	t.Helper()
	req, err := http.NewRequest(method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = header
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answered{res.StatusCode, res.Header, string(body)}
}

func TestPages(t *testing.T) {
	d := start(t, "-sensor=false")
	tests := []struct {
		name, method, path string
		status             int
		kind, part         string // content type, and something in the body
	}{
		{"front page", "GET", "/", 200, "text/html; charset=utf-8", "<title>siomq"},
		{"front page tells the broker's port", "GET", "/", 200, "", `"port":` + d.mqtt[len("127.0.0.1:"):]},
		{"script", "GET", "/chat.js", 200, "text/javascript; charset=utf-8", "import"},
		{"style", "GET", "/style.css", 200, "text/css; charset=utf-8", "--mqtt"},
		{"marks", "GET", "/marks.svg", 200, "image/svg+xml", `id="mqtt"`},
		{"head", "HEAD", "/", 200, "text/html; charset=utf-8", ""},
		{"unknown page", "GET", "/nothing", 404, "", "not found"},
		{"no listing", "GET", "/vendor/", 404, "", ""},
		{"texts are not a file", "GET", "/lang/en.json", 404, "", ""},
		{"wrong method", "POST", "/", 405, "", "method not allowed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			res := get(t, tt.method, d.http+tt.path, nil)
			if res.status != tt.status {
				t.Errorf("%s %s = %d, want %d", tt.method, tt.path, res.status, tt.status)
			}
			if got := res.header.Get("Content-Type"); tt.kind != "" && got != tt.kind {
				t.Errorf("content type %q, want %q", got, tt.kind)
			}
			if !strings.Contains(res.body, tt.part) {
				t.Errorf("body %.300q, want %q in it", res.body, tt.part)
			}
			if got := res.header.Get("Content-Security-Policy"); !strings.Contains(got, "script-src 'self'") || strings.Contains(got, "unsafe") {
				t.Errorf("policy %q is not strict", got)
			}
		})
	}
}

func TestPageUnchanged(t *testing.T) {
	d := start(t, "-sensor=false")
	tag := get(t, "GET", d.http+"/style.css", nil).header.Get("ETag")
	if res := get(t, "GET", d.http+"/style.css", http.Header{"If-None-Match": {tag}}); res.status != http.StatusNotModified {
		t.Errorf("second request with ETag %q = %d, want 304", tag, res.status)
	}
}

func TestWithoutLibraries(t *testing.T) {
	addr := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1883}
	p, err := newPages(fstest.MapFS{
		"web/index.html":   {Data: []byte(`{{t "missing_vendor"}}`)},
		"web/lang/en.json": {Data: []byte(`{"missing_vendor": "not part of this build"}`)},
	}, addr)
	if err != nil {
		t.Fatal(err)
	}
	rec := httptest.NewRecorder()
	p.ServeHTTP(rec, httptest.NewRequest("GET", "/", nil))
	if got := rec.Body.String(); got != "not part of this build" {
		t.Errorf("page = %q, want its text", got)
	}
	var out bytes.Buffer
	if err := printAddresses(&out, addr, addr, p.missing); err != nil {
		t.Fatal(err)
	}
	if want := "not in this build: [socket.io.esm.min.js mqtt.esm.js]; run \"make pages\" and build again\n"; !strings.HasSuffix(out.String(), want) {
		t.Errorf("printed %q, want %q at the end", out.String(), want)
	}
	if _, err := newPages(fstest.MapFS{"web/a.html": {Data: []byte(`{{t "x"}}`)}, "web/lang/en.json": {Data: []byte(`{}`)}}, addr); err == nil {
		t.Error("a page with an unknown text was taken")
	}
}

// Every text a script asks for is there.
func TestTexts(t *testing.T) {
	texts, err := content.ReadFile("web/lang/en.json")
	if err != nil {
		t.Fatal(err)
	}
	used := regexp.MustCompile(`\b(?:t|count)\("(\w+)"`)
	for _, name := range []string{"chat.js", "log.js", "side.js", "device.js", "ui.js"} {
		script, err := content.ReadFile("web/" + name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range used.FindAllSubmatch(script, -1) {
			if !bytes.Contains(texts, []byte(`"`+string(m[1])+`":`)) {
				t.Errorf("%s uses the text %q, which is not in en.json", name, m[1])
			}
		}
	}
}

func TestCannotStart(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := taken.Addr().String()
	tests := []struct {
		name string
		env  string // name=value
		args []string
		want string
	}{
		{"unknown flag", "", []string{"-nothing"}, "-nothing"},
		{"bad value of a flag", "", []string{"-sensor=perhaps"}, "perhaps"},
		{"argument", "", []string{"serve"}, `unexpected argument "serve"`},
		{"HTTP port in use", "", []string{"-http", port, "-mqtt", "127.0.0.1:0"}, `HTTP address "` + port + `"`},
		{"MQTT port in use", "", []string{"-http", "127.0.0.1:0", "-mqtt", port}, `MQTT address "` + port + `"`},
		{"bad HTTP address", "", []string{"-http", "nowhere", "-mqtt", "127.0.0.1:0"}, `HTTP address "nowhere"`},
		{"no MQTT address", "", []string{"-mqtt", ""}, "-mqtt"},
		{"bad environment", "SIOMQ_SENSOR=perhaps", nil, `SIOMQ_SENSOR="perhaps"`},
		{"address from the environment", "SIOMQ_MQTT=" + port, []string{"-http", "127.0.0.1:0"}, `MQTT address "` + port + `"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if name, value, ok := strings.Cut(tt.env, "="); ok {
				t.Setenv(name, value)
			}
			var out, log output
			err := run(t.Context(), tt.args, &out, &log)
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("run(%q) = %v, want one line with %q", tt.args, err, tt.want)
			}
			if out.String() != "" {
				t.Errorf("printed %q, want nothing", out.String())
			}
		})
	}
}

func TestHelp(t *testing.T) {
	var out, log output
	if err := run(t.Context(), []string{"-h"}, &out, &log); err != nil {
		t.Fatalf("run -h = %v, want nil", err)
	}
	for _, want := range []string{"-http", "-mqtt", "-sensor", "-verbose", "SIOMQ_HTTP", ":3000", "127.0.0.1:1883"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("help lacks %q:\n%s", want, out.String())
		}
	}
}
