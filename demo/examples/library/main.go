// Command library is the example of the README: one room, two doors.
package main

import (
	"log"
	"net/http"

	"siomq/adapter/broker/embedded"
	"siomq/server"
)

func main() {
	mqtt, err := embedded.New(&embedded.Options{Addr: "127.0.0.1:1883"})
	if err != nil {
		log.Fatal(err)
	}
	io, err := server.New(&server.Options{Broker: mqtt})
	if err != nil {
		log.Fatal(err)
	}
	io.OnConnection(func(s *server.Socket) {
		_ = s.Join("lobby")
		server.Handle(s, "message", func(e *server.Event, text string) {
			_ = io.To("lobby").Emit("message", text)
		})
	})
	log.Fatal(http.ListenAndServe(":3000", io))
}
