package packet_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"siomq/rooms"
	"siomq/rooms/args"
	"siomq/server/packet"
)

func binaries(raw string, n int, bin ...string) rooms.Args {
	a := texts(raw, n)
	for _, b := range bin {
		a.Attachments = append(a.Attachments, []byte(b))
	}
	return a
}

// packed are packets as npm socket.io-msgpack-parser 3.0.2 writes them; with own,
// Append writes the same in another order of members.
var packed = []struct {
	name string
	wire string
	own  string
	p    packet.Packet
}{
	{"connect", "\x82\xa4type\x00\xa3nsp\xa1/", "\x82\xa4type\x00\xa3nsp\xa1/",
		packet.Packet{Type: packet.Connect, Namespace: "/"}},
	{"connect with undefined data", "\x83\xa4type\x00\xa4data\xd4\x00\x00\xa3nsp\xa1/", "\x82\xa4type\x00\xa3nsp\xa1/",
		packet.Packet{Type: packet.Connect, Namespace: "/"}},
	{"connect with auth", "\x83\xa4type\x00\xa4data\x81\xa5token\xa3123\xa3nsp\xa6/admin", "\x83\xa4type\x00\xa3nsp\xa6/admin\xa4data\x81\xa5token\xa3123",
		packet.Packet{Type: packet.Connect, Namespace: "/admin", Data: []byte(`{"token":"123"}`)}},
	{"disconnect", "\x82\xa4type\x01\xa3nsp\xa6/admin", "\x82\xa4type\x01\xa3nsp\xa6/admin",
		packet.Packet{Type: packet.Disconnect, Namespace: "/admin"}},
	{"event", "\x84\xa4type\x02\xa4data\x93\xa5hello\x01\x81\xa1a\x92\xc0\xc3\xa7options\x81\xa8compress\xc3\xa3nsp\xa1/",
		"\x83\xa4type\x02\xa3nsp\xa1/\xa4data\x93\xa5hello\x01\x81\xa1a\x92\xc0\xc3",
		packet.Packet{Type: packet.Event, Namespace: "/", Event: "hello", Args: texts(`1,{"a":[null,true]}`, 2)}},
	{"event with id", "\x85\xa4type\x02\xa4data\x91\xa5hello\xa7options\x81\xa8compress\xc3\xa2id\x0c\xa3nsp\xa5/chat",
		"\x84\xa4type\x02\xa3nsp\xa5/chat\xa2id\x0c\xa4data\x91\xa5hello",
		packet.Packet{Type: packet.Event, Namespace: "/chat", Event: "hello", HasID: true, ID: 12}},
	{"undefined", "\x84\xa4type\x02\xa4data\x93\xa1u\xd4\x00\x00\x82\xa1a\xd4\x00\x00\xa1b\x91\xd4\x00\x00\xa7options\x81\xa8compress\xc3\xa3nsp\xa1/",
		"\x83\xa4type\x02\xa3nsp\xa1/\xa4data\x93\xa1u\xc0\x81\xa1b\x91\xc0",
		packet.Packet{Type: packet.Event, Namespace: "/", Event: "u", Args: texts(`null,{"b":[null]}`, 2)}},
	{"date", "\x84\xa4type\x02\xa4data\x92\xa1d\xd7\x00\x00\x00\x01\x8b\xcf\xe5h{\xa7options\x81\xa8compress\xc3\xa3nsp\xa1/",
		"\x83\xa4type\x02\xa3nsp\xa1/\xa4data\x92\xa1d\xb82023-11-14T22:13:20.123Z",
		packet.Packet{Type: packet.Event, Namespace: "/", Event: "d", Args: texts(`"2023-11-14T22:13:20.123Z"`, 1)}},
	{"binary", "\x84\xa4type\x02\xa4data\x93\xa1b\xc4\x03\x01\x02\x03\x81\xa1x\xc7\x02\x00\x04\x05\xa7options\x81\xa8compress\xc3\xa3nsp\xa1/",
		"\x83\xa4type\x02\xa3nsp\xa1/\xa4data\x93\xa1b\xc4\x03\x01\x02\x03\x81\xa1x\xc4\x02\x04\x05",
		packet.Packet{Type: packet.Event, Namespace: "/", Event: "b",
			Args: binaries(`{"_placeholder":true,"num":0},{"x":{"_placeholder":true,"num":1}}`, 2, "\x01\x02\x03", "\x04\x05")}},
	{"numbers", "\x83\xa4type\x02\xa4data\x97\xa1n\xff\xcb?\xf8\x00\x00\x00\x00\x00\x00\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00\xcf\x00\x00\x00\x01\x00\x00\x00\x00\xd3\xff\xff\xff\xfe\xff\xff\xff\xff\xcf\x00\x1f\xff\xff\xff\xff\xff\xff\xa3nsp\xa1/",
		"\x83\xa4type\x02\xa3nsp\xa1/\xa4data\x97\xa1n\xff\xcb?\xf8\x00\x00\x00\x00\x00\x00\xc0\xcf\x00\x00\x00\x01\x00\x00\x00\x00\xd3\xff\xff\xff\xfe\xff\xff\xff\xff\xcf\x00\x1f\xff\xff\xff\xff\xff\xff",
		packet.Packet{Type: packet.Event, Namespace: "/", Event: "n", Args: texts(`-1,1.5,null,4294967296,-4294967297,9007199254740991`, 6)}},
	{"ack", "\x84\xa4type\x03\xa2id\xcd\x01,\xa4data\x91\xa2ok\xa3nsp\xa1/", "\x84\xa4type\x03\xa3nsp\xa1/\xa2id\xcd\x01,\xa4data\x91\xa2ok",
		packet.Packet{Type: packet.Ack, Namespace: "/", HasID: true, ID: 300, Args: texts(`"ok"`, 1)}},
	{"connect error", "\x83\xa4type\x04\xa3nsp\xa2/x\xa4data\x81\xa7message\xb1Invalid namespace", "\x83\xa4type\x04\xa3nsp\xa2/x\xa4data\x81\xa7message\xb1Invalid namespace",
		packet.Packet{Type: packet.ConnectError, Namespace: "/x", Data: []byte(`{"message":"Invalid namespace"}`)}},
}

