package args

import "siomq/rooms"

// MaxDepth is the deepest nesting of arrays and objects in one text, and the
// default where a smaller limit can be set.
const MaxDepth = 1024

// Rules are what a JSON text from outside is checked against. The zero value
// is fit for a text without attachments.
type Rules struct {
	// MaxDepth is the deepest nesting of arrays and objects. Zero, negative and
	// values over the constant MaxDepth mean that constant.
	MaxDepth int
	// Attachments is how many attachments come with the text. Zero: an object
	// that looks like a placeholder is plain data. Otherwise placeholders are
	// checked, see the package documentation.
	Attachments int
}

// Scan reports why data is not one JSON value with optional white space around
// it: an error that is ErrSyntax, ErrUTF8, ErrDepth or ErrPlaceholder, with the
// offset in bytes. It does not allocate when data is valid.
func Scan(data []byte, r Rules) error { panic("todo") }

// ScanArray checks data as Scan does, requires an array, and returns its
// elements without the brackets. The result shares memory with data; its
// Attachments are left nil, whatever r says.
func ScanArray(data []byte, r Rules) (rooms.Args, error) { panic("todo") }

// Kind is the kind of a JSON value.
type Kind uint8

// The kinds of JSON values.
const (
	Invalid Kind = iota
	Null
	Bool
	Number
	String
	Array
	Object
)

// KindOf returns the kind of the JSON value that raw begins with, white space
// skipped. It looks at one byte only and does not check raw.
func KindOf(raw []byte) Kind { panic("todo") }
