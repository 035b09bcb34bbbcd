package packet

// Limits bound what one client may make a Decoder keep or a server look at.
// Zero and negative values mean the default. Going over one is an error that is
// ErrLimit as well as its own.
type Limits struct {
	MaxAttachments int // attachments of one packet; default 1,000
	MaxPacket      int // bytes of one packet with its attachments; default 16 MiB
	MaxNamespace   int // bytes of a namespace's name; default 1,024
	MaxEvent       int // bytes of an event's name as JSON; default 4,096
	MaxDepth       int // nesting of arrays and objects; default and most args.MaxDepth (1,024)
}

// Decoder puts together the packets of one connection from its Engine.IO
// messages. It is not safe for concurrent use. The zero value has the default
// limits.
type Decoder struct{ limits Limits }

// NewDecoder returns a decoder with limits.
func NewDecoder(limits Limits) *Decoder { return &Decoder{limits: limits} }

// Add takes the next message. It returns a packet when one is complete, and nil
// without an error while attachments are missing.
//
// Add copies what it keeps, data may be used again after the call. Event and Args
// of the packet share one copy. Anybody who keeps a packet's Event for long clones it
// (strings.Clone); Namespace is a string of its own.
//
// After an error, the decoder is as new; a connection that caused it is to be closed.
func (d *Decoder) Add(data []byte, binary bool) (*Packet, error) { panic("todo") }

// Pending reports whether a packet lacks attachments.
func (d *Decoder) Pending() bool { panic("todo") }

// Reset drops a packet that lacks attachments.
func (d *Decoder) Reset() { panic("todo") }
