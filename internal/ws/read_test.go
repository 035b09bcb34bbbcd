package ws_test

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"siomq/internal/ws"
)

// streams are byte streams of a client and what a server makes of them.
func streams() []struct {
	name  string
	bytes []byte
	want  []string
} {
	long := strings.Repeat("0123456789abcdef", ws.BufferSize/16)
	big := strings.Repeat("z", 65536)
	nonMinimal := join([]byte{0x81, 0x80 | 126, 0, 5}, testKey[:], frame(0x81, "Hello")[6:])
	return []struct {
		name  string
		bytes []byte
		want  []string
	}{
		{"RFC 6455 5.7, masked text", []byte("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"), []string{"text Hello", "EOF"}},
		{"RFC 6455 5.7, fragmented text", join(frame(0x01, "Hel"), frame(0x80, "lo")), []string{"text Hello", "EOF"}},
		{"RFC 6455 5.7, ping", frame(0x89, "Hello"), []string{"pong 8a0548656c6c6f", "EOF"}},
		{"RFC 6455 5.7, masked pong", []byte("\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"), []string{"EOF"}},
		{"RFC 6455 5.7, 256 bytes", frame(0x82, big[:256]), []string{"binary " + brief(big[:256]), "EOF"}},
		{"RFC 6455 5.7, 64 KiB", frame(0x82, big), []string{"binary " + brief(big), "EOF"}},
		{"nothing", nil, []string{"EOF"}},
		{"empty messages", join(frame(0x81, ""), frame(0x82, "")), []string{"text ", "binary ", "EOF"}},
		{"empty fragments", join(frame(0x01, ""), frame(0x00, ""), frame(0x80, "")), []string{"text ", "EOF"}},
		{"empty first fragment", join(frame(0x02, ""), frame(0x00, "a"), frame(0x80, "")), []string{"binary a", "EOF"}},
		{"empty ping", frame(0x89, ""), []string{"pong 8a00", "EOF"}},
		{"longest ping", frame(0x89, big[:125]), []string{fmt.Sprintf("pong 8a7d%x", big[:125]), "EOF"}},
		{"ping between fragments", join(frame(0x01, "a"), frame(0x89, "1"), frame(0x00, "b"), frame(0x8a, "2"), frame(0x89, "3"), frame(0x80, "c")),
			[]string{"pong 8a0131", "pong 8a0133", "text abc", "EOF"}},
		{"close between fragments", join(frame(0x01, "a"), frame(0x88, "\x03\xe8")), []string{"closed 1000 "}},
		{"character split across fragments", join(frame(0x01, "\xf0"), frame(0x00, "\x9f\x98"), frame(0x80, "\x80!")), []string{"text 😀!", "EOF"}},
		{"many messages", join(frame(0x81, "one"), frame(0x82, "two"), frame(0x81, "three"), frame(0x81, "four")),
			[]string{"text one", "binary two", "text three", "text four", "EOF"}},
		{"as long as the buffer", join(frame(0x81, long), frame(0x81, "x")), []string{"text " + brief(long), "text x", "EOF"}},
		{"longer than the buffer", join(frame(0x81, long+"+"), frame(0x81, "x")), []string{"text " + brief(long+"+"), "text x", "EOF"}},
		{"long fragments", join(frame(0x01, long), frame(0x80, long+"+"), frame(0x81, "x")),
			[]string{"text " + brief(long+long+"+"), "text x", "EOF"}},
		{"length in a longer form than needed", nonMinimal, []string{"text Hello", "EOF"}},
		{"close", join(frame(0x81, "a"), frame(0x88, "\x03\xe8bye"), frame(0x81, "ignored")), []string{"text a", "closed 1000 bye"}},
		{"close without code", frame(0x88, ""), []string{"closed 1005 "}},
		{"close with own code", frame(0x88, "\x0f\xa0"), []string{"closed 4000 "}},
		{"end inside a header", join(frame(0x81, "a"), frame(0x81, "b")[:3]), []string{"text a", "unexpected EOF"}},
		{"end inside a payload", frame(0x81, "abc")[:8], []string{"unexpected EOF"}},
		{"end inside a long payload", frame(0x82, big)[:30000], []string{"unexpected EOF"}},
		{"end between fragments", frame(0x01, "abc"), []string{"unexpected EOF"}},
		{"end inside a ping", frame(0x89, "abc")[:8], []string{"unexpected EOF"}},

		{"not masked", []byte("\x81\x05Hello"), []string{"violation 1002"}},
		{"RSV1", frame(0xc1, "a"), []string{"violation 1002"}},
		{"RSV2", frame(0xa1, "a"), []string{"violation 1002"}},
		{"RSV3 on a ping", frame(0x99, "a"), []string{"violation 1002"}},
		{"opcode 3", frame(0x83, "a"), []string{"violation 1002"}},
		{"opcode 15", frame(0x8f, "a"), []string{"violation 1002"}},
		{"ping in fragments", frame(0x09, "a"), []string{"violation 1002"}},
		{"ping too long", frame(0x89, big[:126]), []string{"violation 1002"}},
		{"continuation of nothing", frame(0x80, "a"), []string{"violation 1002"}},
		{"continuation after the end", join(frame(0x81, "a"), frame(0x80, "b")), []string{"text a", "violation 1002"}},
		{"message inside a message", join(frame(0x01, "a"), frame(0x81, "b")), []string{"violation 1002"}},
		{"length over 63 bits", []byte("\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff"), []string{"violation 1002"}},
		{"close with one byte", frame(0x88, "\x03"), []string{"violation 1002"}},
		{"close with code 0", frame(0x88, "\x00\x00"), []string{"violation 1002"}},
		{"close with code 999", frame(0x88, "\x03\xe7"), []string{"violation 1002"}},
		{"close with code 1004", frame(0x88, "\x03\xec"), []string{"violation 1002"}},
		{"close with code 1005", frame(0x88, "\x03\xed"), []string{"violation 1002"}},
		{"close with code 1006", frame(0x88, "\x03\xee"), []string{"violation 1002"}},
		{"close with code 1015", frame(0x88, "\x03\xf7"), []string{"violation 1002"}},
		{"close with code 2999", frame(0x88, "\x0b\xb7"), []string{"violation 1002"}},
		{"close with code 5000", frame(0x88, "\x13\x88"), []string{"violation 1002"}},
		{"close with bad reason", frame(0x88, "\x03\xe8\xff"), []string{"violation 1007"}},
		{"text not UTF-8", frame(0x81, "a\xc3("), []string{"violation 1007"}},
		{"text with a cut character", frame(0x81, "\xf0\x9f\x98"), []string{"violation 1007"}},
		{"text with a surrogate", frame(0x81, "\xed\xa0\x80"), []string{"violation 1007"}},
		{"fragments not UTF-8 together", join(frame(0x01, "\xf0\x9f"), frame(0x80, "a")), []string{"violation 1007"}},
		{"bytes that are no text in a binary message", frame(0x82, "\xff\x00"), []string{"binary \xff\x00", "EOF"}},
	}
}

