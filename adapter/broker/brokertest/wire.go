package brokertest

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"

	"siomq/adapter/broker"
)

// Control packet types, MQTT 5 section 2.1.2.
const (
	CONNECT     = 1
	CONNACK     = 2
	PUBLISH     = 3
	PUBACK      = 4
	PUBREC      = 5
	PUBREL      = 6
	PUBCOMP     = 7
	SUBSCRIBE   = 8
	SUBACK      = 9
	UNSUBSCRIBE = 10
	UNSUBACK    = 11
	PINGREQ     = 12
	PINGRESP    = 13
	DISCONNECT  = 14
)

// Packet is a packet from the broker, read in the client's protocol version.
type Packet struct {
	Type    byte
	Flags   byte // of the fixed header
	ID      uint16
	Code    byte   // CONNACK, acknowledgements, DISCONNECT
	Codes   []byte // SUBACK, UNSUBACK
	Present bool   // CONNACK: session present
	Topic   string
	Payload []byte
	Props   Props
}

// QoS of a PUBLISH.
func (p *Packet) QoS() byte    { return p.Flags >> 1 & 3 }
func (p *Packet) Retain() bool { return p.Flags&1 != 0 }
func (p *Packet) Dup() bool    { return p.Flags&8 != 0 }

// Props are the MQTT 5 properties that tests look at, in either direction. The
// zero value leaves a property out, except that Raw is written as it is.
type Props struct {
	PayloadFormat   byte
	ContentType     string
	ResponseTopic   string
	Correlation     []byte
	User            []broker.Property
	HasExpiry       bool
	Expiry          uint32
	SubscriptionIDs []int
	TopicAlias      uint16

	SessionExpiry  uint32
	ReceiveMaximum uint16
	AliasMaximum   uint16
	MaximumPacket  uint32
	WillDelay      uint32
	AssignedID     string
	KeepAlive      uint16 // Server Keep Alive
	Reason         string

	Raw []byte // appended to the block
}

// Append writes the block with its length.
func (p *Props) Append(dst []byte) []byte {
	var b []byte
	if p.PayloadFormat != 0 {
		b = append(b, 1, p.PayloadFormat)
	}
	if p.HasExpiry {
		b = binary.BigEndian.AppendUint32(append(b, 2), p.Expiry)
	}
	if p.ContentType != "" {
		b = AppendString(append(b, 3), p.ContentType)
	}
	if p.ResponseTopic != "" {
		b = AppendString(append(b, 8), p.ResponseTopic)
	}
	if p.Correlation != nil {
		b = AppendString(append(b, 9), string(p.Correlation))
	}
	for _, id := range p.SubscriptionIDs {
		b = AppendVarint(append(b, 11), id)
	}
	if p.SessionExpiry != 0 {
		b = binary.BigEndian.AppendUint32(append(b, 17), p.SessionExpiry)
	}
	if p.WillDelay != 0 {
		b = binary.BigEndian.AppendUint32(append(b, 24), p.WillDelay)
	}
	if p.ReceiveMaximum != 0 {
		b = binary.BigEndian.AppendUint16(append(b, 33), p.ReceiveMaximum)
	}
	if p.AliasMaximum != 0 {
		b = binary.BigEndian.AppendUint16(append(b, 34), p.AliasMaximum)
	}
	if p.TopicAlias != 0 {
		b = binary.BigEndian.AppendUint16(append(b, 35), p.TopicAlias)
	}
	for _, u := range p.User {
		b = AppendString(AppendString(append(b, 38), u.Key), u.Value)
	}
	if p.MaximumPacket != 0 {
		b = binary.BigEndian.AppendUint32(append(b, 39), p.MaximumPacket)
	}
	b = append(b, p.Raw...)
	return append(AppendVarint(dst, len(b)), b...)
}

// AppendString writes a UTF-8 Encoded String or Binary Data.
func AppendString(dst []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(dst, uint16(len(s))), s...)
}

// AppendVarint writes a Variable Byte Integer.
func AppendVarint(dst []byte, v int) []byte {
	for v >= 0x80 {
		dst = append(dst, byte(v)|0x80)
		v >>= 7
	}
	return append(dst, byte(v))
}

// Frame puts the fixed header before body.
func Frame(first byte, body []byte) []byte {
	return append(AppendVarint([]byte{first}, len(body)), body...)
}

