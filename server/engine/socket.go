package engine

// Handler is the receiving end of a Socket.
type Handler interface {
	// Message is given each message of the client, in order, one at a time. data
	// is valid during the call only. It may block: see Reading in the package
	// documentation. It must not call Server.Close.
	Message(data []byte, binary bool)
	// Close is called once, after the last Message has returned, when the
	// session is over. err is the cause where there is one, else nil.
	Close(reason Reason, err error)
}

// Socket is one session.
type Socket struct{}

// ID of the session, a secret between client and server.
func (s *Socket) ID() string { panic("TODO") }

// Request that opened the session.
func (s *Socket) Request() *Request { panic("TODO") }

// Transport in use: Polling or WebSocket.
func (s *Socket) Transport() string { panic("TODO") }

// Enqueue appends m to the queue and does not write: Flush does. It never
// blocks. It returns ErrClosed when the session is closing or closed, and
// ErrQueueFull, closing the session, when the queue would be over MaxQueue.
func (s *Socket) Enqueue(m *Message) error { panic("TODO") }

// EnqueueVolatile is Enqueue for a message that may be lost: when the transport
// could not take it now (no poll is open, or earlier bytes still wait for the
// connection) it is dropped and counted, and the result is nil.
func (s *Socket) EnqueueVolatile(m *Message) error { panic("TODO") }

// Flush writes what is queued, or leaves it to the goroutine that is writing.
// It never blocks.
func (s *Socket) Flush() { panic("TODO") }

// Send is Enqueue and Flush.
func (s *Socket) Send(m *Message) error { panic("TODO") }

// SendVolatile is EnqueueVolatile and Flush.
func (s *Socket) SendVolatile(m *Message) error { panic("TODO") }

// Close ends the session for reason, which is what Handler.Close is given.
// Nothing more is received or taken, and what was queued is delivered first,
// within CloseTimeout. It does not block; Handler.Close is called, from another
// goroutine, when the last byte has been handed to the connection.
func (s *Socket) Close(reason Reason) { panic("TODO") }
