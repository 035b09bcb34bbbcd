package args_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"reflect"
	"strings"
	"testing"
	"time"

	"siomq/rooms"
	"siomq/rooms/args"
)

type upload struct {
	Name    string    `json:"name"`
	Data    []byte    `json:"data"`
	Any     any       `json:"any"`
	Chunks  [][]byte  `json:"chunks"`
	Ptr     *[]byte   `json:"ptr"`
	Sub     *upload   `json:"sub"`
	At      time.Time `json:"at"`
	Count   int       `json:"count,string"`
	ByID    map[int][]byte
	Fixed   [2]blob
	Raw     json.RawMessage
	Args    rooms.Args
	Base64  base64
	ignored []byte
	Deep
}

// base64 has a form of its own: what encoding/json makes of binary data.
type base64 struct{ s string }

func (b *base64) UnmarshalJSON(raw []byte) error { return json.Unmarshal(raw, &b.s) }

func TestBind(t *testing.T) {
	a, err := args.Encode("a", 7, nil, map[string]any{"x": []byte("1")}, []byte("2"))
	if err != nil {
		t.Fatal(err)
	}
	var (
		s     string
		n     int
		null  = "kept by null"
		m     map[string]any
		b     []byte
		extra = "kept"
	)
	if err := args.Bind(a, &s, &n, &null, &m, &b, &extra); err != nil {
		t.Fatal(err)
	}
	if s != "a" || n != 7 || null != "kept by null" || !reflect.DeepEqual(m, map[string]any{"x": []byte("1")}) || string(b) != "2" || extra != "kept" {
		t.Errorf("got %q %d %q %v %q %q", s, n, null, m, b, extra)
	}
	b[0] = 'X'
	if string(a.Attachments[1]) != "2" {
		t.Error("the decoded binary shares memory with the attachment")
	}
	var last []byte
	if err := args.Bind(a, nil, nil, nil, nil, &last); err != nil || string(last) != "2" {
		t.Errorf("skipping: %q, %v", last, err)
	}
	if err := args.Bind(a); err != nil {
		t.Error(err)
	}
	if err := args.Bind(a, nil, &s); err == nil || !strings.Contains(err.Error(), "argument 1 into *string") {
		t.Errorf("a number into a string: %v", err)
	}
	var whole rooms.Args
	if err := args.Bind(a, nil, nil, nil, nil, &whole); err != nil || whole.N != 1 || string(whole.Attachments[0]) != "2" || args.Check(whole) != nil {
		t.Errorf("undecoded: %+v, %v", whole, err)
	}
}

