package embedded

import (
	"crypto/rand"
	"errors"
	"strings"
	"time"

	"siomq/adapter/broker"
)

// handle deals with one packet, which has a whole fixed header. What mochi
// answers is left in forMochi.
func (c *conn) handle(first byte, packet, body []byte) *closeError {
	if err := checkFlags(first); err != nil {
		return err
	}
	if !c.connected {
		return c.handleConnect(body)
	}
	switch kind := first >> 4; kind {
	case typePublish:
		return c.handlePublish(first, body)
	case typePuback, typePubrec, typePubcomp:
		ack, err := parseAck(kind, c.version, body)
		if err != nil {
			return err
		}
		c.session.acknowledge(c, kind, ack)
		return nil
	case typePubrel:
		return c.handlePubrel(body)
	case typeSubscribe:
		_, err := parseSubscribe(c.version, body, c.b.opts.MaxSubscriptions)
		c.forMochi = packet
		return err
	case typeUnsubscribe:
		_, err := parseUnsubscribe(c.version, body, c.b.opts.MaxSubscriptions)
		c.forMochi = packet
		return err
	case typePingreq:
		if len(body) > 0 {
			return malformed("PINGREQ with a body")
		}
		c.send(func(dst []byte) []byte { return append(dst, typePingresp<<4, 0) })
		return nil
	case typeDisconnect:
		return c.handleDisconnect(packet, body)
	case typeConnect:
		return violation("second CONNECT") // [MQTT-3.1.0-2]
	case typeAuth:
		return violation("AUTH without an authentication method")
	}
	return violation("a packet that only servers send")
}

// handleConnect decides the CONNECT. mochi sees those only that are accepted.
func (c *conn) handleConnect(body []byte) *closeError {
	p, err := parseConnect(body)
	c.version = p.version
	if err == nil {
		err = c.checkConnect(&p)
	}
	if err != nil {
		// 3.1.1 has an answer for some reasons only [MQTT-3.1.4-1].
		if p.version == version5 || err.code > codeProtocolError && err.code != codeBadTopic {
			c.w.send(func(dst []byte) []byte { return appendRefusal(dst, p.version, err.code) })
		}
		return err
	}
	c.takeSettings(&p)
	if err := c.b.admit(c, &p); err != nil {
		c.w.send(func(dst []byte) []byte { return appendRefusal(dst, p.version, err.code) })
		return err
	}
	c.connected = true
	c.forMochi = p.appendPlainConnect(nil, c.client.ID)
	return nil
}

// checkConnect judges what parseConnect leaves open.
func (c *conn) checkConnect(p *connectPacket) *closeError {
	bad := func(code byte, detail string) *closeError {
		return &closeError{code, reasonRefused, detail}
	}
	limits := c.b.limits
	switch {
	case p.props.has(propAuthMethod):
		return bad(codeBadAuthMethod, "authentication method")
	case len(p.clientID) == 0 && p.version == version31,
		len(p.clientID) == 0 && p.version == version311 && !p.clean: // [MQTT-3.1.3-8]
		return bad(codeBadClientID, "no client identifier")
	case len(p.clientID) > c.b.opts.MaxTopicLength:
		return bad(codeBadClientID, "client identifier too long")
	}
	if !p.hasWill {
		return nil
	}
	if _, err := limits.Name(string(p.willTopic)); err != nil {
		return bad(codeBadTopic, "will: "+err.Error())
	}
	if strings.ContainsAny(string(p.willProps.responseTopic), "+#") { // [MQTT-3.3.2-14]
		return violation("will: response topic with a wildcard")
	}
	return nil
}

// takeSettings copies what lasts from the CONNECT, whose buffer is reused.
func (c *conn) takeSettings(p *connectPacket) {
	o := &c.b.opts
	id := string(p.clientID)
	if c.assigned = id == ""; c.assigned {
		id = "auto-" + rand.Text()
	}
	c.client.ID, c.client.Username, c.client.Version = id, string(p.username), p.version
	c.clean = p.clean
	c.window = o.MaxInflight
	if p.props.has(propReceiveMaximum) {
		c.window = min(c.window, int(p.props.receiveMaximum))
	}
	if p.props.has(propMaximumPacket) && p.props.maximumPacket <= maxRemaining {
		c.maxPacket = int(p.props.maximumPacket)
	}
	c.aliasMax = min(o.MaxTopicAlias, int(p.props.topicAliasMax))
	c.keepAlive = time.Duration(p.keepAlive) * time.Second
	if o.MaxKeepAlive > 0 && p.version == version5 && (p.keepAlive == 0 || c.keepAlive > o.MaxKeepAlive) {
		c.keepAlive = o.MaxKeepAlive
		c.toldKeepAlive = uint16(o.MaxKeepAlive / time.Second)
	}
	switch {
	case p.version == version5:
		c.sessionExpiry = c.b.capExpiry(p.props.sessionExpiry)
	case !p.clean:
		c.sessionExpiry = c.b.capExpiry(neverExpires)
	}
	if p.hasWill {
		c.will = newWill(p, id)
	}
}

