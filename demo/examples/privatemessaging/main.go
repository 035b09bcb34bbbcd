// Command privatemessaging is the server of the official Socket.IO example
// "private-messaging": people choose a name, see who is online, and write to one
// another; all windows of a person show the same, and a reload or a lost
// connection changes nothing. The page is the official one, see the README in the
// folder above.
//
// It shows a middleware that decides who may connect, data kept with a socket, a
// room for each person, and CORS.
package main

import (
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"siomq/server"
	"siomq/server/engine"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:3000", "`address` to listen on; the page expects port 3000 of localhost")
	public := flag.String("public", "", "`folder` with the page as built; none when \"npm run serve\" serves it")
	origin := flag.String("origin", "http://localhost:8080", "`origin` of the page when it is served by \"npm run serve\"")
	flag.Parse()

	io, err := newServer(*origin, zap.Must(zap.NewDevelopment(zap.AddStacktrace(zap.ErrorLevel))))
	if err != nil {
		log.Fatal(err)
	}
	newMessenger(io)
	site, err := newSite(io, *public)
	if err != nil {
		log.Fatal(err)
	}
	l, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("listening on %s; open http://localhost:3000, or where \"npm run serve\" says\n", l.Addr())
	web := &http.Server{Handler: site, ReadHeaderTimeout: 10 * time.Second}
	log.Fatal(web.Serve(l))
}

// newServer makes a Socket.IO server for pages of another origin too: without CORS, a browser
// lets in those of this server alone.
func newServer(origin string, logger *zap.Logger) (*server.Server, error) {
	return server.New(&server.Options{
		Engine: engine.Options{CORS: &engine.CORS{Origins: []string{origin}}},
		Logger: logger,
	})
}

// newSite puts the Socket.IO server beside the files of the page. The page brings its own
// client, so there is no other file to serve.
func newSite(io http.Handler, public string) (http.Handler, error) {
	if public == "" {
		return io, nil
	}
	if _, err := os.Stat(filepath.Join(public, "index.html")); err != nil {
		return nil, fmt.Errorf("flag -public: there is no page: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("/socket.io/", io)
	mux.Handle("/", http.FileServer(http.Dir(public)))
	return mux, nil
}

// Limits of what is kept.
const (
	maxName     = 100    // bytes of a name
	maxMessages = 10_000 // the newest ones, of all people together
)

// session is a person. A browser keeps the id and comes back with it.
type session struct {
	id        string // a secret between the browser and the server
	userID    string // by which the others know the person; also the name of a room
	username  string
	connected bool // guarded by messenger.mu
}

// What the page sends and receives. The tags are the names that its JavaScript uses.
type (
	credentials struct {
		SessionID string `json:"sessionID"`
		Username  string `json:"username"`
	}
	identity struct {
		SessionID string `json:"sessionID"`
		UserID    string `json:"userID"`
	}
	message struct {
		Content string `json:"content"`
		From    string `json:"from"`
		To      string `json:"to"`
	}
	user struct {
		UserID    string    `json:"userID"`
		Username  string    `json:"username"`
		Connected bool      `json:"connected"`
		Messages  []message `json:"messages"` // with the one who gets the list; never null
	}
)

// messenger is everybody and what they wrote, kept in memory: a service would keep it
// in a database.
//
// The lock is held while something changes and while it is told, so that a new window gets
// each message once: in its list, or as an event after it. An Emit only queues, it
// never waits for a client. Errors of Emit have nobody to care for them here:
// these structs can always be encoded, and whoever is gone gets a new list on coming back.
type messenger struct {
	io *server.Server

	mu       sync.Mutex
	sessions map[string]*session // by id
	people   []*session          // the same, oldest first
	messages []message           // oldest first
}

func newMessenger(io *server.Server) *messenger {
	m := &messenger{io: io, sessions: make(map[string]*session)}
	io.Use(m.admit)
	io.OnConnection(m.connected)
	return m
}

// errName is shown to nobody: by its text the page knows that it has to ask for a name.
var errName = errors.New("invalid username")

// admit is the middleware: it says who the socket is before it may connect. An error refuses
// it, and reaches the page as "connect_error".
func (m *messenger) admit(s *server.Socket) error {
	var auth credentials // what the page gave as socket.auth
	if s.Handshake().BindAuth(&auth) != nil {
		return errName // no object, or no strings in it
	}
	m.mu.Lock()
	me := m.sessions[auth.SessionID]
	m.mu.Unlock()
	if me == nil { // new here, or from before the program was started
		if auth.Username == "" || len(auth.Username) > maxName {
			return errName
		}
		me = &session{id: rand.Text(), userID: rand.Text(), username: auth.Username}
	}
	s.SetData(me)
	return nil
}

// connected runs for every window that admit let in.
func (m *messenger) connected(s *server.Socket) {
	me := s.Data().(*session)
	server.Handle(s, "private message", func(_ *server.Event, text message) { m.deliver(s, me, text) })
	s.OnDisconnect(func(string) { m.disconnected(s, me) })

	m.mu.Lock()
	defer m.mu.Unlock()
	if m.sessions[me.id] == nil {
		m.sessions[me.id] = me
		m.people = append(m.people, me)
	}
	me.connected = true
	_ = s.Join(me.userID) // all windows of a person are in a room; it fails when this one is closed again
	_ = s.Emit("session", identity{me.id, me.userID})
	_ = s.Emit("users", m.listLocked(me))
	_ = s.Broadcast().Emit("user connected", user{me.userID, me.username, true, []message{}})
}

// deliver sends a message to all windows of the receiver, and to the other windows of the sender.
func (m *messenger) deliver(s *server.Socket, me *session, text message) {
	m.mu.Lock()
	defer m.mu.Unlock()
	// To takes any room. What a client names is checked, or it could write to rooms that are not
	// meant for it.
	known := slices.ContainsFunc(m.people, func(p *session) bool { return p.userID == text.To })
	if !known || text.Content == "" {
		return
	}
	text.From = me.userID // whatever the page said
	if len(m.messages) == maxMessages {
		m.messages = slices.Delete(m.messages, 0, maxMessages/10)
	}
	m.messages = append(m.messages, text)
	_ = s.To(text.To, me.userID).Emit("private message", text) // a socket in both rooms gets it once
}

// disconnected says that somebody is gone, when it was the last window. The socket has
// left its room already.
func (m *messenger) disconnected(s *server.Socket, me *session) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if me.connected && len(m.io.Sockets(me.userID)) == 0 {
		me.connected = false
		_ = s.Broadcast().Emit("user disconnected", me.userID)
	}
}

// listLocked returns all people as me sees them: each with the messages between the two.
func (m *messenger) listLocked(me *session) []user {
	all := make([]user, len(m.people))
	index := make(map[string]int, len(m.people))
	for i, p := range m.people {
		all[i] = user{p.userID, p.username, p.connected, []message{}}
		index[p.userID] = i
	}
	for _, text := range m.messages {
		other := text.From
		if other == me.userID {
			other = text.To
		} else if text.To != me.userID {
			continue // between two others
		}
		u := &all[index[other]]
		u.Messages = append(u.Messages, text)
	}
	return all
}