// reading walks through the body of a packet; err is set once.
type reading struct {
	b   []byte
	err error
}

func (r *reading) take(n int) []byte {
	if r.err != nil || n > len(r.b) {
		r.err = io.ErrUnexpectedEOF
		return make([]byte, n)
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}

func (r *reading) u8() byte    { return r.take(1)[0] }
func (r *reading) u16() uint16 { return binary.BigEndian.Uint16(r.take(2)) }
func (r *reading) u32() uint32 { return binary.BigEndian.Uint32(r.take(4)) }
func (r *reading) str() string { return string(r.take(int(r.u16()))) }

func (r *reading) varint() int {
	v := 0
	for shift := 0; shift < 28; shift += 7 {
		b := r.u8()
		v |= int(b&0x7f) << shift
		if b < 0x80 {
			return v
		}
	}
	r.err = fmt.Errorf("variable byte integer")
	return 0
}

func (r *reading) props(p *Props) {
	n := r.varint()
	in := reading{b: r.take(n), err: r.err}
	for in.err == nil && len(in.b) > 0 {
		in.prop(p)
	}
	r.err = in.err
}

func (r *reading) prop(p *Props) {
	switch id := r.u8(); id {
	case 1:
		p.PayloadFormat = r.u8()
	case 2:
		p.HasExpiry, p.Expiry = true, r.u32()
	case 3:
		p.ContentType = r.str()
	case 8:
		p.ResponseTopic = r.str()
	case 9:
		p.Correlation = []byte(r.str())
	case 11:
		p.SubscriptionIDs = append(p.SubscriptionIDs, r.varint())
	case 17:
		p.SessionExpiry = r.u32()
	case 18:
		p.AssignedID = r.str()
	case 19:
		p.KeepAlive = r.u16()
	case 31:
		p.Reason = r.str()
	case 33:
		p.ReceiveMaximum = r.u16()
	case 34:
		p.AliasMaximum = r.u16()
	case 35:
		p.TopicAlias = r.u16()
	case 36, 37, 40, 41, 42:
		r.u8()
	case 38:
		key := r.str()
		p.User = append(p.User, broker.Property{Key: key, Value: r.str()})
	case 39:
		p.MaximumPacket = r.u32()
	default:
		r.err = fmt.Errorf("property %d", id)
	}
}

// readPacket reads a packet that brokers send.
func readPacket(in *bufio.Reader, version byte) (p Packet, err error) {
	first, err := in.ReadByte()
	if err != nil {
		return p, err
	}
	n, err := binary.ReadUvarint(in)
	if err != nil {
		return p, err
	}
	body := make([]byte, n)
	if _, err = io.ReadFull(in, body); err != nil {
		return p, err
	}
	p.Type, p.Flags = first>>4, first&15
	r := reading{b: body}
	p.read(&r, version == 5)
	if r.err == nil && len(r.b) > 0 {
		r.err = fmt.Errorf("%d bytes after the end", len(r.b))
	}
	if r.err != nil {
		return p, fmt.Errorf("packet %x %x: %w", first, body, r.err)
	}
	return p, nil
}

func (p *Packet) read(r *reading, v5 bool) {
	switch p.Type {
	case CONNACK:
		p.Present = r.u8()&1 != 0
		p.Code = r.u8()
		if v5 {
			r.props(&p.Props)
		}
	case PUBLISH:
		p.Topic = r.str()
		if p.QoS() > 0 {
			p.ID = r.u16()
		}
		if v5 {
			r.props(&p.Props)
		}
		p.Payload, r.b = r.b, nil
	case PUBACK, PUBREC, PUBREL, PUBCOMP:
		p.ID = r.u16()
		if v5 && len(r.b) > 0 {
			p.Code = r.u8()
		}
		if v5 && len(r.b) > 0 {
			r.props(&p.Props)
		}
	case SUBACK, UNSUBACK:
		p.ID = r.u16()
		if v5 {
			r.props(&p.Props)
		}
		p.Codes, r.b = r.b, nil
	case DISCONNECT:
		if v5 && len(r.b) > 0 {
			p.Code = r.u8()
		}
		if v5 && len(r.b) > 0 {
			r.props(&p.Props)
		}
	case PINGRESP:
	default:
		r.err = fmt.Errorf("packet type %d", p.Type)
	}
}
