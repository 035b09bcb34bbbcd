package args

import "siomq/rooms"

// Bind decodes the values of a into ptrs in order. A nil in ptrs skips one
// value. Pointers beyond the last value are left as they are, as missing
// arguments are undefined in JavaScript; values beyond the last pointer are
// ignored. An error says the index of the argument.
//
// The rules are those of json.Unmarshal. In addition a binary attachment is
// decoded wherever a []byte or an empty interface stands, into memory of its
// own; a *rooms.Args receives the value undecoded; a json.Unmarshaler sees binary
// data as a base64 string.
func Bind(a rooms.Args, ptrs ...any) error { panic("todo") }

// Decode decodes one raw JSON value into v, as Bind does it. Placeholders in
// raw count into attachments.
func Decode(raw []byte, attachments [][]byte, v any) error { panic("todo") }

// Unquote returns the text of a JSON string. An unpaired surrogate escape
// becomes U+FFFD, as encoding/json does it. The result shares no memory with raw.
func Unquote(raw []byte) (string, error) { panic("todo") }
