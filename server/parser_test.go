package server_test

import (
	"context"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"siomq/internal/siotest"
	"siomq/rooms/args"
	"siomq/server"
	"siomq/server/packet"
)

// msgpackClient is a connection whose packets are msgpack.
type msgpackClient struct {
	t       testing.TB
	ctx     context.Context
	conn    *websocket.Conn
	decoder packet.MessageDecoder
}

func dialMsgpack(t testing.TB, base string) *msgpackClient {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), siotest.Deadline)
	t.Cleanup(cancel)
	url := strings.Replace(base, "http", "ws", 1) + "/socket.io/?EIO=4&transport=websocket"
	conn, _, err := websocket.Dial(ctx, url, nil)
	if err != nil {
		t.Fatalf("dial %s: %v", url, err)
	}
	t.Cleanup(func() { _ = conn.CloseNow() })
	if kind, open, err := conn.Read(ctx); err != nil || kind != websocket.MessageText || len(open) == 0 || open[0] != '0' {
		t.Fatalf("open packet %q, %v", open, err)
	}
	return &msgpackClient{t, ctx, conn, packet.MessagePack{}.NewDecoder(packet.Limits{})}
}

func (c *msgpackClient) send(p *packet.Packet) {
	c.t.Helper()
	b, err := packet.MessagePack{}.Append(nil, p)
	if err == nil {
		err = c.conn.Write(c.ctx, websocket.MessageBinary, b)
	}
	if err != nil {
		c.t.Fatalf("send %+v: %v", p, err)
	}
}

func (c *msgpackClient) next() *packet.Packet {
	c.t.Helper()
	kind, data, err := c.conn.Read(c.ctx)
	if err != nil {
		c.t.Fatal(err)
	}
	p, err := c.decoder.Add(data, kind == websocket.MessageBinary)
	if err != nil {
		c.t.Fatalf("packet %q: %v", data, err)
	}
	return p
}

// TestParser: with another parser, handlers see no difference, and every packet is in its form.
func TestParser(t *testing.T) {
	io, url := start(t, &server.Options{Parser: packet.MessagePack{}})
	io.OnConnection(func(s *server.Socket) {
		echo(s)
		s.On("binary", func(e *server.Event) {
			var v struct {
				Bytes []byte `json:"bytes"`
				Text  string `json:"text"`
			}
			if err := e.Bind(&v); err != nil {
				t.Errorf("bind: %v", err)
			}
			_ = io.Emit("back", v.Bytes, v.Text)
		})
	})
	c := dialMsgpack(t, url)
	c.send(&packet.Packet{Type: packet.Connect, Namespace: "/"})
	if p := c.next(); p.Type != packet.Connect || p.Namespace != "/" || !strings.HasPrefix(string(p.Data), `{"sid":"`) {
		t.Fatalf("answer to CONNECT: %+v", p)
	}
	values, err := args.Encode(1, "é", []byte("bin"), map[string]any{"n": nil})
	if err != nil {
		t.Fatal(err)
	}
	c.send(&packet.Packet{Type: packet.Event, Event: "echo", HasID: true, ID: 7, Args: values})
	if p := c.next(); p.Type != packet.Ack || p.ID != 7 || string(p.Args.Raw) != string(values.Raw) || string(p.Args.Attachments[0]) != "bin" {
		t.Errorf("acknowledgement: %+v", p)
	}
	values, err = args.Encode(map[string]any{"bytes": []byte{1, 2}, "text": "x"})
	if err != nil {
		t.Fatal(err)
	}
	c.send(&packet.Packet{Type: packet.Event, Event: "binary", Args: values})
	if p := c.next(); p.Event != "back" || string(p.Args.Attachments[0]) != "\x01\x02" {
		t.Errorf("broadcast: %+v", p)
	}
	c.send(&packet.Packet{Type: packet.Connect, Namespace: "/unknown"})
	if p := c.next(); p.Type != packet.ConnectError || string(p.Data) != `{"message":"Invalid namespace"}` {
		t.Errorf("unknown namespace: %+v", p)
	}
	if err := c.conn.Write(c.ctx, websocket.MessageText, []byte(`42["echo"]`)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.conn.Read(c.ctx); err == nil || c.ctx.Err() != nil {
		t.Errorf("after a text packet: %v, want a closed connection", err)
	}
}
