package brokertest

import (
	"bufio"
	"encoding/binary"
	"errors"
	"net"
	"os"
	"testing"
	"time"

	"siomq/adapter/broker"
)

// Patience is how long a test waits for what must come. What must not come is
// never waited for: something else that comes after it shows that it did not.
const Patience = 10 * time.Second

// Client is a small MQTT client that does nothing by itself: it sends what it
// is told, malformed packets included, and returns what comes. A failure ends the
// test. It is for one goroutine.
type Client struct {
	Conn    net.Conn
	Version byte // 3, 4 or 5

	tb      testing.TB
	in      *bufio.Reader
	waiting []Packet // came while another was awaited
	lastID  uint16
}

// Connect is what CONNECT says.
type Connect struct {
	Version   byte // 0: 5
	ClientID  string
	Resume    bool // not Clean Session or Clean Start
	KeepAlive uint16
	Username  string
	Password  string
	Props     Props
	Will      *broker.Message
	WillProps Props
}

// NewClient wraps a connection, which the test closes at its end. It sends
// nothing yet.
func NewClient(tb testing.TB, conn net.Conn, version byte) *Client {
	tb.Helper()
	tb.Cleanup(func() { _ = conn.Close() })
	return &Client{Conn: conn, Version: version, tb: tb, in: bufio.NewReader(conn)}
}

// Dial connects to a broker and fails unless it is accepted.
func Dial(tb testing.TB, conn net.Conn, o Connect) *Client {
	tb.Helper()
	if o.Version == 0 {
		o.Version = 5
	}
	c := NewClient(tb, conn, o.Version)
	if ack := c.Connect(o); ack.Code != 0 {
		tb.Fatalf("CONNACK %#x %s", ack.Code, ack.Props.Reason)
	}
	return c
}

// Send writes bytes as they are.
func (c *Client) Send(b []byte) {
	c.tb.Helper()
	_ = c.Conn.SetWriteDeadline(time.Now().Add(Patience))
	if _, err := c.Conn.Write(b); err != nil {
		c.tb.Fatalf("write: %v", err)
	}
}

// Bytes returns the CONNECT.
func (o Connect) Bytes() []byte {
	if o.Version == 0 {
		o.Version = 5
	}
	name := "MQTT"
	if o.Version == 3 {
		name = "MQIsdp"
	}
	var flags byte
	if !o.Resume {
		flags |= 2
	}
	if o.Username != "" {
		flags |= 0x80
	}
	if o.Password != "" {
		flags |= 0x40
	}
	if o.Will != nil {
		flags |= 4 | o.Will.QoS<<3
		if o.Will.Retain {
			flags |= 0x20
		}
	}
	b := append(AppendString(nil, name), o.Version, flags)
	b = binary.BigEndian.AppendUint16(b, o.KeepAlive)
	if o.Version == 5 {
		b = o.Props.Append(b)
	}
	b = AppendString(b, o.ClientID)
	if o.Will != nil {
		if o.Version == 5 {
			b = o.WillProps.Append(b)
		}
		b = AppendString(AppendString(b, o.Will.Topic), string(o.Will.Payload))
	}
	if o.Username != "" {
		b = AppendString(b, o.Username)
	}
	if o.Password != "" {
		b = AppendString(b, o.Password)
	}
	return Frame(CONNECT<<4, b)
}

// Connect sends CONNECT and returns the CONNACK.
func (c *Client) Connect(o Connect) Packet {
	c.tb.Helper()
	o.Version = c.Version
	c.Send(o.Bytes())
	return c.Await(CONNACK)
}

// Read returns the next packet. The error is that of the connection.
func (c *Client) Read() (Packet, error) {
	if len(c.waiting) > 0 {
		p := c.waiting[0]
		c.waiting = c.waiting[1:]
		return p, nil
	}
	_ = c.Conn.SetReadDeadline(time.Now().Add(Patience))
	return readPacket(c.in, c.Version)
}

// Await returns the next packet of a type; what comes before it is kept for
// later calls.
func (c *Client) Await(kind byte) Packet {
	c.tb.Helper()
	for i := 0; ; i++ {
		if i == len(c.waiting) {
			_ = c.Conn.SetReadDeadline(time.Now().Add(Patience))
			p, err := readPacket(c.in, c.Version)
			if err != nil {
				c.tb.Fatalf("await packet type %d: %v (before it: %d other packets)", kind, err, i)
			}
			c.waiting = append(c.waiting, p)
		}
		if p := c.waiting[i]; p.Type == kind {
			copy(c.waiting[1:], c.waiting[:i])
			c.waiting = c.waiting[1:]
			return p
		}
	}
}

// AwaitClose reads until the broker closes, and returns the DISCONNECT before it,
// if there was one.
func (c *Client) AwaitClose() (disconnect *Packet) {
	c.tb.Helper()
	for {
		p, err := c.Read()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			c.tb.Fatal("the connection is still open")
		}
		if err != nil {
			return disconnect
		}
		if p.Type == DISCONNECT {
			disconnect = &p
		}
	}
}

