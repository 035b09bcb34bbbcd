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
	chat(sio)
	site, err := newSite(sio, public)
	if err != nil {
		t.Fatal(err)
	}
	return siotest.Serve(t, site, sio.Shutdown)
}

// raw is an argument as the page sends or gets it.
func raw(text string) json.RawMessage { return json.RawMessage(text) }

// enter is a person who has given a name, as the page does it.
func enter(t *testing.T, url, name, login string) *siotest.Client {
	t.Helper()
	c := siotest.Dial(t, url)
	c.Connect("/")
	c.Emit("/", "add user", name)
	c.Expect("login", raw(login))
	return c
}

func TestConversation(t *testing.T) {
	url := start(t)
	ann := enter(t, url, "ann", `{"numUsers":1}`)
	bob := enter(t, url, "bob", `{"numUsers":2}`)
	ann.Expect("user joined", raw(`{"username":"bob","numUsers":2}`))

	ann.Emit("/", "typing")
	ann.Emit("/", "new message", "hello")
	ann.Emit("/", "stop typing")
	bob.Expect("typing", raw(`{"username":"ann"}`))
	bob.Expect("new message", raw(`{"username":"ann","message":"hello"}`))
	bob.Expect("stop typing", raw(`{"username":"ann"}`))

	bob.Emit("/", "new message", "hi")
	ann.Expect("new message", raw(`{"username":"bob","message":"hi"}`)) // and nothing of her own before

	ann.Close()
	bob.Expect("user left", raw(`{"username":"ann","numUsers":1}`))
}

// Whoever only looks on counts for nothing, and is told everything.
func TestOnlooker(t *testing.T) {
	url := start(t)
	ann := enter(t, url, "ann", `{"numUsers":1}`)
	onlooker := siotest.Dial(t, url)
	onlooker.Connect("/")
	ann.Emit("/", "new message", "anybody?")
	onlooker.Expect("new message", raw(`{"username":"ann","message":"anybody?"}`))
	onlooker.Close()
	enter(t, url, "bob", `{"numUsers":2}`)
	ann.Expect("user joined", raw(`{"username":"bob","numUsers":2}`)) // and no "user left" before
}

func TestBadInput(t *testing.T) {
	for name, event := range map[string]string{
		"message that is a number":   `2["new message",5]`,
		"message that is an object":  `2["new message",{"text":"hi"}]`,
		"second name":                `2["add user","eve"]`,
		"name that is a list":        `2["add user",["eve"]]`,
		"event that nobody knows":    `2["shout","hi"]`,
		"message with binary inside": `51-["new message",{"_placeholder":true,"num":0}]`,
	} {
		t.Run(name, func(t *testing.T) {
			url := start(t)
			ann := enter(t, url, "ann", `{"numUsers":1}`)
			bob := enter(t, url, "bob", `{"numUsers":2}`)
			bob.Raw("4" + event)
			if strings.HasPrefix(event, "5") {
				bob.RawBinary([]byte{1, 2, 3})
			}
			bob.Emit("/", "new message", "hi")
			ann.Expect("user joined", raw(`{"username":"bob","numUsers":2}`))
			ann.Expect("new message", raw(`{"username":"bob","message":"hi"}`))
		})
	}
}

func TestBadName(t *testing.T) {
	for name, event := range map[string]string{
		"empty":    `2["add user",""]`,
		"missing":  `2["add user"]`,
		"null":     `2["add user",null]`,
		"a number": `2["add user",5]`,
	} {
		t.Run(name, func(t *testing.T) {
			c := siotest.Dial(t, start(t))
			c.Connect("/")
			c.Raw("4" + event)
			c.Emit("/", "add user", "ann")
			c.Expect("login", raw(`{"numUsers":1}`))
		})
	}
}

// A broken packet ends the connection it came on, and the person is gone for the others.
func TestBrokenPacket(t *testing.T) {
	url := start(t)
	ann := enter(t, url, "ann", `{"numUsers":1}`)
	bob := enter(t, url, "bob", `{"numUsers":2}`)
	ann.Expect("user joined", raw(`{"username":"bob","numUsers":2}`))
	bob.Raw(`42["new message"`)
	bob.Closed()
	ann.Expect("user left", raw(`{"username":"bob","numUsers":1}`))
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
