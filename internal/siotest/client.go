// Package siotest is a small Socket.IO client for tests in Go: one WebSocket,
// any number of namespaces, packets in the order in which they came. The
// official clients are tested in e2e.
package siotest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"siomq/rooms/args"
	"siomq/server/packet"
)

// Deadline bounds every wait.
const Deadline = 10 * time.Second

// Client is one connection.
type Client struct {
	t       testing.TB
	conn    *websocket.Conn
	packets chan *packet.Packet // closed when the connection ends
	done    chan struct{}       // closed when the reader has ended
	reason  error               // why it ended; read after done

	mu     sync.Mutex
	lastID uint64
}

// Dial opens a connection to the server at base ("http://127.0.0.1:3000") and
// ends it when the test ends.
func Dial(t testing.TB, base string) *Client {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Deadline)
	defer cancel()
	url := strings.Replace(base, "http", "ws", 1) + "/socket.io/?EIO=4&transport=websocket"
	conn, _, err := websocket.Dial(ctx, url, nil) //nolint:bodyclose // the library closes it
	if err != nil {
		t.Fatalf("dial %s: %v", url, err)
	}
	conn.SetReadLimit(-1)
	if _, open, err := conn.Read(ctx); err != nil || len(open) == 0 || open[0] != '0' {
		t.Fatalf("dial %s: open packet %q, %v", url, open, err)
	}
	c := &Client{t: t, conn: conn, packets: make(chan *packet.Packet, 100_000), done: make(chan struct{})}
	go c.read()
	t.Cleanup(c.Close)
	return c
}

// read decodes what comes, and answers pings.
func (c *Client) read() {
	defer close(c.done)
	defer close(c.packets)
	d := packet.NewDecoder(packet.Limits{})
	for {
		kind, data, err := c.conn.Read(context.Background())
		if err != nil {
			c.reason = err
			return
		}
		switch {
		case kind == websocket.MessageBinary:
		case len(data) > 0 && data[0] == '2':
			_ = c.conn.Write(context.Background(), websocket.MessageText, []byte("3"))
			continue
		case len(data) > 0 && data[0] == '4':
			data = data[1:]
		default:
			continue
		}
		p, err := d.Add(data, kind == websocket.MessageBinary)
		if err != nil {
			c.reason = fmt.Errorf("packet %q: %w", data, err)
			_ = c.conn.CloseNow()
			return
		}
		if p != nil {
			c.packets <- p
		}
	}
}

// Close ends the connection without a goodbye, and waits for the reader.
func (c *Client) Close() {
	_ = c.conn.CloseNow() // it may be closed already
	<-c.done
}

// Raw sends one WebSocket text message as it is.
func (c *Client) Raw(text string) {
	c.t.Helper()
	if err := c.conn.Write(context.Background(), websocket.MessageText, []byte(text)); err != nil {
		c.t.Fatalf("write %q: %v", text, err)
	}
}

// RawBinary sends one WebSocket binary message.
func (c *Client) RawBinary(data []byte) {
	c.t.Helper()
	if err := c.conn.Write(context.Background(), websocket.MessageBinary, data); err != nil {
		c.t.Fatalf("write %d bytes: %v", len(data), err)
	}
}

// Connect joins a namespace and returns the socket id.
func (c *Client) Connect(namespace string) string {
	c.t.Helper()
	c.Send(&packet.Packet{Type: packet.Connect, Namespace: namespace})
	p := c.Next()
	var payload struct{ SID string }
	if p.Type != packet.Connect || p.Namespace != namespace || json.Unmarshal(p.Data, &payload) != nil {
		c.t.Fatalf("connect to %q: got %s %s", namespace, p.Type, p.Data)
	}
	return payload.SID
}

// Send writes a packet with its attachments.
func (c *Client) Send(p *packet.Packet) {
	c.t.Helper()
	c.Raw(string(packet.AppendText([]byte("4"), p)))
	for _, a := range p.Args.Attachments {
		c.RawBinary(a)
	}
}

// Emit sends an event.
func (c *Client) Emit(namespace, event string, values ...any) {
	c.t.Helper()
	a, err := args.Encode(values...)
	if err != nil {
		c.t.Fatalf("emit %q: %v", event, err)
	}
	c.Send(&packet.Packet{Type: packet.Event, Namespace: namespace, Event: event, Args: a})
}

// Call sends an event that wants an acknowledgement and returns its id.
func (c *Client) Call(namespace, event string, values ...any) uint64 {
	c.t.Helper()
	a, err := args.Encode(values...)
	if err != nil {
		c.t.Fatalf("call %q: %v", event, err)
	}
	c.mu.Lock()
	c.lastID++
	id := c.lastID
	c.mu.Unlock()
	c.Send(&packet.Packet{Type: packet.Event, Namespace: namespace, Event: event, Args: a, HasID: true, ID: id})
	return id
}

// Next returns the next packet.
func (c *Client) Next() *packet.Packet {
	c.t.Helper()
	select {
	case p, ok := <-c.packets:
		if !ok {
			c.t.Fatalf("connection ended: %v", c.reason)
		}
		return p
	case <-time.After(Deadline):
		c.t.Fatal("no packet within the deadline")
	}
	return nil
}

// Expect fails unless the next packet is this event with these arguments.
func (c *Client) Expect(event string, values ...any) *packet.Packet {
	c.t.Helper()
	p := c.Next()
	want, err := args.Encode(values...)
	if err != nil {
		c.t.Fatal(err)
	}
	if p.Type != packet.Event || p.Event != event || !bytes.Equal(p.Args.Raw, want.Raw) {
		c.t.Fatalf("got %s %q %s, want event %q %s", p.Type, p.Event, p.Args.Raw, event, want.Raw)
	}
	for i, a := range want.Attachments {
		if !bytes.Equal(p.Args.Attachments[i], a) {
			c.t.Fatalf("event %q: attachment %d is %q, want %q", event, i, p.Args.Attachments[i], a)
		}
	}
	return p
}

// Quiet fails when an event comes before the answer to an echo: whatever the server
// sent before has then arrived. The server must acknowledge the event "echo".
func (c *Client) Quiet(namespace string) {
	c.t.Helper()
	id := c.Call(namespace, "echo")
	if p := c.Next(); p.Type != packet.Ack || p.ID != id {
		c.t.Fatalf("got %s %q %s, want nothing", p.Type, p.Event, p.Args.Raw)
	}
}

// Closed waits until the server has closed the connection.
func (c *Client) Closed() {
	c.t.Helper()
	select {
	case <-c.done:
		if errors.Is(c.reason, context.DeadlineExceeded) {
			c.t.Fatal(c.reason)
		}
	case <-time.After(Deadline):
		c.t.Fatal("connection still open at the deadline")
	}
}
