package packet_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"siomq/server/packet"
)

// TestRevision4Encode: what Socket.IO 4 with allowEIO3 sends to a 2.x client.
func TestRevision4Encode(t *testing.T) {
	tests := []struct {
		name string
		p    packet.Packet
		want string
	}{
		{"connect", packet.Packet{Type: packet.Connect, Namespace: "/"}, `0`},
		{"connect with an id", packet.Packet{Type: packet.Connect, Namespace: "/", Data: []byte(`{"sid":"x"}`)}, `0`},
		{"connect to a namespace", packet.Packet{Type: packet.Connect, Namespace: "/admin", Data: []byte(`{"sid":"x"}`)}, `0/admin,`},
		{"error with a text", packet.Packet{Type: packet.ConnectError, Namespace: "/", Data: []byte(`"Not authorized"`)}, `4"Not authorized"`},
		{"error with data", packet.Packet{Type: packet.ConnectError, Namespace: "/admin", Data: []byte(`{"code":7}`)}, `4/admin,{"code":7}`},
		{"error with a number", packet.Packet{Type: packet.ConnectError, Namespace: "/admin", Data: []byte(`7`)}, `4/admin,7`},
		{"disconnect", packet.Packet{Type: packet.Disconnect, Namespace: "/admin"}, `1/admin,`},
		{"event", packet.Packet{Type: packet.Event, Namespace: "/", Event: "foo", Args: texts(`1`, 1)}, `2["foo",1]`},
		{"event with id", packet.Packet{Type: packet.Event, Namespace: "/admin", HasID: true, ID: 3, Event: "foo"}, `2/admin,3["foo"]`},
		{"ack", packet.Packet{Type: packet.Ack, Namespace: "/", HasID: true, Args: texts(`"ok"`, 1)}, `30["ok"]`},
		{"binary event", packet.Packet{Type: packet.Event, Namespace: "/", Event: "b", Args: binaries(`{"_placeholder":true,"num":0}`, 1, "x")}, `51-["b",{"_placeholder":true,"num":0}]`},
		{"binary ack", packet.Packet{Type: packet.Ack, Namespace: "/a", HasID: true, ID: 1, Args: binaries(`{"_placeholder":true,"num":0}`, 1, "x")}, `61-/a,1[{"_placeholder":true,"num":0}]`},
	}
	c := packet.Revision4(nil)
	if c.Binary() {
		t.Error("the default parser is text")
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := tt.p
			if b, err := c.Append([]byte("4"), &tt.p); err != nil || string(b) != "4"+tt.want {
				t.Errorf("Append = %q, %v; want 4%s", b, err, tt.want)
			}
			if !reflect.DeepEqual(tt.p, before) {
				t.Errorf("the packet is changed to %+v", tt.p)
			}
		})
	}
	if _, err := c.Append(nil, &packet.Packet{Type: packet.Event, Event: "disconnect"}); !errors.Is(err, packet.ErrReserved) {
		t.Errorf("reserved event: %v, want %v", err, packet.ErrReserved)
	}
}

