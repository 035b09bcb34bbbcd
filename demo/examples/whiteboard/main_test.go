package main

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"siomq/internal/siotest"
	"siomq/server"
)

// The test is in the package: a command has no other door.

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start runs the example with a page of one word, and returns its address.
func start(t *testing.T) string {
	t.Helper()
	public := t.TempDir()
	if err := os.WriteFile(filepath.Join(public, "index.html"), []byte("page"), 0o600); err != nil {
		t.Fatal(err)
	}
	sio, err := server.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	whiteboard(sio)
	site, err := newSite(sio, public)
	if err != nil {
		t.Fatal(err)
	}
	return siotest.Serve(t, site, sio.Shutdown)
}

func join(t *testing.T, url string) *siotest.Client {
	t.Helper()
	c := siotest.Dial(t, url)
	c.Connect("/")
	return c
}

// A line arrives at everybody but its drawer, as it was sent: the digits of a number, the
// order of the members and those that are not known.
func TestLinesArriveAsSent(t *testing.T) {
	url := start(t)
	ann, bob, eve := join(t, url), join(t, url), join(t, url)
	lines := []json.RawMessage{
		json.RawMessage(`{"x0":0.10000000000000000555,"y0":0,"x1":1e-3,"y1":0.5,"color":"black"}`),
		json.RawMessage(`{"color":"red","x0":1,"y0":1,"x1":1,"y1":1,"width":12345678901234567890}`),
		json.RawMessage(`{}`),
	}
	for _, l := range lines {
		ann.Emit("/", "drawing", l)
	}
	bob.Emit("/", "drawing", lines[1])
	for _, l := range lines {
		bob.Expect("drawing", l)
	}
	ann.Expect("drawing", lines[1]) // and nothing of her own before
	seen := map[string]int{}
	for range len(lines) + 1 {
		seen[string(eve.Next().Args.Raw)]++
	}
	if got := seen[string(lines[1])]; got != 2 {
		t.Errorf("the line of both arrived %d times, want 2: %v", got, seen)
	}
}

func TestBadInput(t *testing.T) {
	good := json.RawMessage(`{"x0":0,"y0":0,"x1":1,"y1":1,"color":"green"}`)
	for name, event := range map[string]string{
		"nothing":           `2["drawing"]`,
		"null":              `2["drawing",null]`,
		"a string":          `2["drawing","line"]`,
		"a list":            `2["drawing",[0,0,1,1]]`,
		"place as text":     `2["drawing",{"x0":"0","y0":0,"x1":1,"y1":1,"color":"red"}]`,
		"colour as number":  `2["drawing",{"x0":0,"y0":0,"x1":1,"y1":1,"color":7}]`,
		"number too large":  `2["drawing",{"x0":1e999,"y0":0,"x1":1,"y1":1,"color":"red"}]`,
		"event of the page": `2["draw",{"x0":0}]`,
	} {
		t.Run(name, func(t *testing.T) {
			url := start(t)
			ann, bob := join(t, url), join(t, url)
			ann.Raw("4" + event)
			ann.Emit("/", "drawing", good)
			bob.Expect("drawing", good)
		})
	}
}

// Only the first argument is passed on.
func TestFurtherArgumentsStay(t *testing.T) {
	url := start(t)
	ann, bob := join(t, url), join(t, url)
	l := json.RawMessage(`{"x0":0,"y0":0,"x1":1,"y1":1,"color":"green"}`)
	ann.Emit("/", "drawing", l, "more", []byte("binary"))
	bob.Expect("drawing", l)
}

func TestPage(t *testing.T) {
	res, err := http.Get(start(t) + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, err := io.ReadAll(res.Body); err != nil || string(body) != "page" {
		t.Errorf("GET / = %q, %v, want the page", body, err)
	}
	http.DefaultClient.CloseIdleConnections()
}

func TestNoPage(t *testing.T) {
	if _, err := newSite(nil, t.TempDir()); err == nil || !strings.Contains(err.Error(), "-public") {
		t.Errorf("newSite of an empty folder: %v, want an error that names the flag", err)
	}
}
