package embedded

import (
	"bytes"
	"strings"
	"sync"
	"time"

	"siomq/adapter/broker"
)

// message is a publish as it is kept: in the queue of a session, among the
// retained ones, as a will. It is not modified once others can see it.
type message struct {
	topic   string
	payload []byte
	props   []byte // what is forwarded unaltered, encoded
	qos     byte
	retain  bool
	expires bool
	expiry  uint32    // seconds, as published
	until   time.Time // when it expires, if it does
	origin  string    // client identifier of the publisher; empty: this server
}

// overhead is what a kept message takes beside its bytes, for the bounds.
const overhead = 128

func (m *message) size() int { return len(m.topic) + len(m.payload) + len(m.props) + overhead }

// remaining returns the expiry that goes out now [MQTT-3.3.2-6], and false once the
// message has expired.
func (m *message) remaining(now time.Time) (uint32, bool) {
	if !m.expires {
		return 0, true
	}
	left := m.until.Sub(now)
	if left <= 0 {
		return 0, false
	}
	return uint32((left + time.Second - 1) / time.Second), true
}

func (m *message) setExpiry(seconds uint32) {
	m.expires, m.expiry = true, seconds
	m.until = time.Now().Add(time.Duration(seconds) * time.Second)
}

// clone copies what lies in buffers of others.
func (m *message) clone() *message {
	k := *m
	k.payload = bytes.Clone(m.payload)
	k.props = bytes.Clone(m.props)
	k.topic = strings.Clone(m.topic)
	return &k
}

// appendPublish writes a PUBLISH of m. id is left out at QoS 0, an alias of 0 too.
func (m *message) appendPublish(dst []byte, version, first byte, id uint16, ids []uint32, expiry uint32, alias topicAlias) []byte {
	topic := m.topic
	if alias.known {
		topic = ""
	}
	qos := first >> 1 & 3
	n := 2 + len(topic) + len(m.payload)
	if qos > 0 {
		n += 2
	}
	props := 0
	if version == version5 {
		props = len(m.props)
		if m.expires {
			props += 5
		}
		if alias.id > 0 {
			props += 3
		}
		for _, v := range ids {
			props += 1 + varintLen(int(v))
		}
		n += varintLen(props) + props
	}
	dst = appendVarint(append(dst, first), n)
	dst = appendString(dst, topic)
	if qos > 0 {
		dst = append(dst, byte(id>>8), byte(id))
	}
	if version == version5 {
		dst = appendVarint(dst, props)
		if m.expires {
			dst = appendU32(dst, propMessageExpiry, expiry)
		}
		if alias.id > 0 {
			dst = append(dst, propTopicAlias, byte(alias.id>>8), byte(alias.id))
		}
		for _, v := range ids {
			dst = appendVarint(append(dst, propSubscriptionID), int(v))
		}
		dst = append(dst, m.props...)
	}
	return append(dst, m.payload...)
}

// publication is one publish on its way through the broker: the message, and
// what is made of it once for all who receive it.
type publication struct {
	message
	kept     *message // a copy, made when the first one is kept
	frames   [4][]byte
	props    []byte // buffer of message.props
	targets  []target
	handlers []*handler
	seen     map[*session]int // index in targets; used when several filters match
	flush    []*conn
	out      broker.Message
}

var publications = sync.Pool{New: func() any { return new(publication) }}

func newPublication() *publication { return publications.Get().(*publication) }

// release gives p back. Nothing may refer to it any more.
func (p *publication) release() {
	for i := range p.frames {
		if cap(p.frames[i]) > maxPooledSize {
			p.frames[i] = nil
		}
		p.frames[i] = p.frames[i][:0]
	}
	if cap(p.props) > maxPooledSize {
		p.props = nil
	}
	clear(p.targets)
	clear(p.handlers)
	clear(p.flush)
	clear(p.seen)
	p.targets, p.handlers, p.flush, p.props = p.targets[:0], p.handlers[:0], p.flush[:0], p.props[:0]
	p.message, p.kept, p.out = message{}, nil, broker.Message{}
	publications.Put(p)
}

// keep returns the message for keeping.
func (p *publication) keep() *message {
	if p.kept == nil {
		p.kept = p.clone()
	}
	return p.kept
}

// frame returns the PUBLISH for plain subscribers of that version, and where its
// packet identifier stands. It is made once and shared: each receiver copies it
// and sets first byte and identifier.
func (p *publication) frame(version, qos byte) (frame []byte, idAt int) {
	i := 0
	if version == version5 {
		i = 1
	}
	first := byte(typePublish << 4)
	if qos > 0 {
		i += 2
		first |= 1 << 1
	}
	if len(p.frames[i]) == 0 {
		p.frames[i] = p.appendPublish(p.frames[i], version, first, 0, nil, p.expiry, topicAlias{})
	}
	f := p.frames[i]
	if qos > 0 {
		_, n := varint(f[1:])
		idAt = 1 + n + 2 + len(p.topic)
	}
	return f, idAt
}

// fromServer fills p with a publish by this server.
func (p *publication) fromServer(m *broker.Message) {
	p.topic, p.payload, p.qos, p.retain = m.Topic, m.Payload, m.QoS, m.Retain
	b := p.props[:0]
	if m.ContentType != "" {
		b = appendString(append(b, propContentType), m.ContentType)
	}
	if m.ResponseTopic != "" {
		b = appendString(append(b, propResponseTopic), m.ResponseTopic)
	}
	if m.CorrelationData != nil {
		b = appendString(append(b, propCorrelationData), m.CorrelationData)
	}
	for _, u := range m.UserProperties {
		b = appendString(append(b, propUser), u.Key)
		b = appendString(b, u.Value)
	}
	p.props, p.message.props = b, b
	if m.MessageExpiry > 0 {
		p.setExpiry(m.MessageExpiry)
	}
}

// toHandlers returns p as handlers see it.
func (p *publication) toHandlers() *broker.Message {
	m := &p.out
	m.Topic, m.Payload, m.QoS, m.Retain, m.ClientID = p.topic, p.payload, p.qos, p.retain, p.origin
	if p.expires {
		m.MessageExpiry = p.expiry
	}
	c := cursor{b: p.message.props}
	for len(c.b) > 0 {
		switch c.varint() {
		case propPayloadFormat:
			c.u8()
		case propContentType:
			m.ContentType = string(c.bin())
		case propResponseTopic:
			m.ResponseTopic = string(c.bin())
		case propCorrelationData:
			m.CorrelationData = c.bin()
		case propUser:
			key := string(c.bin())
			m.UserProperties = append(m.UserProperties, broker.Property{Key: key, Value: string(c.bin())})
		}
	}
	return m
}
