package main

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"siomq/internal/siotest"
	"siomq/rooms/args"
	"siomq/server/packet"
)

// The test is in the package: a command has no other door.

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start runs the example with a page of one word, and returns its address.
func start(t *testing.T) (string, *messenger) {
	t.Helper()
	public := t.TempDir()
	if err := os.WriteFile(filepath.Join(public, "index.html"), []byte("page"), 0o600); err != nil {
		t.Fatal(err)
	}
	sio, err := newServer("http://localhost:8080", nil)
	if err != nil {
		t.Fatal(err)
	}
	m := newMessenger(sio)
	site, err := newSite(sio, public)
	if err != nil {
		t.Fatal(err)
	}
	return siotest.Serve(t, site, sio.Shutdown), m
}

// window is one browser window of a person, with what it was told on connecting.
type window struct {
	*siotest.Client
	t     *testing.T
	sid   string // of the socket
	me    identity
	users []user
}

// open connects as the page does, with a name or the id of a session.
func open(t *testing.T, url string, auth credentials) *window {
	t.Helper()
	w := &window{Client: siotest.Dial(t, url), t: t}
	var connected struct{ SID string }
	if p := w.Ask("/", auth); p.Type != packet.Connect || json.Unmarshal(p.Data, &connected) != nil {
		t.Fatalf("connect with %+v: %s %s", auth, p.Type, p.Data)
	}
	w.sid = connected.SID
	w.next("session", &w.me)
	w.next("users", &w.users)
	return w
}

// next takes the next event, which must be this one, and decodes its argument.
func (w *window) next(event string, into any) {
	w.t.Helper()
	p := w.Next()
	if p.Type != packet.Event || p.Event != event {
		w.t.Fatalf("got %s %q %s, want %q", p.Type, p.Event, p.Args.Raw, event)
	}
	if err := args.Bind(p.Args, into); err != nil {
		w.t.Fatalf("event %q %s: %v", event, p.Args.Raw, err)
	}
}

// tells fails unless the next event says that somebody is there.
func (w *window) tells(other identity, name string) {
	w.t.Helper()
	w.Expect("user connected", json.RawMessage(
		`{"userID":"`+other.UserID+`","username":"`+name+`","connected":true,"messages":[]}`))
}

func (w *window) write(to identity, content string) {
	w.t.Helper()
	w.Emit("/", "private message", map[string]string{"content": content, "to": to.UserID})
}

func (w *window) gets(from, to identity, content string) {
	w.t.Helper()
	w.Expect("private message", json.RawMessage(
		`{"content":"`+content+`","from":"`+from.UserID+`","to":"`+to.UserID+`"}`))
}

func TestConversation(t *testing.T) {
	url, _ := start(t)
	ann := open(t, url, credentials{Username: "ann"})
	if want := []user{{ann.me.UserID, "ann", true, []message{}}}; len(ann.users) != 1 || ann.users[0].Messages == nil ||
		ann.users[0].UserID != want[0].UserID || ann.users[0].Username != "ann" || !ann.users[0].Connected {
		t.Errorf("the first person is told of %+v, want %+v", ann.users, want)
	}
	bob := open(t, url, credentials{Username: "bob"})
	ann.tells(bob.me, "bob")
	eve := open(t, url, credentials{Username: "eve"})
	ann.tells(eve.me, "eve")
	bob.tells(eve.me, "eve")
	if len(eve.users) != 3 {
		t.Errorf("the third person is told of %+v", eve.users)
	}

	ann.write(bob.me, "hello")
	bob.gets(ann.me, bob.me, "hello")
	bob.write(ann.me, "hi")
	ann.gets(bob.me, ann.me, "hi") // and nothing of her own before
	ann.write(eve.me, "psst")
	eve.gets(ann.me, eve.me, "psst") // and nothing of the others before
}

