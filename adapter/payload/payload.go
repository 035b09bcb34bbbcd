// Package payload is the codec between the arguments of an event and the
// payload and content type of an MQTT publish. Use [Encode] and [Decode]; a
// mapping rule that fixes the kind of a topic's payloads uses [EncodeAs] and
// [DecodeAs]. All functions are pure.
//
// # The table
//
//	arguments                             payload                  content type
//	none                                  empty                    none
//	one string                            the text, unquoted       text/plain
//	one other JSON value                  JSON                     application/json
//	one binary                            the bytes                application/octet-stream
//	two or more                           JSON array of them       application/vnd.siomq.args+json
//	with binary inside                    msgpack array of them    application/vnd.siomq.args+msgpack
//
// Decoding is the inverse. The content type decides, its parameters (charset)
// are ignored, its letters may be of either case. A payload that contradicts it
// is an error ([ErrPayload]). Without a content type, as from MQTT 3.1.1 clients, or with one
// that is not in the table: an empty payload is no arguments, valid JSON is that
// value (an array is one argument), else valid UTF-8 is a string, else it is
// binary.
//
// # Details
//
//   - An empty text/plain payload is one empty string, and an empty
//     application/octet-stream payload one empty binary. Nobody can tell them from
//     no arguments in a retained publish, which an empty payload deletes, nor
//     without the content type.
//   - A string with NUL is text like any other. A string that has no UTF-8 form,
//     because it has an unpaired surrogate (\ud800), stays JSON: it is written
//     quoted, as application/json. In msgpack the surrogate becomes U+FFFD.
//   - JSON numbers keep every digit in JSON. White space around a value is cut.
//   - JSON that nests over args.MaxDepth is an error and not a string.
//   - In application/json, an object {"_placeholder":true,"num":0} is plain data.
//     Beside binary data it could not be told from a reference, and is
//     an error.
//
// # Msgpack
//
// From JSON: integers keep their value as far as int64 and uint64 go. Larger
// ones, fractions and exponents are float64, the nearest there is; over its range
// they are infinite. Negative zero is float64. Binary data is of type bin.
//
// To JSON: integers keep every digit. A float is written with the fewest digits
// that read back the same, NaN and infinities as null. The keys of maps may be strings,
// integers, floats, booleans and nil, and become the text that JavaScript makes of
// them; of equal ones the last counts for whoever decodes. Other keys are an error. A
// timestamp (extension type -1) is a string like Date.toJSON's, with more digits if the fraction needs
// them; other extension types are an error, since JSON has nothing to tell them
// by. Strings must be UTF-8.
package payload

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"siomq/rooms"
	"siomq/rooms/args"
)

// Content types of the table.
const (
	TypeText        = "text/plain"
	TypeJSON        = "application/json"
	TypeBinary      = "application/octet-stream"
	TypeArgsJSON    = "application/vnd.siomq.args+json"
	TypeArgsMsgpack = "application/vnd.siomq.args+msgpack"
)

// Errors of this package, to be compared with errors.Is. Errors of package
// rooms/args are wrapped beside them.
var (
	// ErrPayload: the payload is not what its content type or kind says.
	ErrPayload = errors.New("invalid payload")
	// ErrKind: the arguments have no form in the kind that was asked for.
	ErrKind = errors.New("arguments do not fit the kind")
)

// Kind is a row of the table.
type Kind uint8

// The kinds of payloads.
const (
	Auto        Kind = iota // by the arguments, or by the payload itself
	None                    // no arguments
	Text                    // one string
	JSON                    // one JSON value
	Binary                  // one binary
	ArgsJSON                // any number of JSON values
	ArgsMsgpack             // any arguments
)

var kindNames = [...]string{"auto", "none", "text", "json", "binary", "args+json", "args+msgpack"}

// String returns the name of k, as options and rules spell it.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "unknown"
}

// ParseKind is the inverse of Kind.String.
func ParseKind(name string) (Kind, error) {
	for k, n := range kindNames {
		if n == name {
			return Kind(k), nil
		}
	}
	return Auto, fmt.Errorf("unknown payload kind %q", name)
}

// ContentType returns the content type that says k, "" for Auto and None.
func (k Kind) ContentType() string {
	switch k {
	case Text:
		return TypeText
	case JSON:
		return TypeJSON
	case Binary:
		return TypeBinary
	case ArgsJSON:
		return TypeArgsJSON
	case ArgsMsgpack:
		return TypeArgsMsgpack
	}
	return ""
}

// KindOf returns the kind that a content type says, Auto for "" and those that
// are not in the table.
func KindOf(contentType string) Kind {
	for k := Text; k <= ArgsMsgpack; k++ {
		if contentType == k.ContentType() {
			return k
		}
	}
	media, _, _ := strings.Cut(contentType, ";")
	media = strings.ToLower(strings.TrimSpace(media))
	for k := Text; k <= ArgsMsgpack; k++ {
		if media == k.ContentType() {
			return k
		}
	}
	return Auto
}

