package packet

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"siomq/rooms/args"
)

// AppendText appends the text part of p to dst. The binary parts follow it in
// messages of their own, p.Args.Attachments as they are; with them, an Event or Ack is
// written as BINARY_EVENT or BINARY_ACK.
//
// The format, section "Packet encoding" of the protocol:
//
//	<type>[<# of attachments>-][<namespace>,][<acknowledgement id>][JSON payload]
//
// The caller has checked what comes from outside: a namespace has no comma
// (CheckNamespace), and an event's name is not reserved. It does not allocate when dst has room.
func AppendText(dst []byte, p *Packet) []byte {
	t := p.Type
	switch t {
	case BinaryEvent:
		t = Event
	case BinaryAck:
		t = Ack
	}
	if n := len(p.Args.Attachments); n > 0 && (t == Event || t == Ack) {
		dst = append(dst, '0'+byte(t+BinaryEvent-Event))
		dst = strconv.AppendInt(dst, int64(n), 10)
		dst = append(dst, '-')
	} else {
		dst = append(dst, '0'+byte(t))
	}
	if p.Namespace != "" && p.Namespace != "/" {
		dst = append(dst, p.Namespace...)
		dst = append(dst, ',')
	}
	switch t {
	case Event, Ack:
		if p.HasID {
			dst = strconv.AppendUint(dst, p.ID, 10)
		}
		dst = append(dst, '[')
		if t == Event {
			dst = args.AppendString(dst, p.Event)
			if p.Args.N > 0 {
				dst = append(dst, ',')
			}
		}
		dst = append(dst, p.Args.Raw...)
		return append(dst, ']')
	case Connect, ConnectError:
		dst = append(dst, p.Data...)
	}
	return dst
}

// CheckNamespace reports why name cannot be a namespace on the wire: it must
// begin with a slash and contain no comma, and be valid UTF-8.
func CheckNamespace(name string) error {
	if !strings.HasPrefix(name, "/") || strings.Contains(name, ",") || !utf8.ValidString(name) {
		return fmt.Errorf("%w %q", ErrNamespace, cut([]byte(name)))
	}
	return nil
}

// cut shortens what an error text quotes.
func cut(b []byte) []byte {
	const most = 64
	return b[:min(len(b), most)]
}
