package ws_test

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"siomq/internal/ws"
)

// deflate compresses with the standard library, as RFC 7692 section 7.2.1 has it, in one or more flushes.
func deflate(t testing.TB, level int, parts ...string) string {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, level)
	if err != nil {
		t.Fatalf("writer: %v", err)
	}
	for _, p := range parts {
		if _, err := io.WriteString(w, p); err != nil {
			t.Fatalf("compress: %v", err)
		}
		if err := w.Flush(); err != nil {
			t.Fatalf("flush: %v", err)
		}
	}
	return strings.TrimSuffix(b.String(), "\x00\x00\xff\xff")
}

// finished compresses in streams that each end with BFINAL, section 7.2.3.5.
func finished(t testing.TB, parts ...string) string {
	t.Helper()
	var b bytes.Buffer
	for _, p := range parts {
		w, err := flate.NewWriter(&b, flate.BestCompression)
		if err != nil {
			t.Fatalf("writer: %v", err)
		}
		if _, err := io.WriteString(w, p); err != nil {
			t.Fatalf("compress: %v", err)
		}
		if err := w.Close(); err != nil {
			t.Fatalf("close: %v", err)
		}
	}
	return b.String() + "\x00"
}

// inflated restores the payload of a compressed frame with the standard library.
func inflated(t testing.TB, body []byte) string {
	t.Helper()
	tail := "\x00\x00\xff\xff\x01\x00\x00\xff\xff"
	b, err := io.ReadAll(flate.NewReader(io.MultiReader(bytes.NewReader(body), strings.NewReader(tail))))
	if err != nil {
		t.Fatalf("inflate: %v", err)
	}
	return string(b)
}

// noise is what compression does not shorten.
func noise(n int) string {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(b)
	return string(b)
}

