package args_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"siomq/rooms"
	"siomq/rooms/args"
)

type (
	named   string
	blob    []byte
	level   int
	inner   struct{ A, B int }
	upper   struct{ s string }
	broken  struct{}
	garbage struct{}
	node    struct {
		Name string `json:"name"`
		Next *node  `json:"next,omitempty"`
	}
	loop     *loop
	embedded struct {
		inner
		*Deep
		Own string
	}
	Deep   struct{ B, D int }
	tagged struct {
		Plain     int
		Renamed   string     `json:"renamed"`
		Dash      string     `json:"-"`
		ReallyDsh string     `json:"-,"`
		Empty     string     `json:"empty,omitempty"`
		EmptyPtr  *int       `json:",omitempty"`
		EmptyMap  any        `json:"m,omitempty"`
		Zero      inner      `json:"zero,omitzero"`
		ZeroTime  *time.Time `json:"zt,omitzero"`
		Quoted    int        `json:"quoted,string"`
		QuotedS   string     `json:",string"`
		QuotedF   float64    `json:",string"`
		QuotedB   *bool      `json:",string"`
		BadName   int        `json:"a\"b"`
		Number    json.Number
		QNumber   json.Number `json:",string"`
		Iface     any
		private   int
	}
)

func (u upper) MarshalText() ([]byte, error) { return []byte(strings.ToUpper(u.s)), nil }
func (*broken) MarshalJSON() ([]byte, error) { return nil, errors.New("no form today") }
func (garbage) MarshalJSON() ([]byte, error) { return []byte(`{"a":`), nil }
func (l level) MarshalJSON() ([]byte, error) { return fmt.Appendf(nil, ` {"level": %d} `, int(l)), nil }

// marshal is encoding/json as Encode has to be: without HTML escapes.
func marshal(t *testing.T, v any) string {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, b.Bytes()); err != nil {
		t.Fatal(err)
	}
	return compact.String()
}

// TestEncodeAgreesWithEncodingJSON are values without what Encode does otherwise.
func TestEncodeAgreesWithEncodingJSON(t *testing.T) {
	yes, n := true, 7
	now := time.Date(2024, 2, 29, 12, 0, 0, 5000, time.UTC)
	strs := map[string]any{"": "", "html": "<a&b>", "quote": "a\"b\\c/d", "ctl": "\x00\b\f\n\r\t\x1f\x7f", "bad": "a\xffb\xc0\xafc", "emoji": "🎉é日本", "long": strings.Repeat("x", 100) + "\""}
	values := []any{
		nil, true, false, 0, -1, math.MaxInt, uint64(math.MaxUint64), int8(-8), uint8(8), int16(1), uint16(1), int32(1), uint32(1), uintptr(1),
		0.0, math.Copysign(0, -1), 1.0, -1.5, 0.1, 1e20, 1e21, 1e-6, 1e-7, 123456789e-15, math.MaxFloat64, math.SmallestNonzeroFloat64, float32(0.1), float32(1e21), float32(1e-7), float32(3.4e38),
		strs, named("x"), []string{"a", "b"}, []string{}, []string(nil), []any{1, "a", nil, []any{}}, []any(nil), map[string]any(nil),
		map[string]any{}, map[string]any{"b": 1, "a": []int{1}, "c": map[string]string{"z": "1", "y": "<"}}, map[int]string{10: "a", 9: "b", -1: "c"},
		map[named]float64{"f": 1.5}, map[uint8]any{3: 1}, map[upper]any{{"b"}: 1, {"a"}: 2}, map[upper]int{{"b"}: 1}, map[netip.Addr]any{netip.MustParseAddr("::1"): 1},
		inner{1, 2}, &inner{1, 2}, (*inner)(nil), []inner{{1, 2}}, [2]float64{1, 2}, [3]byte{1, 2, 3}, []*inner{nil, {3, 4}},
		embedded{inner: inner{1, 2}, Own: "x"}, embedded{Deep: &Deep{3, 4}},
		tagged{}, &tagged{Empty: "x", EmptyPtr: &n, EmptyMap: []int{}, Zero: inner{1, 0}, ZeroTime: &now, QuotedB: &yes, QuotedS: "a\"b", QuotedF: 1.5, Number: "12.50", QNumber: "7", Iface: 1.5},
		now, &now, []time.Time{now}, map[string]any{"t": now}, upper{"abc"}, &upper{"abc"}, []any{upper{"abc"}}, level(3), []level{1, 2}, map[string]level{"a": 1},
		json.RawMessage(`{"a": [1, 2.50]}`), json.RawMessage(nil), []json.RawMessage{[]byte(`1`)}, json.Number("123456789012345678901234567890"), json.Number(""), []json.Number{"1.0"},
		*big.NewInt(1 << 40), big.NewInt(-5), struct{}{}, struct{ V any }{map[string]any{"k": []any{1}}}, &node{"a", &node{"b", nil}}, netip.MustParseAddr("10.0.0.1"),
		struct {
			A []float64 `json:"a"`
		}{[]float64{1, 2.5}}, struct{ T time.Duration }{time.Second}, error(nil),
	}
	for _, v := range values {
		a, err := args.Encode(v)
		if err != nil {
			t.Errorf("Encode(%#v): %v", v, err)
			continue
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, a.Raw); err != nil {
			t.Errorf("Encode(%#v) = %s: %v", v, a.Raw, err)
			continue
		}
		want := marshal(t, v)
		// Encode writes the replacement character itself.
		want = strings.ReplaceAll(want, `\ufffd`, "\ufffd")
		if compact.String() != want || a.N != 1 || a.Attachments != nil {
			t.Errorf("Encode(%#v)\n got %s\nwant %s", v, a.Raw, want)
		}
	}
}

