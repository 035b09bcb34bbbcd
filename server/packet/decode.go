package packet

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"
	"unsafe"

	"siomq/rooms"
	"siomq/rooms/args"
)

// Limits bound what one client may make a Decoder keep or a server look at.
// Zero and negative values mean the default. Going over one of the first four
// is an error that is ErrLimit as well as its own; over MaxDepth, it is
// args.ErrDepth.
type Limits struct {
	// MaxAttachments is the most attachments of one packet; default 1,000.
	MaxAttachments int
	// MaxPacket is the most bytes of one packet with its attachments, which are
	// kept until the last one has come; default 16 MiB.
	MaxPacket int
	// MaxNamespace is the most bytes of a namespace's name; default 1,024.
	MaxNamespace int
	// MaxEvent is the most bytes of an event's name as JSON; default 4,096.
	MaxEvent int
	// MaxDepth is the deepest nesting of arrays and objects, the payload's own
	// array included; default and most args.MaxDepth (1,024).
	MaxDepth int
}

func (l Limits) withDefaults() Limits {
	for _, f := range []struct {
		value *int
		or    int
	}{
		{&l.MaxAttachments, args.MaxAttachments},
		{&l.MaxPacket, 16 << 20},
		{&l.MaxNamespace, 1024},
		{&l.MaxEvent, 4096},
		{&l.MaxDepth, args.MaxDepth},
	} {
		if *f.value <= 0 {
			*f.value = f.or
		}
	}
	return l
}

// Decoder puts together the packets of one connection from its Engine.IO
// messages. It is not safe for concurrent use; NewDecoder makes one.
type Decoder struct {
	limits    Limits
	namespace string // of the last packet that had one: the next one is likely the same

	// Of a packet that lacks attachments.
	pending *Packet
	want    int // attachments of it
	size    int // bytes of it so far
}

// NewDecoder returns a decoder with limits.
func NewDecoder(limits Limits) *Decoder {
	return &Decoder{limits: limits.withDefaults()}
}

// Add takes the next message. It returns a packet when one is complete, and nil
// without an error while attachments are missing.
//
// Add copies what it keeps, data may be used again after the call. Event and Args
// of the packet share one copy. Anybody who keeps a packet's Event for long clones it
// (strings.Clone); Namespace is a string of its own.
//
// After an error, the decoder is as new; a connection that caused it is to be closed.
func (d *Decoder) Add(data []byte, binary bool) (*Packet, error) {
	if binary {
		return d.addAttachment(data)
	}
	if d.pending != nil {
		d.Reset()
		return nil, fmt.Errorf("%w: %q", ErrUnexpectedText, cut(data))
	}
	if len(data) > d.limits.MaxPacket {
		return nil, limitError(ErrPacketSize, data)
	}
	p, attachments, err := d.decodeText(data)
	if err != nil || attachments == 0 {
		return p, err
	}
	d.pending, d.want, d.size = p, attachments, len(data)
	p.Args.Attachments = make([][]byte, 0, min(attachments, 8))
	return nil, nil
}

func (d *Decoder) addAttachment(data []byte) (*Packet, error) {
	p := d.pending
	if p == nil {
		return nil, fmt.Errorf("%w: %d bytes", ErrUnexpectedBinary, len(data))
	}
	if d.size += len(data); d.size > d.limits.MaxPacket {
		d.Reset()
		return nil, limitError(ErrPacketSize, nil)
	}
	own := make([]byte, len(data)) // never nil: an empty attachment is one
	copy(own, data)
	p.Args.Attachments = append(p.Args.Attachments, own)
	if len(p.Args.Attachments) < d.want {
		return nil, nil
	}
	d.Reset()
	return p, nil
}

// Pending reports whether a packet lacks attachments.
func (d *Decoder) Pending() bool { return d.pending != nil }

// Reset drops a packet that lacks attachments.
func (d *Decoder) Reset() { d.pending, d.want, d.size = nil, 0, 0 }

// header is what stands before the payload.
type header struct {
	Type        Type
	Namespace   []byte // empty for "/"
	HasID       bool
	ID          uint64
	Attachments int
}

// decodeText decodes the text part of a packet, see AppendText for the format.
func (d *Decoder) decodeText(data []byte) (*Packet, int, error) {
	h, payload, err := d.header(data)
	if err != nil {
		return nil, 0, err
	}
	p := &Packet{Type: h.Type, Namespace: "/", HasID: h.HasID, ID: h.ID}
	switch h.Type {
	case Event, BinaryEvent:
		p.Type = Event
		err = d.event(p, payload, h.Attachments)
	case Ack, BinaryAck:
		p.Type = Ack
		p.Args, err = d.array(payload, h.Attachments)
		p.Args.Raw = slices.Clone(p.Args.Raw)
	case Connect, Disconnect, ConnectError:
		if h.HasID {
			return nil, 0, fmt.Errorf("%w in %s: %q", ErrID, h.Type, cut(data))
		}
		p.Data, err = d.data(h.Type, payload)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("%s %q: %w", h.Type, cut(data), err)
	}
	if len(h.Namespace) > 1 {
		if string(h.Namespace) != d.namespace {
			d.namespace = string(h.Namespace)
		}
		p.Namespace = d.namespace
	}
	return p, h.Attachments, nil
}

