package payload_test

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/vmihailenco/msgpack/v5"

	"siomq/adapter/payload"
	"siomq/rooms"
	"siomq/rooms/args"
)

// TestMsgpackNumbers: from JSON to msgpack and back.
func TestMsgpackNumbers(t *testing.T) {
	tests := map[string]string{ // "" is the same
		"0": "", "1": "", "-1": "", "127": "", "128": "", "-32": "", "-33": "", "-128": "", "-129": "", "255": "", "256": "",
		"32767": "", "-32768": "", "-32769": "", "65535": "", "65536": "", "2147483647": "", "-2147483648": "", "-2147483649": "", "4294967295": "", "4294967296": "",
		"9007199254740993": "", "9223372036854775807": "", "-9223372036854775808": "", "9223372036854775808": "", "18446744073709551615": "",
		"18446744073709551616": "18446744073709552000", "-9223372036854775809": "-9223372036854776000",
		"0.1": "", "-1.5": "", "1e21": "1e+21", "1e-7": "", "1.0": "1", "1E2": "100", "-0": "", "-0.0": "-0", "1e400": "null", "-1e400": "null", "5e-324": "", "1e-400": "0",
	}
	for in, want := range tests {
		if want == "" {
			want = in
		}
		p, _, err := payload.EncodeAs(values(in, 1), payload.ArgsMsgpack)
		if err != nil {
			t.Fatal(err)
		}
		a, err := payload.DecodeAs(p, payload.ArgsMsgpack)
		if err != nil || string(a.Raw) != want {
			t.Errorf("%s is %x is %s, %v; want %s", in, p, a.Raw, err, want)
		}
	}
}

// TestMsgpackAgainstPeer: what another implementation writes is read, and what is
// written it reads.
func TestMsgpackAgainstPeer(t *testing.T) {
	at := time.Date(2024, 2, 29, 12, 30, 0, 5e6, time.UTC)
	long := strings.Repeat("é", 40000)
	many := make([]any, 70000)
	wide := make(map[string]any)
	for i := range many {
		many[i] = int64(i)
		wide[string(rune('a'+i%26))+strings.Repeat("x", i%300)] = "v"
	}
	tests := []struct {
		name string
		in   any
		want string // as JSON, "" for what encoding/json makes of it
	}{
		{"scalars", []any{nil, true, false, 1, -1, 300, -300, 70000, int64(math.MinInt64), uint64(math.MaxUint64), 1.5, "a", ""}, ""},
		{"float32", []any{float32(0.1), float32(1e30)}, `[0.1,1e+30]`},
		{"not numbers", []any{math.NaN(), math.Inf(1), float32(math.Inf(-1))}, `[null,null,null]`},
		{"strings", []any{"é🎉\x00\"\\", strings.Repeat("a", 31), strings.Repeat("a", 32), strings.Repeat("a", 255), strings.Repeat("a", 256), long}, ""},
		{"arrays", []any{[]any{}, many[:15], many[:16], many}, ""},
		{"maps", []any{map[string]any{}, map[string]any{"a": map[string]any{"b": []any{1}}}, wide}, ""},
		{"keys", []any{map[any]any{1: "a"}, map[any]any{-7: "a"}, map[any]any{1.5: "a"}, map[any]any{true: "a"}, map[any]any{nil: "a"}, map[any]any{"s": "a"}, map[any]any{math.Copysign(0, -1): 1}, map[any]any{math.NaN(): 1}},
			`[{"1":"a"},{"-7":"a"},{"1.5":"a"},{"true":"a"},{"null":"a"},{"s":"a"},{"0":1},{"null":1}]`},
		{"times", []any{at, time.Unix(1700000000, 0), time.Unix(1700000000, 123456789), time.Unix(1<<35, 0), time.Unix(-1, 5e8)},
			`["2024-02-29T12:30:00.005Z","2023-11-14T22:13:20.000Z","2023-11-14T22:13:20.123456789Z","3058-10-26T03:46:08.000Z","1969-12-31T23:59:59.500Z"]`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			packed, err := msgpack.Marshal(tt.in)
			if err != nil {
				t.Fatal(err)
			}
			a, err := payload.Decode(packed, payload.TypeArgsMsgpack)
			if err != nil {
				t.Fatal(err)
			}
			want := tt.want
			if want == "" {
				raw, _ := args.Encode(tt.in)
				want = string(raw.Raw)
			}
			var got, wanted any
			text := "[" + string(a.Raw) + "]"
			if json.Unmarshal([]byte(text), &got) != nil || json.Unmarshal([]byte(want), &wanted) != nil || !reflect.DeepEqual(got, wanted) {
				t.Fatalf("got %.300s\nwant %.300s", text, want)
			}
			if tt.want != "" && text != want {
				t.Errorf("got %s\nwant %s", text, want)
			}
			written, _, err := payload.EncodeAs(a, payload.ArgsMsgpack)
			if err != nil {
				t.Fatal(err)
			}
			var back []any
			if err := msgpack.Unmarshal(written, &back); err != nil {
				t.Fatal(err)
			}
			raw, err := json.Marshal(back)
			if err != nil || json.Unmarshal(raw, &got) != nil || !reflect.DeepEqual(got, wanted) {
				t.Errorf("the peer reads %.300s, %v", raw, err)
			}
		})
	}
}