// TestRead delivers each stream whole, byte by byte, and split at every byte.
func TestRead(t *testing.T) {
	for how, deliver := range deliveries() {
		for _, tt := range streams() {
			t.Run(how+"/"+tt.name, func(t *testing.T) {
				same(t, deliver(t, -1, tt.bytes), tt.want, "whole")
				piece, step := 1, 1
				if len(tt.bytes) > 1024 {
					piece, step = 997, len(tt.bytes)/40
				}
				same(t, deliver(t, -1, split(tt.bytes, piece)...), tt.want, "in pieces of %d", piece)
				for i := 1; i < len(tt.bytes); i += step {
					same(t, deliver(t, -1, tt.bytes[:i], tt.bytes[i:]), tt.want, "split at %d", i)
				}
			})
		}
	}
}

func TestReadLimit(t *testing.T) {
	huge := binary.BigEndian.AppendUint64([]byte{0x82, 0xff}, 1<<62)
	huge = append(huge, testKey[:]...)
	tests := []struct {
		name  string
		limit int64
		bytes []byte
		want  []string
	}{
		{"at the limit", 5, frame(0x81, "Hello"), []string{"text Hello", "EOF"}},
		{"over it", 5, frame(0x81, "Hello!"), []string{"violation 1009"}},
		{"over it by the declared length alone", 5, huge, []string{"violation 1009"}},
		{"fragments at the limit", 5, join(frame(0x01, "Hel"), frame(0x80, "lo")), []string{"text Hello", "EOF"}},
		{"fragments over it", 5, join(frame(0x01, "Hel"), frame(0x00, "lo!")[:6]), []string{"violation 1009"}},
		{"huge length after a fragment", 1 << 62, join(frame(0x02, "Hel"), []byte{0x80}, huge[1:]), []string{"violation 1009"}},
		{"limit 0", 0, join(frame(0x81, ""), frame(0x81, "a")), []string{"text ", "violation 1009"}},
		{"no limit, huge length", -1, huge, []string{"unexpected EOF"}},
		{"each message anew", 3, join(frame(0x81, "abc"), frame(0x81, "def")), []string{"text abc", "text def", "EOF"}},
	}
	for how, deliver := range deliveries() {
		for _, tt := range tests {
			t.Run(how+"/"+tt.name, func(t *testing.T) {
				same(t, deliver(t, tt.limit, tt.bytes), tt.want, "limit %d", tt.limit)
			})
		}
	}
}

