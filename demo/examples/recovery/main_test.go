package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"siomq/internal/siotest"
	"siomq/rooms/args"
	"siomq/server"
	"siomq/server/packet"
)

// The test is in the package: a command has no other door.

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start runs the example, faster than the original, with a page of one word. It returns
// its address and what it logs.
func start(t *testing.T) (string, *observer.ObservedLogs) {
	t.Helper()
	public := t.TempDir()
	for _, name := range []string{"index.html", "index.js"} {
		if err := os.WriteFile(filepath.Join(public, name), []byte("page"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	sio, err := server.New(&server.Options{Recovery: &server.RecoveryOptions{MaxDisconnection: time.Minute}})
	if err != nil {
		t.Fatal(err)
	}
	core, logs := observer.New(zap.InfoLevel)
	welcome(sio, zap.New(core))
	site, err := newSite(sio, public)
	if err != nil {
		t.Fatal(err)
	}
	url := siotest.Serve(t, site, sio.Shutdown)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { tellTime(ctx, sio, 2*time.Millisecond) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	return url, logs
}

// place is what a client keeps to come back with, and gives as auth.
type place struct {
	PID    string `json:"pid,omitempty"`
	Offset string `json:"offset,omitempty"`
}

// connect opens a connection and asks for the namespace. It returns the id of the socket and
// what to come back with.
func connect(t *testing.T, url string, from any) (c *siotest.Client, sid string, now place) {
	t.Helper()
	c = siotest.Dial(t, url)
	p := c.Ask("/", from)
	var open struct{ SID, PID string }
	if p.Type != packet.Connect || json.Unmarshal(p.Data, &open) != nil || open.PID == "" {
		t.Fatalf("connect with %+v: %s %s", from, p.Type, p.Data)
	}
	return c, open.SID, place{PID: open.PID}
}

// next returns the time that the next event tells, and notes its offset.
func next(t *testing.T, c *siotest.Client, now *place) time.Time {
	t.Helper()
	var text string
	p := c.Next()
	if err := args.Bind(p.Args, &text, &now.Offset); err != nil || p.Event != "ping" {
		t.Fatalf("got %q %s, %v, want a ping with an offset", p.Event, p.Args.Raw, err)
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || len(text) != len("2006-01-02T15:04:05.000Z") {
		t.Fatalf("time %q (%v), want the form of JavaScript's toISOString", text, err)
	}
	return at
}

func TestComesBackWithWhatItMissed(t *testing.T) {
	url, logs := start(t)
	witness, _, seen := connect(t, url, nil) // is never away
	c, sid, at := connect(t, url, nil)
	next(t, c, &at)
	last := at.Offset
	c.Close()
	for logs.FilterMessage("disconnect").Len() == 0 { // bounded by the deadline of Next
		next(t, witness, &seen)
	}
	gone := time.Now()
	for away := 0; away < 5; { // events that it certainly misses; the times are in milliseconds
		if next(t, witness, &seen).After(gone) {
			away++
		}
	}

	back, again, at := connect(t, url, place{PID: at.PID, Offset: last})
	if again != sid {
		t.Errorf("came back as %q, was %q", again, sid)
	}
	// From the event after the last one it saw, to those that the witness got meanwhile, each once.
	var got []string
	for at.Offset != seen.Offset {
		next(t, back, &at)
		got = append(got, at.Offset)
	}
	if len(got) < 5 {
		t.Errorf("got %d events that it missed, want at least the 5 of the time away: %q after %q", len(got), got, last)
	}
	for i, offset := range got {
		if offset == last || (i > 0 && offset == got[i-1]) {
			t.Errorf("event %q twice", offset)
		}
	}

	entries := logs.FilterMessage("connect").All()
	was := entries[len(entries)-1].ContextMap()
	if was["recovered"] != true || was["data"] != "bar" {
		t.Errorf("the server saw %v, want a recovered socket with its data", was)
	}
	if rooms, _ := was["rooms"].([]any); len(rooms) != 2 || rooms[1] != "sample room" {
		t.Errorf("rooms %v, want its own and the sample room", was["rooms"])
	}
}

// What cannot be recovered starts anew: another id, no error.
func TestBadInput(t *testing.T) {
	url, logs := start(t)
	c, sid, at := connect(t, url, nil)
	next(t, c, &at)
	c.Close()
	for name, auth := range map[string]any{
		"unknown session":       place{PID: "nobody", Offset: at.Offset},
		"offset of another run": place{PID: at.PID, Offset: "other-1"},
		"session as a number":   map[string]any{"pid": 5, "offset": at.Offset},
		"offset as a list":      map[string]any{"pid": at.PID, "offset": []int{1}},
		"empty object":          map[string]any{},
	} {
		t.Run(name, func(t *testing.T) {
			c := siotest.Dial(t, url)
			p := c.Ask("/", auth)
			var open struct{ SID, PID string }
			if p.Type != packet.Connect || json.Unmarshal(p.Data, &open) != nil || open.SID == sid {
				t.Fatalf("got %s %s, want a new socket", p.Type, p.Data)
			}
			next(t, c, new(place))
		})
	}
	if n := logs.FilterField(zap.Bool("recovered", true)).Len(); n != 0 {
		t.Errorf("%d sockets were recovered, want none", n)
	}
}

// A client that says goodbye is not waited for.
func TestGoodbye(t *testing.T) {
	url, logs := start(t)
	c, sid, at := connect(t, url, nil)
	next(t, c, &at)
	c.Raw("41")
	witness, _, seen := connect(t, url, nil)
	for logs.FilterMessage("disconnect").Len() == 0 {
		next(t, witness, &seen)
	}
	if _, again, _ := connect(t, url, at); again == sid {
		t.Error("recovered after a disconnect by the client, want a new socket")
	}
}

// The folder has the original server beside the page, which is no business of browsers.
func TestPage(t *testing.T) {
	url, _ := start(t)
	for path, want := range map[string]int{"/": http.StatusOK, "/index.js": http.StatusNotFound} {
		res, err := http.Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != want || (want == http.StatusOK && string(body) != "page") {
			t.Errorf("GET %s = %d %q, %v, want %d", path, res.StatusCode, body, err, want)
		}
	}
	http.DefaultClient.CloseIdleConnections()
}

func TestNoPage(t *testing.T) {
	if _, err := newSite(nil, t.TempDir()); err == nil || !strings.Contains(err.Error(), "-public") {
		t.Errorf("newSite of an empty folder: %v, want an error that names the flag", err)
	}
}
