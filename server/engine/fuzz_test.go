package engine_test

import (
	"bytes"
	"encoding/base64"
	"errors"
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
