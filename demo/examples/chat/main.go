// Command chat is the server of the official Socket.IO example "chat": people
// give a nickname, write to everybody, and see who types, joins and leaves. The
// page is the official one, see the README in the folder above.
//
// It shows the core of the library: OnConnection, Handle, Emit, Broadcast and
// OnDisconnect.
package main

import (
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"go.uber.org/zap"

	"siomq/server"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:3000", "`address` to listen on")
	public := flag.String("public", "public", "`folder` with the page, index.html and what it loads")
	client := flag.String("client", "node_modules/socket.io-client/dist", "`folder` with socket.io.js, the browser's side of Socket.IO")
	flag.Parse()

	io, err := server.New(&server.Options{
		Client: os.DirFS(*client), // so that the page can load /socket.io/socket.io.js
		Logger: zap.Must(zap.NewDevelopment(zap.AddStacktrace(zap.ErrorLevel))),
	})
	if err != nil {
		log.Fatal(err)
	}
	chat(io)
	site, err := newSite(io, *public)
	if err != nil {
		log.Fatal(err)
	}
	l, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("open http://%s\n", l.Addr())
	web := &http.Server{Handler: site, ReadHeaderTimeout: 10 * time.Second}
	log.Fatal(web.Serve(l))
}

// newSite puts the Socket.IO server beside the files of the page: it is an
// http.Handler like any other.
func newSite(io http.Handler, public string) (http.Handler, error) {
	if _, err := os.Stat(filepath.Join(public, "index.html")); err != nil {
		return nil, fmt.Errorf("flag -public: there is no page: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("/socket.io/", io)
	mux.Handle("/", http.FileServer(http.Dir(public)))
	return mux, nil
}

// What the page receives beside plain names of events. The tags are the names
// that the page's JavaScript uses.
type (
	message struct {
		Username string `json:"username"`
		Message  string `json:"message"`
	}
	person struct {
		Username string `json:"username"`
	}
	login struct {
		NumUsers int `json:"numUsers"`
	}
	arrival struct { // and departure
		Username string `json:"username"`
		NumUsers int    `json:"numUsers"`
	}
)

// chat sets up what happens to everyone who connects.
//
// An Emit returns an error when its arguments cannot be encoded, or its one receiver
// is gone. These structs always can, and whoever is gone needs no message: the
// errors have nobody to care for them here.
func chat(io *server.Server) {
	// Sockets run in goroutines of their own, so what they share needs a lock. It is held
	// while the number is told too, so that everybody hears the numbers in order; an
	// Emit only queues, it never waits for a client.
	var mu sync.Mutex
	numUsers := 0

	io.OnConnection(func(s *server.Socket) {
		// The listeners of one socket run one at a time and in the order of the
		// events: what belongs to the socket alone needs no lock.
		username := ""
		others := s.Broadcast() // everybody but this socket

		// Handle decodes the first argument. What is no string does not get here: it
		// is logged, and answered with an error if the client asked for an answer.
		server.Handle(s, "add user", func(_ *server.Event, name string) {
			if username != "" || name == "" {
				return
			}
			username = name
			mu.Lock()
			defer mu.Unlock()
			numUsers++
			_ = others.Emit("user joined", arrival{username, numUsers})
			_ = s.Emit("login", login{numUsers})
		})

		server.Handle(s, "new message", func(_ *server.Event, text string) {
			_ = others.Emit("new message", message{username, text})
		})

		// On leaves the arguments alone; these events have none.
		s.On("typing", func(*server.Event) {
			_ = others.Emit("typing", person{username})
		})
		s.On("stop typing", func(*server.Event) {
			_ = others.Emit("stop typing", person{username})
		})

		// OnDisconnect comes after the last event, whatever ended the connection.
		s.OnDisconnect(func(string) {
			if username == "" {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			numUsers--
			_ = others.Emit("user left", arrival{username, numUsers})
		})
	})
}
