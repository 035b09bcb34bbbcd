package packet_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"siomq/rooms"
	"siomq/rooms/args"
	"siomq/server/packet"
)

func texts(raw string, n int) rooms.Args { return rooms.Args{Raw: []byte(raw), N: n} }

// wire are packets with their form on the wire; most are the examples of the
// protocol, sections "Sample session" and "Packet encoding".
var wire = []struct {
	name string
	text string
	bin  []string
	p    packet.Packet
}{
	{"connect", `0`, nil, packet.Packet{Type: packet.Connect, Namespace: "/"}},
	{"connect with auth", `0{"token":"123"}`, nil, packet.Packet{Type: packet.Connect, Namespace: "/", Data: []byte(`{"token":"123"}`)}},
	{"connect to a namespace", `0/admin,`, nil, packet.Packet{Type: packet.Connect, Namespace: "/admin"}},
	{"connect to a namespace with auth", `0/admin,{"token":"123"}`, nil, packet.Packet{Type: packet.Connect, Namespace: "/admin", Data: []byte(`{"token":"123"}`)}},
	{"connect with a query", `0/admin?token=1&uid=a,`, nil, packet.Packet{Type: packet.Connect, Namespace: "/admin?token=1&uid=a"}},
	{"disconnect", `1`, nil, packet.Packet{Type: packet.Disconnect, Namespace: "/"}},
	{"disconnect from a namespace", `1/admin,`, nil, packet.Packet{Type: packet.Disconnect, Namespace: "/admin"}},
	{"event", `2["foo"]`, nil, packet.Packet{Type: packet.Event, Namespace: "/", Event: "foo"}},
	{"event with arguments", `2["foo",1,"a",{"b":[null]}]`, nil, packet.Packet{Type: packet.Event, Namespace: "/", Event: "foo", Args: texts(`1,"a",{"b":[null]}`, 3)}},
	{"event in a namespace", `2/admin,["bar"]`, nil, packet.Packet{Type: packet.Event, Namespace: "/admin", Event: "bar"}},
	{"event with id", `212["foo"]`, nil, packet.Packet{Type: packet.Event, Namespace: "/", HasID: true, ID: 12, Event: "foo"}},
	{"event with id in a namespace", `2/admin,456["project:delete",123]`, nil, packet.Packet{Type: packet.Event, Namespace: "/admin", HasID: true, ID: 456, Event: "project:delete", Args: texts(`123`, 1)}},
	{"id 0", `20["foo"]`, nil, packet.Packet{Type: packet.Event, Namespace: "/", HasID: true, Event: "foo"}},
	{"largest id", `218446744073709551615["foo"]`, nil, packet.Packet{Type: packet.Event, Namespace: "/", HasID: true, ID: 1<<64 - 1, Event: "foo"}},
	{"event with an empty name", `2[""]`, nil, packet.Packet{Type: packet.Event, Namespace: "/"}},
	{"event name with escapes", `2["a\n\"\\b",1]`, nil, packet.Packet{Type: packet.Event, Namespace: "/", Event: "a\n\"\\b", Args: texts(`1`, 1)}},
	{"event name beyond ASCII", `2["日本 🎉"]`, nil, packet.Packet{Type: packet.Event, Namespace: "/", Event: "日本 🎉"}},
	{"placeholder without attachments", `2["a",{"_placeholder":true,"num":3}]`, nil, packet.Packet{Type: packet.Event, Namespace: "/", Event: "a", Args: texts(`{"_placeholder":true,"num":3}`, 1)}},
	{"ack", `312["bar"]`, nil, packet.Packet{Type: packet.Ack, Namespace: "/", HasID: true, ID: 12, Args: texts(`"bar"`, 1)}},
	{"ack without arguments", `3/admin,456[]`, nil, packet.Packet{Type: packet.Ack, Namespace: "/admin", HasID: true, ID: 456}},
	{"ack without id", `3[]`, nil, packet.Packet{Type: packet.Ack, Namespace: "/"}},
	{"connect error", `4{"message":"Not authorized"}`, nil, packet.Packet{Type: packet.ConnectError, Namespace: "/", Data: []byte(`{"message":"Not authorized"}`)}},
	{"connect error of revision 4", `4/admin,"Invalid namespace"`, nil, packet.Packet{Type: packet.ConnectError, Namespace: "/admin", Data: []byte(`"Invalid namespace"`)}},
	{"binary event", `51-["baz",{"_placeholder":true,"num":0}]`, []string{"\x01\x02\x03"},
		packet.Packet{Type: packet.Event, Namespace: "/", Event: "baz", Args: rooms.Args{Raw: []byte(`{"_placeholder":true,"num":0}`), N: 1, Attachments: [][]byte{{1, 2, 3}}}}},
	{"binary event with id in a namespace", `52-/admin,7["baz",{"_placeholder":true,"num":1},[{"_placeholder":true,"num":0}]]`, []string{"", "x"},
		packet.Packet{Type: packet.Event, Namespace: "/admin", HasID: true, ID: 7, Event: "baz",
			Args: rooms.Args{Raw: []byte(`{"_placeholder":true,"num":1},[{"_placeholder":true,"num":0}]`), N: 2, Attachments: [][]byte{{}, []byte("x")}}}},
	{"binary ack", `61-/admin,456[{"_placeholder":true,"num":0}]`, []string{"\x03\x02\x01"},
		packet.Packet{Type: packet.Ack, Namespace: "/admin", HasID: true, ID: 456, Args: rooms.Args{Raw: []byte(`{"_placeholder":true,"num":0}`), N: 1, Attachments: [][]byte{{3, 2, 1}}}}},
}