func TestMsgpackBinaryAgainstPeer(t *testing.T) {
	for _, n := range []int{0, 1, 255, 256, 65535, 65536} {
		data := make([]byte, n)
		packed, err := msgpack.Marshal([]any{map[string]any{"d": data}, "x"})
		if err != nil {
			t.Fatal(err)
		}
		a, err := payload.Decode(packed, payload.TypeArgsMsgpack)
		if err != nil || string(a.Raw) != `{"d":`+ph0+`},"x"` || len(a.Attachments) != 1 || len(a.Attachments[0]) != n {
			t.Fatalf("%d bytes: %s, %v", n, a.Raw, err)
		}
		written, typ, err := payload.Encode(a)
		if err != nil || typ != payload.TypeArgsMsgpack || string(written) != string(packed) {
			t.Errorf("%d bytes: %.40x, %s, %v; want %.40x", n, written, typ, err, packed)
		}
	}
}

func TestMsgpackRefuses(t *testing.T) {
	tests := []struct {
		name, data string
		want       error
	}{
		{"never used code", "\xc1", args.ErrMsgpack},
		{"nothing", "", args.ErrMsgpack},
		{"cut number", "\xcd\x01", args.ErrMsgpack},
		{"cut float", "\xcb\x00", args.ErrMsgpack},
		{"cut string", "\xa5abc", args.ErrMsgpack},
		{"4 GiB string", "\xdb\xff\xff\xff\xffabc", args.ErrMsgpack},
		{"4 GiB binary", "\xc6\xff\xff\xff\xffabc", args.ErrMsgpack},
		{"4 Gi elements", "\xdd\xff\xff\xff\xff\x01", args.ErrMsgpack},
		{"4 Gi members", "\xdf\xff\xff\xff\xff\xa1a\x01", args.ErrMsgpack},
		{"4 GiB extension", "\xc9\xff\xff\xff\xff\x01", args.ErrMsgpack},
		{"cut map", "\x81\xa1a", args.ErrMsgpack},
		{"map without key", "\x81", args.ErrMsgpack},
		{"key of type array", "\x81\x90\x01", args.ErrMsgpack},
		{"key of type map", "\x81\x80\x01", args.ErrMsgpack},
		{"key of type bin", "\x81\xc4\x01a\x01", args.ErrMsgpack},
		{"key of type ext", "\x81\xd6\xff\x00\x00\x00\x00\x01", args.ErrMsgpack},
		{"never used code as a key", "\x81\xc1\x01", args.ErrMsgpack},
		{"extension type 5", "\xd4\x05\x00", args.ErrMsgpack},
		{"timestamp of 1 byte", "\xd4\xff\x00", args.ErrMsgpack},
		{"timestamp after 9999", "\xc7\x0c\xff\x00\x00\x00\x00\x7f\xff\xff\xff\xff\xff\xff\xff", args.ErrMsgpack},
		{"timestamp with too many nanoseconds", "\xd7\xff\xff\xff\xff\xfc\x00\x00\x00\x00", args.ErrMsgpack},
		{"invalid UTF-8", "\xa1\xff", args.ErrUTF8},
		{"invalid UTF-8 in a key", "\x81\xa1\xff\x01", args.ErrUTF8},
		{"too deep", strings.Repeat("\x91", 50000) + "\x01", args.ErrDepth},
		{"too deep in maps", strings.Repeat("\x81\xa1a", 50000) + "\x01", args.ErrDepth},
		{"too many attachments", "\xdc\x03\xe9" + strings.Repeat("\xc4\x00", 1001), args.ErrTooManyAttachments},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := payload.Decode([]byte("\x91"+tt.data), payload.TypeArgsMsgpack); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
	atLimit := strings.Repeat("\x91", 1023) + "\x90"
	if a, err := payload.Decode([]byte(atLimit), payload.TypeArgsMsgpack); err != nil || args.Check(a) != nil {
		t.Errorf("1,024 deep: %v, %v", err, args.Check(a))
	}
}

// FuzzMsgpack: any arguments with binary data survive, as seen by somebody who
// decodes them.
func FuzzMsgpack(f *testing.F) {
	for _, s := range []string{`1`, `"a\u0000"`, `{"a":[1,{"b":null}],"c":{}}`, `[` + ph0 + `,1.5]`, ` [ true , false ] `, `12345678901234567890`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		bin := [][]byte{[]byte("x")}
		var want any
		if args.Scan(raw, args.Rules{Attachments: 1, MaxDepth: 1000}) != nil || args.Decode(raw, bin, &want) != nil {
			return
		}
		p, _, err := payload.EncodeAs(rooms.Args{Raw: raw, N: 1, Attachments: bin}, payload.ArgsMsgpack)
		if err != nil {
			t.Fatal(err)
		}
		a, err := payload.DecodeAs(p, payload.ArgsMsgpack)
		if err != nil {
			t.Fatalf("%q is %x: %v", raw, p, err)
		}
		var got any
		if err := args.Bind(a, &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%q is %#v, then %#v, %v", raw, want, got, err)
		}
		var peer []any
		if err := msgpack.Unmarshal(p, &peer); err != nil {
			t.Fatalf("the peer does not read %x: %v", p, err)
		}
	})
}
