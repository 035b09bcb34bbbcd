package packet

import (
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"siomq/rooms"
	"siomq/rooms/args"
)

// MessagePack is the parser of npm socket.io-msgpack-parser 3: a packet is one
// binary message, a msgpack map
//
//	{"type": 0 to 4, "nsp": "/", "id": 12, "data": ...}
//
// in any order, other members ignored. id is there if there is an
// acknowledgement id; data is missing or an object in CONNECT, missing in
// DISCONNECT, an array in EVENT (with the name first) and ACK, and an object or
// a string in CONNECT_ERROR. Binary data stands in it as it is, so there are no
// BINARY_EVENT and BINARY_ACK.
//
// Dates, undefined and array buffers are what args.MsgpackRules say of notepack.io.
// The arguments of a decoded packet are JSON with attachments as with any
// other parser. Numbers, names of events and what Append takes are as with JSON; the
// auth of CONNECT can hold no binary data.
type MessagePack struct{}

var _ Codec = MessagePack{}

// Append implements Codec. Beside the errors of JSON.Append, there are those of
// args.AppendMsgpack when p's JSON is not valid.
func (MessagePack) Append(dst []byte, p *Packet) ([]byte, error) {
	if err := check(p); err != nil {
		return dst, err
	}
	t, namespace := p.Type, p.Namespace
	switch t {
	case BinaryEvent:
		t = Event
	case BinaryAck:
		t = Ack
	}
	if namespace == "" {
		namespace = "/"
	}
	payload := t == Event || t == Ack
	members := 2
	if payload || len(p.Data) > 0 {
		members++
	}
	if payload && p.HasID {
		members++
	}
	out := args.AppendMsgpackMap(slices.Grow(dst, sizeHint(p)), members)
	out = args.AppendMsgpackString(out, "type")
	out = args.AppendMsgpackUint(out, uint64(t))
	out = args.AppendMsgpackString(out, "nsp")
	out = args.AppendMsgpackString(out, namespace)
	if payload && p.HasID {
		out = args.AppendMsgpackString(out, "id")
		out = args.AppendMsgpackUint(out, p.ID)
	}
	values := p.Args
	switch {
	case t == Event:
		out = args.AppendMsgpackString(out, "data")
		out = args.AppendMsgpackArray(out, values.N+1)
		out = args.AppendMsgpackString(out, p.Event)
	case t == Ack:
		out = args.AppendMsgpackString(out, "data")
		out = args.AppendMsgpackArray(out, values.N)
	case len(p.Data) > 0:
		out = args.AppendMsgpackString(out, "data")
		values.Raw, values.N, values.Attachments = p.Data, 1, nil
	default:
		return out, nil
	}
	out, err := args.AppendMsgpack(out, values)
	if err != nil {
		return dst, fmt.Errorf("%s: %w: %w", t, ErrPayload, err)
	}
	return out, nil
}

// sizeHint is how long p will be, about.
func sizeHint(p *Packet) int {
	n := 48 + len(p.Namespace) + len(p.Event) + len(p.Args.Raw) + len(p.Data)
	for _, b := range p.Args.Attachments {
		n += len(b)
	}
	return n
}

// Binary implements Codec: true.
func (MessagePack) Binary() bool { return true }

// NewDecoder implements Codec.
func (MessagePack) NewDecoder(l Limits) MessageDecoder {
	l = l.withDefaults()
	l.MaxDepth = min(l.MaxDepth, args.MaxDepth)
	return &messagePackDecoder{limits: l}
}

// messagePackDecoder decodes one message at a time.
type messagePackDecoder struct {
	limits    Limits
	namespace string // of the last packet, see Decoder
}

// Pending implements MessageDecoder: never.
func (*messagePackDecoder) Pending() bool { return false }

// Reset implements MessageDecoder.
func (*messagePackDecoder) Reset() {}

// Add implements MessageDecoder. As with Decoder, data may be used again after the call.
func (d *messagePackDecoder) Add(data []byte, binary bool) (*Packet, error) {
	switch {
	case !binary:
		return nil, fmt.Errorf("%w: %q", ErrNotBinary, cut(data))
	case len(data) > d.limits.MaxPacket:
		return nil, limitError(ErrPacketSize, data)
	}
	m, err := readMembers(data)
	if err != nil {
		return nil, fmt.Errorf("packet %q: %w", cut(data), err)
	}
	p, err := d.packet(m)
	if err != nil {
		return nil, fmt.Errorf("packet %q: %w", cut(data), err)
	}
	return p, nil
}

