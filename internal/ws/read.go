package ws

import (
	"encoding/binary"
	"errors"
	"io"
	"math"
	"os"
	"slices"
	"unicode/utf8"
)

// assembly is where the reader is between the frames and inside one. It survives a read deadline, so that reading can
// go on afterwards. It belongs to the reader.
type assembly struct {
	op       Opcode  // type of the message begun; Continuation: none
	fin      bool    // the frame is the last of its message
	inFrame  bool    // a data frame's header has been read and its payload not yet
	ready    bool    // msg was handed over by the last Next
	deflated bool    // the message begun is compressed
	key      uint32  // masking key, turned for the next byte of payload
	left     int64   // bytes of payload of the frame still to come
	msg      []byte  // payload so far of a message in fragments, or too large for the read buffer
	inflated *buffer // from the pool: a compressed message restored, handed over by the last Next
	err      error   // set when reading has ended for good
}

// growStep is the first length of a message's own slice. After that it doubles as bytes arrive.
const growStep = 4 << 10

// ReadLoop reads until the connection ends and gives what arrives to h. It always returns an error, never nil:
//   - *CloseError: the peer sent Close, or (Local) violated the protocol. In both cases AppendCloseReply gives the frame
//     to answer with.
//   - io.EOF: the peer closed the connection between two messages without a Close frame; io.ErrUnexpectedEOF: in the
//     middle of one.
//   - os.ErrDeadlineExceeded (wrapped): the read deadline has passed. ReadLoop may be called again; nothing is lost.
//   - net.ErrClosed (wrapped): Close was called.
//   - the error that h.Message returned. ReadLoop may be called again, with another handler too; nothing is lost.
//   - any other error of the underlying connection.
//
// It does not close the connection.
func (c *Conn) ReadLoop(h Handler) error {
	for {
		op, data, err := c.next(h)
		if err != nil {
			return err
		}
		if err := h.Message(op, data); err != nil {
			c.release()
			return err
		}
	}
}

// Next blocks until a whole message has arrived and returns it. data is valid until the next call and may be changed.
// pongs, which may be nil, is given the answers to pings. Errors are those of ReadLoop.
func (c *Conn) Next(pongs PongWriter) (op Opcode, data []byte, err error) { return c.next(pongs) }

// next is Next, with the end of reading kept: what comes after it is not read as a frame.
func (c *Conn) next(pongs PongWriter) (Opcode, []byte, error) {
	if c.as.err != nil {
		return 0, nil, c.as.err
	}
	c.handedOver()
	op, data, err := c.message(pongs)
	if err != nil {
		return 0, nil, c.ended(err)
	}
	return op, data, nil
}

// ended settles what an error means: after a deadline reading can go on, after every other it cannot, and the buffers go back.
func (c *Conn) ended(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	if errors.Is(err, io.EOF) && (c.as.op != Continuation || c.in.w > c.in.r) {
		err = io.ErrUnexpectedEOF
	}
	c.as.err = err
	c.as.msg = nil
	c.giveInflated()
	c.in.r = c.in.w
	c.in.park()
	return err
}

// release gives the buffer back when its owner will not read on for now.
func (c *Conn) release() {
	c.handedOver()
	c.in.park()
}

// handedOver lets go of the message that was handed over last.
func (c *Conn) handedOver() {
	if c.as.ready {
		c.as.ready, c.as.msg = false, nil
		c.giveInflated()
	}
}

// message reads frames until a message is whole.
func (c *Conn) message(pongs PongWriter) (Opcode, []byte, error) {
	as := &c.as
	for {
		if !as.inFrame {
			if err := c.dataFrame(pongs); err != nil {
				return 0, nil, err
			}
			if c.limit >= 0 && as.left > c.wireLimit()-int64(len(as.msg)) {
				return 0, nil, violation(CodeTooBig, "message is too large")
			}
		}
		var data []byte
		if as.fin && len(as.msg) == 0 && as.left <= bufferSize {
			n := int(as.left)
			if err := c.in.need(n); err != nil {
				return 0, nil, err
			}
			data = c.in.unread()[:n:n]
			c.in.r += n
			mask(as.key, data)
		} else {
			if err := c.grow(); err != nil {
				return 0, nil, err
			}
			if !as.fin {
				as.inFrame = false
				continue
			}
			data, as.ready = as.msg, true
		}
		op := as.op
		as.inFrame, as.op = false, Continuation
		if as.deflated {
			var err error
			if data, err = c.inflate(data); err != nil {
				return 0, nil, err
			}
		}
		if op == Text && !utf8.Valid(data) {
			return 0, nil, violation(CodeInvalidData, "text is not valid UTF-8")
		}
		return op, data, nil
	}
}

// wireLimit is the limit for the bytes of the message as they arrive. A compressor may make more of what it cannot
// compress; that is let through here, and what it inflates to is held to the limit.
func (c *Conn) wireLimit() int64 {
	if !c.as.deflated {
		return c.limit
	}
	return c.limit + min(c.limit/8+1024, math.MaxInt64-c.limit)
}