func TestEncodeBinary(t *testing.T) {
	b, c := []byte("b"), []byte("c")
	type file struct {
		Name string
		Data []byte `json:"data"`
		More blob   `json:"more,omitempty"`
	}
	ph := func(n int) string { return fmt.Sprintf(`{"_placeholder":true,"num":%d}`, n) }
	tests := []struct {
		name   string
		values []any
		raw    string
		n      int
		bin    [][]byte
	}{
		{"none", nil, ``, 0, nil},
		{"two values", []any{"a", 1}, `"a",1`, 2, nil},
		{"binary", []any{b}, ph(0), 1, [][]byte{b}},
		{"empty", []any{[]byte{}}, ph(0), 1, [][]byte{{}}},
		{"nil", []any{[]byte(nil)}, `null`, 1, nil},
		{"named type", []any{blob("x")}, ph(0), 1, [][]byte{[]byte("x")}},
		{"pointer", []any{&b}, ph(0), 1, [][]byte{b}},
		{"two", []any{b, "x", c}, ph(0) + `,"x",` + ph(1), 3, [][]byte{b, c}},
		{"in a map", []any{map[string]any{"z": b, "a": c}}, `{"a":` + ph(0) + `,"z":` + ph(1) + `}`, 1, [][]byte{c, b}},
		{"in a typed map", []any{map[int][]byte{2: b, 1: c}}, `{"1":` + ph(0) + `,"2":` + ph(1) + `}`, 1, [][]byte{c, b}},
		{"in slices", []any{[][]byte{b, nil, c}, []any{b}}, `[` + ph(0) + `,null,` + ph(1) + `],[` + ph(2) + `]`, 2, [][]byte{b, c, b}},
		{"in a struct", []any{file{"n", b, nil}}, `{"Name":"n","data":` + ph(0) + `}`, 1, [][]byte{b}},
		{"in a struct in a slice of pointers", []any{[]*file{{"n", b, blob(c)}}}, `[{"Name":"n","data":` + ph(0) + `,"more":` + ph(1) + `}]`, 1, [][]byte{b, c}},
		{"in an interface", []any{struct{ V any }{b}}, `{"V":` + ph(0) + `}`, 1, [][]byte{b}},
		{"not a number", []any{math.NaN(), math.Inf(1), float32(math.Inf(-1)), []float64{math.NaN()}}, `null,null,null,[null]`, 4, nil},
		{"not a number, quoted", []any{struct {
			F float64 `json:",string"`
		}{math.NaN()}}, `{"F":null}`, 1, nil},
		{"spliced", []any{"x", rooms.Args{Raw: []byte(`1,` + ph(0)), N: 2, Attachments: [][]byte{b}}, c}, `"x",1,` + ph(0) + `,` + ph(1), 4, [][]byte{b, c}},
		{"spliced and renumbered", []any{c, rooms.Args{Raw: []byte(`[` + ph(1) + `,"` + `{\"_placeholder\":true,\"num\":0}` + `",` + ph(0) + `]`), N: 1, Attachments: [][]byte{b, c}}},
			ph(0) + `,[` + ph(2) + `,"{\"_placeholder\":true,\"num\":0}",` + ph(1) + `]`, 2, [][]byte{c, b, c}},
		{"spliced nothing", []any{rooms.Args{}, 1, rooms.Args{}}, `1`, 1, nil},
		{"arguments inside", []any{map[string]any{"a": texts(`1`, 1), "b": texts(`1,2`, 2), "c": rooms.Args{}}}, `{"a":1,"b":[1,2],"c":null}`, 1, nil},
		{"arguments inside a struct", []any{b, struct{ A rooms.Args }{rooms.Args{Raw: []byte(ph(0)), N: 1, Attachments: [][]byte{c}}}}, ph(0) + `,{"A":` + ph(1) + `}`, 2, [][]byte{b, c}},
		{"placeholder as plain data", []any{map[string]any{"_placeholder": true, "num": 5}}, `{"_placeholder":true,"num":5}`, 1, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, err := args.Encode(tt.values...)
			if err != nil {
				t.Fatal(err)
			}
			if string(a.Raw) != tt.raw || a.N != tt.n || !reflect.DeepEqual(a.Attachments, tt.bin) {
				t.Errorf("got %s, %d, %q\nwant %s, %d, %q", a.Raw, a.N, a.Attachments, tt.raw, tt.n, tt.bin)
			}
			if err := args.Check(a); err != nil {
				t.Error(err)
			}
		})
	}
}