// A second window of a person has the messages so far and gets what the first one writes.
func TestTwoWindows(t *testing.T) {
	url, _ := start(t)
	ann := open(t, url, credentials{Username: "ann"})
	bob := open(t, url, credentials{Username: "bob"})
	ann.tells(bob.me, "bob")
	ann.write(bob.me, "one")
	bob.gets(ann.me, bob.me, "one")
	bob.write(bob.me, "note to myself")
	ann.write(bob.me, "two")
	bob.gets(ann.me, bob.me, "two")

	second := open(t, url, credentials{SessionID: ann.me.SessionID, Username: "ignored"})
	if second.me != ann.me {
		t.Fatalf("the second window is %+v, the first %+v", second.me, ann.me)
	}
	ann.tells(ann.me, "ann")
	bob.tells(ann.me, "ann")
	for _, u := range second.users {
		var texts []string
		for _, m := range u.Messages {
			texts = append(texts, m.Content)
		}
		want := map[string][]string{"ann": nil, "bob": {"one", "two"}}[u.Username]
		if !slices.Equal(texts, want) {
			t.Errorf("messages with %s: %q, want %q", u.Username, texts, want)
		}
	}

	ann.write(bob.me, "three")
	second.gets(ann.me, bob.me, "three")
	bob.gets(ann.me, bob.me, "three")
	bob.write(ann.me, "four")
	ann.gets(bob.me, ann.me, "four")
	second.gets(bob.me, ann.me, "four")

	ann.Close() // one window of two: still online
	second.write(bob.me, "five")
	bob.gets(ann.me, bob.me, "five")
	second.Close()
	bob.Expect("user disconnected", ann.me.UserID)
}

func TestOfflineAndBack(t *testing.T) {
	url, _ := start(t)
	ann := open(t, url, credentials{Username: "ann"})
	bob := open(t, url, credentials{Username: "bob"})
	ann.tells(bob.me, "bob")
	bob.Close()
	ann.Expect("user disconnected", bob.me.UserID)
	ann.write(bob.me, "are you there?") // kept for him
	late := open(t, url, credentials{Username: "eve"})
	ann.tells(late.me, "eve")
	for _, u := range late.users {
		if want := u.Username != "bob"; u.Connected != want {
			t.Errorf("%s: connected %t, want %t", u.Username, u.Connected, want)
		}
	}

	back := open(t, url, credentials{SessionID: bob.me.SessionID})
	if back.me != bob.me {
		t.Errorf("came back as %+v, was %+v", back.me, bob.me)
	}
	ann.tells(bob.me, "bob")
	if got := back.users[0].Messages; len(got) != 1 || got[0].Content != "are you there?" {
		t.Errorf("messages with ann: %+v, want what she wrote meanwhile", got)
	}
}

// The page knows by the text of the refusal that it has to ask for a name again.
func TestRefusedNames(t *testing.T) {
	for name, auth := range map[string]any{
		"nothing":              nil,
		"empty":                map[string]any{},
		"empty name":           map[string]any{"username": ""},
		"name is a number":     map[string]any{"username": 5},
		"name is too long":     map[string]any{"username": strings.Repeat("x", maxName+1)},
		"session unknown":      map[string]any{"sessionID": "of another run"},
		"session is an object": map[string]any{"sessionID": map[string]any{}, "username": "ann"},
	} {
		t.Run(name, func(t *testing.T) {
			url, m := start(t)
			c := siotest.Dial(t, url)
			if p := c.Ask("/", auth); p.Type != packet.ConnectError || string(p.Data) != `{"message":"invalid username"}` {
				t.Errorf("got %s %s, want the refusal that the page waits for", p.Type, p.Data)
			}
			if p := c.Ask("/", credentials{Username: "ann"}); p.Type != packet.Connect { // on the same connection
				t.Errorf("with a name: got %s %s", p.Type, p.Data)
			}
			c.Close()
			m.mu.Lock()
			defer m.mu.Unlock()
			if len(m.people) > 1 {
				t.Errorf("%d people are kept, want only the one with a name", len(m.people))
			}
		})
	}
}