// grow appends the rest of the frame's payload to msg as it arrives.
func (c *Conn) grow() error {
	as := &c.as
	for as.left > 0 {
		var got []byte
		if have := c.in.unread(); len(have) > 0 {
			have = have[:min(int64(len(have)), as.left)]
			at := len(as.msg)
			as.msg = append(as.msg, have...)
			c.in.r += len(have)
			got = as.msg[at:]
		} else {
			as.msg = slices.Grow(as.msg, int(min(as.left, int64(max(growStep, len(as.msg))))))
			at := len(as.msg)
			room := as.msg[at:cap(as.msg)]
			n, err := c.in.readInto(room[:min(int64(len(room)), as.left)])
			if err != nil {
				return err
			}
			as.msg = as.msg[:at+n]
			got = as.msg[at:]
		}
		as.key = mask(as.key, got)
		as.left -= int64(len(got))
	}
	return nil
}

// some reads part of a binary message into p, for Stream: at least one byte, past message borders.
func (c *Conn) some(p []byte, pongs PongWriter) (int, error) {
	as := &c.as
	if as.err != nil {
		return 0, as.err
	}
	for as.left == 0 {
		if as.inFrame {
			as.inFrame = false
			if as.fin {
				as.op = Continuation
			}
		}
		if err := c.dataFrame(pongs); err != nil {
			return 0, c.ended(err)
		}
		if as.op != Binary {
			return 0, c.ended(violation(CodeUnsupported, "message is not binary")) // MQTT-6.0.0-1
		}
		if as.deflated {
			return 0, c.ended(violation(CodeUnsupported, "message is compressed")) // Compression is not for a Stream
		}
	}
	p = p[:min(int64(len(p)), as.left)]
	var n int
	if len(c.in.unread()) == 0 && len(p) >= bufferSize {
		var err error
		if n, err = c.in.readInto(p); err != nil {
			return 0, c.ended(err)
		}
	} else {
		if len(c.in.unread()) == 0 {
			if err := c.in.fill(min(len(p), bufferSize)); err != nil {
				return 0, c.ended(err)
			}
		}
		n = copy(p, c.in.unread())
		c.in.r += n
	}
	as.key = mask(as.key, p[:n])
	as.left -= int64(n)
	return n, nil
}

// dataFrame reads the header of the next data frame, and all control frames before it.
func (c *Conn) dataFrame(pongs PongWriter) error {
	as := &c.as
	for {
		h, size, err := parseHeader(c.in.unread(), c.agreed.window != 0)
		if err != nil {
			return err
		}
		if size == 0 {
			if err := c.in.need(len(c.in.unread()) + 1); err != nil {
				return err
			}
			continue
		}
		if h.op >= CloseFrame {
			if err := c.control(h, size, pongs); err != nil {
				return err
			}
			continue
		}
		switch {
		case h.op == Continuation && as.op == Continuation:
			return violation(CodeProtocol, "continuation of no message")
		case h.op != Continuation && as.op != Continuation:
			return violation(CodeProtocol, "message begins inside another")
		case h.op != Continuation:
			as.op, as.deflated = h.op, h.rsv1
		}
		c.in.r += size
		as.inFrame, as.fin, as.key, as.left = true, h.fin, h.key, h.length
		return nil
	}
}

// control reads the payload of a control frame and answers. The header stays unread until the payload is there.
func (c *Conn) control(h header, size int, pongs PongWriter) error {
	total := size + int(h.length)
	if err := c.in.need(total); err != nil {
		return err
	}
	payload := c.in.unread()[size:total]
	c.in.r += total
	mask(h.key, payload)
	switch {
	case h.op == CloseFrame:
		return received(payload)
	case h.op == Ping && pongs != nil:
		// The header of a client frame is longer than that of a server frame: the answer is built over it.
		frame := c.in.buf.b[c.in.r-len(payload)-2 : c.in.r]
		PutHeader(frame, Pong, len(payload))
		pongs.Pong(frame)
	}
	return nil
}

// received makes the error for a Close frame, RFC 6455 sections 5.5.1 and 7.4.
func received(payload []byte) error {
	if len(payload) == 0 {
		return &CloseError{Code: CodeNoStatus}
	}
	if len(payload) == 1 {
		return violation(CodeProtocol, "close code is cut")
	}
	code := Code(binary.BigEndian.Uint16(payload))
	if !code.sendable() {
		return violation(CodeProtocol, "close code is not allowed")
	}
	if !utf8.Valid(payload[2:]) {
		return violation(CodeInvalidData, "close reason is not valid UTF-8")
	}
	return &CloseError{Code: code, Reason: string(payload[2:])}
}

// AppendCloseReply appends the Close frame that the peer is owed when reading ended with err: the echo of its Close, or
// the code of its violation. Nothing is appended when err is not a *CloseError.
func AppendCloseReply(dst []byte, err error) []byte {
	var e *CloseError
	if !errors.As(err, &e) {
		return dst
	}
	if e.Local {
		return AppendClose(dst, e.Code, e.Reason)
	}
	return AppendClose(dst, e.Code, "")
}