func texts(raw string, n int) rooms.Args { return rooms.Args{Raw: []byte(raw), N: n} }

func TestEncodeErrors(t *testing.T) {
	ring := &node{Name: "a"}
	ring.Next = ring
	var p loop
	p = &p
	self := map[string]any{}
	self["self"] = self
	list := []any{nil}
	list[0] = list
	deep := any(1)
	for range 1025 {
		deep = []any{deep}
	}
	long := &node{}
	for range 1025 {
		long = &node{Next: long}
	}
	fake := map[string]any{"_placeholder": true, "num": 0}
	tests := []struct {
		name   string
		values []any
		want   error
		text   string
	}{
		{"func", []any{1, func() {}}, args.ErrType, "argument 1 (func())"},
		{"nil func", []any{(func())(nil)}, args.ErrType, "argument 0 (func())"},
		{"chan", []any{make(chan int)}, args.ErrType, "argument 0 (chan int)"},
		{"complex", []any{1i}, args.ErrType, "complex128"},
		{"chan in a struct", []any{struct{ C chan int }{}}, args.ErrType, `member "C"`},
		{"func in a map", []any{map[string]any{"f": func() {}}}, args.ErrType, `member "f"`},
		{"key of a map", []any{map[bool]int{true: 1}}, args.ErrType, "bool"},
		{"float key of a map", []any{map[float64]any{1: 1}}, args.ErrType, "float64"},
		{"ring of pointers", []any{ring}, args.ErrDepth, "node"},
		{"pointer to itself", []any{p}, args.ErrDepth, "loop"},
		{"map in itself", []any{self}, args.ErrDepth, "map"},
		{"slice in itself", []any{list}, args.ErrDepth, ""},
		{"too deep", []any{deep}, args.ErrDepth, ""},
		{"long list", []any{long}, args.ErrDepth, ""},
		{"deep raw text", []any{json.RawMessage(strings.Repeat("[", 1025) + strings.Repeat("]", 1025))}, args.ErrDepth, ""},
		{"raw text", []any{json.RawMessage(`{`)}, args.ErrSyntax, "json.RawMessage"},
		{"raw text of two values", []any{json.RawMessage(`1,2`)}, args.ErrSyntax, ""},
		{"empty raw text", []any{json.RawMessage{}}, args.ErrSyntax, ""},
		{"raw text with invalid UTF-8", []any{[]json.RawMessage{[]byte("\"\xff\"")}}, args.ErrUTF8, ""},
		{"marshaler", []any{&broken{}}, nil, "no form today"},
		{"bad marshaler", []any{garbage{}}, args.ErrSyntax, "garbage"},
		{"number", []any{json.Number("1x")}, args.ErrSyntax, ""},
		{"number that is none", []any{json.Number("x")}, args.ErrSyntax, `"x"`},
		{"fake placeholder before binary", []any{fake, []byte("x")}, args.ErrPlaceholder, ""},
		{"fake placeholder behind binary", []any{[]byte("x"), texts(`{"_placeholder":true,"num":7}`, 1)}, args.ErrPlaceholder, ""},
		{"fake placeholder in raw text", []any{[]byte("x"), json.RawMessage(`{"\u005fplaceholder":true,"num":0}`)}, args.ErrPlaceholder, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dst := texts(`1`, 1)
			err := args.Append(&dst, tt.values...)
			if err == nil || tt.want != nil && !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("got %v, want %v with %q", err, tt.want, tt.text)
			}
			if err != nil && len(err.Error()) > 1000 {
				t.Errorf("the error has %d bytes", len(err.Error()))
			}
			if string(dst.Raw) != `1` || dst.N != 1 || dst.Attachments != nil {
				t.Errorf("dst has changed: %+v", dst)
			}
		})
	}
}

