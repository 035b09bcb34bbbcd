package packet

// AppendText appends the text part of p to dst. The binary parts follow it in
// messages of their own, p.Args.Attachments as they are; with them, an Event or Ack is
// written as BINARY_EVENT or BINARY_ACK.
//
// The caller has checked what comes from outside: a namespace has no comma
// (CheckNamespace), and an event's name is not reserved. It does not allocate when dst has room.
func AppendText(dst []byte, p *Packet) []byte { panic("todo") }

// CheckNamespace reports why name cannot be a namespace on the wire: it must
// begin with a slash and contain no comma, and be valid UTF-8.
func CheckNamespace(name string) error { panic("todo") }
