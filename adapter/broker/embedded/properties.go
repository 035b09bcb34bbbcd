package embedded

import "encoding/binary"

// Property identifiers, MQTT 5 section 2.2.2.2.
const (
	propPayloadFormat    = 1
	propMessageExpiry    = 2
	propContentType      = 3
	propResponseTopic    = 8
	propCorrelationData  = 9
	propSubscriptionID   = 11
	propSessionExpiry    = 17
	propAssignedClientID = 18
	propServerKeepAlive  = 19
	propAuthMethod       = 21
	propAuthData         = 22
	propRequestProblem   = 23
	propWillDelay        = 24
	propRequestResponse  = 25
	propResponseInfo     = 26
	propServerReference  = 28
	propReasonString     = 31
	propReceiveMaximum   = 33
	propTopicAliasMax    = 34
	propTopicAlias       = 35
	propMaximumQoS       = 36
	propRetainAvailable  = 37
	propUser             = 38
	propMaximumPacket    = 39
	propWildcardAvail    = 40
	propSubIDAvail       = 41
	propSharedAvail      = 42
)

// typeWill stands for the Will Properties of CONNECT beside the packet types.
const typeWill = 0

type propKind byte

const (
	kindNone propKind = iota
	kindByte
	kindU16
	kindU32
	kindVarint
	kindString
	kindBinary
	kindPair
)

// propKindOf returns how the property is written and, as a bit for each packet
// type, where a client may send it. What only servers send is in no set: to
// receive it is a protocol error.
func propKindOf(id int) (kind propKind, packets uint16) {
	const (
		will       = 1 << typeWill
		connect    = 1 << typeConnect
		publish    = 1 << typePublish
		acks       = 1<<typePuback | 1<<typePubrec | 1<<typePubrel | 1<<typePubcomp
		subscribe  = 1 << typeSubscribe
		unsub      = 1 << typeUnsubscribe
		disconnect = 1 << typeDisconnect
		auth       = 1 << typeAuth
	)
	switch id {
	case propPayloadFormat:
		return kindByte, publish | will
	case propMessageExpiry:
		return kindU32, publish | will
	case propContentType, propResponseTopic:
		return kindString, publish | will
	case propCorrelationData:
		return kindBinary, publish | will
	case propSubscriptionID:
		return kindVarint, subscribe
	case propSessionExpiry:
		return kindU32, connect | disconnect
	case propAuthMethod:
		return kindString, connect | auth
	case propAuthData:
		return kindBinary, connect | auth
	case propRequestProblem, propRequestResponse:
		return kindByte, connect
	case propWillDelay:
		return kindU32, will
	case propReasonString:
		return kindString, acks | disconnect | auth
	case propReceiveMaximum, propTopicAliasMax:
		return kindU16, connect
	case propTopicAlias:
		return kindU16, publish
	case propUser:
		return kindPair, connect | publish | will | acks | subscribe | unsub | disconnect | auth
	case propMaximumPacket:
		return kindU32, connect
	case propAssignedClientID, propResponseInfo, propServerReference:
		return kindString, 0
	case propServerKeepAlive:
		return kindU16, 0
	case propMaximumQoS, propRetainAvailable, propWildcardAvail, propSubIDAvail, propSharedAvail:
		return kindByte, 0
	}
	return kindNone, 0
}

// properties holds what one packet carried. The slices lie in the packet.
type properties struct {
	seen uint64 // a bit for each identifier

	payloadFormat   byte
	requestProblem  byte
	requestResponse byte
	topicAlias      uint16
	receiveMaximum  uint16
	topicAliasMax   uint16
	messageExpiry   uint32
	sessionExpiry   uint32
	willDelay       uint32
	maximumPacket   uint32
	subscriptionID  int
	contentType     []byte
	responseTopic   []byte
	correlationData []byte

	// raw is the whole block, to walk through user properties.
	raw []byte
}

func (p *properties) has(id int) bool { return p.seen&(1<<id) != 0 }

// parse reads the properties of a packet from c. Errors stay in c.
func (p *properties) parse(c *cursor, packet byte) {
	n := c.varint()
	block := cursor{b: c.take(n)}
	p.raw = block.b
	for c.err == nil && len(block.b) > 0 {
		p.parseOne(&block, packet)
		if block.err != nil {
			c.err, c.b = block.err, nil
		}
	}
}

