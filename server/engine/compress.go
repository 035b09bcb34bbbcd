package engine

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"

	"siomq/internal/ws"
)

// defaultThreshold is the least number of bytes that is worth compressing, as
// in the reference implementation.
const defaultThreshold = 1024

// PerMessageDeflate configures the compression of WebSocket messages, RFC 7692.
// The zero value works. Context takeover is never agreed on: a message is
// compressed once for all its receivers, and an idle connection holds no memory
// for it.
type PerMessageDeflate struct {
	// Threshold is the least number of bytes that a message (of several parts:
	// each part for itself) must have to be compressed. Default 1024.
	Threshold int
	// Level from 1, the fastest, to 9, the smallest. Default 1.
	Level int
}

// HTTPCompression configures the compression of polling responses with gzip or
// deflate, whichever the client prefers. The zero value works.
type HTTPCompression struct {
	// Off turns it off.
	Off bool
	// Threshold is the least number of bytes that a response must have to be
	// compressed. Default 1024.
	Threshold int
	// Level from 1, the fastest, to 9, the smallest. Default 1.
	Level int
}

func (p *PerMessageDeflate) withDefaults() (*PerMessageDeflate, error) {
	if p == nil {
		return nil, nil
	}
	d := *p
	return &d, compression("PerMessageDeflate", &d.Threshold, &d.Level)
}

func (h *HTTPCompression) withDefaults() (*HTTPCompression, error) {
	var d HTTPCompression
	if h != nil {
		d = *h
	}
	return &d, compression("HTTPCompression", &d.Threshold, &d.Level)
}

// compression fills in the defaults of an option and checks it.
func compression(name string, threshold, level *int) error {
	if *threshold == 0 {
		*threshold = defaultThreshold
	}
	if *level == 0 {
		*level = ws.BestSpeed
	}
	if *threshold < 0 {
		return fmt.Errorf("engine: option %s.Threshold: %d is negative", name, *threshold)
	}
	if *level < ws.BestSpeed || *level > ws.BestCompression {
		return fmt.Errorf("engine: option %s.Level: %d is not from %d to %d", name, *level, ws.BestSpeed, ws.BestCompression)
	}
	return nil
}

// DisableCompression makes m a message that is never compressed, nor is a
// polling response that it is part of: for content that is compressed already,
// or a secret beside text that others choose (the lengths of responses would
// tell it). It returns m, and belongs before the first time that m is sent.
func (m *Message) DisableCompression() *Message {
	m.largest = 0
	m.verbatim = true
	return m
}

// deflate makes the form of m for connections that take compressed frames, m
// itself when that would be no shorter. *buf is room to work in.
func (m *Message) deflate(p *PerMessageDeflate, buf *[]byte) *Message {
	b := (*buf)[:0]
	for rest := m.ws; len(rest) > 0; {
		op, head, n := frameAt(rest)
		if n >= p.Threshold {
			b = ws.AppendCompressedFrame(b, op, rest[head:head+n], p.Level)
		} else {
			b = append(b, rest[:head+n]...)
		}
		rest = rest[head+n:]
	}
	*buf = b
	d := m
	if len(b) < len(m.ws) {
		d = &Message{ws: bytes.Clone(b)}
	}
	m.deflated.Store(d) // two who make it at once make the same
	return d
}

// formLocked returns the form of m that the transport of the session takes: m,
// that of revision 3, or its compressed form. It gives mu up while it compresses. What is queued
// while polling goes out uncompressed, also after an upgrade.
func (s *Socket) formLocked(m *Message) *Message {
	if s.req.Protocol == revision3 {
		m = m.revision3(s.b64)
	}
	p := s.srv.opts.PerMessageDeflate
	if p == nil || m.largest < p.Threshold || s.conn == nil || s.state.Load() != stateOpen || !s.conn.TakesCompressed(m.largest) {
		return m
	}
	if d := m.deflated.Load(); d != nil {
		return d
	}
	s.mu.Unlock()
	buf := s.srv.getBuffer()
	d := m.deflate(p, buf)
	s.srv.putBuffer(buf)
	s.mu.Lock()
	return d
}

