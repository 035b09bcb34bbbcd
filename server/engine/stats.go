package engine

// Stats are counters since the server was made.
type Stats struct {
	Opened   uint64            // sessions
	Upgraded uint64            // sessions that went from polling to WebSocket
	Closed   map[Reason]uint64 // sessions, by reason

	MessagesIn  uint64 // received by handlers
	MessagesOut uint64 // handed to a transport
	BytesIn     uint64 // request bodies and WebSocket messages
	BytesOut    uint64 // response bodies and WebSocket frames

	DroppedVolatile uint64 // volatile messages for transports that were not ready
	QueueFull       uint64 // sessions closed because their queue was over MaxQueue

	HTTPErrors [6]uint64 // requests refused, by error code 0 to 5
	TooLarge   uint64    // request bodies and WebSocket messages over MaxPayload
}