func TestReadCompressed(t *testing.T) {
	long := strings.Repeat("siomq ", 20000)
	rough := noise(3 * ws.BufferSize)
	exact := strings.Repeat("x", ws.BufferSize)
	hello := "\xf2\x48\xcd\xc9\xc9\x07\x00"
	tests := []struct {
		name  string
		bytes []byte
		want  []string
	}{
		{"RFC 7692 7.2.3.1, one block", frame(0xc1, hello), []string{"text Hello", "EOF"}},
		{"RFC 7692 7.2.3.1, in fragments", join(frame(0x41, hello[:3]), frame(0x80, hello[3:])), []string{"text Hello", "EOF"}},
		{"RFC 7692 7.2.3.3, no compression", frame(0xc1, "\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"), []string{"text Hello", "EOF"}},
		{"RFC 7692 7.2.3.4, BFINAL", frame(0xc1, "\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), []string{"text Hello", "EOF"}},
		{"RFC 7692 7.2.3.5, two blocks", frame(0xc1, "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"), []string{"text Hello", "EOF"}},
		{"RFC 7692 7.2.3.6, empty", frame(0xc1, "\x00"), []string{"text ", "EOF"}},
		{"empty without a block", frame(0xc2, ""), []string{"binary ", "EOF"}},
		{"compressed and not by turns", join(frame(0xc1, hello), frame(0x81, "plain"), frame(0xc2, hello)),
			[]string{"text Hello", "text plain", "binary Hello", "EOF"}},
		{"ping between fragments", join(frame(0x41, hello[:3]), frame(0x89, "p"), frame(0x80, hello[3:])), []string{"pong 8a0170", "text Hello", "EOF"}},
		{"several streams", frame(0xc1, finished(t, "one ", "two ", "three")), []string{"text one two three", "EOF"}},
		{"longer than the buffer", join(frame(0xc1, deflate(t, 9, long)), frame(0x81, "x")), []string{"text " + brief(long), "text x", "EOF"}},
		{"as long as the buffer", join(frame(0xc1, deflate(t, 9, exact)), frame(0x81, "x")), []string{"text " + brief(exact), "text x", "EOF"}},
		{"longer than the buffer when compressed", join(frame(0xc2, deflate(t, 9, rough)), frame(0x81, "x")),
			[]string{"binary " + brief(rough), "text x", "EOF"}},
		{"fragments and streams", join(frame(0x42, finished(t, long, rough)[:100]), frame(0x80, finished(t, long, rough)[100:])),
			[]string{"binary " + brief(long+rough), "EOF"}},

		{"RSV1 on a continuation", join(frame(0x41, hello[:3]), frame(0xc0, hello[3:])), []string{"violation 1002"}},
		{"RSV1 on a continuation only", join(frame(0x01, "a"), frame(0xc0, "b")), []string{"violation 1002"}},
		{"RSV1 on a ping", frame(0xc9, "a"), []string{"violation 1002"}},
		{"RSV1 on a close", frame(0xc8, "\x03\xe8"), []string{"violation 1002"}},
		{"RSV2", frame(0xe1, hello), []string{"violation 1002"}},
		{"RSV3", frame(0x91, "a"), []string{"violation 1002"}},
		{"reserved block type", frame(0xc1, "\x07"), []string{"violation 1007"}},
		{"cut", frame(0xc1, hello[:4]), []string{"violation 1007"}},
		{"not compressed", frame(0xc1, "Hello, World"), []string{"violation 1007"}},
		{"reference to before the beginning", frame(0xc1, "\x02\x01"), []string{"violation 1007"}},
		{"window of the message before", join(frame(0xc1, hello), frame(0xc1, "\xf2\x00\x11\x00\x00")), []string{"text Hello", "violation 1007"}},
		{"text not UTF-8 when inflated", frame(0xc1, deflate(t, 9, "a\xff")), []string{"violation 1007"}},
		{"close inside a compressed message", join(frame(0x41, hello[:3]), frame(0x88, "\x03\xe8")), []string{"closed 1000 "}},
		{"end inside a compressed message", frame(0x41, hello[:3]), []string{"unexpected EOF"}},
	}
	for how, deliver := range deflateDeliveries() {
		for _, tt := range tests {
			t.Run(how+"/"+tt.name, func(t *testing.T) {
				same(t, deliver(t, -1, tt.bytes), tt.want, "whole")
				piece, step := 1, 1
				if len(tt.bytes) > 512 {
					piece, step = 997, len(tt.bytes)/20
				}
				same(t, deliver(t, -1, split(tt.bytes, piece)...), tt.want, "in pieces of %d", piece)
				for i := 1; i < len(tt.bytes); i += step {
					same(t, deliver(t, -1, tt.bytes[:i], tt.bytes[i:]), tt.want, "split at %d", i)
				}
			})
		}
	}
}

// TestReadCompressedLimit holds that the limit is one of the inflated message, and of the work for it.
func TestReadCompressedLimit(t *testing.T) {
	bomb := deflate(t, 9, strings.Repeat("\x00", 8<<20))
	rough := noise(100000)
	tests := []struct {
		name  string
		limit int64
		bytes []byte
		want  []string
	}{
		{"at the limit", 5, frame(0xc1, "\xf2\x48\xcd\xc9\xc9\x07\x00"), []string{"text Hello", "EOF"}},
		{"over it", 4, frame(0xc1, "\xf2\x48\xcd\xc9\xc9\x07\x00"), []string{"violation 1009"}},
		{"bomb", 1 << 20, frame(0xc2, bomb), []string{"violation 1009"}},
		{"bomb in fragments", 1 << 20, join(frame(0x42, bomb[:100]), frame(0x80, bomb[100:])), []string{"violation 1009"}},
		{"bomb of streams", 1 << 20, frame(0xc2, finished(t, strings.Repeat("x", 1<<19), strings.Repeat("y", 1<<19), "z")), []string{"violation 1009"}},
		{"as many streams as allowed", 1 << 20, frame(0xc1, strings.Repeat("\x03\x00", ws.MaxStreams-1)+"\x00"), []string{"text ", "EOF"}},
		{"more of them", 1 << 20, frame(0xc1, strings.Repeat("\x03\x00", ws.MaxStreams)+"\x00"), []string{"violation 1007"}},
		{"incompressible at the limit", 100000, frame(0xc2, deflate(t, 9, rough)), []string{"binary " + brief(rough), "EOF"}},
		{"many empty blocks", 100, frame(0xc2, strings.Repeat("\x00\x00\x00\xff\xff", 1000)), []string{"violation 1009"}},
		{"message not compressed", 100, frame(0x82, rough[:101]), []string{"violation 1009"}},
	}
	for how, deliver := range deflateDeliveries() {
		for _, tt := range tests {
			t.Run(how+"/"+tt.name, func(t *testing.T) {
				same(t, deliver(t, tt.limit, tt.bytes), tt.want, "limit %d", tt.limit)
			})
		}
	}
}

// TestInflateIsBounded holds that a bomb takes no more memory than its limit allows.
func TestInflateIsBounded(t *testing.T) {
	const limit = 64 << 10
	bomb := frame(0xc2, deflate(t, 9, strings.Repeat("\x00", 16<<20)))
	res := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			c := ws.NewTestConn(&chunkConn{chunks: [][]byte{bomb}}, nil, limit, nil)
			ws.Agree(c, 15)
			if _, _, err := c.Next(nil); err == nil {
				b.Fatal("a bomb was read")
			}
		}
	})
	// The doubling slice takes up to twice its last length in all before that one, and append rounds up.
	if got := res.AllocedBytesPerOp(); got > int64(5*limit+2*len(bomb)) {
		t.Errorf("a bomb of %d bytes with limit %d takes %d bytes", len(bomb), limit, got)
	}
}

