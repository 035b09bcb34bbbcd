package args

import "errors"

// Errors of this package, to be compared with errors.Is.
var (
	// ErrSyntax: the text is not one JSON value.
	ErrSyntax = errors.New("invalid JSON")
	// ErrUTF8: a string in the JSON text is not valid UTF-8.
	ErrUTF8 = errors.New("invalid UTF-8")
	// ErrDepth: a value nests deeper than allowed, or contains itself.
	ErrDepth = errors.New("nested too deep")
	// ErrPlaceholder: a placeholder has an unexpected form, refers to an
	// attachment that is not there, or refers to the same one as another.
	ErrPlaceholder = errors.New("illegal placeholder")
	// ErrType: a Go value has no form in JSON, such as a func or a chan.
	ErrType = errors.New("unsupported type")
	// ErrMsgpack: the data is not msgpack, or has no form in JSON.
	ErrMsgpack = errors.New("invalid msgpack")
	// ErrTooManyAttachments: over MaxAttachments.
	ErrTooManyAttachments = errors.New("too many attachments")
)