// addBinary feeds a decoder from a buffer that is overwritten at once.
func addBinary(d packet.MessageDecoder, s string) (*packet.Packet, error) {
	buf := []byte(s)
	p, err := d.Add(buf, true)
	for i := range buf {
		buf[i] = 'X'
	}
	return p, err
}

func TestMessagePackWire(t *testing.T) {
	c := packet.MessagePack{}
	if !c.Binary() {
		t.Error("messages must be binary")
	}
	for _, tt := range packed {
		t.Run(tt.name, func(t *testing.T) {
			d := c.NewDecoder(packet.Limits{})
			for _, wire := range []string{tt.wire, tt.own} {
				p, err := addBinary(d, wire)
				if err != nil {
					t.Fatalf("Add(%q): %v", wire, err)
				}
				if !reflect.DeepEqual(*p, tt.p) {
					t.Errorf("Add(%q) = %+v, want %+v", wire, *p, tt.p)
				}
			}
			got, err := c.Append([]byte("b"), &tt.p)
			if err != nil || string(got) != "b"+tt.own {
				t.Errorf("Append = %q, %v; want b%q", got, err, tt.own)
			}
			if d.Pending() {
				t.Error("still pending")
			}
		})
	}
}

// packetOf is a message of members that are msgpack already.
func packetOf(members ...string) string {
	return string([]byte{0x80 | byte(len(members))}) + strings.Join(members, "")
}

const (
	typeEvent = "\xa4type\x02"
	root      = "\xa3nsp\xa1/"
)

