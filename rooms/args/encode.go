package args

import "siomq/rooms"

// Encode makes arguments of Go values. Each value becomes one argument, except
// that a [rooms.Args] is spliced whole, undecoded, with as many as it has.
//
// The rules are those of encoding/json (tags with omitempty, omitzero and string,
// embedded structs, json.Marshaler, encoding.TextMarshaler, sorted map keys),
// with these differences: a []byte at any depth becomes an attachment, and one
// that is nil becomes null; NaN and infinities become null as in JavaScript; HTML
// characters are not escaped; a rooms.Args inside another value is its value if it
// has one, null if it has none, and an array otherwise.
//
// Attachments are not copied: a []byte must not be modified afterwards.
//
// An error says the index and the type of the argument. It is ErrType for
// what has no JSON form, ErrDepth for a value that nests too deep or contains itself,
// ErrPlaceholder, or what a Marshaler returned.
func Encode(values ...any) (rooms.Args, error) { panic("todo") }

// Append appends values to dst, as Encode encodes them. The slices of dst are
// appended to, so they must not be shared with anybody. After an error dst is
// as it was.
func Append(dst *rooms.Args, values ...any) error { panic("todo") }

// AppendString appends s to dst as a JSON string. Invalid UTF-8 is replaced by
// U+FFFD, as encoding/json does it; nothing else than JSON requires is escaped.
func AppendString(dst []byte, s string) []byte { panic("todo") }