// header decodes what stands before the payload.
func (d *Decoder) header(data []byte) (h header, payload []byte, err error) {
	if len(data) == 0 || data[0] < '0' || data[0] > '0'+byte(BinaryAck) {
		return h, nil, fmt.Errorf("%w: %q", ErrType, cut(data))
	}
	h.Type = Type(data[0] - '0')
	rest := data[1:]
	if h.Type == BinaryEvent || h.Type == BinaryAck {
		n, digits := decimal(rest)
		if digits < 0 || n > uint64(d.limits.MaxAttachments) {
			return h, nil, limitError(ErrTooManyAttachments, data)
		}
		if n == 0 || digits == len(rest) || rest[digits] != '-' {
			return h, nil, fmt.Errorf("%w: %q", ErrAttachments, cut(data))
		}
		h.Attachments = int(n)
		rest = rest[digits+1:]
	}
	if len(rest) > 0 && rest[0] == '/' {
		end := bytes.IndexByte(rest, ',')
		next := end + 1
		if end < 0 {
			end, next = len(rest), len(rest)
		}
		if end > d.limits.MaxNamespace {
			return h, nil, limitError(ErrNamespaceSize, data)
		}
		if h.Namespace = rest[:end]; !utf8.Valid(h.Namespace) {
			return h, nil, fmt.Errorf("%w: %q", ErrNamespace, cut(data))
		}
		rest = rest[next:]
	}
	n, digits := decimal(rest)
	if digits < 0 {
		return h, nil, fmt.Errorf("%w: %q", ErrID, cut(data))
	}
	h.ID, h.HasID = n, digits > 0
	return h, rest[digits:], nil
}

// decimal reads the digits that b begins with. digits is -1 if their value does
// not fit 64 bits.
func decimal(b []byte) (n uint64, digits int) {
	for digits < len(b) && '0' <= b[digits] && b[digits] <= '9' {
		c := uint64(b[digits] - '0')
		if n > (math.MaxUint64-c)/10 {
			return 0, -1
		}
		n = n*10 + c
		digits++
	}
	return n, digits
}

// array checks the payload of events and acknowledgements.
func (d *Decoder) array(payload []byte, attachments int) (rooms.Args, error) {
	a, err := args.ScanArray(payload, args.Rules{MaxDepth: d.limits.MaxDepth, Attachments: attachments})
	if err != nil {
		return a, fmt.Errorf("%w: %w", ErrPayload, err)
	}
	return a, nil
}

// event fills in the name and the arguments of an event.
func (d *Decoder) event(p *Packet, payload []byte, attachments int) error {
	a, err := d.array(payload, attachments)
	if err != nil {
		return err
	}
	kind := args.KindOf(a.Raw)
	if kind != args.String && kind != args.Number {
		return fmt.Errorf("%w: no event name", ErrPayload)
	}
	var nameLen int
	for _, raw := range args.All(a) {
		nameLen = len(raw)
		break
	}
	if nameLen > d.limits.MaxEvent {
		return limitError(ErrEventSize, a.Raw)
	}
	own := slices.Clone(a.Raw)
	if p.Event, err = eventName(own[:nameLen], kind); err != nil {
		return err
	}
	if kind == args.String && Reserved(p.Event) {
		return fmt.Errorf("%w %q", ErrReserved, p.Event)
	}
	if a.N > 1 {
		comma := nameLen + bytes.IndexByte(own[nameLen:], ',')
		p.Args.Raw = bytes.TrimLeft(own[comma+1:], " \t\r\n")
		p.Args.N = a.N - 1
	}
	return nil
}

// eventName decodes the name of an event. The result may share memory with raw.
func eventName(raw []byte, kind args.Kind) (string, error) {
	if kind == args.Number {
		return numberName(string(raw)), nil
	}
	if bytes.IndexByte(raw, '\\') >= 0 {
		return args.Unquote(raw)
	}
	// The decoder's own copy, which nobody changes: a view of it saves an
	// allocation for each event.
	name := raw[1 : len(raw)-1]
	return unsafe.String(unsafe.SliceData(name), len(name)), nil
}

// numberName is the text of a number as JavaScript makes it, where an event may
// be named by a number and its listeners by the text.
func numberName(raw string) string {
	f, err := strconv.ParseFloat(raw, 64)
	switch {
	case err != nil && f > 0:
		return "Infinity"
	case err != nil:
		return "-Infinity"
	case f == 0:
		return "0"
	}
	return string(args.AppendFloat(nil, f, 64))
}

// data checks the payload of the other types and returns a copy of it.
func (d *Decoder) data(t Type, payload []byte) ([]byte, error) {
	if len(payload) == 0 {
		return nil, nil
	}
	if err := args.Scan(payload, args.Rules{MaxDepth: d.limits.MaxDepth}); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPayload, err)
	}
	kind := args.KindOf(payload)
	if t != Disconnect && kind == args.Object || t == ConnectError && kind == args.String {
		return slices.Clone(payload), nil
	}
	return nil, ErrPayload
}

func limitError(err error, data []byte) error {
	if data == nil {
		return fmt.Errorf("%w: %w", ErrLimit, err)
	}
	return fmt.Errorf("%w: %w: %q", ErrLimit, err, cut(data))
}
