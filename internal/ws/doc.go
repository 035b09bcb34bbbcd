// Package ws is the server side of the WebSocket protocol, RFC 6455, made for very many connections that are idle most
// of the time.
//
// [Upgrade] turns an HTTP request into a [Conn]; [Conn.ReadLoop] gives its messages to a [Handler], one after another;
// [AppendFrame] builds a frame that can be written to any number of connections with [Conn.TryWrite] and [Conn.Write].
// [NewStream] makes a net.Conn of a Conn for protocols that see WebSocket as a stream of bytes, such as MQTT.
//
// # Who may call what
//
// A Conn has one reader and one writer at a time, and its owner sees to that: ReadLoop and Next belong to one
// goroutine, and TryWrite, TryWritev, Write and WriteBuffers are serialised by the owner. Both sides may run at the same
// time. Close and the deadline setters may be called by anyone at any time. The package starts no goroutine and writes
// nothing on its own: what the peer is owed (a pong, a Close frame) is handed to the owner, who writes it between two frames.
//
// # Memory
//
// A connection that waits for input holds no read buffer. On Unix systems a TCP or Unix domain connection is read
// through its syscall.RawConn: a buffer is taken from a pool when the connection has become readable, and goes back
// before the next wait. A frame that has arrived in part is moved into a small buffer when it fits. A larger message grows in
// a slice of its own as its bytes arrive, never to the length it merely declares. Every other net.Conn (TLS, net.Pipe,
// every connection on Windows) waits in Read with a buffer of a few hundred bytes.
//
// # Limits
//
// The only extension is permessage-deflate (RFC 7692), behind [UpgradeOptions].Compression and always without context
// takeover in both directions: [AppendCompressedFrame] builds a frame for any number of connections, and compressors,
// windows and inflated messages are borrowed for as long as they work. Reserved bits that were not agreed on are refused.
// WebSocket over HTTP/2 (RFC 8441) is not supported.
package ws
