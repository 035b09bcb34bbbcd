package embedded

import (
	"encoding/binary"
	"strings"
)

// connectPacket is a CONNECT. The slices lie in the packet.
type connectPacket struct {
	version   byte
	clean     bool
	keepAlive uint16
	props     properties

	clientID    []byte
	hasUsername bool
	username    []byte
	password    []byte

	hasWill    bool
	willQoS    byte
	willRetain bool
	willTopic  []byte
	willProps  properties
	will       []byte
}

// parseConnect reads a CONNECT, section 3.1. On an error the packet may be read in
// part: version is set once it is known to be one we speak.
func parseConnect(body []byte) (p connectPacket, err *closeError) {
	c := cursor{b: body}
	name := string(c.str())
	version := c.u8()
	if c.err != nil {
		return p, c.err
	}
	switch {
	case name == "MQIsdp" && version == version31, name == "MQTT" && (version == version311 || version == version5):
		p.version = version
	case name == "MQTT" || name == "MQIsdp":
		return p, &closeError{codeBadVersion, "unsupported version", "protocol version"} // [MQTT-3.1.2-2]
	default:
		return p, violation("protocol name") // [MQTT-3.1.2-1]
	}
	flags := c.u8()
	p.keepAlive = c.u16()
	if err := p.readFlags(flags); err != nil {
		return p, err
	}
	if p.version == version5 {
		p.props.parse(&c, typeConnect)
	}
	p.clientID = c.str()
	if p.hasWill {
		if p.version == version5 {
			p.willProps.parse(&c, typeWill)
		}
		p.willTopic = c.str()
		p.will = c.bin()
	}
	if p.hasUsername {
		p.username = c.str()
	}
	if flags&0x40 != 0 {
		p.password = c.bin()
		if p.password == nil {
			p.password = []byte{}
		}
	}
	if c.err == nil && len(c.b) > 0 {
		c.fail("bytes after the end")
	}
	return p, c.err
}

func (p *connectPacket) readFlags(flags byte) *closeError {
	p.clean = flags&0x02 != 0
	p.hasWill = flags&0x04 != 0
	p.willQoS = flags >> 3 & 3
	p.willRetain = flags&0x20 != 0
	p.hasUsername = flags&0x80 != 0
	switch {
	case flags&0x01 != 0:
		return malformed("reserved flag of CONNECT") // [MQTT-3.1.2-3]
	case p.willQoS > 2:
		return malformed("will QoS 3") // [MQTT-3.1.2-12]
	case !p.hasWill && (p.willQoS > 0 || p.willRetain):
		return malformed("will flags without a will") // [MQTT-3.1.2-11, -13]
	case p.version < version5 && flags&0x40 != 0 && !p.hasUsername:
		return malformed("password without a user name") // 3.1.1 [MQTT-3.1.2-22]
	}
	return nil
}

// appendPlainConnect writes the CONNECT that mochi sees: what it needs to keep
// the session, and nothing of what is dealt with here (will, password, receive
// maximum, aliases).
func (p *connectPacket) appendPlainConnect(dst []byte, clientID string) []byte {
	body := make([]byte, 0, 32+len(clientID))
	if p.version == version31 {
		body = appendString(body, "MQIsdp")
	} else {
		body = appendString(body, "MQTT")
	}
	var flags byte
	if p.clean {
		flags = 0x02
	}
	body = append(body, p.version, flags)
	body = binary.BigEndian.AppendUint16(body, 60) // keep alive is kept here
	if p.version == version5 {
		var props []byte
		if p.props.has(propSessionExpiry) {
			props = appendU32(props, propSessionExpiry, p.props.sessionExpiry)
		}
		if p.props.has(propMaximumPacket) {
			props = appendU32(props, propMaximumPacket, p.props.maximumPacket)
		}
		body = append(appendVarint(body, len(props)), props...)
	}
	body = appendString(body, clientID)
	dst = appendVarint(append(dst, typeConnect<<4), len(body))
	return append(dst, body...)
}

// appendRefusal writes a CONNACK that refuses the connection. 3.1.1 knows five
// codes, section 3.2.2.3 there; what has none is "server unavailable".
func appendRefusal(dst []byte, version, code byte) []byte {
	if version == version5 {
		return append(dst, typeConnack<<4, 3, 0, code, 0)
	}
	return append(dst, typeConnack<<4, 2, 0, refusal311(code))
}

func refusal311(code byte) byte {
	switch code {
	case codeBadVersion:
		return 1
	case codeBadClientID:
		return 2
	case codeBadCredentials, codeNotAuthorized:
		return 5
	}
	return 3
}

// subscribePacket is a SUBSCRIBE or UNSUBSCRIBE that was checked.
type filterPacket struct {
	id             uint16
	subscriptionID uint32
	n              int
}

// parseSubscribe checks a SUBSCRIBE, section 3.8. Filters are judged later, since
// each has a reason code of its own in SUBACK.
func parseSubscribe(version byte, body []byte, maxFilters int) (p filterPacket, err *closeError) {
	c := cursor{b: body}
	p.id = c.u16()
	if version == version5 {
		var props properties
		props.parse(&c, typeSubscribe)
		p.subscriptionID = uint32(props.subscriptionID)
	}
	for c.err == nil && len(c.b) > 0 {
		filter := c.str()
		options := c.u8()
		p.n++
		switch {
		case c.err != nil:
		case options&3 == 3:
			c.fail("QoS 3") // [MQTT-3.8.3-4] of 3.1.1
		case version < version5 && options > 2, options&0xc0 != 0:
			c.fail("reserved bits of the subscription options") // [MQTT-3.8.3-5]
		case options&0x30 == 0x30:
			c.err = violation("retain handling 3")
		case options&4 != 0 && strings.HasPrefix(string(filter), sharePrefix):
			c.err = violation("no local on a shared subscription") // [MQTT-3.8.3-4]
		}
	}
	return p, p.check(&c, maxFilters)
}

// parseUnsubscribe checks an UNSUBSCRIBE, section 3.10.
func parseUnsubscribe(version byte, body []byte, maxFilters int) (p filterPacket, err *closeError) {
	c := cursor{b: body}
	p.id = c.u16()
	if version == version5 {
		var props properties
		props.parse(&c, typeUnsubscribe)
	}
	for c.err == nil && len(c.b) > 0 {
		c.str()
		p.n++
	}
	return p, p.check(&c, maxFilters)
}

func (p *filterPacket) check(c *cursor, maxFilters int) *closeError {
	switch {
	case c.err != nil:
		return c.err
	case p.id == 0:
		return violation("packet identifier 0") // [MQTT-2.2.1-3]
	case p.n == 0:
		return violation("no topic filter") // [MQTT-3.8.3-2]
	case p.n > maxFilters:
		return &closeError{codeQuotaExceeded, "quota exceeded", "topic filters in one packet"}
	}
	return nil
}
