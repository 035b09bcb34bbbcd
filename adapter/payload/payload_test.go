package payload_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"siomq/adapter/payload"
	"siomq/rooms"
	"siomq/rooms/args"
)

const (
	ph0 = `{"_placeholder":true,"num":0}`
	ph1 = `{"_placeholder":true,"num":1}`
)

func values(raw string, n int, bin ...string) rooms.Args {
	a := rooms.Args{Raw: []byte(raw), N: n}
	for _, b := range bin {
		a.Attachments = append(a.Attachments, []byte(b))
	}
	return a
}

func same(a, b rooms.Args) bool {
	if string(a.Raw) != string(b.Raw) || a.N != b.N || len(a.Attachments) != len(b.Attachments) {
		return false
	}
	for i := range a.Attachments {
		if a.Attachments[i] == nil || !bytes.Equal(a.Attachments[i], b.Attachments[i]) {
			return false
		}
	}
	return true
}

// rows are the payload table, in both directions.
var rows = []struct {
	name    string
	a       rooms.Args
	payload string
	typ     string
}{
	{"none", values(``, 0), ``, ``},
	{"text", values(`"hello"`, 1), `hello`, payload.TypeText},
	{"text that looks like JSON", values(`"{\"a\":1}"`, 1), `{"a":1}`, payload.TypeText},
	{"text that looks like a number", values(`"42"`, 1), `42`, payload.TypeText},
	{"text with escapes", values(`"a\n\"\\é🎉"`, 1), "a\n\"\\é🎉", payload.TypeText},
	{"text with NUL", values(`"a\u0000b"`, 1), "a\x00b", payload.TypeText},
	{"empty text", values(`""`, 1), ``, payload.TypeText},
	{"text without UTF-8 form", values(`"a\ud800"`, 1), `"a\ud800"`, payload.TypeJSON},
	{"number", values(`21.50`, 1), `21.50`, payload.TypeJSON},
	{"large number", values(`123456789012345678901234567890.10`, 1), `123456789012345678901234567890.10`, payload.TypeJSON},
	{"boolean", values(`true`, 1), `true`, payload.TypeJSON},
	{"null", values(`null`, 1), `null`, payload.TypeJSON},
	{"object", values(`{"b":1, "a":[2]}`, 1), `{"b":1, "a":[2]}`, payload.TypeJSON},
	{"array as one argument", values(`[1,2]`, 1), `[1,2]`, payload.TypeJSON},
	{"placeholder as plain data", values(ph0, 1), ph0, payload.TypeJSON},
	{"binary", values(ph0, 1, "\x00\xff"), "\x00\xff", payload.TypeBinary},
	{"empty binary", values(ph0, 1, ""), "", payload.TypeBinary},
	{"two arguments", values(`"a",1`, 2), `["a",1]`, payload.TypeArgsJSON},
	{"arrays", values(`[1],[]`, 2), `[[1],[]]`, payload.TypeArgsJSON},
	{"binary beside text", values(`"a",`+ph0, 2, "\x01"), "\x92\xa1a\xc4\x01\x01", payload.TypeArgsMsgpack},
	{"binary in an object", values(`{"a":`+ph0+`,"b":[`+ph1+`,null]}`, 1, "x", ""), "\x91\x82\xa1a\xc4\x01x\xa1b\x92\xc4\x00\xc0", payload.TypeArgsMsgpack},
}

