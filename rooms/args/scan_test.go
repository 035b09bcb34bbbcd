package args_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"siomq/rooms/args"
)

// jsonSeeds are texts near every rule of the grammar, valid and not.
var jsonSeeds = []string{
	``, ` `, `null`, `nul`, `nulll`, `true`, `false`, `tru`, `True`,
	`0`, `-0`, `01`, `-`, `1.`, `.5`, `1.5`, `1e5`, `1E+5`, `1e`, `1e-`, `-1.25e-10`, `+1`, `0x1`, `NaN`, `1 2`,
	`""`, `"a"`, `"`, `"a`, `"\"`, `"\\"`, `"\u12"`, `"\u12aF"`, `"\ud800"`, `"\x"`, "\"\n\"", "\"\x1f\"", "\"\x7f\"",
	`"0123456"`, `"01234567"`, `"012345678"`, "\"0123456\x01\"", `"0123456\n89012345"`, `"naïve — 日本 🎉 long enough"`,
	`[]`, `[ ]`, `[1]`, `[1,]`, `[,1]`, `[1 2]`, `[`, `]`, `[[[]]]`, `[}`, "\t\r\n [ 1 , 2 ] \n",
	`{}`, `{ }`, `{"a":1}`, `{"a":1,}`, `{"a"}`, `{"a":}`, `{a:1}`, `{"a":1 "b":2}`, `{"a":{"b":[{"c":null}]}}`, `{]`, `{"a":1]`, `{1:2}`,
	`{"_placeholder":true,"num":0}`, "\u00a0[]", "[\f1]", "\ufeff1", "[1]x",
}

func TestScanAgreesWithEncodingJSON(t *testing.T) {
	for _, s := range jsonSeeds {
		err := args.Scan([]byte(s), args.Rules{})
		if got, want := err == nil, json.Valid([]byte(s)); got != want {
			t.Errorf("Scan(%q) = %v, json.Valid says %v", s, err, want)
		}
	}
}

func TestScanErrors(t *testing.T) {
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	deepObject := func(n int) string { return strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n) }
	tests := []struct {
		name  string
		in    string
		rules args.Rules
		want  error
	}{
		{"1,024 deep", deep(1024), args.Rules{}, nil},
		{"1,025 deep", deep(1025), args.Rules{}, args.ErrDepth},
		{"1,024 objects", deepObject(1024), args.Rules{}, nil},
		{"1,025 objects", deepObject(1025), args.Rules{}, args.ErrDepth},
		{"50,000 deep", deep(50000), args.Rules{}, args.ErrDepth},
		{"50,000 open", strings.Repeat("[", 50000), args.Rules{}, args.ErrDepth},
		{"limit over the most", deep(1025), args.Rules{MaxDepth: 1 << 20}, args.ErrDepth},
		{"limit 2", deep(2), args.Rules{MaxDepth: 2}, nil},
		{"limit 2, 3 deep", deep(3), args.Rules{MaxDepth: 2}, args.ErrDepth},
		{"mixed brackets", `[{"a":[}]]`, args.Rules{}, args.ErrSyntax},
		{"invalid UTF-8", "\"abc\xff\"", args.Rules{}, args.ErrUTF8},
		{"overlong", "\"\xc0\xaf\"", args.Rules{}, args.ErrUTF8},
		{"UTF-8 of a surrogate", "\"\xed\xa0\x80\"", args.Rules{}, args.ErrUTF8},
		{"cut rune", "\"\xe6\x97\"", args.Rules{}, args.ErrUTF8},
		{"invalid UTF-8 in a name", "{\"\xff\":1}", args.Rules{}, args.ErrUTF8},
		{"invalid UTF-8 outside strings", "\xff", args.Rules{}, args.ErrSyntax},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := args.Scan([]byte(tt.in), tt.rules); !errors.Is(err, tt.want) {
				t.Errorf("Scan(%.40q) = %v, want %v", tt.in, err, tt.want)
			}
		})
	}
}

