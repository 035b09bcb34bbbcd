// Command recovery is the server of the official Socket.IO example "connection
// state recovery": it tells everybody the time each second, and a page that lost its
// connection gets the seconds it missed when it comes back. The page is the official
// one, see the README in the folder above.
//
// It shows Options.Recovery, Socket.Recovered, and an emit that no client asked for.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"go.uber.org/zap"

	"siomq/server"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:3000", "`address` to listen on")
	public := flag.String("public", "public", "`folder` with the page, index.html")
	client := flag.String("client", "node_modules/socket.io-client/dist", "`folder` with socket.io.js, the browser's side of Socket.IO")
	flag.Parse()

	logger := zap.Must(zap.NewDevelopment(zap.AddStacktrace(zap.ErrorLevel)))
	io, err := server.New(&server.Options{
		Client: os.DirFS(*client), // so that the page can load /socket.io/socket.io.js
		Logger: logger,
		// A client that comes back within two minutes gets its id, its rooms and its data
		// again, and then what was emitted meanwhile. Without Recovery it is a new one.
		Recovery: &server.RecoveryOptions{MaxDisconnection: 2 * time.Minute},
	})
	if err != nil {
		log.Fatal(err)
	}
	welcome(io, logger)
	go tellTime(context.Background(), io, time.Second) // as long as the program runs

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

// newSite puts the Socket.IO server beside the page, the one file of the official folder
// that browsers need.
func newSite(io http.Handler, public string) (http.Handler, error) {
	page := filepath.Join(public, "index.html")
	if _, err := os.Stat(page); err != nil {
		return nil, fmt.Errorf("flag -public: there is no page: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("/socket.io/", io)
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, page) })
	return mux, nil
}

// welcome gives a new socket a room and data; one that was recovered has them already.
func welcome(io *server.Server, logger *zap.Logger) {
	io.OnConnection(func(s *server.Socket) {
		if !s.Recovered() {
			_ = s.Join("sample room") // fails when the socket is gone again: OnDisconnect tells
			s.SetData("bar")
		}
		logger.Info("connect", zap.String("socket", s.ID()), zap.Bool("recovered", s.Recovered()),
			zap.Strings("rooms", s.Rooms()), zap.Any("data", s.Data()))

		s.OnDisconnect(func(reason string) {
			logger.Info("disconnect", zap.String("socket", s.ID()), zap.String("reason", reason))
		})
	})
}

// tellTime emits the time to everybody at each interval, until ctx ends. The name of the event
// is the page's: a "ping" of the application, not of the connection, which has its own.
func tellTime(ctx context.Context, io *server.Server, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			_ = io.Emit("ping", now.UTC().Format("2006-01-02T15:04:05.000Z")) // a string can always be sent
		}
	}
}
