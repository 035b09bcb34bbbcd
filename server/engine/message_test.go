package engine_test

import (
	"bytes"
	"strings"
	"testing"

	"siomq/server/engine"
)

// A message is the same however it is made, at every length where the header
// of a frame changes (RFC 6455 section 5.2).
func TestMessage(t *testing.T) {
	for _, n := range []int{0, 1, 123, 124, 125, 126, 127, 65533, 65534, 65535, 65536, 100_000} {
		data := bytes.Repeat([]byte{'x'}, n)
		one := engine.NewMessage(engine.Part{Data: data}, engine.Part{Data: data, Binary: true})
		two := engine.NewText(7, func(dst []byte) []byte { return append(dst, data...) }, data)
		if !bytes.Equal(engine.Frames(one), engine.Frames(two)) {
			t.Errorf("%d bytes: the two forms differ", n)
		}
		c := serverFrames(t, engine.Frames(one))
		if len(c) != 2 || c[0] != "4"+string(data) || c[1] != string(data) {
			t.Errorf("%d bytes: frames %.20q", n, c)
		}
		payload := engine.Payload(one)
		if text, binary, _ := strings.Cut(payload, "\x1e"); text != "4"+string(data) || len(binary) != 1+(n+2)/3*4 {
			t.Errorf("%d bytes: payload %.20q", n, payload)
		}
		if one.Len() != len(engine.Frames(one)) {
			t.Errorf("%d bytes: Len %d", n, one.Len())
		}
	}
}

// serverFrames reads frames with the reader of the test client.
func serverFrames(t *testing.T, b []byte) []string {
	c := newReaderClient(t, bytes.NewReader(b))
	var payloads []string
	for {
		_, data, err := c.read()
		if err != nil {
			return payloads
		}
		payloads = append(payloads, string(data))
	}
}

// Making a message costs its bytes and itself.
func TestMessageAllocations(t *testing.T) {
	var m *engine.Message
	body := []byte(`2["event",{"a":1}]`)
	n := testing.AllocsPerRun(100, func() {
		m = engine.NewText(len(body), func(dst []byte) []byte { return append(dst, body...) })
	})
	if n > 2 {
		t.Errorf("NewText allocates %v times, want 2", n)
	}
	if m.Len() != 2+1+len(body) {
		t.Errorf("Len %d", m.Len())
	}
}