func TestDecodeBinary(t *testing.T) {
	at := time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)
	three := []byte("3")
	in := map[string]any{
		"name": "n\"", "data": []byte("0"), "any": []any{[]byte("1"), 1.5, "x", nil, true, map[string]any{"y": []byte("2")}},
		"chunks": []any{[]byte("a"), []byte{}, nil}, "PTR": three, "sub": map[string]any{"data": []byte("4"), "unknown": []any{[]byte("5"), "]"}},
		"at": at, "count": "12", "ByID": map[string]any{"7": []byte("6")}, "Fixed": []any{[]byte("f"), []byte("g"), []byte("h")},
		"Raw": []any{1, []byte("r")}, "Args": []any{[]byte("s")}, "Base64": []byte("base"), "ignored": []byte("i"), "B": 1, "D": 2,
	}
	a, err := args.Encode(in)
	if err != nil {
		t.Fatal(err)
	}
	var got upload
	if err := args.Bind(a, &got); err != nil {
		t.Fatal(err)
	}
	if raw := string(got.Raw); !strings.Contains(raw, `"_placeholder":true`) {
		t.Errorf("Raw is %s", raw)
	}
	if got.Args.N != 1 || string(got.Args.Raw) != `[{"_placeholder":true,"num":0}]` || string(got.Args.Attachments[0]) != "s" {
		t.Errorf("Args is %+v", got.Args)
	}
	got.Raw, got.Args = nil, rooms.Args{}
	want := upload{
		Name: "n\"", Data: []byte("0"), Any: []any{[]byte("1"), 1.5, "x", nil, true, map[string]any{"y": []byte("2")}},
		Chunks: [][]byte{[]byte("a"), {}, nil}, Ptr: &three, Sub: &upload{Data: []byte("4")}, At: at, Count: 12,
		ByID: map[int][]byte{7: []byte("6")}, Fixed: [2]blob{blob("f"), blob("g")}, Base64: base64{"YmFzZQ=="}, Deep: Deep{1, 2},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestDecodeIntoOthers(t *testing.T) {
	ph := `{"_placeholder":true,"num":0}`
	bin := [][]byte{[]byte("x")}
	var (
		str    string
		num    int
		st     struct{ Num int }
		iface  any
		held   any = new(string)
		heldB  any = new([]byte)
		ip     net.IP
		ptr    **[]byte
		ints   []int
		mapped map[string]int
		keyed  map[uint8]any
		errVal error
		raw    json.RawMessage
		nested struct{ A *rooms.Args }
	)
	tests := []struct {
		name string
		raw  string
		bin  [][]byte
		v    any
		want any // nil: an error
	}{
		{"binary into a string", ph, bin, &str, nil},
		{"binary into an int", ph, bin, &num, nil},
		{"binary into a struct with num", ph, bin, &st, nil},
		{"plain object into a struct with num", `{"num":5}`, nil, &st, struct{ Num int }{5}},
		{"binary inside into ints", `[1,` + ph + `]`, bin, &ints, nil},
		{"binary inside into a map of ints", `{"a":` + ph + `}`, bin, &mapped, nil},
		{"binary into an interface", ph, bin, &iface, []byte("x")},
		{"binary into what an interface holds", ph, bin, &held, nil},
		{"binary into a []byte that an interface holds", ph, bin, &heldB, heldB},
		{"binary into an interface with methods", ph, bin, &errVal, nil},
		{"binary into a slice with a text form", ph, bin, &ip, net.IP("x")},
		{"binary into pointers", ph, bin, &ptr, nil},
		{"base64 into a []byte beside binary", `["eA==",` + ph + `]`, bin, new([][]byte), [][]byte{[]byte("x"), []byte("x")}},
		{"raw", `[` + ph + `]`, bin, &raw, json.RawMessage(`[` + ph + `]`)},
		{"key out of range", `{"256":` + ph + `}`, bin, &keyed, nil},
		{"key", `{"255":` + ph + `}`, bin, &keyed, map[uint8]any{255: []byte("x")}},
		{"undecoded inside, no attachments", `{"a":[1, 2]}`, nil, &nested, struct{ A *rooms.Args }{&rooms.Args{Raw: []byte(`[1, 2]`), N: 1}}},
		{"undecoded null inside", `{"a":null}`, nil, &nested, struct{ A *rooms.Args }{}},
		{"number over float64", `[1e400,` + ph + `]`, bin, &iface, nil},
		{"placeholder out of range", `{"_placeholder":true,"num":1}`, bin, &iface, nil},
		{"not JSON", `{`, bin, &iface, nil},
		{"not a pointer", `1`, nil, 5, nil},
		{"nil", `1`, nil, nil, nil},
		{"nil pointer", `"a"`, nil, (*string)(nil), nil},
		{"nil raw pointer", `"a"`, nil, (*json.RawMessage)(nil), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := args.Decode([]byte(tt.raw), tt.bin, tt.v)
			if tt.name == "binary into pointers" {
				if err != nil || string(**ptr) != "x" {
					t.Errorf("got %v, %v", ptr, err)
				}
				return
			}
			if tt.want == nil {
				if err == nil {
					t.Errorf("no error, got %v", reflect.ValueOf(tt.v).Elem())
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := reflect.ValueOf(tt.v).Elem().Interface(); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %#v, want %#v", got, tt.want)
			}
		})
	}
}

// TestDecodeAgreesWithEncodingJSON: with an attachment about, everything else
// is decoded as ever.
func TestDecodeAgreesWithEncodingJSON(t *testing.T) {
	texts := []string{
		`null`, `1`, `-1.5e3`, `"a\n\ud83c\udf89\ud800"`, `true`, `[]`, `{}`, `[1,"a",null,[2]]`, `{"A":1,"b":2,"a":3}`, `{"name":"x","count":"3","data":"eA=="}`,
		`{"B":5,"D":6,"sub":{"name":"y","sub":null}}`, `{"count":3}`, `{"count":"x"}`, `{"Fixed":["eA=="]}`, `{"ByID":{"1":"eA==","2":null}}`, `{"ByID":{"x":null}}`, `{"at":"2024-02-29T12:00:00Z"}`, `[[1],[2]]`,
		`{"name":1}`, `[{"name":"x"},{"NAME":"y"}]`,
	}
	types := []any{new(any), new(string), new(int), new(float64), new([]any), new([]int), new([2]int), new(map[string]any), new(map[string]int),
		new(upload), new(*upload), new([]upload), new(inner), new(bool), new(*string), new([]byte), new(embedded), new(map[named]any), new([][]float64)}
	for _, text := range texts {
		for _, v := range types {
			got, want := reflect.New(reflect.TypeOf(v).Elem()), reflect.New(reflect.TypeOf(v).Elem())
			// The value stands beside a binary one, so that it is walked through.
			holder := reflect.New(reflect.StructOf([]reflect.StructField{{Name: "V", Type: got.Elem().Type()}, {Name: "Bin", Type: reflect.TypeFor[[]byte]()}}))
			raw := `{"V":` + text + `,"Bin":{"_placeholder":true,"num":0}}`
			gotErr := args.Decode([]byte(raw), [][]byte{[]byte("x")}, holder.Interface())
			wantErr := json.Unmarshal([]byte(text), want.Interface())
			if (gotErr == nil) != (wantErr == nil) {
				t.Errorf("%s into %T: %v, encoding/json: %v", text, v, gotErr, wantErr)
				continue
			}
			if gotErr == nil && !reflect.DeepEqual(holder.Elem().Field(0).Interface(), want.Elem().Interface()) {
				t.Errorf("%s into %T: %+v, encoding/json: %+v", text, v, holder.Elem().Field(0), want.Elem())
			}
		}
	}
}

func TestUnquote(t *testing.T) {
	tests := []struct {
		raw, want string
		ok        bool
	}{
		{`""`, "", true},
		{` "a" `, "a", true},
		{`"a\u0000\ud83c\udf89"`, "a\x00🎉", true},
		{`"\ud800"`, "\ufffd", true},
		{`"é日"`, "é日", true},
		{`"a`, "", false},
		{`"`, "", false},
		{``, "", false},
		{`1`, "", false},
		{`"a"b"`, "", false},
		{"\"\xff\"", "", false},
		{"\"\n\"", "", false},
	}
	for _, tt := range tests {
		got, err := args.Unquote([]byte(tt.raw))
		if got != tt.want || (err == nil) != tt.ok {
			t.Errorf("Unquote(%q) = %q, %v; want %q, valid: %v", tt.raw, got, err, tt.want, tt.ok)
		}
	}
}

// FuzzDecode: nothing makes decoding panic, and what is decoded and encoded
// again decodes to the same.
func FuzzDecode(f *testing.F) {
	for _, s := range jsonSeeds {
		f.Add([]byte(s))
	}
	f.Add([]byte(`{"name":"x","data":{"_placeholder":true,"num":0},"any":[{"num":1,"_placeholder":true}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		bin := [][]byte{[]byte("0"), []byte("1")}
		for _, v := range []any{new(upload), new([]upload), new(string), new(map[string][]byte), new(rooms.Args)} {
			_ = args.Decode(raw, bin, v)
			_ = args.Decode(raw, nil, v)
		}
		var first, second any
		if args.Scan(raw, args.Rules{Attachments: 2}) != nil || args.Decode(raw, bin, &first) != nil {
			return
		}
		a, err := args.Encode(first)
		if err != nil {
			if errors.Is(err, args.ErrPlaceholder) {
				return // two members of one name
			}
			t.Fatalf("%q decodes to %#v, which does not encode: %v", raw, first, err)
		}
		if err := args.Bind(a, &second); err != nil || !reflect.DeepEqual(first, second) {
			t.Fatalf("%q is %#v, then %#v, %v", raw, first, second, err)
		}
	})
}

func BenchmarkBind(b *testing.B) {
	text := texts(`"hello everybody in here"`, 1)
	object := texts(`{"A":1,"B":2}`, 1)
	binary, err := args.Encode(map[string]any{"name": "n", "data": []byte("0123456789")})
	if err != nil {
		b.Fatal(err)
	}
	for _, bb := range []struct {
		name string
		a    rooms.Args
		v    any
	}{{"string", text, new(string)}, {"struct", object, new(inner)}, {"struct with binary", binary, new(upload)}} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := args.Bind(bb.a, bb.v); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func ExampleBind() {
	a := rooms.Args{Raw: []byte(`"photo.jpg",{"data":{"_placeholder":true,"num":0}}`), N: 2, Attachments: [][]byte{{1, 2, 3}}}
	var name string
	var file struct{ Data []byte }
	err := args.Bind(a, &name, &file)
	fmt.Println(name, file.Data, err)
	// Output: photo.jpg [1 2 3] <nil>
}