func (d *messagePackDecoder) packet(m members) (*Packet, error) {
	t, ok := readUint(m.typ)
	if !ok || t > uint64(ConnectError) {
		return nil, ErrType
	}
	p := &Packet{Type: Type(t)}
	if err := d.setNamespace(p, m.nsp); err != nil {
		return nil, err
	}
	if m.id != nil {
		if p.ID, p.HasID = readUint(m.id); !p.HasID || p.Type != Event && p.Type != Ack {
			return nil, ErrID
		}
	}
	var err error
	switch p.Type {
	case Event, Ack:
		err = d.payload(p, m.data)
	case Connect, Disconnect, ConnectError:
		err = d.data(p, m.data)
	}
	if errors.Is(err, args.ErrTooManyAttachments) {
		err = limitError(ErrTooManyAttachments, nil)
	}
	return p, err
}

func (d *messagePackDecoder) setNamespace(p *Packet, value []byte) error {
	name, ok := readString(value)
	switch {
	case !ok:
		return ErrNamespace
	case len(name) > d.limits.MaxNamespace:
		return limitError(ErrNamespaceSize, nil)
	case string(name) == "/":
		p.Namespace = "/"
		return nil
	}
	if string(name) != d.namespace {
		own := string(name)
		if err := CheckNamespace(own); err != nil {
			return err
		}
		d.namespace = own
	}
	p.Namespace = d.namespace
	return nil
}

// payload fills in what events and acknowledgements carry.
func (d *messagePackDecoder) payload(p *Packet, value []byte) error {
	n, rest, err := args.ReadMsgpackArray(value)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrPayload, err)
	}
	if p.Type == Event {
		if n == 0 {
			return fmt.Errorf("%w: no event name", ErrPayload)
		}
		n--
		if p.Event, rest, err = d.eventName(rest); err != nil {
			return err
		}
	}
	if n == 0 {
		return nil
	}
	p.Args.Raw = make([]byte, 0, min(2*len(rest)+16, 1024)) // JSON is longer than msgpack, binary data apart
	rules := d.rules()
	for range n {
		if rest, err = args.ReadMsgpackBy(rules, &p.Args, rest); err != nil {
			return fmt.Errorf("%w: %w", ErrPayload, err)
		}
	}
	if len(p.Args.Attachments) == 0 {
		return nil
	}
	for i, b := range p.Args.Attachments {
		own := make([]byte, len(b)) // not a part of the message, which the caller will use again
		copy(own, b)
		p.Args.Attachments[i] = own
	}
	if err := args.Check(p.Args); err != nil { // an object in it may look like a placeholder
		return fmt.Errorf("%w: %w", ErrPayload, err)
	}
	return nil
}

func (d *messagePackDecoder) rules() args.MsgpackRules {
	return args.MsgpackRules{MaxDepth: d.limits.MaxDepth, MaxAttachments: d.limits.MaxAttachments, Notepack: true}
}

// eventName reads the name of an event, by the rules that hold for JSON.
func (d *messagePackDecoder) eventName(data []byte) (name string, rest []byte, err error) {
	value, rest, err := cutValue(data)
	if err != nil {
		return "", nil, err
	}
	if text, ok := readString(value); ok {
		if len(text)+len(`""`) > d.limits.MaxEvent {
			return "", nil, limitError(ErrEventSize, nil)
		}
		name = string(text)
		switch {
		case !utf8.ValidString(name):
			return "", nil, fmt.Errorf("%w: %w", ErrPayload, args.ErrUTF8)
		case Reserved(name):
			return "", nil, fmt.Errorf("%w %q", ErrReserved, name)
		}
		return name, rest, nil
	}
	number, err := d.value(value, 1)
	if err != nil || args.KindOf(number) != args.Number {
		return "", nil, fmt.Errorf("%w: no event name", ErrPayload)
	}
	return numberName(string(number)), rest, nil
}

// data fills in what the other packets carry.
func (d *messagePackDecoder) data(p *Packet, value []byte) error {
	if value == nil {
		if p.Type == ConnectError {
			return ErrPayload
		}
		return nil
	}
	raw, err := d.value(value, 0)
	if err != nil {
		return err
	}
	kind := args.KindOf(raw)
	if p.Type != Disconnect && kind == args.Object || p.Type == ConnectError && kind == args.String {
		p.Data = raw
		return nil
	}
	return ErrPayload
}

// value reads a value without binary data in it, which stands inside depth
// arrays and maps.
func (d *messagePackDecoder) value(data []byte, depth int) ([]byte, error) {
	rules := d.rules()
	rules.MaxDepth += 1 - depth
	var a rooms.Args
	if _, err := args.ReadMsgpackBy(rules, &a, data); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPayload, err)
	}
	if len(a.Attachments) > 0 {
		return nil, fmt.Errorf("%w: unexpected binary data", ErrPayload)
	}
	return a.Raw, nil
}