func TestBadMessages(t *testing.T) {
	url, m := start(t)
	ann := open(t, url, credentials{Username: "ann"})
	bob := open(t, url, credentials{Username: "bob"})
	ann.tells(bob.me, "bob")
	to := bob.me.UserID
	for name, event := range map[string]string{
		"no argument":           `2["private message"]`,
		"null":                  `2["private message",null]`,
		"a string":              `2["private message","hi"]`,
		"no receiver":           `2["private message",{"content":"x"}]`,
		"a socket, no person":   `2["private message",{"content":"x","to":"` + bob.sid + `"}]`,
		"receiver is a list":    `2["private message",{"content":"x","to":["` + to + `"]}]`,
		"content is a number":   `2["private message",{"content":5,"to":"` + to + `"}]`,
		"no content":            `2["private message",{"to":"` + to + `"}]`,
		"session in place of a": `2["private message",{"content":"x","to":"` + bob.me.SessionID + `"}]`,
	} {
		t.Run(name, func(t *testing.T) {
			ann.Raw("4" + event)
			ann.write(bob.me, "after "+name)
			bob.gets(ann.me, bob.me, "after "+name) // and nothing before
		})
	}
	ann.Raw(`42["private message",{"content":"forged","from":"` + to + `","to":"` + to + `"}]`)
	bob.gets(ann.me, bob.me, "forged") // from the one who wrote it, whatever it says
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, kept := range m.messages {
		if kept.From != ann.me.UserID || kept.To != to || kept.Content == "x" {
			t.Errorf("kept %+v", kept)
		}
	}
}

func TestOldMessagesGo(t *testing.T) {
	url, m := start(t)
	ann := open(t, url, credentials{Username: "ann"})
	m.mu.Lock()
	m.messages = make([]message, maxMessages)
	for i := range m.messages {
		m.messages[i] = message{"old", ann.me.UserID, ann.me.UserID}
	}
	m.mu.Unlock()
	ann.write(ann.me, "new")
	second := open(t, url, credentials{SessionID: ann.me.SessionID}) // after the message or before it
	ann.tells(ann.me, "ann")
	ann.write(ann.me, "newer")
	for {
		var got message
		second.next("private message", &got)
		if got.Content == "newer" {
			break
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if n := len(m.messages); n >= maxMessages || m.messages[n-1].Content != "newer" {
		t.Errorf("%d messages are kept, the last %+v", n, m.messages[n-1])
	}
}

func TestPage(t *testing.T) {
	url, _ := start(t)
	res, err := http.Get(url + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, err := io.ReadAll(res.Body); err != nil || string(body) != "page" {
		t.Errorf("GET / = %q, %v, want the page", body, err)
	}
	http.DefaultClient.CloseIdleConnections()
}

// With the page on another server, there is nothing but Socket.IO, for that origin.
func TestOtherOrigin(t *testing.T) {
	sio, err := newServer("http://localhost:8080", nil)
	if err != nil {
		t.Fatal(err)
	}
	site, err := newSite(sio, "")
	if err != nil {
		t.Fatal(err)
	}
	url := siotest.Serve(t, site, sio.Shutdown)
	for origin, want := range map[string]string{"http://localhost:8080": "http://localhost:8080", "http://evil.example": ""} {
		req, err := http.NewRequest(http.MethodGet, url+"/socket.io/?EIO=4&transport=polling", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Origin", origin)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if got := res.Header.Get("Access-Control-Allow-Origin"); got != want {
			t.Errorf("origin %s: Access-Control-Allow-Origin %q, want %q", origin, got, want)
		}
	}
	http.DefaultClient.CloseIdleConnections()
}

func TestNoPage(t *testing.T) {
	if _, err := newSite(nil, t.TempDir()); err == nil || !strings.Contains(err.Error(), "-public") {
		t.Errorf("newSite of an empty folder: %v, want an error that names the flag", err)
	}
}
