package args_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"siomq/rooms"
	"siomq/rooms/args"
)

// TestReadNotepack: the extension types of npm notepack.io 2.2, lib/encode.js.
func TestReadNotepack(t *testing.T) {
	tests := []struct {
		name, packed string
		raw          string
		bin          []string
		want         error // also when read by the rules of ReadMsgpack
	}{
		{"undefined", "\xd4\x00\x00", `null`, nil, nil},
		{"undefined in an array", "\x93\x01\xd4\x00\x00\x02", `[1,null,2]`, nil, nil},
		{"undefined first in a map", "\x82\xa1a\xd4\x00\x00\xa1b\x02", `{"b":2}`, nil, nil},
		{"undefined last in a map", "\x82\xa1a\x01\xa1b\xd4\x00\x00", `{"a":1}`, nil, nil},
		{"undefined between", "\x83\xa1a\x80\xa1b\xd4\x00\x00\xa1c\x03", `{"a":{},"c":3}`, nil, nil},
		{"undefined alone in a map", "\x81\xa1a\xd4\x00\x00", `{}`, nil, nil},
		{"date", "\xd7\x00\x00\x00\x01\x8b\xcf\xe5\x68\x7b", `"2023-11-14T22:13:20.123Z"`, nil, nil},
		{"date before 1970", "\xd7\x00\xff\xff\xff\xff\xff\xff\xff\xff", `"1969-12-31T23:59:59.999Z"`, nil, nil},
		{"date of year 10000", "\xd7\x00\x00\x00\xe6\x77\xd2\x1f\xdc\x00", `"+010000-01-01T00:00:00.000Z"`, nil, nil},
		{"first date", "\xd7\x00\xff\xe1\x4d\xf7\x3d\x24\x00\x00", `"-271821-04-20T00:00:00.000Z"`, nil, nil},
		{"no date", "\xd7\x00\x7f\xff\xff\xff\xff\xff\xff\xff", `null`, nil, nil},
		{"ArrayBuffer", "\xc7\x02\x00ab", `{"_placeholder":true,"num":0}`, []string{"ab"}, nil},
		{"empty ArrayBuffer", "\xc7\x00\x00", `{"_placeholder":true,"num":0}`, []string{""}, nil},
		{"ArrayBuffer of 1 byte is not undefined", "\xc7\x01\x00\x00", `{"_placeholder":true,"num":0}`, []string{"\x00"}, nil},
		{"ArrayBuffer of 8 bytes is no date", "\xc7\x08\x0012345678", `{"_placeholder":true,"num":0}`, []string{"12345678"}, nil},
		{"ArrayBuffer of 256 bytes", "\xc8\x01\x00\x00" + strings.Repeat("x", 256), `{"_placeholder":true,"num":0}`, []string{strings.Repeat("x", 256)}, nil},
		{"cut ArrayBuffer", "\xc7\x02\x00a", ``, nil, args.ErrMsgpack},
		{"cut undefined", "\xd4\x00", ``, nil, args.ErrMsgpack},
		{"type 0 in 2 bytes", "\xd5\x00ab", ``, nil, args.ErrMsgpack},
		{"type 1", "\xd4\x01\x00", ``, nil, args.ErrMsgpack},
		{"undefined as a key", "\x81\xd4\x00\x00\x01", ``, nil, args.ErrMsgpack},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := args.ReadMsgpack(&rooms.Args{}, []byte(tt.packed)); !errors.Is(err, args.ErrMsgpack) {
				t.Errorf("ReadMsgpack(%x) = %v, want %v", tt.packed, err, args.ErrMsgpack)
			}
			var a rooms.Args
			rest, err := args.ReadMsgpackBy(args.MsgpackRules{Notepack: true}, &a, []byte(tt.packed))
			if !errors.Is(err, tt.want) || err == nil && len(rest) > 0 {
				t.Fatalf("ReadMsgpackBy(%x) = %x, %v; want error %v", tt.packed, rest, err, tt.want)
			}
			if tt.raw != "" && string(a.Raw) != tt.raw || len(a.Attachments) != len(tt.bin) {
				t.Fatalf("ReadMsgpackBy(%x): %s with %d attachments, want %s with %d", tt.packed, a.Raw, len(a.Attachments), tt.raw, len(tt.bin))
			}
			for i, b := range tt.bin {
				if string(a.Attachments[i]) != b {
					t.Errorf("attachment %d is %q, want %q", i, a.Attachments[i], b)
				}
			}
		})
	}
}

func TestReadMsgpackLimits(t *testing.T) {
	rules := args.MsgpackRules{MaxDepth: 3, MaxAttachments: 2}
	tests := []struct {
		name, packed string
		want         error
	}{
		{"depth", "\x91\x81\xa1a\x01", nil},
		{"too deep an array", "\x91\x91\x90", args.ErrDepth},
		{"too deep a map", "\x91\x91\x80", args.ErrDepth},
		{"attachments", "\x92\xc4\x00\xc4\x00", nil},
		{"too many attachments", "\x93\xc4\x00\xc4\x00\xc4\x00", args.ErrTooManyAttachments},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := args.ReadMsgpackBy(rules, &rooms.Args{}, []byte(tt.packed)); !errors.Is(err, tt.want) {
				t.Errorf("ReadMsgpackBy(%x) = %v, want %v", tt.packed, err, tt.want)
			}
		})
	}
	nested := func(n int) []byte { return append(bytes.Repeat([]byte{0x91}, n-1), 0x90) }
	if _, err := args.ReadMsgpack(&rooms.Args{}, nested(args.MaxDepth-1)); err != nil {
		t.Errorf("the deepest that is allowed: %v", err)
	}
	if _, err := args.ReadMsgpack(&rooms.Args{}, nested(args.MaxDepth)); !errors.Is(err, args.ErrDepth) {
		t.Errorf("one deeper: %v, want %v", err, args.ErrDepth)
	}
}
