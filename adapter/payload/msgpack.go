package payload

import (
	"fmt"
	"strconv"

	"siomq/rooms"
	"siomq/rooms/args"
)

// appendMsgpack appends the array of the arguments.
func appendMsgpack(dst []byte, a rooms.Args) ([]byte, error) {
	return args.AppendMsgpack(args.AppendMsgpackArray(dst, a.N), a)
}

func decodeMsgpack(payload []byte) (a rooms.Args, err error) {
	n, rest, err := args.ReadMsgpackArray(payload)
	if err != nil {
		return a, err
	}
	for range n {
		if rest, err = args.ReadMsgpack(&a, rest); err != nil {
			return a, err
		}
	}
	if len(rest) > 0 {
		return a, fmt.Errorf("%w: %d bytes behind the array", args.ErrMsgpack, len(rest))
	}
	if len(a.Attachments) > 0 { // otherwise nothing in it can be a reference
		err = args.Check(a)
	}
	return a, err
}

// unpairedSurrogate reports whether the JSON string raw, which has been
// checked, has no UTF-8 form: a \u escape of a surrogate without its partner.
func unpairedSurrogate(raw []byte) bool {
	for i := 0; i+1 < len(raw); i++ {
		if raw[i] != '\\' {
			continue
		}
		unit, ok := escapedUnit(raw[i:])
		switch {
		case !ok:
			i++ // an escape of two characters
			continue
		case unit < 0xd800 || unit > 0xdfff:
		case unit > 0xdbff:
			return true // low first
		default:
			low, ok := escapedUnit(raw[i+6:])
			if !ok || low < 0xdc00 || low > 0xdfff {
				return true
			}
			i += 6
		}
		i += 5
	}
	return false
}

// escapedUnit returns the UTF-16 unit of a \u escape that b begins with.
func escapedUnit(b []byte) (uint64, bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	unit, err := strconv.ParseUint(string(b[2:6]), 16, 16)
	return unit, err == nil
}