func TestMessagePackTolerates(t *testing.T) {
	tests := []struct{ name, wire, want string }{ // as JSON writes it
		{"integers in other forms", packetOf("\xa4type\xd3\x00\x00\x00\x00\x00\x00\x00\x02", root, "\xa2id\xd0\x05", "\xa4data\x91\xa1a"), `25["a"]`},
		{"largest id", packetOf(typeEvent, root, "\xa2id\xcf\xff\xff\xff\xff\xff\xff\xff\xff", "\xa4data\x91\xa1a"), `218446744073709551615["a"]`},
		{"strings in longer forms", packetOf("\xd9\x04type\x02", "\xda\x00\x03nsp\xdb\x00\x00\x00\x02/a", "\xa4data\x91\xd9\x01a"), `2/a,["a"]`},
		{"long array and map", "\xdf\x00\x00\x00\x03" + typeEvent + root + "\xa4data\xdc\x00\x02\xa1a\xde\x00\x00", `2["a",{}]`},
		{"other members", packetOf(typeEvent, root, "\xa4data\x91\xa1a", "\xa1x\xc7\x01\x05y", "\x01\x02", "\x80\x90"), `2["a"]`},
		{"the last of two", packetOf(typeEvent, root, "\xa4data\x91\xa1a", "\xa4data\x91\xa1b"), `2["b"]`},
		{"undefined id", packetOf(typeEvent, root, "\xa4data\x91\xa1a", "\xa2id\xd4\x00\x00"), `2["a"]`},
		{"ack without id", packetOf("\xa4type\x03", root, "\xa4data\x90"), `3[]`},
		{"number as a name", packetOf(typeEvent, root, "\xa4data\x92\x0c\x01"), `2["12",1]`},
		{"float as a name", packetOf(typeEvent, root, "\xa4data\x91\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00"), `2["1.5"]`},
		{"negative zero as a name", packetOf(typeEvent, root, "\xa4data\x91\xcb\x80\x00\x00\x00\x00\x00\x00\x00"), `2["0"]`},
		{"empty name", packetOf(typeEvent, root, "\xa4data\x91\xa0"), `2[""]`},
		{"name with characters to escape", packetOf(typeEvent, root, "\xa4data\x91\xa3a\"\n"), `2["a\"\n"]`},
		{"what looks like a placeholder", packetOf(typeEvent, root, "\xa4data\x92\xa1a\x82\xac_placeholder\xc3\xa3num\x00"), `2["a",{"_placeholder":true,"num":0}]`},
		{"connect error with text", packetOf("\xa4type\x04", root, "\xa4data\xa2no"), `4"no"`},
		{"deep member that does not count", packetOf("\xa1x"+strings.Repeat("\x91", 1<<16)+"\x00", typeEvent, root, "\xa4data\x91\xa1a"), `2["a"]`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := addBinary(packet.MessagePack{}.NewDecoder(packet.Limits{}), tt.wire)
			if err != nil {
				t.Fatalf("Add(%.200q): %v", tt.wire, err)
			}
			if got := string(packet.AppendText(nil, p)); got != tt.want {
				t.Errorf("Add(%.200q) is %s, want %s", tt.wire, got, tt.want)
			}
		})
	}
}