func (c *conn) handleDisconnect(packet, body []byte) *closeError {
	p, err := parseDisconnect(c.version, body)
	if err != nil {
		return err
	}
	if p.hasExpiry {
		if p.sessionExpiry > 0 && c.sessionExpiry == 0 { // section 3.14.2.2.2
			return violation("session expiry set by DISCONNECT")
		}
		c.sessionExpiry = c.b.capExpiry(p.sessionExpiry)
	}
	c.orderly = p.code != codeDisconnectWithWill
	c.forMochi = packet
	c.closeLater(&closeError{codeSuccess, reasonDisconnected, ""})
	return nil
}

func (c *conn) handlePubrel(body []byte) *closeError {
	ack, err := parseAck(typePubrel, c.version, body)
	if err != nil {
		return err
	}
	code := codeSuccess
	if !c.session.release(ack.id) {
		code = codeIDNotFound
	}
	c.send(func(dst []byte) []byte { return appendAck(dst, typePubcomp, c.version, ack.id, code) })
	return nil
}

// handlePublish takes a publish, section 3.3, and acknowledges it after it was
// handled and delivered.
func (c *conn) handlePublish(first byte, body []byte) *closeError {
	p := newPublication()
	defer p.release()
	id, err := c.parsePublish(p, first, body)
	if err != nil {
		return err
	}
	if p.qos == 2 {
		n, again := c.session.open(id)
		switch {
		case again:
			c.send(func(dst []byte) []byte { return appendAck(dst, typePubrec, c.version, id, codeSuccess) })
			return nil
		case n >= c.b.opts.MaxInflight:
			return &closeError{codeReceiveMaximum, "receive maximum exceeded", "QoS 2"}
		}
	}
	code := c.b.accept(p, c.client, c.routine)
	switch p.qos {
	case 1:
		c.send(func(dst []byte) []byte { return appendAck(dst, typePuback, c.version, id, code) })
	case 2:
		// A refusal ends the exchange in MQTT 5 [MQTT-4.3.3-4]; 3.1.1 goes on as if.
		if code == codeSuccess || c.version < version5 {
			c.session.received(id)
		}
		c.send(func(dst []byte) []byte { return appendAck(dst, typePubrec, c.version, id, code) })
	}
	return nil
}

// parsePublish reads a PUBLISH into p, with its topic alias resolved.
func (c *conn) parsePublish(p *publication, first byte, body []byte) (id uint16, err *closeError) {
	r := cursor{b: body}
	name := r.str()
	p.qos, p.retain = first>>1&3, first&1 != 0
	if p.qos > 0 {
		if id = r.u16(); id == 0 && r.err == nil {
			return 0, violation("packet identifier 0") // [MQTT-2.2.1-3]
		}
	}
	var props properties
	if c.version == version5 {
		props.parse(&r, typePublish)
	}
	if r.err != nil {
		return 0, r.err
	}
	if p.topic, err = c.topicOf(name, &props); err != nil {
		return 0, err
	}
	if strings.ContainsAny(string(props.responseTopic), "+#") {
		return 0, violation("response topic with a wildcard") // [MQTT-3.3.2-14]
	}
	p.payload, p.origin = r.b, c.client.ID
	if props.seen&^(1<<propTopicAlias|1<<propMessageExpiry) != 0 {
		p.props = props.appendForwarded(p.props[:0])
		p.message.props = p.props
	}
	if props.has(propMessageExpiry) {
		p.setExpiry(props.messageExpiry)
	}
	return id, nil
}

// topicOf returns the topic name of a PUBLISH, section 3.3.2.3.4.
func (c *conn) topicOf(name []byte, props *properties) (string, *closeError) {
	alias := props.topicAlias
	if props.has(propTopicAlias) && (alias == 0 || int(alias) > c.b.opts.MaxTopicAlias) {
		return "", &closeError{codeBadAlias, "topic alias invalid", "over the announced maximum"}
	}
	if len(name) == 0 {
		known, ok := c.aliases[alias]
		if !ok {
			return "", violation("no topic name and no known alias")
		}
		return known, nil
	}
	if string(name) != c.lastTopic {
		checked, err := c.b.limits.Name(string(name))
		if err != nil {
			return "", &closeError{codeBadTopic, "topic name invalid", err.Error()}
		}
		c.lastTopic = string(checked)
	}
	if alias > 0 {
		if c.aliases == nil {
			c.aliases = make(map[uint16]string)
		}
		c.aliases[alias] = c.lastTopic
	}
	return c.lastTopic, nil
}

// refusalOf is the reason code with which a publish is refused for err.
func refusalOf(err error) byte {
	switch {
	case errors.Is(err, broker.ErrInvalidTopic):
		return codeBadTopic
	case errors.Is(err, broker.ErrTooLarge):
		return codeQuotaExceeded
	}
	return codeNotAuthorized
}