func TestAppendCompressedFrame(t *testing.T) {
	tests := []struct {
		name    string
		op      ws.Opcode
		payload string
		plain   bool
	}{
		{"text", ws.Text, strings.Repeat(`{"a":1,"b":[true,null]},`, 50), false},
		{"binary", ws.Binary, strings.Repeat("\x00\xff", 500), false},
		{"shortest header", ws.Text, strings.Repeat("a", 1000), false},
		{"header of 4 bytes", ws.Text, noise(100) + strings.Repeat(noise(150), 4), false},
		{"header of 10 bytes", ws.Binary, noise(100000) + strings.Repeat("a", 100000), false},
		{"empty", ws.Text, "", true},
		{"short", ws.Text, "Hello", true},
		{"incompressible", ws.Binary, noise(5000), true},
		{"ping", ws.Ping, strings.Repeat("a", 100), true},
	}
	for _, tt := range tests {
		for _, level := range []int{-5, 0, 1, 6, 9, 100} {
			t.Run(fmt.Sprintf("%s/level %d", tt.name, level), func(t *testing.T) {
				got := string(ws.AppendCompressedFrame([]byte("before"), tt.op, []byte(tt.payload), level))
				if !strings.HasPrefix(got, "before") {
					t.Fatalf("what was there is gone: %q", brief(got))
				}
				got = got[len("before"):]
				if tt.plain {
					if want := string(ws.AppendFrame(nil, tt.op, []byte(tt.payload))); got != want {
						t.Errorf("frame is %s, want %s", brief(got), brief(want))
					}
					return
				}
				h := string(ws.AppendHeader(nil, tt.op, len(got)-ws.HeaderLen(len(got)-4)))
				body := got[len(h):]
				h = string(ws.AppendHeader(nil, tt.op, len(body)))
				if got[0] != h[0]|0x40 || got[1:len(h)] != h[1:] {
					t.Errorf("header is %x, want %x with RSV1", got[:len(h)], h)
				}
				if in := inflated(t, []byte(body)); in != tt.payload {
					t.Errorf("payload inflates to %s, want %s", brief(in), brief(tt.payload))
				}
				if len(got) > len(tt.payload) {
					t.Errorf("%d bytes became %d", len(tt.payload), len(got))
				}
			})
		}
	}
}

// TestAppendCompressedFrameConcurrently holds that frames made at once do not mix.
func TestAppendCompressedFrameConcurrently(t *testing.T) {
	var makers sync.WaitGroup
	for i := range 8 {
		makers.Go(func() {
			for j := range 50 {
				payload := strings.Repeat(fmt.Sprintf("%d-%d ", i, j), 200)
				f := ws.AppendCompressedFrame(nil, ws.Text, []byte(payload), 1+j%3)
				if in := inflated(t, f[ws.HeaderLen(len(f)-4):]); in != payload {
					t.Errorf("frame %d of %d inflates to %s, want %s", j, i, brief(in), brief(payload))
				}
			}
		})
	}
	makers.Wait()
}

func TestTakesCompressed(t *testing.T) {
	tests := []struct {
		name   string
		window uint8
		n      int
		want   bool
	}{
		{"not agreed", 0, 10, false},
		{"not agreed, empty", 0, 0, false},
		{"whole window", 15, 1 << 30, true},
		{"as long as the window", 9, 512, true},
		{"longer than the window", 9, 513, false},
		{"smallest window", 8, 256, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := ws.NewTestConn(&chunkConn{}, nil, -1, nil)
			ws.Agree(c, tt.window)
			if got := c.TakesCompressed(tt.n); got != tt.want {
				t.Errorf("TakesCompressed(%d) = %v with a window of %d bits, want %v", tt.n, got, tt.window, tt.want)
			}
		})
	}
}

// TestStreamRefusesCompression: bytes are passed on as they arrive there, which a compressed message does not allow.
func TestStreamRefusesCompression(t *testing.T) {
	c := ws.NewTestConn(&chunkConn{chunks: [][]byte{frame(0xc2, "\xf2\x48\xcd\xc9\xc9\x07\x00")}}, nil, -1, nil)
	ws.Agree(c, 15)
	if n, err := ws.ReadSome(c, make([]byte, 100)); err == nil || n != 0 {
		t.Errorf("%d bytes with error %v, want a violation", n, err)
	}
}

