//go:build linux

package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"strconv"
)

// topic is what MQTT clients publish to and subscribe to: the event msg to the
// room bench. Brokers without rooms get the same, so that all bytes are alike.
const topic = "sio/main/room/bench/msg"

// clients makes connections to one peer.
type clients struct {
	loop    *loop
	sockets netip.AddrPort
	mqtt    netip.AddrPort
	count   int
}

// mask is that of every frame. RFC 6455, section 5.3 wants it unpredictable
// for the sake of proxies, of which there are none here.
var mask = [4]byte{0x5a, 0xa5, 0x3c, 0xc3}

// appendText appends a text frame of a client.
func appendText(dst []byte, text ...[]byte) []byte {
	size := 0
	for _, t := range text {
		size += len(t)
	}
	if size < 126 {
		dst = append(dst, 0x81, 0x80|byte(size))
	} else {
		dst = binary.BigEndian.AppendUint16(append(dst, 0x81, 0x80|126), uint16(size))
	}
	dst = append(dst, mask[:]...)
	start := len(dst)
	for _, t := range text {
		dst = append(dst, t...)
	}
	for i := range dst[start:] {
		dst[start+i] ^= mask[i&3]
	}
	return dst
}

// socket starts a Socket.IO client on WebSocket; ready is called once it is in
// the main namespace.
func (p *clients) socket(ready func(*conn)) (*conn, error) {
	c := &conn{onReady: ready}
	c.input = func(c *conn, data []byte) int {
		end := bytes.Index(data, []byte("\r\n\r\n"))
		if end < 0 {
			return 0
		}
		if !bytes.HasPrefix(data, []byte("HTTP/1.1 101")) {
			p.loop.end(c)
			return len(data)
		}
		c.input = p.frames
		return end + 4 + p.frames(c, data[end+4:])
	}
	c.out = fmt.Appendf(nil, "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\n"+
		"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", p.sockets)
	return c, p.loop.dial(p.sockets, c)
}

// frames handles the frames of a server.
func (p *clients) frames(c *conn, data []byte) int {
	used := 0
	for {
		rest := data[used:]
		if len(rest) < 2 {
			return used
		}
		size, head := int(rest[1]), 2
		switch {
		case size == 126 && len(rest) >= 4:
			size, head = int(binary.BigEndian.Uint16(rest[2:])), 4
		case size >= 126:
			return used // none here is over 64 KiB
		}
		if len(rest) < head+size {
			return used
		}
		if rest[0] == 0x81 {
			p.text(c, rest[head:head+size])
		} else {
			p.loop.end(c) // a close, or what no peer sends
			return len(data)
		}
		used += head + size
	}
}

var event = []byte(`42["msg","`)

func (p *clients) text(c *conn, m []byte) {
	switch {
	case bytes.HasPrefix(m, event) && c.onText != nil:
		c.onText(c, m[len(event):])
	case bytes.HasPrefix(m, []byte("43")) && c.onAck != nil:
		id := uint64(0)
		for _, d := range m[2:] {
			if d < '0' || d > '9' {
				break
			}
			id = id*10 + uint64(d-'0')
		}
		c.acked++
		c.onAck(c, id)
	case len(m) == 1 && m[0] == '2': // ping
		p.send(c, []byte("3"))
	case len(m) > 0 && m[0] == '0':
		p.send(c, []byte("40"))
	case bytes.HasPrefix(m, []byte("40")):
		c.ready = true
		if c.onReady != nil {
			c.onReady(c)
		}
	}
}

func (p *clients) send(c *conn, text ...[]byte) {
	c.out = appendText(c.out, text...)
	p.loop.queue(c)
}

// join asks for a room; c.onAck gets the id.
func (p *clients) join(c *conn, room string, id uint64) {
	p.send(c, []byte("42"), strconv.AppendUint(nil, id, 10), []byte(`["join","`+room+`"]`))
}

// device starts an MQTT 3.1.1 client; with a filter it subscribes at qos.
// ready is called once that is granted.
func (p *clients) device(filter string, qos byte, ready func(*conn)) (*conn, error) {
	c := &conn{onReady: ready, input: p.packets}
	p.count++
	body := append([]byte{0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 0}, mqttString("bench-"+strconv.Itoa(p.count))...)
	c.out = append(append(c.out, 0x10, byte(len(body))), body...)
	if filter != "" {
		body = append(append([]byte{0, 1}, mqttString(filter)...), qos)
		c.out = append(append(c.out, 0x82, byte(len(body))), body...)
	} else {
		c.ready = true // what is sent before CONNACK is allowed, section 3.1.4
	}
	return c, p.loop.dial(p.mqtt, c)
}

func mqttString(s string) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(s))), s...)
}

func (p *clients) packets(c *conn, data []byte) int {
	used := 0
	for {
		rest := data[used:]
		size, head := 0, 0
		for i := 1; i < len(rest) && i < 5; i++ {
			size |= int(rest[i]&127) << (7 * (i - 1))
			if rest[i] < 128 {
				head = i + 1
				break
			}
		}
		if head == 0 || len(rest) < head+size {
			return used
		}
		p.packet(c, rest[0], rest[head:head+size])
		used += head + size
	}
}

func (p *clients) packet(c *conn, kind byte, body []byte) {
	switch kind >> 4 {
	case 2: // CONNACK
		if body[1] != 0 {
			p.loop.end(c)
		}
	case 9: // SUBACK
		c.ready = body[2] < 0x80
		if c.onReady != nil {
			c.onReady(c)
		}
	case 3: // PUBLISH
		at := 2 + int(binary.BigEndian.Uint16(body))
		if kind&6 != 0 {
			c.out = append(c.out, 0x40, 2, body[at], body[at+1])
			p.loop.queue(c)
			at += 2
		}
		if c.onText != nil {
			c.onText(c, body[at:])
		}
	case 4: // PUBACK
		c.acked++
		if c.onAck != nil {
			c.onAck(c, uint64(binary.BigEndian.Uint16(body)))
		}
	}
}

// publish appends a PUBLISH. The identifier of QoS 1 is 1 to 65,535.
func (p *clients) publish(c *conn, qos byte, id uint64, payload []byte) {
	size := 2 + len(topic) + len(payload) + 2*int(qos)
	c.out = append(c.out, 0x30|qos<<1)
	for ; size > 127; size >>= 7 {
		c.out = append(c.out, byte(size)|0x80)
	}
	c.out = append(c.out, byte(size))
	c.out = binary.BigEndian.AppendUint16(c.out, uint16(len(topic)))
	c.out = append(c.out, topic...)
	if qos > 0 {
		c.out = binary.BigEndian.AppendUint16(c.out, uint16(id%65535)+1)
	}
	c.out = append(c.out, payload...)
	p.loop.queue(c)
}
