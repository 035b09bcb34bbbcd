package packet

import "fmt"

// Codec is a parser in the words of Socket.IO: how packets stand in Engine.IO
// messages. Server and clients must use the same one. Its methods may be called
// by many goroutines at once.
type Codec interface {
	// Append appends p to dst as one message. An error means that p cannot be
	// encoded; dst is then returned as it was.
	Append(dst []byte, p *Packet) ([]byte, error)
	// Binary reports the form of the messages. If false, what Append makes is a text
	// message, and p.Args.Attachments follow in binary messages of their own. If
	// true, it is a binary message with the attachments inside.
	Binary() bool
	// NewDecoder returns a decoder for one connection.
	NewDecoder(Limits) MessageDecoder
}

// MessageDecoder puts packets together from messages, see Decoder for the rules.
type MessageDecoder interface {
	Add(data []byte, binary bool) (*Packet, error)
	Pending() bool
	Reset()
}

// JSON is the default parser: text with JSON, attachments apart.
type JSON struct{}

var _ Codec = JSON{}

// Append implements Codec with AppendText, and checks the namespace and the
// event's name.
func (JSON) Append(dst []byte, p *Packet) ([]byte, error) {
	if err := check(p); err != nil {
		return dst, err
	}
	return AppendText(dst, p), nil
}

// check reports why p must not be sent.
func check(p *Packet) error {
	if p.Namespace != "" && p.Namespace != "/" {
		if err := CheckNamespace(p.Namespace); err != nil {
			return err
		}
	}
	if (p.Type == Event || p.Type == BinaryEvent) && Reserved(p.Event) {
		return fmt.Errorf("%w %q", ErrReserved, p.Event)
	}
	return nil
}

// Binary implements Codec: false.
func (JSON) Binary() bool { return false }

// NewDecoder implements Codec.
func (JSON) NewDecoder(l Limits) MessageDecoder { return NewDecoder(l) }
