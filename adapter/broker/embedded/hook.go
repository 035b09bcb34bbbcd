package embedded

import (
	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"siomq/adapter/broker"
)

// hook is where mochi asks and tells. Access to the broker and to each
// filter was decided before, so mochi itself allows everything. Its methods run in the
// reading goroutine of a connection.
type hook struct {
	mqtt.HookBase
	b *Broker
}

func (*hook) ID() string { return "siomq" }

func (*hook) Provides(what byte) bool {
	switch what {
	case mqtt.OnConnectAuthenticate, mqtt.OnACLCheck, mqtt.OnSessionEstablished, mqtt.OnPacketEncode,
		mqtt.OnSubscribe, mqtt.OnSubscribed, mqtt.OnUnsubscribe, mqtt.OnUnsubscribed, mqtt.OnPacketProcessed:
		return true
	}
	return false
}

func (*hook) OnConnectAuthenticate(cl *mqtt.Client, _ packets.Packet) bool {
	if c := connOf(cl); c != nil {
		c.mochi = cl
	}
	return true
}

func (*hook) OnACLCheck(*mqtt.Client, string, bool) bool { return true }

// connOf returns the connection of a client that has one.
func connOf(cl *mqtt.Client) *conn {
	c, _ := cl.Net.Conn.(*conn)
	return c
}

// OnPacketEncode completes what mochi answers.
func (h *hook) OnPacketEncode(cl *mqtt.Client, pk packets.Packet) packets.Packet {
	c := connOf(cl)
	if c == nil {
		return pk
	}
	switch pk.FixedHeader.Type {
	case packets.Connack:
		if pk.ReasonCode == codeSuccess {
			c.completeConnack(&pk)
		}
	case packets.Suback, packets.Unsuback:
		pk.Properties.User = nil // mochi returns those of the request
		for i, code := range c.refused {
			if code != codeSuccess && i < len(pk.ReasonCodes) {
				pk.ReasonCodes[i] = code
				if c.version < version5 {
					pk.ReasonCodes[i] = codeUnspecified // 3.1.1 section 3.9.3
				}
			}
		}
	}
	return pk
}

// completeConnack announces the limits, section 3.2.2.3, and settles whether
// there is a session.
func (c *conn) completeConnack(pk *packets.Packet) {
	if !pk.SessionPresent {
		c.session.restart()
	}
	if c.version == version31 {
		pk.SessionPresent = false // a reserved bit there
	}
	o := &c.b.opts
	p := &pk.Properties
	p.MaximumPacketSize = uint32(o.MaxPacketSize)
	p.TopicAliasMaximum = uint16(o.MaxTopicAlias)
	p.ReceiveMaximum = uint16(o.MaxInflight)
	if c.assigned {
		p.AssignedClientID = c.client.ID
	}
	if c.toldKeepAlive > 0 {
		p.ServerKeepAlive, p.ServerKeepAliveFlag = c.toldKeepAlive, true
	}
}

// OnSessionEstablished follows the CONNACK.
func (h *hook) OnSessionEstablished(cl *mqtt.Client, _ packets.Packet) {
	c := connOf(cl)
	c.established = true
	c.session.takeWill() // [MQTT-3.1.3-9]
	c.session.client.Store(c.client)
	c.session.attach(c)
	c.w.flush()
	h.b.tell(broker.ClientEvent{Kind: broker.ClientConnected, Client: *c.client, Filters: c.session.filters()})
}

// OnSubscribe judges each filter. mochi is given an empty one for those that are
// refused; OnPacketEncode sets the reason.
func (h *hook) OnSubscribe(cl *mqtt.Client, pk packets.Packet) packets.Packet {
	c := connOf(cl)
	c.refused = make([]byte, len(pk.Filters))
	for i := range pk.Filters {
		f := &pk.Filters[i]
		if c.refused[i] = c.judge(f.Filter); c.refused[i] != codeSuccess {
			f.Filter = ""
		}
	}
	return pk
}

// judge returns the reason code for a filter.
func (c *conn) judge(filter string) byte {
	sub, err := c.b.limits.Subscription(filter)
	if err != nil {
		return codeBadFilter
	}
	if allow := c.b.accessNow().Subscribe; allow != nil && !allow(c.client, string(sub.Filter)) {
		return codeNotAuthorized
	}
	s := c.session
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, again := s.subs[filter]; !again && len(s.subs) >= c.b.opts.MaxSubscriptions {
		return codeQuotaExceeded
	}
	return codeSuccess
}

// OnSubscribed comes before SUBACK: a publish after it reaches the client.
func (h *hook) OnSubscribed(cl *mqtt.Client, pk packets.Packet, codes []byte) {
	c := connOf(cl)
	c.granted = c.granted[:0]
	var filters []string
	for i := range pk.Filters {
		f := &pk.Filters[i]
		if f.Filter == "" || codes[i] >= codeUnspecified {
			continue
		}
		parsed, err := h.b.limits.Subscription(f.Filter)
		if err != nil {
			continue
		}
		sub := &subscription{
			session: c.session, name: f.Filter, filter: string(parsed.Filter), group: parsed.Group,
			qos: f.Qos, noLocal: f.NoLocal, asPub: f.RetainAsPublished, retained: f.RetainHandling, id: uint32(f.Identifier),
		}
		sub.immediate = c.session.subscribe(sub)
		c.granted = append(c.granted, sub)
		filters = append(filters, sub.filter)
	}
	if len(filters) > 0 {
		h.b.tell(broker.ClientEvent{Kind: broker.ClientSubscribed, Client: *c.client, Filters: filters})
	}
}

// OnPacketProcessed sends the retained messages, after SUBACK. A shared
// subscription gets none (section 4.8.2).
func (h *hook) OnPacketProcessed(cl *mqtt.Client, pk packets.Packet, _ error) {
	c := connOf(cl)
	if c == nil || pk.FixedHeader.Type != packets.Subscribe {
		return
	}
	for _, sub := range c.granted {
		if sub.group != "" || sub.retained == 2 || sub.retained == 1 && !sub.immediate {
			continue // [MQTT-3.3.1-10], [MQTT-3.3.1-11]
		}
		c.sendRetained(sub)
	}
	c.granted, c.refused = nil, nil
}

// OnUnsubscribe finds the reason codes, section 3.11.3.
func (h *hook) OnUnsubscribe(cl *mqtt.Client, pk packets.Packet) packets.Packet {
	c := connOf(cl)
	c.refused = make([]byte, len(pk.Filters))
	c.session.mu.Lock()
	defer c.session.mu.Unlock()
	for i := range pk.Filters {
		if _, ok := c.session.subs[pk.Filters[i].Filter]; !ok {
			c.refused[i] = 0x11 // no subscription existed
		}
	}
	return pk
}

// OnUnsubscribed comes before UNSUBACK. Without a packet identifier it is mochi
// that ends a session, which is dealt with elsewhere.
func (h *hook) OnUnsubscribed(cl *mqtt.Client, pk packets.Packet) {
	c := connOf(cl)
	if pk.PacketID == 0 || c == nil {
		return
	}
	var filters []string
	for i := range pk.Filters {
		if filter, ok := c.session.unsubscribe(pk.Filters[i].Filter); ok {
			filters = append(filters, filter)
		}
	}
	if len(filters) > 0 {
		h.b.tell(broker.ClientEvent{Kind: broker.ClientUnsubscribed, Client: *c.client, Filters: filters})
	}
}
