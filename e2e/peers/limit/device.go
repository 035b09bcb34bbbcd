package main

import "encoding/binary"

const topic = "sio/main/room/bench/msg"

func newDevice(*conn) protocol { return (*conn).packets }

// packets handles whole MQTT 3.1.1 packets.
func (c *conn) packets(data []byte) int {
	used := 0
	for {
		rest := data[used:]
		size, head := remainingLength(rest)
		if head == 0 || len(rest) < head+size {
			return used
		}
		c.packet(rest[0], rest[head:head+size])
		used += head + size
	}
}

// remainingLength reads the fixed header; head is 0 when it is incomplete.
func remainingLength(data []byte) (size, head int) {
	for i := 1; i < len(data) && i < 5; i++ {
		size |= int(data[i]&127) << (7 * (i - 1))
		if data[i] < 128 {
			return size, i + 1
		}
	}
	return 0, 0
}

func (c *conn) packet(kind byte, body []byte) {
	switch kind >> 4 {
	case 1: // CONNECT
		c.dirty = c.queue([]byte{0x20, 2, 0, 0}, c.dirty)
	case 3: // PUBLISH
		n := int(binary.BigEndian.Uint16(body)) + 2
		if qos := kind >> 1 & 3; qos > 0 {
			c.dirty = c.queue([]byte{0x40, 2, body[n], body[n+1]}, c.dirty)
			n += 2
		}
		c.dirty = c.hub.deliver(roomText(body[n:]), body[n:], c.dirty)
	case 8: // SUBSCRIBE, one filter
		c.qos = body[len(body)-1]
		c.hub.mu.Lock()
		c.hub.devices = append(c.hub.devices, c)
		c.hub.mu.Unlock()
		c.dirty = c.queue([]byte{0x90, 3, body[0], body[1], c.qos}, c.dirty)
	case 12: // PINGREQ
		c.dirty = c.queue([]byte{0xd0, 0}, c.dirty)
	}
}

// publishFrame is a PUBLISH to the topic. Every message has the same packet
// identifier, which the load generator does not mind.
func publishFrame(payload []byte, qos byte) []byte {
	size := 2 + len(topic) + len(payload) + 2*int(qos)
	p := []byte{0x30 | qos<<1}
	for ; size > 127; size >>= 7 {
		p = append(p, byte(size)|128)
	}
	p = append(p, byte(size))
	p = binary.BigEndian.AppendUint16(p, uint16(len(topic)))
	p = append(p, topic...)
	if qos > 0 {
		p = append(p, 0, 1)
	}
	return append(p, payload...)
}