// TestCompressionDoesNotAllocate: compressors, windows and inflated messages are borrowed.
func TestCompressionDoesNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("sync.Pool drops buffers at random under the race detector")
	}
	ours, theirs := tcpPair(t)
	c := ws.NewTestConn(ours, nil, 1<<20, nil)
	ws.Agree(c, 15)
	h := &sink{done: make(chan struct{})}
	var reader sync.WaitGroup
	reader.Go(func() { _ = c.ReadLoop(h) })
	payload := strings.Repeat(`{"room":"kitchen"},`, 200)
	in := frame(0xc1, deflate(t, 6, payload))
	dst, data := make([]byte, 0, 4096), []byte(payload)
	n := testing.AllocsPerRun(200, func() {
		h.want = 1
		mustWrite(t, theirs, in)
		<-h.done
		dst = ws.AppendCompressedFrame(dst[:0], ws.Text, data, ws.BestSpeed)
	})
	if n >= 1 { // a collection may empty a pool
		t.Errorf("reading and making a compressed message allocates %v times, want 0", n)
	}
	_ = ours.Close()
	reader.Wait()
}

func FuzzDeflate(f *testing.F) {
	f.Add([]byte(""), 1, uint16(3))
	f.Add([]byte("Hello"), 6, uint16(1))
	f.Add([]byte(strings.Repeat(`["message",{"room":"kitchen"}]`, 500)), 9, uint16(900))
	f.Add([]byte(noise(9000)), 3, uint16(77))
	f.Fuzz(func(t *testing.T, payload []byte, level int, seed uint16) {
		payload = payload[:min(len(payload), 40000)]
		out := ws.AppendCompressedFrame(nil, ws.Binary, payload, level)
		head := ws.HeaderLen(len(payload))
		if out[0]&0x40 != 0 {
			for head = 2; ws.HeaderLen(len(out)-head) != head; {
				head = ws.HeaderLen(len(out) - head)
			}
		}
		in := frame(out[0], string(out[head:])) // as a client would send it
		for how, deliver := range deflateDeliveries() {
			same(t, deliver(t, int64(len(payload)), cut(in, seed)...), []string{"binary " + brief(string(payload)), "EOF"}, "%s", how)
		}
	})
}

func FuzzInflate(f *testing.F) {
	f.Add([]byte("\xf2\x48\xcd\xc9\xc9\x07\x00"), int64(5))
	f.Add([]byte("\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), int64(-1))
	f.Add([]byte("\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"), int64(100))
	f.Add([]byte(strings.Repeat("\x03\x00", 70)), int64(100))
	f.Add([]byte(deflate(f, 9, strings.Repeat("ab", 5000))), int64(9999))
	f.Add([]byte(finished(f, "one", strings.Repeat("two", 100), "one")), int64(1000))
	f.Fuzz(func(t *testing.T, body []byte, limit int64) {
		if limit < 0 || limit > 1<<20 {
			limit = 1 << 20
		}
		for how, deliver := range deflateDeliveries() {
			lines := deliver(t, limit, frame(0xc2, string(body)))
			switch end := lines[len(lines)-1]; end {
			case "EOF", "violation 1007", "violation 1009":
			default:
				t.Errorf("%s: %x ends with %s", how, body, end)
			}
			// What the standard library makes of one stream is what a receiver has to make of it.
			tail := "\x00\x00\xff\xff\x01\x00\x00\xff\xff"
			src := bytes.NewReader(append(bytes.Clone(body), tail...))
			want, err := io.ReadAll(io.LimitReader(flate.NewReader(src), limit+1))
			if err != nil || src.Len() > 0 || int64(len(want)) > limit || len(body) == 0 || int64(len(body)) > limit {
				continue
			}
			same(t, lines, []string{"binary " + brief(string(want)), "EOF"}, "%s: %x", how, body)
		}
	})
}

func BenchmarkCompressedFrame(b *testing.B) {
	for _, n := range []int{1 << 10, 4 << 10, 32 << 10} {
		payload := []byte(strings.Repeat(`{"id":17,"user":"somebody","text":"the quick brown fox"},`, n/50))[:n]
		for _, level := range []int{1, 6} {
			b.Run(fmt.Sprintf("%d/level%d", n, level), func(b *testing.B) {
				var dst []byte
				b.ReportAllocs()
				b.SetBytes(int64(n))
				for b.Loop() {
					dst = ws.AppendCompressedFrame(dst[:0], ws.Text, payload, level)
				}
			})
		}
	}
}