func TestTable(t *testing.T) {
	for _, tt := range rows {
		t.Run(tt.name, func(t *testing.T) {
			p, typ, err := payload.Encode(tt.a)
			if string(p) != tt.payload || typ != tt.typ || err != nil {
				t.Errorf("Encode(%s) = %q, %q, %v; want %q, %q", tt.a.Raw, p, typ, err, tt.payload, tt.typ)
			}
			a, err := payload.Decode([]byte(tt.payload), tt.typ)
			if err != nil || !same(a, tt.a) {
				t.Errorf("Decode(%q, %q) = %s, %d, %q, %v; want %s", tt.payload, tt.typ, a.Raw, a.N, a.Attachments, err, tt.a.Raw)
			}
			if err := args.Check(a); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestDecode(t *testing.T) {
	deep := strings.Repeat("[", 50000) + strings.Repeat("]", 50000)
	tests := []struct {
		name, payload, typ string
		want               rooms.Args
		err                error
	}{
		{"no type: number", `21.5`, "", values(`21.5`, 1), nil},
		{"no type: white space", " {\"a\": 1}\r\n", "", values(`{"a": 1}`, 1), nil},
		{"no type: array is one argument", `[1,2]`, "", values(`[1,2]`, 1), nil},
		{"no type: JSON string", `"a"`, "", values(`"a"`, 1), nil},
		{"no type: text", `hello`, "", values(`"hello"`, 1), nil},
		{"no type: text that starts like JSON", `{a`, "", values(`"{a"`, 1), nil},
		{"no type: two values", `1 2`, "", values(`"1 2"`, 1), nil},
		{"no type: word of JavaScript", `NaN`, "", values(`"NaN"`, 1), nil},
		{"no type: space", ` `, "", values(`" "`, 1), nil},
		{"no type: NUL", "\x00", "", values(`"\u0000"`, 1), nil},
		{"no type: invalid UTF-8", "\xff\xfe", "", values(ph0, 1, "\xff\xfe"), nil},
		{"no type: JSON with invalid UTF-8", "\"\xff\"", "", values(ph0, 1, "\"\xff\""), nil},
		{"no type: surrogate", `"\ud800"`, "", values(`"\ud800"`, 1), nil},
		{"no type: too deep", deep, "", rooms.Args{}, args.ErrDepth},
		{"other type: image", "\x89PNG", "image/png", values(ph0, 1, "\x89PNG"), nil},
		{"other type: JSON", `{"a":1}`, "application/senml+json", values(`{"a":1}`, 1), nil},
		{"other type: empty", ``, "image/png", rooms.Args{}, nil},
		{"parameters", `42`, "text/plain; charset=utf-8", values(`"42"`, 1), nil},
		{"case", `42`, " Text/PLAIN ;charset=utf-8", values(`"42"`, 1), nil},
		{"JSON with parameters", ` 42 `, "application/json;charset=utf-8", values(`42`, 1), nil},
		{"JSON, empty", ``, payload.TypeJSON, rooms.Args{}, nil},
		{"JSON that is none", `hello`, payload.TypeJSON, rooms.Args{}, args.ErrSyntax},
		{"JSON too deep", deep, payload.TypeJSON, rooms.Args{}, args.ErrDepth},
		{"JSON with invalid UTF-8", "\"\xff\"", payload.TypeJSON, rooms.Args{}, args.ErrUTF8},
		{"text with invalid UTF-8", "\xff", payload.TypeText, rooms.Args{}, args.ErrUTF8},
		{"binary that is text", `42`, payload.TypeBinary, values(ph0, 1, "42"), nil},
		{"arguments, none", `[]`, payload.TypeArgsJSON, rooms.Args{}, nil},
		{"arguments, empty", ``, payload.TypeArgsJSON, rooms.Args{}, nil},
		{"arguments, one", ` [ 1 ] `, payload.TypeArgsJSON, values(`1`, 1), nil},
		{"arguments, no array", `{}`, payload.TypeArgsJSON, rooms.Args{}, args.ErrSyntax},
		{"msgpack, none", "\x90", payload.TypeArgsMsgpack, rooms.Args{}, nil},
		{"msgpack, empty", "", payload.TypeArgsMsgpack, rooms.Args{}, nil},
		{"msgpack, no array", "\x01", payload.TypeArgsMsgpack, rooms.Args{}, args.ErrMsgpack},
		{"msgpack, too short", "\x92\x01", payload.TypeArgsMsgpack, rooms.Args{}, args.ErrMsgpack},
		{"msgpack, too long", "\x91\x01\x02", payload.TypeArgsMsgpack, rooms.Args{}, args.ErrMsgpack},
		{"msgpack, huge array", "\xdd\xff\xff\xff\xff\x01", payload.TypeArgsMsgpack, rooms.Args{}, args.ErrMsgpack},
		{"msgpack, fake placeholder", "\x92\xc4\x01x\x82\xac_placeholder\xc3\xa3num\x00", payload.TypeArgsMsgpack, rooms.Args{}, args.ErrPlaceholder},
		{"msgpack, plain data", "\x91\x82\xac_placeholder\xc3\xa3num\x00", payload.TypeArgsMsgpack, values(ph0, 1), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, err := payload.Decode([]byte(tt.payload), tt.typ)
			if tt.err != nil {
				if !errors.Is(err, tt.err) || !errors.Is(err, payload.ErrPayload) {
					t.Errorf("Decode(%.40q, %q) = %v, want %v", tt.payload, tt.typ, err, tt.err)
				}
				return
			}
			if err != nil || !same(a, tt.want) {
				t.Errorf("Decode(%q, %q) = %s, %d, %q, %v; want %s", tt.payload, tt.typ, a.Raw, a.N, a.Attachments, err, tt.want.Raw)
			}
		})
	}
}

func TestEncodeAs(t *testing.T) {
	str, num, two, bin, mixed := values(`"a\n"`, 1), values(` 21.50 `, 1), values(`1,2`, 2), values(ph0, 1, "x"), values(`[`+ph0+`]`, 1, "x")
	lone := values(`"\ud800"`, 1)
	tests := []struct {
		a       rooms.Args
		k       payload.Kind
		payload string
		ok      bool
	}{
		{str, payload.Auto, "a\n", true},
		{str, payload.None, "", true},
		{str, payload.Text, "a\n", true},
		{str, payload.JSON, `"a\n"`, true},
		{str, payload.Binary, "a\n", true},
		{str, payload.ArgsJSON, `["a\n"]`, true},
		{str, payload.ArgsMsgpack, "\x91\xa2a\n", true},
		{num, payload.Text, "21.50", true},
		{num, payload.JSON, "21.50", true},
		{num, payload.Binary, "", false},
		{two, payload.Text, "", false},
		{two, payload.JSON, "", false},
		{two, payload.Binary, "", false},
		{two, payload.ArgsJSON, "[1,2]", true},
		{bin, payload.Text, "", false},
		{bin, payload.JSON, "", false},
		{bin, payload.ArgsJSON, "", false},
		{bin, payload.Binary, "x", true},
		{bin, payload.ArgsMsgpack, "\x91\xc4\x01x", true},
		{mixed, payload.Binary, "", false},
		{lone, payload.Text, "", false},
		{lone, payload.Binary, "", false},
		{lone, payload.JSON, `"\ud800"`, true},
		{lone, payload.ArgsMsgpack, "\x91\xa3\ufffd", true},
		{rooms.Args{}, payload.Text, "", false},
		{rooms.Args{}, payload.ArgsJSON, "[]", true},
		{rooms.Args{}, payload.ArgsMsgpack, "\x90", true},
	}
	for _, tt := range tests {
		p, typ, err := payload.EncodeAs(tt.a, tt.k)
		if string(p) != tt.payload || (err == nil) != tt.ok || !tt.ok && !errors.Is(err, payload.ErrKind) {
			t.Errorf("EncodeAs(%s, %s) = %q, %v; want %q, fits: %v", tt.a.Raw, tt.k, p, err, tt.payload, tt.ok)
		}
		if tt.ok && tt.k != payload.Auto && typ != tt.k.ContentType() {
			t.Errorf("EncodeAs(%s, %s) is of type %q", tt.a.Raw, tt.k, typ)
		}
	}
}

func TestDecodeAs(t *testing.T) {
	if a, err := payload.DecodeAs([]byte("1"), payload.None); err != nil || a.N != 0 {
		t.Errorf("None: %v, %v", a, err)
	}
	if a, err := payload.DecodeAs([]byte("1"), payload.Text); err != nil || string(a.Raw) != `"1"` {
		t.Errorf("Text: %s, %v", a.Raw, err)
	}
	if a, err := payload.DecodeAs(nil, payload.Binary); err != nil || a.Attachments[0] == nil {
		t.Errorf("Binary: %v, %v", a, err)
	}
}

func TestKinds(t *testing.T) {
	for k := payload.Auto; k <= payload.ArgsMsgpack; k++ {
		if got, err := payload.ParseKind(k.String()); got != k || err != nil {
			t.Errorf("ParseKind(%s) = %s, %v", k, got, err)
		}
		if got := payload.KindOf(k.ContentType()); k != payload.None && got != k {
			t.Errorf("KindOf(%q) = %s, want %s", k.ContentType(), got, k)
		}
	}
	if _, err := payload.ParseKind("xml"); err == nil {
		t.Error("no error for an unknown kind")
	}
	if got := payload.Kind(99).String(); got != "unknown" {
		t.Errorf("Kind(99) is %q", got)
	}
}

// TestEncodeBad: hand-made arguments that are not well-formed must not panic.
func TestEncodeBad(t *testing.T) {
	for _, raw := range []string{``, `"`, `"\`, `{`, `[`, `]`, `}`, `1,`, `,`, `{"_placeholder":true,"num":7}`, `"\ud8`, "\"\xff"} {
		for n := range 3 {
			for _, bin := range [][]string{nil, {"x"}} {
				a := values(raw, n, bin...)
				for k := payload.Auto; k <= payload.ArgsMsgpack; k++ {
					_, _, _ = payload.EncodeAs(a, k)
				}
			}
		}
	}
}

// FuzzPayload: no payload makes decoding panic; what is decoded is well-formed,
// and encodes to a payload that decodes to the same.
func FuzzPayload(f *testing.F) {
	for _, tt := range rows {
		f.Add([]byte(tt.payload), tt.typ)
		f.Add([]byte(tt.payload), "")
	}
	f.Add([]byte("\x91\xd6\xff\x00\x00\x00\x00"), payload.TypeArgsMsgpack)
	f.Add([]byte("\x91\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00"), payload.TypeArgsMsgpack)
	f.Fuzz(func(t *testing.T, p []byte, typ string) {
		a, err := payload.Decode(p, typ)
		if err != nil {
			return
		}
		if err := args.Check(a); err != nil {
			t.Fatalf("%q, %q: %s: %v", p, typ, a.Raw, err)
		}
		again, againType, err := payload.Encode(a)
		if err != nil {
			t.Fatalf("%q, %q: %s: %v", p, typ, a.Raw, err)
		}
		b, err := payload.Decode(again, againType)
		if err != nil || b.N != a.N || len(b.Attachments) != len(a.Attachments) {
			t.Fatalf("%q, %q: %s becomes %s, %v", p, typ, a.Raw, b.Raw, err)
		}
		if againType != payload.TypeArgsMsgpack && againType != payload.TypeText && !same(a, b) {
			t.Fatalf("%q, %q: %s becomes %s", p, typ, a.Raw, b.Raw)
		}
		last, lastType, err := payload.Encode(b)
		if err != nil || lastType != againType || againType == payload.TypeText && !bytes.Equal(last, again) {
			t.Fatalf("%q, %q: %q, then %q, %q, %v", p, typ, again, last, lastType, err)
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	for _, tt := range []struct {
		name string
		a    rooms.Args
	}{{"text", values(`"hello everybody"`, 1)}, {"JSON", values(`{"t":21.5}`, 1)}, {"two", values(`"a",1`, 2)}, {"msgpack", values(`{"name":"a","data":`+ph0+`}`, 1, "x")}} {
		b.Run(tt.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := payload.Encode(tt.a); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func ExampleEncode() {
	for _, values := range [][]any{{"hello"}, {21.5}, {"a", 1}, {[]byte{1, 2}}} {
		a, _ := args.Encode(values...)
		p, typ, err := payload.Encode(a)
		fmt.Printf("%q %s %v\n", p, typ, err)
	}
	// Output:
	// "hello" text/plain <nil>
	// "21.5" application/json <nil>
	// "[\"a\",1]" application/vnd.siomq.args+json <nil>
	// "\x01\x02" application/octet-stream <nil>
}
