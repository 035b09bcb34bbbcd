package server

import (
	"errors"
	"sync/atomic"

	"siomq/rooms/args"
	"siomq/server/engine"
	"siomq/server/packet"
)

// Stats are counters since the server was made.
type Stats struct {
	Engine engine.Stats // of the connections

	Violations    uint64 // connections closed since their client broke the protocol, those below included
	Attachments   uint64 // more attachments in a packet than Limits allow
	PacketSize    uint64 // a packet with its attachments over the limit
	NamespaceSize uint64 // a namespace's name over the limit
	EventSize     uint64 // an event's name over the limit
	Depth         uint64 // arguments nested deeper than the limit
	Namespaces    uint64 // more namespaces on a connection than Options.MaxNamespaces

	Panics         uint64 // handlers that panicked
	EventsDropped  uint64 // events that waited when the server disconnected their socket
	SocketsRefused uint64 // by middleware, or since there is no such namespace
}

// counters are Stats as they grow.
type counters struct {
	violations, attachments, packetSize, namespaceSize, eventSize, depth, namespaces atomic.Uint64
	panics, eventsDropped, socketsRefused                                            atomic.Uint64
}

// violation counts what a client did.
func (c *counters) violation(err error) {
	c.violations.Add(1)
	for _, k := range []struct {
		err error
		n   *atomic.Uint64
	}{
		{packet.ErrTooManyAttachments, &c.attachments},
		{packet.ErrPacketSize, &c.packetSize},
		{packet.ErrNamespaceSize, &c.namespaceSize},
		{packet.ErrEventSize, &c.eventSize},
		{args.ErrDepth, &c.depth},
		{errNamespaces, &c.namespaces},
	} {
		if errors.Is(err, k.err) {
			k.n.Add(1)
		}
	}
}

// Stats returns the counters.
func (srv *Server) Stats() Stats {
	c := &srv.counters
	return Stats{
		Engine:         srv.engine.Stats(),
		Violations:     c.violations.Load(),
		Attachments:    c.attachments.Load(),
		PacketSize:     c.packetSize.Load(),
		NamespaceSize:  c.namespaceSize.Load(),
		EventSize:      c.eventSize.Load(),
		Depth:          c.depth.Load(),
		Namespaces:     c.namespaces.Load(),
		Panics:         c.panics.Load(),
		EventsDropped:  c.eventsDropped.Load(),
		SocketsRefused: c.socketsRefused.Load(),
	}
}
