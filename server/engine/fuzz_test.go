package engine_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"siomq/server/engine"
)

// FuzzPayload: the packets of a payload, joined, are the payload; nothing that
// is not UTF-8 is taken; and parsing ends with the first packet that is refused.
func FuzzPayload(f *testing.F) {
	for _, seed := range []string{
		"4hello\x1e2\x1e4world", "4hello\x1ebAQIDBA==", "", "\x1e", "4a\x1e\x1e4b", "4\xff", "1", "6", strings.Repeat("4x\x1e", 100),
	} {
		f.Add([]byte(seed), 3)
	}
	f.Fuzz(func(t *testing.T, payload []byte, refuse int) {
		var packets [][]byte
		err := engine.EachPacket(payload, func(p []byte) error {
			packets = append(packets, p)
			return nil
		})
		if (err == nil) != utf8.Valid(payload) {
			t.Fatalf("%q: error %v", payload, err)
		}
		if err != nil {
			if len(packets) != 0 {
				t.Fatalf("%q: packets of a payload that is not UTF-8", payload)
			}
			return
		}
		if joined := bytes.Join(packets, []byte{0x1e}); !bytes.Equal(joined, payload) {
			t.Fatalf("%q: joined %q", payload, joined)
		}
		refused := errors.New("refused")
		calls := 0
		err = engine.EachPacket(payload, func([]byte) error {
			if calls++; calls == refuse {
				return refused
			}
			return nil
		})
		if refuse >= 1 && refuse <= len(packets) && (err != refused || calls != refuse) {
			t.Fatalf("%q: error %v after %d calls, refused at %d", payload, err, calls, refuse)
		}
	})
}

// FuzzBase64: what is decoded is what was encoded, with padding or without.
func FuzzBase64(f *testing.F) {
	f.Add([]byte{}, "AQIDBA==")
	f.Add([]byte{0}, "A")
	f.Add([]byte{1, 2, 3, 4}, "AA=A")
	f.Fuzz(func(t *testing.T, data []byte, garbage string) {
		for _, encoded := range []string{base64.StdEncoding.EncodeToString(data), base64.RawStdEncoding.EncodeToString(data)} {
			if got, err := engine.DecodeBase64([]byte(encoded)); err != nil || !bytes.Equal(got, data) {
				t.Fatalf("%q: %q, %v, want %q", encoded, got, err, data)
			}
		}
		_, _ = engine.DecodeBase64([]byte(garbage)) // no panic
	})
}

// FuzzStream: what is written to a WebTransport stream is read from it, and
// reading anything else keeps to the limit.
func FuzzStream(f *testing.F) {
	long := strings.Repeat("x", 8192)
	f.Add("hello", []byte{1, 2}, []byte("\x024a\x82ab"))
	f.Add("", []byte{}, []byte{0, 126, 0, 1, '4', 127, 0, 0, 0, 0, 0, 0, 0, 1, '4'})
	f.Add(long[:124], []byte(long[:126]), []byte{255, 255, 255, 255, 255, 255, 255, 255, 255})
	f.Add(long[:125], []byte(long), []byte{126, 0})
	f.Fuzz(func(t *testing.T, text string, data, wire []byte) {
		if !utf8.ValidString(text) {
			t.Skip()
		}
		type frame struct {
			binary  bool
			payload string
		}
		want := []frame{{false, "4" + text}, {true, string(data)}, {false, "4"}}
		if len(data) == 0 {
			want[1] = frame{false, "b"} // which says the same
		}
		m := engine.NewMessage(engine.Part{Data: []byte(text)}, engine.Part{Data: data, Binary: true}, engine.Part{})
		var got []frame
		err := engine.ReadStream(engine.StreamFrames(m), 1<<20, func(binary bool, payload []byte) {
			got = append(got, frame{binary, string(payload)})
		})
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("%v, %v, want %v", got, err, want)
		}
		_ = engine.ReadStream(wire, 100, func(binary bool, payload []byte) {
			if len(payload) > 100 || !binary && !utf8.Valid(payload) {
				t.Fatalf("frame %q of %q", payload, wire)
			}
		})
	})
}