// decode feeds a decoder with a text and attachments in buffers that are
// overwritten at once, as a transport's are.
func decode(d *packet.Decoder, text string, bin ...string) (*packet.Packet, error) {
	feed := func(s string, binary bool) (*packet.Packet, error) {
		buf := []byte(s)
		p, err := d.Add(buf, binary)
		for i := range buf {
			buf[i] = 'X'
		}
		return p, err
	}
	p, err := feed(text, false)
	for _, b := range bin {
		if err != nil {
			break
		}
		if p != nil {
			return nil, errors.New("complete before the last attachment")
		}
		p, err = feed(b, true)
	}
	return p, err
}

func TestWire(t *testing.T) {
	for _, tt := range wire {
		t.Run(tt.name, func(t *testing.T) {
			if got := string(packet.AppendText([]byte("4"), &tt.p)); got != "4"+tt.text {
				t.Errorf("AppendText = %s, want 4%s", got, tt.text)
			}
			d := packet.NewDecoder(packet.Limits{})
			p, err := decode(d, tt.text, tt.bin...)
			if err != nil || p == nil {
				t.Fatalf("Add(%s) = %v, %v", tt.text, p, err)
			}
			if !reflect.DeepEqual(*p, tt.p) {
				t.Errorf("Add(%s) = %+v, want %+v", tt.text, *p, tt.p)
			}
			if d.Pending() {
				t.Error("still pending")
			}
		})
	}
}