// Receive returns the next PUBLISH and acknowledges it as its QoS asks.
func (c *Client) Receive() Packet {
	c.tb.Helper()
	p := c.Await(PUBLISH)
	switch p.QoS() {
	case 1:
		c.Ack(PUBACK, p.ID)
	case 2:
		c.Ack(PUBREC, p.ID)
		for {
			if rel := c.Await(PUBREL); rel.ID == p.ID {
				break
			}
		}
		c.Ack(PUBCOMP, p.ID)
	}
	return p
}

// Ack sends PUBACK, PUBREC, PUBREL or PUBCOMP.
func (c *Client) Ack(kind byte, id uint16) {
	c.tb.Helper()
	first := kind << 4
	if kind == PUBREL {
		first |= 2
	}
	c.Send([]byte{first, 2, byte(id >> 8), byte(id)})
}

// NextID returns a packet identifier not used before.
func (c *Client) NextID() uint16 {
	c.lastID++
	return c.lastID
}

// PublishBytes returns a PUBLISH.
func (c *Client) PublishBytes(m *broker.Message, id uint16, props Props) []byte {
	props.ContentType, props.ResponseTopic, props.Correlation = m.ContentType, m.ResponseTopic, m.CorrelationData
	props.User = m.UserProperties
	if m.MessageExpiry > 0 {
		props.HasExpiry, props.Expiry = true, m.MessageExpiry
	}
	first := byte(PUBLISH<<4) | m.QoS<<1
	if m.Retain {
		first |= 1
	}
	b := AppendString(nil, m.Topic)
	if m.QoS > 0 {
		b = binary.BigEndian.AppendUint16(b, id)
	}
	if c.Version == 5 {
		b = props.Append(b)
	}
	return Frame(first, append(b, m.Payload...))
}

// Publish sends m and returns the reason code of its acknowledgement, after the
// whole exchange of QoS 2. At QoS 0 it returns at once.
func (c *Client) Publish(m *broker.Message) (code byte) {
	c.tb.Helper()
	id := c.NextID()
	c.Send(c.PublishBytes(m, id, Props{}))
	switch m.QoS {
	case 1:
		return c.Await(PUBACK).Code
	case 2:
		if p := c.Await(PUBREC); p.Code >= 0x80 {
			return p.Code
		}
		c.Ack(PUBREL, id)
		return c.Await(PUBCOMP).Code
	}
	return 0
}

// Filter is one entry of SUBSCRIBE; Options are the bits beside the QoS.
type Filter struct {
	Filter  string
	QoS     byte
	Options byte // 4 No Local, 8 Retain As Published, 16 and 32 Retain Handling
}

// SubscribeWith sends SUBSCRIBE and returns the SUBACK.
func (c *Client) SubscribeWith(props Props, filters ...Filter) Packet {
	c.tb.Helper()
	b := binary.BigEndian.AppendUint16(nil, c.NextID())
	if c.Version == 5 {
		b = props.Append(b)
	}
	for _, f := range filters {
		b = append(AppendString(b, f.Filter), f.QoS|f.Options)
	}
	c.Send(Frame(SUBSCRIBE<<4|2, b))
	return c.Await(SUBACK)
}

// Subscribe subscribes at a QoS and fails unless that was granted.
func (c *Client) Subscribe(filter string, qos byte) {
	c.tb.Helper()
	if ack := c.SubscribeWith(Props{}, Filter{Filter: filter, QoS: qos}); len(ack.Codes) != 1 || ack.Codes[0] != qos {
		c.tb.Fatalf("subscribe %q: SUBACK %x, want %x", filter, ack.Codes, qos)
	}
}

// Unsubscribe sends UNSUBSCRIBE and returns the UNSUBACK.
func (c *Client) Unsubscribe(filters ...string) Packet {
	c.tb.Helper()
	b := binary.BigEndian.AppendUint16(nil, c.NextID())
	if c.Version == 5 {
		b = append(b, 0)
	}
	for _, f := range filters {
		b = AppendString(b, f)
	}
	c.Send(Frame(UNSUBSCRIBE<<4|2, b))
	return c.Await(UNSUBACK)
}

// Ping waits for a PINGRESP: whatever the broker sent before has come by then.
func (c *Client) Ping() {
	c.tb.Helper()
	c.Send([]byte{PINGREQ << 4, 0})
	c.Await(PINGRESP)
}

// Nothing fails when a PUBLISH came that nobody has taken yet.
func (c *Client) Nothing() {
	c.tb.Helper()
	c.Ping()
	for _, p := range c.waiting {
		if p.Type == PUBLISH {
			c.tb.Errorf("received %q %q, want nothing", p.Topic, p.Payload)
		}
	}
}

// Disconnect ends the connection in an orderly way.
func (c *Client) Disconnect() {
	c.tb.Helper()
	c.Send([]byte{DISCONNECT << 4, 0})
	c.AwaitClose()
}

// Pending returns how many packets of a type have come and were not taken yet.
func (c *Client) Pending(kind byte) int {
	n := 0
	for _, p := range c.waiting {
		if p.Type == kind {
			n++
		}
	}
	return n
}