// upgradeOptions are those of every WebSocket of the server.
func (s *Server) upgradeOptions() *ws.UpgradeOptions {
	return &ws.UpgradeOptions{MaxMessage: s.opts.MaxPayload, Compression: s.opts.PerMessageDeflate != nil}
}

// encoder is a compressor of HTTP responses.
type encoder interface {
	io.WriteCloser
	Reset(io.Writer)
}

// encoders are the compressors of a server that are not in use.
type encoders struct{ gzip, deflate sync.Pool }

// get returns a compressor for a content coding, and the pool it belongs to.
func (e *encoders) get(coding string, level int) (encoder, *sync.Pool) {
	pool := &e.gzip
	if coding != codingGzip {
		pool = &e.deflate
	}
	if z, ok := pool.Get().(encoder); ok {
		return z, pool
	}
	// They fail for levels that do not exist.
	if coding == codingGzip {
		z, _ := gzip.NewWriterLevel(nil, level)
		return z, pool
	}
	z, _ := zlib.NewWriterLevel(nil, level)
	return z, pool
}

// Content codings, RFC 9110 section 8.4.1. What it calls deflate is the format
// of zlib.
const (
	codingGzip    = "gzip"
	codingDeflate = "deflate"
)

// encode compresses the body of a polling response into *buf when the client
// accepts that and it is worth it, and sets the headers for it.
func (s *Server) encode(h http.Header, r *http.Request, body []byte, buf *[]byte) []byte {
	o := s.opts.HTTPCompression
	if o.Off || len(body) < o.Threshold {
		return body
	}
	h.Add("Vary", "Accept-Encoding")
	coding := acceptedCoding(r.Header["Accept-Encoding"])
	if coding == "" {
		return body
	}
	z, pool := s.encoders.get(coding, o.Level)
	out := appendWriter{(*buf)[:0]}
	z.Reset(&out)
	_, _ = z.Write(body) // an appendWriter does not fail
	_ = z.Close()
	z.Reset(io.Discard) // out must not be kept
	pool.Put(z)
	*buf = out.b
	if len(out.b) >= len(body) {
		return body
	}
	h.Set("Content-Encoding", coding)
	return out.b
}

// appendWriter appends to a slice.
type appendWriter struct{ b []byte }

func (w *appendWriter) Write(p []byte) (int, error) {
	w.b = append(w.b, p...)
	return len(p), nil
}

// acceptedCoding chooses between gzip and deflate by an Accept-Encoding header,
// RFC 9110 section 12.5.3: the one with the greater weight, gzip when both have
// the same. "": neither is accepted, or no coding is preferred to them.
func acceptedCoding(lines []string) string {
	gz, df, identity, others := -1, -1, -1, -1
	for _, line := range lines {
		for element := range strings.SplitSeq(line, ",") {
			name, q := weighted(element)
			switch name {
			case codingGzip, "x-gzip": // section 8.4.1.3
				gz = max(gz, q)
			case codingDeflate:
				df = max(df, q)
			case "identity":
				identity = q
			case "*":
				others = q
			}
		}
	}
	if gz < 0 {
		gz = others
	}
	if df < 0 {
		df = others
	}
	switch {
	case max(gz, df) <= 0 || identity > max(gz, df):
		return ""
	case df > gz:
		return codingDeflate
	}
	return codingGzip
}

// weighted splits an element of Accept-Encoding into the coding, in lower case,
// and its weight in thousandths, RFC 9110 section 12.4.2. What cannot be read
// as a weight accepts nothing.
func weighted(element string) (name string, q int) {
	name, param, has := strings.Cut(element, ";")
	name = strings.ToLower(strings.Trim(name, " \t"))
	if !has {
		return name, 1000
	}
	key, value, _ := strings.Cut(strings.Trim(param, " \t"), "=")
	f, err := strconv.ParseFloat(value, 64)
	if !strings.EqualFold(key, "q") || err != nil || !(f >= 0 && f <= 1) {
		return name, 0
	}
	return name, int(f * 1000)
}