// Encode returns the payload and the content type of arguments. The payload
// may share memory with a and must not be modified. An error is ErrPlaceholder
// or another one of package rooms/args, if a is not well-formed.
func Encode(a rooms.Args) (payload []byte, contentType string, err error) {
	switch raw := bytes.TrimSpace(a.Raw); {
	case a.N == 0:
		return nil, "", nil
	case len(a.Attachments) > 0:
		if b, ok := onlyBinary(a); ok {
			return b, TypeBinary, nil
		}
		payload, err = appendMsgpack(nil, a)
		return payload, TypeArgsMsgpack, err
	case a.N > 1:
		return bracketed(a.Raw), TypeArgsJSON, nil
	case args.KindOf(raw) == args.String && !unpairedSurrogate(raw):
		s, err := text(raw)
		return s, TypeText, err
	default:
		return raw, TypeJSON, nil
	}
}

// EncodeAs returns the payload of arguments in a fixed kind, and its content
// type. Text takes any single value without binary data, one that is not a string
// as its JSON text; JSON takes the same; Binary takes a single binary or string;
// None takes whatever there is and drops it. What does not fit is ErrKind.
func EncodeAs(a rooms.Args, k Kind) (payload []byte, contentType string, err error) {
	contentType = k.ContentType()
	switch {
	case k == Auto:
		return Encode(a)
	case k == None:
		return nil, "", nil
	case k == ArgsMsgpack:
		payload, err = appendMsgpack(nil, a)
		return payload, contentType, err
	case k == Binary && a.N == 1:
		if b, ok := onlyBinary(a); ok {
			return b, contentType, nil
		}
		if args.KindOf(a.Raw) == args.String && !unpairedSurrogate(a.Raw) {
			payload, err = text(a.Raw)
			return payload, contentType, err
		}
	case len(a.Attachments) > 0:
	case k == ArgsJSON:
		return bracketed(a.Raw), contentType, nil
	case k == JSON && a.N == 1:
		return bytes.TrimSpace(a.Raw), contentType, nil
	case k == Text && a.N == 1:
		if args.KindOf(a.Raw) != args.String {
			return bytes.TrimSpace(a.Raw), contentType, nil
		}
		if !unpairedSurrogate(a.Raw) {
			payload, err = text(a.Raw)
			return payload, contentType, err
		}
	}
	return nil, "", fmt.Errorf("%w %s", ErrKind, k)
}

// Decode returns the arguments that a payload stands for. They may share memory
// with payload, which must not be modified as long as they live.
func Decode(payload []byte, contentType string) (rooms.Args, error) {
	return DecodeAs(payload, KindOf(contentType))
}

// DecodeAs is Decode with a fixed kind in place of the content type.
func DecodeAs(payload []byte, k Kind) (rooms.Args, error) {
	a, err := decodeAs(payload, k)
	if err != nil {
		return rooms.Args{}, fmt.Errorf("%w of kind %s: %w", ErrPayload, k, err)
	}
	return a, nil
}

func decodeAs(payload []byte, k Kind) (rooms.Args, error) {
	switch k {
	case None:
		return rooms.Args{}, nil
	case Text:
		if !utf8.Valid(payload) {
			return rooms.Args{}, args.ErrUTF8
		}
		return oneString(payload), nil
	case Binary:
		return oneBinary(payload), nil
	}
	if len(payload) == 0 {
		return rooms.Args{}, nil
	}
	switch k {
	case JSON:
		if err := args.Scan(payload, args.Rules{}); err != nil {
			return rooms.Args{}, err
		}
		return oneValue(payload), nil
	case ArgsJSON:
		return args.ScanArray(payload, args.Rules{})
	case ArgsMsgpack:
		return decodeMsgpack(payload)
	}
	err := args.Scan(payload, args.Rules{})
	switch {
	case err == nil:
		return oneValue(payload), nil
	case errors.Is(err, args.ErrDepth):
		return rooms.Args{}, err
	case utf8.Valid(payload):
		return oneString(payload), nil
	}
	return oneBinary(payload), nil
}

func oneValue(payload []byte) rooms.Args {
	return rooms.Args{Raw: bytes.TrimSpace(payload), N: 1}
}

func oneString(payload []byte) rooms.Args {
	return rooms.Args{Raw: args.AppendString(make([]byte, 0, len(payload)+2), string(payload)), N: 1}
}

func oneBinary(payload []byte) rooms.Args {
	if payload == nil {
		payload = []byte{}
	}
	return rooms.Args{Raw: []byte(`{"_placeholder":true,"num":0}`), N: 1, Attachments: [][]byte{payload}}
}

// onlyBinary returns the bytes if the arguments are one binary.
func onlyBinary(a rooms.Args) ([]byte, bool) {
	if a.N != 1 {
		return nil, false
	}
	num, ok := args.Placeholder(a.Raw)
	if !ok || num >= len(a.Attachments) {
		return nil, false
	}
	return a.Attachments[num], true
}

func bracketed(raw []byte) []byte {
	b := make([]byte, 0, len(raw)+2)
	b = append(b, '[')
	b = append(b, raw...)
	return append(b, ']')
}

// text returns the text of a JSON string, without a copy when nothing in it is escaped.
func text(raw []byte) ([]byte, error) {
	raw = bytes.TrimSpace(raw)
	if n := len(raw); n >= 2 && raw[n-1] == '"' && bytes.IndexByte(raw, '\\') < 0 {
		return raw[1 : n-1 : n-1], nil
	}
	s, err := args.Unquote(raw)
	return []byte(s), err
}
