package args

import (
	"iter"

	"siomq/rooms"
)

// All yields each value of a with its index, as raw JSON that shares memory
// with a. Placeholders in it count into a.Attachments.
func All(a rooms.Args) iter.Seq2[int, []byte] { panic("todo") }

// At returns the value of index i alone, with its own attachments and
// placeholders renumbered to them, ready to be decoded or passed on. It shares
// memory with a when no placeholder has to change. Without a value of that
// index the result is empty (N is 0).
func At(a rooms.Args, i int) rooms.Args { panic("todo") }

// Slice returns the values i up to and without j, like a slice expression;
// bounds beyond the values are cut. Attachments are treated as by At.
func Slice(a rooms.Args, i, j int) rooms.Args { panic("todo") }

// Join appends the values of src to dst and renumbers src's placeholders. The
// slices of dst are appended to, so they must not be shared with anybody; src is
// only read. The error is ErrPlaceholder, dst is then unchanged.
func Join(dst *rooms.Args, src rooms.Args) error { panic("todo") }
