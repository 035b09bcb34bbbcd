package ws

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"sync"

	"github.com/klauspost/compress/flate"
)

const (
	// bitRSV1 marks the first frame of a compressed message, RFC 7692 section 6.
	bitRSV1 = 0x40
	// syncLen is the length of the empty block that ends what a Flush has written, and which is not sent (section 7.2.1).
	syncLen = 4
	// maxStreams is how many DEFLATE streams, each ended by BFINAL, one message may consist of. Section 7.2.1 allows any
	// number, one is usual, two are what a compressor without Flush makes (section 7.2.3.5). Each costs the receiver the
	// set-up of a window, for two bytes.
	maxStreams = 64
	// maxDistance is how far back DEFLATE can refer, RFC 1951 section 2.
	maxDistance = 32 << 10
)

// inflateTail follows a compressed message: the empty block that was taken off, and one with BFINAL that makes an end.
const inflateTail = "\x00\x00\xff\xff\x01\x00\x00\xff\xff"

// BestSpeed to BestCompression are the levels of AppendCompressedFrame.
const (
	BestSpeed       = flate.BestSpeed
	BestCompression = flate.BestCompression
)

// TakesCompressed tells whether a compressed frame whose payload has n bytes before compression may be written to this
// connection: compression was agreed on, and no reference back can be longer than the window of the client.
func (c *Conn) TakesCompressed(n int) bool {
	w := c.agreed.window
	return w == maxWindow || w != 0 && n <= 1<<w
}

// deflater makes compressed payloads.
type deflater struct {
	w   *flate.Writer
	out appender
}

// appender is what a deflater writes to.
type appender struct{ b []byte }

func (a *appender) Write(p []byte) (int, error) {
	a.b = append(a.b, p...)
	return len(p), nil
}

// deflaters are those not in use, one pool for each level. They are caches: nothing depends on what they hold.
var deflaters [BestCompression + 1]sync.Pool

// AppendCompressedFrame appends an unfragmented server frame with a compressed payload, RFC 7692 section 7.2.1. It depends
// on no other message and no connection, so that one can be written to all connections whose TakesCompressed says so.
// A payload that compression makes no shorter is framed as it is, and so are control frames. level is BestSpeed to
// BestCompression; what is out of that range becomes the nearer of the two.
func AppendCompressedFrame(dst []byte, op Opcode, payload []byte, level int) []byte {
	if op >= CloseFrame {
		return AppendFrame(dst, op, payload)
	}
	level = min(max(level, BestSpeed), BestCompression)
	z, ok := deflaters[level].Get().(*deflater)
	if !ok {
		z = &deflater{}
		z.w, _ = flate.NewWriter(&z.out, level) // fails for levels that do not exist
	}
	start := len(dst)
	var room [MaxHeader]byte
	z.out.b = append(dst, room[:]...)
	z.w.Reset(&z.out)
	_, _ = z.w.Write(payload) // an appender does not fail
	_ = z.w.Flush()
	b := z.out.b
	z.out.b = nil
	deflaters[level].Put(z)

	body := b[start+MaxHeader : len(b)-syncLen]
	if len(body) >= len(payload) {
		return AppendFrame(b[:start], op, payload)
	}
	head := PutHeader(b[start:start+MaxHeader], op, len(body))
	b[start] |= bitRSV1
	return b[:start+head+copy(b[start+head:], body)]
}

// inflater restores compressed payloads.
type inflater struct {
	src  bytes.Reader
	r    io.ReadCloser // also a flate.Resetter
	room [bufferSize + len(inflateTail)]byte
}

// inflaters are those not in use. They are a cache: nothing depends on what it holds.
var inflaters sync.Pool

// errInflated ends inflating a message that is longer than the limit.
var errInflated = errors.New("inflated message is too long")

// inflate restores a compressed message, which is data: in the read buffer, or msg. The result lies in a buffer from the
// pool or, when it is long, in msg; both are given up as every message is.
func (c *Conn) inflate(data []byte) ([]byte, error) {
	as := &c.as
	as.msg, as.ready = nil, true
	if len(data) == 0 {
		return data, nil // one byte is needed by section 7.2.3.6, and there are senders that leave it out
	}
	z, ok := inflaters.Get().(*inflater)
	if !ok {
		z = &inflater{}
		z.r = flate.NewReader(&z.src)
	}
	as.inflated = c.in.pool.get(bufferSize)
	out, err := z.run(data, as.inflated.b[:0], c.limit)
	inflaters.Put(z)
	if len(out) > bufferSize {
		as.msg = out
		c.giveInflated()
	}
	switch {
	case err == nil:
		return out, nil
	case errors.Is(err, errInflated):
		return nil, violation(CodeTooBig, "message is too large")
	default:
		return nil, violation(CodeInvalidData, "compressed data is corrupt")
	}
}

// giveInflated gives the buffer of an inflated message back.
func (c *Conn) giveInflated() {
	if c.as.inflated != nil {
		c.in.pool.put(c.as.inflated)
		c.as.inflated = nil
	}
}

// run appends to out what data inflates to, up to limit bytes and a bit. It stays in out's array as long as that is enough.
func (z *inflater) run(data, out []byte, limit int64) ([]byte, error) {
	if len(data) <= bufferSize {
		data = append(append(z.room[:0], data...), inflateTail...)
	} else {
		data = append(data, inflateTail...) // too long for the read buffer, so it is a slice of its own
	}
	z.src.Reset(data)
	defer z.src.Reset(nil)
	z.reset(nil)
	for streams := 1; ; {
		if len(out) == cap(out) {
			out = slices.Grow(out, len(out))
		}
		n, err := z.r.Read(out[len(out):cap(out)])
		out = out[:len(out)+n]
		switch {
		case limit >= 0 && int64(len(out)) > limit:
			return out, errInflated
		case err == io.EOF && z.src.Len() == 0:
			return out, nil
		case err == io.EOF && streams < maxStreams: // a block had BFINAL set, and others follow
			streams++
			z.reset(out[max(0, len(out)-maxDistance):])
		case err != nil:
			return out, err
		}
	}
}

// reset begins a DEFLATE stream that may refer to what was before.
func (z *inflater) reset(before []byte) {
	_ = z.r.(flate.Resetter).Reset(&z.src, before) // never fails, see flate
}
