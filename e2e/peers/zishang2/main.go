// Command zishang2 is github.com/zishang520/socket.io v2.5.0 with the handlers
// of e2e/bench/server.
package main

import (
	"flag"
	"log"
	"net/http"

	"github.com/zishang520/socket.io/v2/socket"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:3000", "address to listen on")
	flag.Parse()
	io := socket.NewServer(nil, nil)
	err := io.On("connection", func(clients ...any) {
		register(io, clients[0].(*socket.Socket))
	})
	if err != nil {
		log.Fatal(err)
	}
	http.Handle("/socket.io/", io.ServeHandler(nil))
	log.Fatal(http.ListenAndServe(*addr, nil))
}

func register(io *socket.Server, s *socket.Socket) {
	on := func(event string, fn func(args ...any)) {
		if err := s.On(event, fn); err != nil {
			log.Fatal(err)
		}
	}
	on("join", func(args ...any) {
		s.Join(socket.Room(args[0].(string)))
		acknowledge(args[1])
	})
	on("pub", func(args ...any) {
		_ = io.To("bench").Emit("msg", args[0])
	})
	on("echo", func(args ...any) {
		acknowledge(args[1], args[0])
	})
}

func acknowledge(fn any, values ...any) {
	fn.(socket.Ack)(values, nil)
}