func (p *properties) parseOne(c *cursor, packet byte) {
	id := c.varint()
	kind, packets := propKindOf(id)
	switch {
	case c.err != nil:
		return
	case kind == kindNone:
		c.fail("unknown property")
		return
	case packets&(1<<packet) == 0:
		c.err = violation("property not for this packet") // section 2.2.2.2
		return
	case p.has(id) && id != propUser:
		c.err = violation("property twice")
		return
	}
	p.seen |= 1 << id
	switch kind {
	case kindByte:
		p.setByte(c, id, c.u8())
	case kindU16:
		p.setU16(c, id, c.u16())
	case kindU32:
		p.setU32(c, id, c.u32())
	case kindVarint:
		if p.subscriptionID = c.varint(); c.err == nil && p.subscriptionID == 0 {
			c.err = violation("subscription identifier 0") // section 3.8.2.1.2
		}
	case kindString:
		p.setBytes(id, c.str())
	case kindBinary:
		p.setBytes(id, c.bin())
	case kindPair:
		c.str()
		c.str()
	}
}

func (p *properties) setByte(c *cursor, id int, v byte) {
	if v > 1 && c.err == nil {
		c.err = violation("property not 0 or 1")
		return
	}
	switch id {
	case propPayloadFormat:
		p.payloadFormat = v
	case propRequestProblem:
		p.requestProblem = v
	case propRequestResponse:
		p.requestResponse = v
	}
}

func (p *properties) setU16(c *cursor, id int, v uint16) {
	switch id {
	case propReceiveMaximum:
		p.receiveMaximum = v
		if v == 0 && c.err == nil {
			c.err = violation("receive maximum 0") // section 3.1.2.11.3
		}
	case propTopicAliasMax:
		p.topicAliasMax = v
	case propTopicAlias:
		p.topicAlias = v
	}
}

func (p *properties) setU32(c *cursor, id int, v uint32) {
	switch id {
	case propMessageExpiry:
		p.messageExpiry = v
	case propSessionExpiry:
		p.sessionExpiry = v
	case propWillDelay:
		p.willDelay = v
	case propMaximumPacket:
		p.maximumPacket = v
		if v == 0 && c.err == nil {
			c.err = violation("maximum packet size 0") // section 3.1.2.11.4
		}
	}
}

func (p *properties) setBytes(id int, v []byte) {
	switch id {
	case propContentType:
		p.contentType = v
	case propResponseTopic:
		p.responseTopic = v
	case propCorrelationData:
		p.correlationData = v
	}
}

// users calls f for each user property, in the order sent.
func (p *properties) users(f func(key, value []byte)) {
	if !p.has(propUser) {
		return
	}
	c := cursor{b: p.raw}
	for len(c.b) > 0 {
		id := c.varint()
		switch kind, _ := propKindOf(id); kind {
		case kindByte:
			c.u8()
		case kindU16:
			c.u16()
		case kindU32:
			c.u32()
		case kindVarint:
			c.varint()
		case kindString, kindBinary:
			c.bin()
		case kindPair:
			f(c.bin(), c.bin())
		}
	}
}

// appendForwarded writes the properties that a subscriber receives unaltered
// [MQTT-3.3.2-4, -15, -16, -17, -20]: all but alias and expiry.
func (p *properties) appendForwarded(dst []byte) []byte {
	if p.has(propPayloadFormat) {
		dst = append(dst, propPayloadFormat, p.payloadFormat)
	}
	if p.has(propContentType) {
		dst = appendString(append(dst, propContentType), p.contentType)
	}
	if p.has(propResponseTopic) {
		dst = appendString(append(dst, propResponseTopic), p.responseTopic)
	}
	if p.has(propCorrelationData) {
		dst = appendString(append(dst, propCorrelationData), p.correlationData)
	}
	p.users(func(key, value []byte) {
		dst = appendString(append(dst, propUser), key)
		dst = appendString(dst, value)
	})
	return dst
}

func appendU32(dst []byte, id byte, v uint32) []byte {
	return binary.BigEndian.AppendUint32(append(dst, id), v)
}