func TestScanPlaceholders(t *testing.T) {
	ph := func(num string) string { return `{"_placeholder":true,"num":` + num + `}` }
	tests := []struct {
		name        string
		in          string
		attachments int
		ok          bool
	}{
		{"plain data without attachments", ph("99"), 0, true},
		{"none allowed", ph("0"), -1, false},
		{"none allowed, escaped", `{"\u005fplaceholder":true}`, -1, false},
		{"first", ph("0"), 1, true},
		{"last of three", ph("2"), 3, true},
		{"inside", `[{"a":[` + ph("1") + `,` + ph("0") + `]}]`, 2, true},
		{"num first, spaces", `{ "num" : 0 , "_placeholder" : true }`, 1, true},
		{"attachment not referred to", `[1]`, 1, true},
		{"out of range", ph("1"), 1, false},
		{"negative", ph("-1"), 1, false},
		{"fraction", ph("0.5"), 1, false},
		{"float of an integer", ph("0.0"), 1, false},
		{"exponent", ph("0e0"), 1, false},
		{"leading zero", ph("00"), 1, false},
		{"huge", ph("99999999999999999999999999"), 1, false},
		{"over 32 bits", ph("4294967296"), 1, false},
		{"string", ph(`"0"`), 1, false},
		{"null", ph(`null`), 1, false},
		{"another placeholder", ph(ph("0")), 1, false},
		{"twice", `[` + ph("0") + `,` + ph("0") + `]`, 2, false},
		{"twice, above 1,023", `[` + ph("1500") + `,` + ph("1500") + `]`, 2000, false},
		{"above 1,023", `[` + ph("1500") + `,` + ph("1501") + `]`, 2000, true},
		{"without num", `{"_placeholder":true}`, 1, false},
		{"a member more", `{"_placeholder":true,"num":0,"x":1}`, 1, false},
		{"escaped name", `{"\u005fplaceholder":true,"num":0}`, 1, false},
		{"all escaped", `{"\u005f\u0070\u006c\u0061\u0063\u0065\u0068\u006f\u006c\u0064\u0065\u0072":true}`, 1, false},
		{"name twice", `{"_placeholder":false,"_placeholder":true,"num":0}`, 1, false},
		{"false", `{"_placeholder":false,"num":7}`, 1, true},
		{"number", `{"_placeholder":1,"num":7}`, 1, true},
		{"in a string", `"{\"_placeholder\":true,\"num\":9}"`, 1, true},
		{"longer name", `{"_placeholders":true,"num":7}`, 1, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := args.Scan([]byte(tt.in), args.Rules{Attachments: tt.attachments})
			if tt.ok && err != nil || !tt.ok && !errors.Is(err, args.ErrPlaceholder) {
				t.Errorf("Scan(%s) with %d attachments = %v, want valid: %v", tt.in, tt.attachments, err, tt.ok)
			}
		})
	}
}

func TestScanArray(t *testing.T) {
	tests := []struct {
		in  string
		raw string
		n   int
		ok  bool
	}{
		{`[]`, ``, 0, true},
		{` [ ] `, ``, 0, true},
		{`["a"]`, `"a"`, 1, true},
		{` [ "a" , {"b":[1,2]} , 3 ] `, `"a" , {"b":[1,2]} , 3`, 3, true},
		{``, ``, 0, false},
		{`{}`, ``, 0, false},
		{`[`, ``, 0, false},
		{`[1`, ``, 0, false},
		{`[1,`, ``, 0, false},
		{`[1,]`, ``, 0, false},
		{`[1}`, ``, 0, false},
		{`[1]]`, ``, 0, false},
		{`[]]`, ``, 0, false},
		{`[][]`, ``, 0, false},
	}
	for _, tt := range tests {
		a, err := args.ScanArray([]byte(tt.in), args.Rules{})
		if (err == nil) != tt.ok || string(a.Raw) != tt.raw || a.N != tt.n {
			t.Errorf("ScanArray(%q) = %q, %d, %v; want %q, %d, valid: %v", tt.in, a.Raw, a.N, err, tt.raw, tt.n, tt.ok)
		}
	}
	for depth, ok := range map[int]bool{1024: true, 1025: false} {
		in := strings.Repeat("[", depth) + strings.Repeat("]", depth)
		if _, err := args.ScanArray([]byte(in), args.Rules{}); (err == nil) != ok {
			t.Errorf("ScanArray of an array %d deep: %v", depth, err)
		}
	}
}