func TestMessagePackRefuses(t *testing.T) {
	data := func(s string) string { return packetOf(typeEvent, root, "\xa4data"+s) }
	tests := []struct {
		name, wire string
		want       error
	}{
		{"nothing", "", args.ErrMsgpack},
		{"no map", "\x93\x02\xa1/\x91\xa1a", args.ErrMsgpack},
		{"text", `2["a"]`, args.ErrMsgpack},
		{"code that is never used", packetOf(typeEvent, root, "\xa4data\xc1"), args.ErrMsgpack},
		{"trailing bytes", data("\x91\xa1a") + "\x00", args.ErrMsgpack},
		{"cut in the map", "\x83" + typeEvent + root, args.ErrMsgpack},
		{"cut in a string", packetOf(typeEvent, "\xa3nsp\xa5/ab"), args.ErrMsgpack},
		{"map of 4,294,967,295", "\xdf\xff\xff\xff\xff" + typeEvent, args.ErrMsgpack},
		{"array of 4,294,967,295", data("\xdd\xff\xff\xff\xff\xa1a"), args.ErrMsgpack},
		{"binary of 4,294,967,295", data("\x92\xa1a\xc6\xff\xff\xff\xffa"), args.ErrMsgpack},
		{"empty map", "\x80", packet.ErrType},
		{"type 5", packetOf("\xa4type\x05", root, "\xa4data\x91\xa1a"), packet.ErrType},
		{"negative type", packetOf("\xa4type\xff", root, "\xa4data\x91\xa1a"), packet.ErrType},
		{"type as a string", packetOf("\xa4type\xa12", root, "\xa4data\x91\xa1a"), packet.ErrType},
		{"no namespace", packetOf(typeEvent, "\xa4data\x91\xa1a"), packet.ErrNamespace},
		{"namespace as a number", packetOf(typeEvent, "\xa3nsp\x01", "\xa4data\x91\xa1a"), packet.ErrNamespace},
		{"namespace without slash", packetOf(typeEvent, "\xa3nsp\xa1a", "\xa4data\x91\xa1a"), packet.ErrNamespace},
		{"namespace with a comma", packetOf(typeEvent, "\xa3nsp\xa3/a,", "\xa4data\x91\xa1a"), packet.ErrNamespace},
		{"namespace not UTF-8", packetOf(typeEvent, "\xa3nsp\xa2/\xff", "\xa4data\x91\xa1a"), packet.ErrNamespace},
		{"long namespace", packetOf(typeEvent, "\xa3nsp\xda\x04\x01/"+strings.Repeat("a", 1024), "\xa4data\x91\xa1a"), packet.ErrNamespaceSize},
		{"negative id", packetOf(typeEvent, root, "\xa2id\xff", "\xa4data\x91\xa1a"), packet.ErrID},
		{"null id", packetOf(typeEvent, root, "\xa2id\xc0", "\xa4data\x91\xa1a"), packet.ErrID},
		{"fractional id", packetOf(typeEvent, root, "\xa2id\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00", "\xa4data\x91\xa1a"), packet.ErrID},
		{"id of a connect", packetOf("\xa4type\x00", root, "\xa2id\x01"), packet.ErrID},
		{"event without data", packetOf(typeEvent, root), packet.ErrPayload},
		{"event with undefined data", data("\xd4\x00\x00"), packet.ErrPayload},
		{"event with an object", data("\x80"), packet.ErrPayload},
		{"event with an empty array", data("\x90"), packet.ErrPayload},
		{"event named by null", data("\x91\xc0"), packet.ErrPayload},
		{"event named by NaN", data("\x91\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00"), packet.ErrPayload},
		{"event named by binary", data("\x91\xc4\x01a"), packet.ErrPayload},
		{"event named by an array", data("\x91\x91\xa1a"), packet.ErrPayload},
		{"event name not UTF-8", data("\x91\xa1\xff"), args.ErrUTF8},
		{"argument not UTF-8", data("\x92\xa1a\xa1\xff"), args.ErrUTF8},
		{"unknown extension", data("\x92\xa1a\xd4\x07\x00"), args.ErrMsgpack},
		{"binary as a key", data("\x92\xa1a\x81\xc4\x01a\x01"), args.ErrMsgpack},
		{"reserved event", data("\x91\xaadisconnect"), packet.ErrReserved},
		{"long event", data("\x91\xda\x0f\xff" + strings.Repeat("a", 4095)), packet.ErrEventSize},
		{"too deep", data("\x92\xa1a" + strings.Repeat("\x91", 50000) + "\x00"), args.ErrDepth},
		{"too many attachments", data("\x92\xa1a\xdc\x03\xe9" + strings.Repeat("\xc4\x00", 1001)), packet.ErrTooManyAttachments},
		{"placeholder beside binary", data("\x93\xa1a\x82\xac_placeholder\xc3\xa3num\x00\xc4\x01a"), args.ErrPlaceholder},
		{"long packet", data("\x91\xa1a") + strings.Repeat("x", 16<<20), packet.ErrPacketSize},
		{"ack with an object", packetOf("\xa4type\x03", root, "\xa2id\x01", "\xa4data\x80"), packet.ErrPayload},
		{"connect with null", packetOf("\xa4type\x00", root, "\xa4data\xc0"), packet.ErrPayload},
		{"connect with a string", packetOf("\xa4type\x00", root, "\xa4data\xa1a"), packet.ErrPayload},
		{"connect with binary", packetOf("\xa4type\x00", root, "\xa4data\x81\xa1a\xc4\x01a"), packet.ErrPayload},
		{"connect with what looks like binary", packetOf("\xa4type\x00", root, "\xa4data\xc4\x01a"), packet.ErrPayload},
		{"connect too deep", packetOf("\xa4type\x00", root, "\xa4data\x81\xa1a"+strings.Repeat("\x91", 50000)+"\x00"), args.ErrDepth},
		{"disconnect with data", packetOf("\xa4type\x01", root, "\xa4data\x80"), packet.ErrPayload},
		{"connect error without data", packetOf("\xa4type\x04", root), packet.ErrPayload},
		{"connect error with an array", packetOf("\xa4type\x04", root, "\xa4data\x90"), packet.ErrPayload},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := packet.MessagePack{}.NewDecoder(packet.Limits{})
			p, err := addBinary(d, tt.wire)
			if p != nil || !errors.Is(err, tt.want) {
				t.Fatalf("Add(%.100q) = %v, %v; want %v", tt.wire, p, err, tt.want)
			}
			if len(err.Error()) > 1000 {
				t.Errorf("the error has %d bytes", len(err.Error()))
			}
			if p, err := addBinary(d, data("\x91\xa4next")); err != nil || p.Event != "next" {
				t.Errorf("the decoder is not as new: %v, %v", p, err)
			}
		})
	}
	d := packet.MessagePack{}.NewDecoder(packet.Limits{})
	if _, err := d.Add([]byte(`2["a"]`), false); !errors.Is(err, packet.ErrNotBinary) {
		t.Errorf("text: %v, want %v", err, packet.ErrNotBinary)
	}
}

