// Package server is a Socket.IO server whose rooms MQTT devices share.
//
// It speaks Socket.IO protocol revision 5 with the official clients, unchanged,
// and has the official server API under its own names, in Go's way. With
// [Options.Broker] an emit is also a publish in the topic namespace of
// docs/TOPICS.md, and a publish there by an MQTT client is an emit.
//
// # First steps
//
//	mqtt, err := embedded.New(&embedded.Options{Addr: "127.0.0.1:1883"})
//	...
//	io, err := server.New(&server.Options{Broker: mqtt})
//	...
//	io.OnConnection(func(s *server.Socket) {
//		s.Join("lobby")
//		server.Handle(s, "message", func(e *server.Event, text string) {
//			io.To("lobby").Emit("message", text)
//		})
//	})
//	http.ListenAndServe(":3000", io)
//
// A [Server] is an http.Handler. It has the methods of its main [Namespace];
// [Server.Of] gives the others. A [Socket] is one client in one namespace, an
// [Event] what it emitted, and a [BroadcastOperator] says to whom something is
// emitted.
//
// # How one message travels
//
//	client ── WebSocket frame or POST body
//	  engine.Socket        reads, unmasks, takes the Engine.IO packet apart
//	    client.Message     decodes the Socket.IO packet; arguments stay raw JSON
//	      Socket.receive   acknowledgements go to who waits; events into the inbox
//	        inbox          one goroutine while there is something to do
//	          dispatch     middleware, OnAny, On
//	            BroadcastOperator.Emit      encodes the arguments once
//	              adapter.Broadcast
//	                Namespace.Deliver       one frame for all; into each queue, then flush
//	                broker.Publish          if an MQTT client wants the topic
//
// # Order
//
// The events of a socket are handled in the order in which they came, one at a
// time, and none before the connection listeners have returned. A listener that
// takes its time holds up its own socket alone; when [Options.EventQueue]
// events wait, that client is read no further, while its heartbeat goes on. What
// one goroutine emits to a socket arrives in its order.
//
// # Arguments
//
// Arguments of events are raw JSON until somebody asks: [Event.Bind] and
// [Bind] decode them, binary data goes into []byte. [Event.Args] gives them
// undecoded, to be relayed as they are.
//
// # Failures
//
// A client that breaks the protocol loses its connection; so does one whose
// listener panics (the stack is logged), and one that does not read what it is
// sent (engine.Options.MaxQueue). Nobody else is touched. An Emit returns an
// error when the arguments cannot be encoded, when the one receiver is gone, and when the
// broker refuses; it never waits for a client.
package server