func TestKindOf(t *testing.T) {
	for in, want := range map[string]args.Kind{
		``: args.Invalid, `x`: args.Invalid, ` "a"`: args.String, `-1`: args.Number, `0`: args.Number, "\n{": args.Object,
		`[`: args.Array, `null`: args.Null, `true`: args.Bool, `false`: args.Bool,
	} {
		if got := args.KindOf([]byte(in)); got != want {
			t.Errorf("KindOf(%q) = %d, want %d", in, got, want)
		}
	}
}

// TestScanDoesNotAllocate: each message of each client passes through here.
func TestScanDoesNotAllocate(t *testing.T) {
	data := []byte(`["chat message",{"room":"lobby","text":"hello wörld","n":[1,2.5,null,true]},{"_placeholder":true,"num":0}]`)
	if n := testing.AllocsPerRun(100, func() {
		if args.Scan(data, args.Rules{Attachments: 1}) != nil {
			t.Fatal("not valid")
		}
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

// FuzzScan: whatever encoding/json takes is valid, and nothing else, but for the
// two documented differences.
func FuzzScan(f *testing.F) {
	for _, s := range jsonSeeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		err := args.Scan(data, args.Rules{})
		valid := json.Valid(data)
		switch {
		case err == nil && !valid:
			t.Fatalf("Scan takes %q", data)
		case err != nil && valid && !errors.Is(err, args.ErrDepth) && !(errors.Is(err, args.ErrUTF8) && !utf8.Valid(data)):
			t.Fatalf("Scan(%q) = %v", data, err)
		}
		a, arrayErr := args.ScanArray(data, args.Rules{})
		if trimmed := strings.TrimLeft(string(data), " \t\r\n"); (arrayErr == nil) != (err == nil && strings.HasPrefix(trimmed, "[")) {
			t.Fatalf("Scan(%q) = %v, ScanArray = %v", data, err, arrayErr)
		}
		if arrayErr != nil {
			return
		}
		var want []json.RawMessage
		if err := json.Unmarshal(data, &want); err != nil {
			t.Fatal(err)
		}
		if err := args.Check(a); err != nil || a.N != len(want) {
			t.Fatalf("%q: %d values, %v; want %d", data, a.N, err, len(want))
		}
		for i, raw := range args.All(a) {
			if string(raw) != string(want[i]) || string(args.At(a, i).Raw) != string(want[i]) {
				t.Fatalf("%q: value %d is %q, At gives %q, want %q", data, i, raw, args.At(a, i).Raw, want[i])
			}
		}
		for attachments := range 3 { // must not panic
			_ = args.Scan(data, args.Rules{Attachments: attachments - 1})
		}
	})
}

func BenchmarkScan(b *testing.B) {
	for _, bb := range []struct{ name, text string }{
		{"chat", `["chat message",{"room":"lobby","text":"hello everybody in here","at":1700000000123}]`},
		{"ascii 4 KiB", `["` + strings.Repeat("lorem ipsum dolor ", 228) + `"]`},
		{"cyrillic 4 KiB", `["` + strings.Repeat("привет мир ", 205) + `"]`},
		{"numbers 4 KiB", `[` + strings.Repeat("12345.678,", 409) + `0]`},
	} {
		b.Run(bb.name, func(b *testing.B) {
			data := []byte(bb.text)
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if err := args.Scan(data, args.Rules{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("encoding/json on chat", func(b *testing.B) {
		data := []byte(`["chat message",{"room":"lobby","text":"hello everybody in here","at":1700000000123}]`)
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			if !json.Valid(data) {
				b.Fatal("not valid")
			}
		}
	})
}

func ExampleScan() {
	fmt.Println(args.Scan([]byte(`{"a":[1,2]}`), args.Rules{}))
	fmt.Println(args.Scan([]byte(`{"a":[1,2}`), args.Rules{}))
	// Output:
	// <nil>
	// invalid JSON at byte 9
}
