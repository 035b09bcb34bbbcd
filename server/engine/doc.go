// Package engine is a server of the Engine.IO protocol, revision 4: sessions
// over HTTP long-polling and WebSocket, the upgrade from one to the other, and
// the heartbeat. It carries messages, text or binary, in order and in both
// directions; what they mean is the business of its user.
//
// With [Options.AllowEIO3] it also serves clients of revision 3, those of
// Socket.IO 2.x. Polling by scripts (JSONP) is answered in both revisions.
//
// # Use
//
// Give [New] a function that accepts sessions and mount the [Server] where
// clients look for it:
//
//	srv, err := engine.New(nil, func(s *engine.Socket) engine.Handler {
//		return &echo{socket: s}
//	})
//	http.Handle("/engine.io/", srv)
//
// Each [Socket] has a [Handler], which is given its messages one at a time and
// is told once when the session is over. A [Message] is made once and may be
// sent to any number of sockets.
//
// # Writing
//
// [Socket.Enqueue] appends to the queue of a socket and [Socket.Flush] writes
// what is queued; [Socket.Send] is both. Neither ever blocks. Flush writes in
// the goroutine of its caller when nobody else is writing to that socket and
// the connection takes the bytes at once; what the connection does not take is
// left to a goroutine that lives until the queue is empty. Frames that wait for
// one connection leave in one write. A Flush on a socket that is being flushed
// returns at once, since the goroutine that is writing goes on until the queue
// is empty: who has one message for many sockets calls Enqueue on all of them
// and then Flush on all of them, and concurrent broadcasts share their writes.
// No lock is held during a write.
//
// The queue of a socket is bounded by [Options.MaxQueue]; a client that does
// not read is closed when it is full, and counted.
//
// # WebTransport
//
// The engine speaks the protocol of WebTransport streams and leaves HTTP/3 to
// others: package webtransport, or whoever calls [Server.AdmitSession] and
// [Server.ServeSession].
//
// # Compression
//
// With [Options.PerMessageDeflate] a message is compressed once, in the
// goroutine that first enqueues it for a client that takes it, and that form is
// shared. Polling responses are compressed each for itself, see
// [Options.HTTPCompression].
//
// # Reading
//
// [Handler.Message] may block. Then nothing more is read from that client until
// it returns, while pings are still sent, and missing pongs do not count
// against the client as long as they could not have been read.
//
// # Goroutines
//
// A WebSocket session has one goroutine, its reader. A polling session has none
// but those that net/http runs for requests which are open. A WebTransport
// session has one beside the caller of [Server.ServeSession]. All have one timer. [Server.Close] waits for all of them.
//
// # Who may call what
//
// All methods of Server, Socket, Message and Request may be called by many
// goroutines at once. Messages sent to a socket by one goroutine arrive in the
// order sent.
//
// The protocol: https://socket.io/docs/v4/engine-io-protocol/ and, for revision 3,
// https://github.com/socketio/engine.io-protocol/tree/v3
package engine