func TestMessagePackLimits(t *testing.T) {
	l := packet.Limits{MaxAttachments: 2, MaxPacket: 100, MaxNamespace: 3, MaxEvent: 4, MaxDepth: 2}
	data := func(s string) string { return packetOf(typeEvent, root, "\xa4data"+s) }
	tests := []struct {
		name, wire string
		want       error
	}{
		{"attachments", data("\x93\xa1a\xc4\x00\xc4\x00"), nil},
		{"too many attachments", data("\x94\xa1a\xc4\x00\xc4\x00\xc4\x00"), packet.ErrTooManyAttachments},
		{"namespace", packetOf(typeEvent, "\xa3nsp\xa3/ab", "\xa4data\x91\xa1a"), nil},
		{"long namespace", packetOf(typeEvent, "\xa3nsp\xa4/abc", "\xa4data\x91\xa1a"), packet.ErrNamespaceSize},
		{"event", data("\x91\xa2ab"), nil},
		{"long event", data("\x91\xa3abc"), packet.ErrEventSize},
		{"depth", data("\x92\xa1a\x90"), nil},
		{"too deep", data("\x92\xa1a\x91\x90"), args.ErrDepth},
		{"depth of auth", packetOf("\xa4type\x00", root, "\xa4data\x81\xa1a\x80"), nil},
		{"too deep auth", packetOf("\xa4type\x00", root, "\xa4data\x81\xa1a\x81\xa1b\x90"), args.ErrDepth},
		{"packet too large", data("\x92\xa1a\xd9\x60" + strings.Repeat("a", 96)), packet.ErrPacketSize},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := addBinary(packet.MessagePack{}.NewDecoder(l), tt.wire)
			if !errors.Is(err, tt.want) {
				t.Errorf("Add(%q) = %v, want %v", tt.wire, err, tt.want)
			}
			if wantLimit := tt.want != nil && tt.want != args.ErrDepth; errors.Is(err, packet.ErrLimit) != wantLimit {
				t.Errorf("Add(%q) = %v, is a limit: want %v", tt.wire, err, wantLimit)
			}
		})
	}
}

func TestMessagePackAppendRefuses(t *testing.T) {
	tests := []struct {
		name string
		p    packet.Packet
		want error
	}{
		{"namespace", packet.Packet{Type: packet.Event, Namespace: "/a,b", Event: "a"}, packet.ErrNamespace},
		{"reserved", packet.Packet{Type: packet.Event, Event: "disconnect"}, packet.ErrReserved},
		{"bad JSON", packet.Packet{Type: packet.Event, Event: "a", Args: texts(`{`, 1)}, args.ErrSyntax},
		{"wrong number of values", packet.Packet{Type: packet.Ack, Args: texts(`1,2`, 1)}, packet.ErrPayload},
		{"placeholder out of range", packet.Packet{Type: packet.Event, Event: "a", Args: binaries(`{"_placeholder":true,"num":1}`, 1, "x")}, args.ErrPlaceholder},
		{"bad auth", packet.Packet{Type: packet.Connect, Data: []byte(`{`)}, args.ErrSyntax},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if b, err := (packet.MessagePack{}).Append([]byte("b"), &tt.p); !errors.Is(err, tt.want) || string(b) != "b" {
				t.Errorf("Append(%+v) = %q, %v; want %v", tt.p, b, err, tt.want)
			}
		})
	}
}