// TestDecodeTolerates are forms that other encoders than the official one use.
func TestDecodeTolerates(t *testing.T) {
	tests := []struct {
		name, text string
		bin        []string
		want       string // as AppendText writes it
	}{
		{"namespace without comma", `0/admin`, nil, `0/admin,`},
		{"default namespace by name", `2/,["a"]`, nil, `2["a"]`},
		{"white space in the payload", `2 [ "a" , 1 ] `, nil, `2["a",1]`},
		{"white space behind the name alone", `2["a" ]`, nil, `2["a"]`},
		{"leading zeros of an id", `2007["a"]`, nil, `27["a"]`},
		{"number as a name", `2[12,3]`, nil, `2["12",3]`},
		{"float as a name", `2[1.50]`, nil, `2["1.5"]`},
		{"exponent as a name", `2[1e2]`, nil, `2["100"]`},
		{"negative zero as a name", `2[-0]`, nil, `2["0"]`},
		{"large number as a name", `2[1e400]`, nil, `2["Infinity"]`},
		{"escaped name", `2["\u0061b"]`, nil, `2["ab"]`},
		{"connect error without payload", `4`, nil, `4`},
		{"leading zeros of attachments", `501-["a",{"num":0,"_placeholder":true}]`, []string{"x"}, `51-["a",{"num":0,"_placeholder":true}]`},
		{"attachment not referred to", `51-["a"]`, []string{"x"}, `51-["a"]`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := decode(packet.NewDecoder(packet.Limits{}), tt.text, tt.bin...)
			if err != nil || p == nil {
				t.Fatalf("Add(%s) = %v, %v", tt.text, p, err)
			}
			if got := string(packet.AppendText(nil, p)); got != tt.want {
				t.Errorf("Add(%s) is %s, want %s", tt.text, got, tt.want)
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	deep := strings.Repeat("[", 50000) + strings.Repeat("]", 50000)
	ph := func(num string) string { return `51-["a",{"_placeholder":true,"num":` + num + `}]` }
	tests := []struct {
		name, text string
		want       error
	}{
		{"nothing", ``, packet.ErrType},
		{"type 7", `7`, packet.ErrType},
		{"type 9", `9["a"]`, packet.ErrType},
		{"letters", `abc`, packet.ErrType},
		{"JSON", `{"type":2}`, packet.ErrType},
		{"invalid UTF-8", "\xff\xfe", packet.ErrType},
		{"event without payload", `2`, packet.ErrPayload},
		{"event with an object", `2{}`, packet.ErrPayload},
		{"event with an empty array", `2[]`, packet.ErrPayload},
		{"event with a string", `2"a"`, packet.ErrPayload},
		{"event with an id alone", `212`, packet.ErrPayload},
		{"event without comma behind the namespace", `2/admin["a"]`, packet.ErrPayload},
		{"event named by an object", `2[{}]`, packet.ErrPayload},
		{"event named by null", `2[null]`, packet.ErrPayload},
		{"event named by an array", `2[["a"]]`, packet.ErrPayload},
		{"event named by a boolean", `2[true]`, packet.ErrPayload},
		{"cut array", `2["a"`, packet.ErrPayload},
		{"trailing text", `2["a"]x`, args.ErrSyntax},
		{"trailing comma", `2["a",]`, args.ErrSyntax},
		{"unknown word", `2["a",undefined]`, args.ErrSyntax},
		{"invalid UTF-8 in an argument", "2[\"a\",\"\xff\"]", args.ErrUTF8},
		{"invalid UTF-8 in the name", "2[\"\xff\"]", args.ErrUTF8},
		{"invalid UTF-8 in the namespace", "2/\xff,[\"a\"]", packet.ErrNamespace},
		{"50,000 deep", `2["a",` + deep + `]`, args.ErrDepth},
		{"50,000 deep acknowledgement", `31` + deep, args.ErrDepth},
		{"50,000 deep auth", `0{"a":` + deep + `}`, args.ErrDepth},
		{"id over 64 bits", `218446744073709551616["a"]`, packet.ErrID},
		{"huge id", `2` + strings.Repeat("9", 1<<16) + `["a"]`, packet.ErrID},
		{"negative id", `2-1["a"]`, packet.ErrPayload},
		{"id of a connect", `01`, packet.ErrID},
		{"id of a disconnect", `1/a,12`, packet.ErrID},
		{"connect with an array", `0[]`, packet.ErrPayload},
		{"connect with a string", `0"a"`, packet.ErrPayload},
		{"connect with null", `0null`, packet.ErrPayload},
		{"connect with bad JSON", `0{`, packet.ErrPayload},
		{"disconnect with payload", `1{}`, packet.ErrPayload},
		{"connect error with an array", `4[]`, packet.ErrPayload},
		{"connect error with a hyphen", `450-`, packet.ErrID},
		{"ack with an object", `312{}`, packet.ErrPayload},
		{"ack without payload", `312`, packet.ErrPayload},
		{"no attachments", `50-["a"]`, packet.ErrAttachments},
		{"no attachments, no payload", `50-`, packet.ErrAttachments},
		{"no number of attachments", `5-["a"]`, packet.ErrAttachments},
		{"no hyphen", `51["a"]`, packet.ErrAttachments},
		{"number alone", `51`, packet.ErrAttachments},
		{"type alone", `5`, packet.ErrAttachments},
		{"negative attachments", `5-1-["a"]`, packet.ErrAttachments},
		{"fraction of attachments", `51.5-["a"]`, packet.ErrAttachments},
		{"exponent of attachments", `51e1-["a"]`, packet.ErrAttachments},
		{"too many attachments", `51001-["a"]`, packet.ErrTooManyAttachments},
		{"attachments over 64 bits", `599999999999999999999999-["a"]`, packet.ErrTooManyAttachments},
		{"binary event without payload", `51-`, packet.ErrPayload},
		{"placeholder out of range", ph("1"), args.ErrPlaceholder},
		{"negative placeholder", ph("-1"), args.ErrPlaceholder},
		{"fractional placeholder", ph("0.5"), args.ErrPlaceholder},
		{"float placeholder", ph("0.0"), args.ErrPlaceholder},
		{"huge placeholder", ph("1e308"), args.ErrPlaceholder},
		{"string placeholder", ph(`"splice"`), args.ErrPlaceholder},
		{"duplicate placeholder", `52-["a",{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}]`, args.ErrPlaceholder},
		{"placeholder as the name", `51-[{"_placeholder":true,"num":0}]`, packet.ErrPayload},
		{"connect", `2["connect"]`, packet.ErrReserved},
		{"connect_error", `2["connect_error",1]`, packet.ErrReserved},
		{"disconnect", `2["disconnect"]`, packet.ErrReserved},
		{"disconnecting", `2["disconnecting"]`, packet.ErrReserved},
		{"newListener", `2["newListener"]`, packet.ErrReserved},
		{"removeListener, escaped", `2["\u0072emoveListener"]`, packet.ErrReserved},
		{"reserved in a binary event", `51-["disconnect",{"_placeholder":true,"num":0}]`, packet.ErrReserved},
		{"long namespace", `0/` + strings.Repeat("a", 1024), packet.ErrNamespaceSize},
		{"long event", `2["` + strings.Repeat("a", 4095) + `"]`, packet.ErrEventSize},
		{"long packet", `2["a","` + strings.Repeat("a", 16<<20) + `"]`, packet.ErrPacketSize},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := packet.NewDecoder(packet.Limits{})
			p, err := decode(d, tt.text)
			if p != nil || !errors.Is(err, tt.want) {
				t.Fatalf("Add(%.60q) = %v, %v; want %v", tt.text, p, err, tt.want)
			}
			if len(err.Error()) > 1000 {
				t.Errorf("the error has %d bytes", len(err.Error()))
			}
			if p, err := decode(d, `2["next"]`); err != nil || p.Event != "next" {
				t.Errorf("the decoder is not as new: %v, %v", p, err)
			}
		})
	}
}

func TestAttachmentsOutOfPlace(t *testing.T) {
	d := packet.NewDecoder(packet.Limits{MaxPacket: 100})
	if _, err := d.Add([]byte("x"), true); !errors.Is(err, packet.ErrUnexpectedBinary) {
		t.Errorf("binary first: %v", err)
	}
	const text = `52-["a",{"_placeholder":true,"num":0}]`
	if p, err := decode(d, text); p != nil || err != nil || !d.Pending() {
		t.Fatalf("Add(%s) = %v, %v", text, p, err)
	}
	if _, err := decode(d, `2["b"]`); !errors.Is(err, packet.ErrUnexpectedText) || d.Pending() {
		t.Errorf("text instead of an attachment: %v, pending %v", err, d.Pending())
	}
	if _, err := decode(d, text, strings.Repeat("x", 50), strings.Repeat("x", 50)); !errors.Is(err, packet.ErrPacketSize) || !errors.Is(err, packet.ErrLimit) {
		t.Errorf("too large together: %v", err)
	}
	if _, err := decode(d, text); err != nil {
		t.Fatal(err)
	}
	d.Reset()
	if p, err := decode(d, `2["b"]`); err != nil || p.Event != "b" {
		t.Errorf("after Reset: %v, %v", p, err)
	}
}

func TestLimits(t *testing.T) {
	l := packet.Limits{MaxAttachments: 2, MaxPacket: 60, MaxNamespace: 3, MaxEvent: 4, MaxDepth: 2}
	tests := []struct {
		text string
		want error
	}{
		{`52-["a"]`, nil},
		{`53-["a"]`, packet.ErrTooManyAttachments},
		{`2["` + `a",` + strings.Repeat(" ", 60-8) + `1]`, nil},
		{`2["` + `a",` + strings.Repeat(" ", 61-8) + `1]`, packet.ErrPacketSize},
		{`0/ab,`, nil},
		{`0/abc,`, packet.ErrNamespaceSize},
		{`2["ab"]`, nil},
		{`2["abc"]`, packet.ErrEventSize},
		{`2["a",[]]`, nil},
		{`2["a",[[]]]`, args.ErrDepth},
		{`0{"a":{}}`, nil},
		{`0{"a":{"b":[]}}`, args.ErrDepth},
	}
	for _, tt := range tests {
		_, err := packet.NewDecoder(l).Add([]byte(tt.text), false)
		if !errors.Is(err, tt.want) {
			t.Errorf("Add(%q) = %v, want %v", tt.text, err, tt.want)
		}
		if wantLimit := tt.want != nil && tt.want != args.ErrDepth; errors.Is(err, packet.ErrLimit) != wantLimit {
			t.Errorf("Add(%q) = %v, is a limit: want %v", tt.text, err, wantLimit)
		}
	}
}

func TestCodec(t *testing.T) {
	var c packet.Codec = packet.JSON{}
	if c.Binary() {
		t.Error("the default parser is text")
	}
	tests := []struct {
		p    packet.Packet
		want error
	}{
		{packet.Packet{Type: packet.Event, Event: "a"}, nil},
		{packet.Packet{Type: packet.Event, Namespace: "/a", Event: "a"}, nil},
		{packet.Packet{Type: packet.Event, Namespace: "/a,b", Event: "a"}, packet.ErrNamespace},
		{packet.Packet{Type: packet.Event, Namespace: "a", Event: "a"}, packet.ErrNamespace},
		{packet.Packet{Type: packet.Event, Namespace: "/\xff", Event: "a"}, packet.ErrNamespace},
		{packet.Packet{Type: packet.Event, Event: "disconnect"}, packet.ErrReserved},
	}
	for _, tt := range tests {
		b, err := c.Append([]byte("4"), &tt.p)
		if !errors.Is(err, tt.want) || err != nil && string(b) != "4" {
			t.Errorf("Append(%+v) = %q, %v; want %v", tt.p, b, err, tt.want)
		}
	}
	if p, err := c.NewDecoder(packet.Limits{}).Add([]byte(`2["a"]`), false); err != nil || p.Event != "a" {
		t.Errorf("decoder of the codec: %v, %v", p, err)
	}
}

func TestCutQuery(t *testing.T) {
	for in, want := range map[string][2]string{
		"/admin":             {"/admin", ""},
		"/admin?token=1&a=b": {"/admin", "token=1&a=b"},
		"/?a":                {"/", "a"},
		"/a?b?c":             {"/a", "b?c"},
	} {
		if name, query := packet.CutQuery(in); name != want[0] || query != want[1] {
			t.Errorf("CutQuery(%q) = %q, %q; want %q", in, name, query, want)
		}
	}
}

func TestTypeString(t *testing.T) {
	want := "CONNECT DISCONNECT EVENT ACK CONNECT_ERROR BINARY_EVENT BINARY_ACK unknown"
	var got []string
	for i := range packet.Type(8) {
		got = append(got, i.String())
	}
	if strings.Join(got, " ") != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

// TestAllocations: what every message passes through.
func TestAllocations(t *testing.T) {
	d := packet.NewDecoder(packet.Limits{})
	for _, text := range []string{`2["chat message",{"room":"lobby","text":"hello"}]`, `2/chat,17["chat message","hello",1]`, `3/chat,17["ok"]`} {
		data := []byte(text)
		var p *packet.Packet
		if n := testing.AllocsPerRun(100, func() { p, _ = d.Add(data, false) }); n > 2 {
			t.Errorf("Add(%s): %v allocations, want at most 2", text, n)
		}
		buf := make([]byte, 0, 256)
		if n := testing.AllocsPerRun(100, func() { buf = packet.AppendText(buf[:0], p) }); n > 0 {
			t.Errorf("AppendText of %s: %v allocations, want 0", text, n)
		}
	}
}

// FuzzDecoder: no input makes the decoder panic, and what it takes is written
// so that it reads back as the same packet.
func FuzzDecoder(f *testing.F) {
	for _, tt := range wire {
		f.Add([]byte(tt.text), []byte(strings.Join(tt.bin, "")))
	}
	for _, s := range []string{`2`, `2{}`, `50-`, `31[]`, `2["a",[[[[[[]]]]]]]`, `51-["a",{"_placeholder":true,"num":9}]`, `2[1e3]`, `2["\ud800"]`} {
		f.Add([]byte(s), []byte{})
	}
	f.Fuzz(func(t *testing.T, text, bin []byte) {
		d := packet.NewDecoder(packet.Limits{MaxAttachments: 4})
		p, err := d.Add(text, false)
		for range 4 {
			if err != nil || p != nil {
				break
			}
			p, err = d.Add(bin, true)
		}
		if err != nil {
			return
		}
		if p == nil || d.Pending() {
			t.Fatalf("%q is not complete with all attachments", text)
		}
		if err := args.Check(p.Args); err != nil {
			t.Fatalf("%q: arguments %q are not well-formed: %v", text, p.Args.Raw, err)
		}
		again, err := d.Add(packet.AppendText(nil, p), false)
		for range p.Args.Attachments {
			again, err = d.Add(bin, true)
		}
		if p.Type == packet.Event && packet.Reserved(p.Event) {
			t.Fatalf("%q is a reserved event", text)
		}
		if err != nil || !reflect.DeepEqual(p, again) {
			t.Fatalf("%q: %+v, %+v, %v", text, p, again, err)
		}
	})
}

func BenchmarkDecodeEvent(b *testing.B) {
	data := []byte(`2["chat message",{"room":"lobby","text":"hello everybody in here","at":1700000000123}]`)
	d := packet.NewDecoder(packet.Limits{})
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.Add(data, false); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendText(b *testing.B) {
	p := &packet.Packet{Type: packet.Event, Namespace: "/chat", Event: "chat message", Args: texts(`{"room":"lobby","text":"hello everybody in here","at":1700000000123}`, 1)}
	buf := make([]byte, 0, 256)
	b.ReportAllocs()
	for b.Loop() {
		buf = packet.AppendText(buf[:0], p)
	}
}

func ExampleDecoder() {
	d := packet.NewDecoder(packet.Limits{})
	p, err := d.Add([]byte(`2/chat,7["hello",{"name":"Ada"},1]`), false)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(p.Type, p.Namespace, p.ID, p.Event, p.Args.N, string(p.Args.Raw))
	// Output: EVENT /chat 7 hello 2 {"name":"Ada"},1
}