// TestReadGrows holds that a declared length takes no memory before its bytes are there.
func TestReadGrows(t *testing.T) {
	huge := binary.BigEndian.AppendUint64([]byte{0x82, 0xff}, 1<<40)
	huge = append(append(huge, testKey[:]...), make([]byte, 100<<10)...)
	most := 0
	nc := &chunkConn{chunks: split(huge, 1000)}
	c := ws.NewTestConn(nc, nil, -1, nil)
	nc.before = func() { most = max(most, ws.Assembled(c)) }
	if _, _, err := c.Next(nil); err == nil {
		t.Fatal("a message of 1 TiB was read")
	}
	if most < 100<<10 || most > 300<<10 {
		t.Errorf("100 KiB of a message that declares 1 TiB take %d bytes, want up to 300 KiB", most)
	}
	if n := ws.Assembled(c); n != 0 {
		t.Errorf("%d bytes are kept after the end", n)
	}
}

func FuzzRead(f *testing.F) {
	for _, s := range streams() {
		if len(s.bytes) < 20000 {
			f.Add(s.bytes, uint16(7), int64(-1))
			f.Add(s.bytes, uint16(300), int64(4))
		}
	}
	f.Fuzz(func(t *testing.T, stream []byte, seed uint16, limit int64) {
		if limit < 0 || limit > 1<<20 {
			limit = 1 << 20
		}
		want := deliverPlain(t, limit, stream)
		pieces := cut(stream, seed)
		for how, deliver := range deliveries() {
			same(t, deliver(t, limit, pieces...), want, "%s, %x with seed %d, limit %d", how, stream, seed, limit)
		}
	})
}

// cut cuts a stream into pieces of lengths that follow from seed.
func cut(stream []byte, seed uint16) [][]byte {
	var pieces [][]byte
	x := uint32(seed) | 1
	for len(stream) > 0 {
		x = x*1664525 + 1013904223
		n := min(len(stream), 1+int(x>>16)%(1+int(seed)%700))
		pieces, stream = append(pieces, stream[:n]), stream[n:]
	}
	return pieces
}