// TestRevision4Decode: packets as socket.io-client 2.5 sends them.
func TestRevision4Decode(t *testing.T) {
	var many strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&many, "&p%d=", i)
	}
	connect := func(namespace, data string) *packet.Packet {
		p := &packet.Packet{Type: packet.Connect, Namespace: namespace}
		if data != "" {
			p.Data = []byte(data)
		}
		return p
	}
	tests := []struct {
		name, text string
		want       *packet.Packet
		err        error
	}{
		{"connect", `0/admin,`, connect("/admin", ""), nil},
		{"query", `0/admin?token=1,`, connect("/admin", `{"token":"1"}`), nil},
		{"query without comma", `0/admin?token=1`, connect("/admin", `{"token":"1"}`), nil},
		{"query of the main namespace", `0/?token=1,`, connect("/", `{"token":"1"}`), nil},
		{"empty query", `0/admin?,`, connect("/admin", ""), nil},
		{"several parameters", `0/admin?b=2&a=1&&c=3,`, connect("/admin", `{"b":"2","a":"1","c":"3"}`), nil},
		{"the last of two counts", `0/admin?a=1&b=2&a=3,`, connect("/admin", `{"b":"2","a":"3"}`), nil},
		{"no value", `0/admin?a&=b&c=d=e,`, connect("/admin", `{"a":"","":"b","c":"d=e"}`), nil},
		{"escapes", `0/admin?na%20me=a%2Cb+c%C3%A9%22,`, connect("/admin", `{"na me":"a,b cé\""}`), nil},
		{"bad escapes", `0/admin?a=%&b=%4&c=%zz%41&d=%ff,`, connect("/admin", `{"a":"%","b":"%4","c":"%zzA","d":"`+"\uFFFD"+`"}`), nil},
		{"second question mark", `0/admin?a=?,`, connect("/admin", `{"a":"?"}`), nil},
		{"payload of revision 5 is not looked at", `0/admin,{"a":1}`, connect("/admin", ""), nil},
		{"long query", `0/admin?a=` + strings.Repeat("b", 5000) + `,`, connect("/admin", `{"a":"`+strings.Repeat("b", 5000)+`"}`), nil},
		{"event", `2/admin,7["foo",1]`, &packet.Packet{Type: packet.Event, Namespace: "/admin", HasID: true, ID: 7, Event: "foo", Args: texts(`1`, 1)}, nil},
		{"event with a query", `2/admin?a=1,["foo"]`, &packet.Packet{Type: packet.Event, Namespace: "/admin", Event: "foo"}, nil},
		{"disconnect", `1/admin,`, &packet.Packet{Type: packet.Disconnect, Namespace: "/admin"}, nil},
		{"long namespace", `0/` + strings.Repeat("a", 1024) + `?a=1,`, nil, packet.ErrNamespaceSize},
		{"too many parameters", `0/admin?` + many.String() + `,`, nil, packet.ErrTooManyParameters},
		{"bad packet", `2/admin`, nil, packet.ErrPayload},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := packet.Revision4(nil).NewDecoder(packet.Limits{})
			p, err := d.Add([]byte(tt.text), false)
			if !errors.Is(err, tt.err) || !reflect.DeepEqual(p, tt.want) {
				t.Errorf("Add(%.100q) = %+v, %v; want %+v, %v", tt.text, p, err, tt.want, tt.err)
			}
			if wantLimit := tt.err == packet.ErrNamespaceSize || tt.err == packet.ErrTooManyParameters; errors.Is(err, packet.ErrLimit) != wantLimit {
				t.Errorf("Add(%.100q): %v, is a limit: want %v", tt.text, err, wantLimit)
			}
		})
	}
}

func TestRevision4OfMessagePack(t *testing.T) {
	c := packet.Revision4(packet.MessagePack{})
	if !c.Binary() {
		t.Error("messages must be binary")
	}
	b, err := c.Append(nil, &packet.Packet{Type: packet.Connect, Namespace: "/", Data: []byte(`{"sid":"x"}`)})
	if want := "\x82\xa4type\x00\xa3nsp\xa1/"; err != nil || string(b) != want {
		t.Errorf("Append = %q, %v; want %q", b, err, want)
	}
	d := c.NewDecoder(packet.Limits{})
	p, err := addBinary(d, "\x82\xa4type\x00\xa3nsp\xa8/adm?a=1")
	if err != nil || p.Namespace != "/adm" || string(p.Data) != `{"a":"1"}` {
		t.Errorf("Add = %+v, %v", p, err)
	}
}

func TestRevision4Attachments(t *testing.T) {
	d := packet.Revision4(nil).NewDecoder(packet.Limits{})
	if p, err := d.Add([]byte(`51-["b",{"_placeholder":true,"num":0}]`), false); p != nil || err != nil || !d.Pending() {
		t.Fatalf("the text: %v, %v", p, err)
	}
	p, err := d.Add([]byte("x"), true)
	if err != nil || p.Event != "b" || string(p.Args.Attachments[0]) != "x" {
		t.Errorf("the attachment: %+v, %v", p, err)
	}
}

// FuzzRevision4: no input makes the decoder panic, and the query is always valid JSON.
func FuzzRevision4(f *testing.F) {
	for _, s := range []string{`0/a?b=c&d=%20+,`, `0/?&&=,`, `2/a?b,["c"]`, "0/a?\x01=%e2%82", `0/a?"=\`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := packet.Revision4(nil).NewDecoder(packet.Limits{}).Add(text, false)
		if err != nil || p == nil {
			return
		}
		if strings.Contains(p.Namespace, "?") {
			t.Fatalf("%q: namespace %q", text, p.Namespace)
		}
		if p.Type != packet.Connect {
			return
		}
		b := packet.AppendText(nil, p) // with its data, as revision 5
		again, err := packet.NewDecoder(packet.Limits{}).Add(b, false)
		if err != nil || string(again.Data) != string(p.Data) {
			t.Fatalf("%q: %s: %v", text, p.Data, err)
		}
	})
}