func TestSliceAndAt(t *testing.T) {
	a, err := args.Encode("a,]\"", []byte("0"), map[string]any{"x": []byte("1"), "y": []any{[]byte("2"), 1}}, 4, []byte("3"))
	if err != nil {
		t.Fatal(err)
	}
	ph := func(n int) string { return fmt.Sprintf(`{"_placeholder":true,"num":%d}`, n) }
	tests := []struct {
		i, j int
		raw  string
		bin  string
	}{
		{0, 1, `"a,]\""`, ""},
		{1, 2, ph(0), "0"},
		{2, 3, `{"x":` + ph(0) + `,"y":[` + ph(1) + `,1]}`, "12"},
		{3, 4, `4`, ""},
		{4, 5, ph(0), "3"},
		{3, 99, `4,` + ph(0), "3"},
		{-1, 2, `"a,]\"",` + ph(0), "0"},
		{5, 6, ``, ""},
		{2, 2, ``, ""},
		{3, 1, ``, ""},
		{0, 5, string(a.Raw), "0123"},
	}
	for _, tt := range tests {
		got := args.Slice(a, tt.i, tt.j)
		if string(got.Raw) != tt.raw || string(bytes.Join(got.Attachments, nil)) != tt.bin || args.Check(got) != nil {
			t.Errorf("Slice(%d, %d) = %s, %q, %v; want %s, %s", tt.i, tt.j, got.Raw, got.Attachments, args.Check(got), tt.raw, tt.bin)
		}
	}
	// What is not well-formed must not make it panic.
	for _, raw := range []string{``, `"`, `[`, `1,`, `]`, `{"_placeholder":true,"num":5}`} {
		bad := rooms.Args{Raw: []byte(raw), N: 4, Attachments: [][]byte{nil}}
		for i := range 5 {
			args.At(bad, i)
		}
		for range args.All(bad) {
		}
	}
}

