// Package embedded is an MQTT broker inside the process, with mochi-mqtt at its
// core. [New] makes a [Broker], which implements the interfaces of package
// broker; it listens on TCP, TLS and Unix sockets ([Listener]) and takes connections
// from elsewhere, such as WebSockets, by [Broker.ServeConn].
//
//	b, err := embedded.New(&embedded.Options{Addr: "127.0.0.1:1883"})
//	if err != nil {
//		return err
//	}
//	defer b.Close(ctx)
//	b.SetAccess(broker.Access{}) // everything is allowed
//	remove, err := b.Handle(ctx, "sensors/#", func(m *broker.Message) error { ... })
//	err = b.Publish(ctx, &broker.Message{Topic: "lamps/1", Payload: []byte("on"), QoS: 1})
//
// # Who does what
//
// Every connection reaches mochi through EstablishConnection, with a net.Conn of ours
// between:
//
//	client ── conn.readPacket ── conn.handle ─┬─ CONNECT (accepted), SUBSCRIBE,
//	            whole packets,   checked      │  UNSUBSCRIBE, DISCONNECT ── mochi ── hook
//	            limits                        └─ PUBLISH, acknowledgements, PINGREQ: here
//	                                                  │
//	                    Access.Publish, Handlers, index.match, session.deliver
//	                                                  │
//	client ── writer: bounded queue, one write ───────┘
//
// mochi keeps the life of sessions, answers CONNECT, SUBSCRIBE and UNSUBSCRIBE, and its
// codec speaks for them. It never sees a byte that was not checked, nor a
// publish. Delivery is not mochi's, since that could not be mended from outside:
// it holds a lock while it writes, drops QoS 1 messages when its channel is
// full, keeps incoming and outgoing packet identifiers in one map, resends in the
// order of a map, loses what exceeds a receive maximum, and skips access rules
// and properties for wills. So sessions have their queues here (session), wills,
// retained messages and the index of subscriptions too.
//
// # Order and blocking
//
// A publish is handled, stored and queued for its subscribers in the goroutine that
// reads from its client, or that called Publish, so what one goroutine publishes
// arrives in order. Queueing never blocks: see writer. A handler that blocks
// stops that one client from being read.
//
// Locks are taken in this order: retained.mu, index.mu (released before the next),
// session.mu, writer.mu; and Broker.mu, session.mu. Access.Receive is called while
// retained.mu is held for a retained message, so it must not call the Broker.
//
// # Choices where MQTT leaves one
//
//   - A publish that is refused, by Access.Publish or by a Handler, gets reason code
//     0x87 in MQTT 5. To a 3.1.1 client it is acknowledged as if it was taken
//     [MQTT-3.3.5-2]: closing would make the client send it again for ever.
//   - A session with several matching filters receives a message once.
//   - There is no $SYS, and clients cannot publish to it.
//   - A client whose queue is full is closed; for an absent client the newest message
//     is dropped. Both are counted in [Stats].
package embedded