// TestMessagePackOfJSON: what a client of one parser sends reaches a client of
// the other unchanged.
func TestMessagePackOfJSON(t *testing.T) {
	for _, tt := range wire {
		t.Run(tt.name, func(t *testing.T) {
			b, err := packet.MessagePack{}.Append(nil, &tt.p)
			if err != nil {
				t.Fatal(err)
			}
			want := tt.p
			p, err := addBinary(packet.MessagePack{}.NewDecoder(packet.Limits{}), string(b))
			if err != nil {
				t.Fatalf("Add(%q): %v", b, err)
			}
			if n := len(want.Args.Attachments); n == 2 { // in another order, renumbered
				a := args.At(want.Args, 0)
				if err := args.Join(&a, args.At(want.Args, 1)); err != nil {
					t.Fatal(err)
				}
				want.Args = a
				want.Args.Attachments = [][]byte{tt.p.Args.Attachments[1], tt.p.Args.Attachments[0]}
			}
			if !reflect.DeepEqual(*p, want) {
				t.Errorf("%+v became %+v", want, *p)
			}
		})
	}
}

func TestMessagePackAllocations(t *testing.T) {
	d := packet.MessagePack{}.NewDecoder(packet.Limits{})
	data := []byte(packed[4].wire)
	var p *packet.Packet
	if n := testing.AllocsPerRun(100, func() { p, _ = d.Add(data, true) }); n > 3 { // packet, name, arguments
		t.Errorf("Add: %v allocations, want at most 3", n)
	}
	buf := make([]byte, 0, 256)
	if n := testing.AllocsPerRun(100, func() { buf, _ = packet.MessagePack{}.Append(buf[:0], p) }); n > 2 {
		t.Errorf("Append: %v allocations, want at most 2", n)
	}
}

// FuzzMessagePack: no input makes the decoder panic, and what it takes is
// written so that it reads back as the same packet.
func FuzzMessagePack(f *testing.F) {
	for _, tt := range packed {
		f.Add([]byte(tt.wire))
		f.Add([]byte(tt.own))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c := packet.MessagePack{}
		d := c.NewDecoder(packet.Limits{MaxAttachments: 4})
		p, err := d.Add(data, true)
		if err != nil {
			return
		}
		if err := args.Check(p.Args); err != nil {
			t.Fatalf("%q: arguments %q are not well-formed: %v", data, p.Args.Raw, err)
		}
		b, err := c.Append(nil, p)
		if err != nil {
			t.Fatalf("%q: %+v cannot be written: %v", data, p, err)
		}
		again, err := d.Add(b, true)
		if err != nil {
			t.Fatalf("%q: %+v, written %q: %v", data, p, b, err)
		}
		if p.Event != again.Event || p.Type != again.Type || p.HasID != again.HasID || p.ID != again.ID ||
			p.Namespace != again.Namespace || string(p.Data) != string(again.Data) ||
			!reflect.DeepEqual(p.Args, again.Args) {
			t.Fatalf("%q: %+v, then %+v", data, p, again)
		}
	})
}

func BenchmarkMessagePackDecode(b *testing.B) {
	data := []byte(packed[4].wire)
	d := packet.MessagePack{}.NewDecoder(packet.Limits{})
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.Add(data, true); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMessagePackAppend(b *testing.B) {
	p := &packet.Packet{Type: packet.Event, Namespace: "/chat", Event: "chat message", Args: texts(`{"room":"lobby","text":"hello everybody in here","at":1700000000123}`, 1)}
	buf := make([]byte, 0, 256)
	b.ReportAllocs()
	for b.Loop() {
		buf, _ = packet.MessagePack{}.Append(buf[:0], p)
	}
}