func TestJoin(t *testing.T) {
	ph := `{"_placeholder":true,"num":0}`
	bin := rooms.Args{Raw: []byte(ph), N: 1, Attachments: [][]byte{[]byte("x")}}
	plain, fake := texts(`1,2`, 2), texts(ph, 1)
	tests := []struct {
		name     string
		dst, src rooms.Args
		raw      string
		want     error
	}{
		{"empty to empty", rooms.Args{}, rooms.Args{}, ``, nil},
		{"plain to empty", rooms.Args{}, plain, `1,2`, nil},
		{"empty to plain", plain, rooms.Args{}, `1,2`, nil},
		{"binary to binary", bin, bin, ph + `,{"_placeholder":true,"num":1}`, nil},
		{"plain to binary", bin, plain, ph + `,1,2`, nil},
		{"binary to plain", plain, bin, `1,2,` + ph, nil},
		{"fake to plain", plain, fake, `1,2,` + ph, nil},
		{"fake to binary", bin, fake, ph, args.ErrPlaceholder},
		{"binary to fake", fake, bin, ph, args.ErrPlaceholder},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dst := rooms.Args{Raw: bytes.Clone(tt.dst.Raw), N: tt.dst.N, Attachments: tt.dst.Attachments[:len(tt.dst.Attachments):len(tt.dst.Attachments)]}
			if err := args.Join(&dst, tt.src); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			if string(dst.Raw) != tt.raw || args.Check(dst) != nil {
				t.Errorf("got %s, %v; want %s", dst.Raw, args.Check(dst), tt.raw)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	for _, tt := range []struct {
		a  rooms.Args
		ok bool
	}{
		{rooms.Args{}, true},
		{texts(`1,2`, 2), true},
		{texts(`1,2`, 1), false},
		{texts(`1`, 0), false},
		{texts(``, 1), false},
		{texts(`1]`, 1), false},
		{texts(`1,`, 1), false},
	} {
		if err := args.Check(tt.a); (err == nil) != tt.ok {
			t.Errorf("Check(%q, %d) = %v", tt.a.Raw, tt.a.N, err)
		}
	}
}

func TestEncodeAllocations(t *testing.T) {
	for _, tt := range []struct {
		v    any
		most float64
	}{{"hello everybody", 1}, {any(123456), 1}, {[]byte("x"), 2}, {map[string]any{"room": "lobby", "text": "hello"}, 1}} {
		if n := testing.AllocsPerRun(100, func() { _, _ = args.Encode(tt.v) }); n > tt.most {
			t.Errorf("Encode(%v): %v allocations, want at most %v", tt.v, n, tt.most)
		}
	}
}

func FuzzAppendString(f *testing.F) {
	for _, s := range []string{"", "a", "\x00\x1f\"\\", "é日🎉", "\xff", "a\xed\xa0\x80b", "01234567\xf0\x9f"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		raw := args.AppendString(nil, s)
		if err := args.Scan(raw, args.Rules{}); err != nil {
			t.Fatalf("AppendString(%q) = %s: %v", s, raw, err)
		}
		var want string
		if err := json.Unmarshal(raw, &want); err != nil {
			t.Fatal(err)
		}
		got, err := args.Unquote(raw)
		if err != nil || got != want || got != strings.ToValidUTF8(s, "") && !strings.Contains(got, "\ufffd") {
			t.Fatalf("%q: Unquote(%s) = %q, %v", s, raw, got, err)
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	for _, bb := range []struct {
		name string
		v    any
	}{
		{"string", "hello everybody in here"},
		{"int", 123456},
		{"binary", []byte("0123456789")},
		{"map", map[string]any{"room": "lobby", "text": "hello everybody", "at": int64(1700000000123), "ok": true}},
		{"struct", inner{1, 2}},
		{"struct with binary", struct {
			Name string
			Data []byte
		}{"a", []byte("x")}},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := args.Encode(bb.v); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func ExampleEncode() {
	a, err := args.Encode("photo.jpg", map[string]any{"data": []byte{1, 2, 3}})
	fmt.Println(string(a.Raw), a.N, a.Attachments, err)
	// Output: "photo.jpg",{"data":{"_placeholder":true,"num":0}} 2 [[1 2 3]] <nil>
}
