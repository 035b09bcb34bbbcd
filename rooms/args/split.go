package args

import (
	"bytes"
	"iter"

	"siomq/rooms"
)

// All yields each value of a with its index, as raw JSON that shares memory
// with a. Placeholders in it count into a.Attachments.
func All(a rooms.Args) iter.Seq2[int, []byte] {
	return func(yield func(int, []byte) bool) {
		for i, n := skipSpace(a.Raw, 0), 0; n < a.N && i < len(a.Raw); n++ {
			end := skipValue(a.Raw, i)
			if !yield(n, bytes.TrimRight(a.Raw[i:end:end], " \t\r\n")) {
				return
			}
			i = skipSpace(a.Raw, end+1)
		}
	}
}

// At returns the value of index i alone, with its own attachments and
// placeholders renumbered to them, ready to be decoded or passed on. It shares
// memory with a when no placeholder has to change. Without a value of that
// index the result is empty (N is 0). It looks through the values before; whoever
// wants them one after the other uses All.
func At(a rooms.Args, i int) rooms.Args { return Slice(a, i, i+1) }

// Slice returns the values i up to and without j, like a slice expression;
// bounds beyond the values are cut. Attachments are treated as by At.
func Slice(a rooms.Args, i, j int) rooms.Args {
	i, j = max(i, 0), min(j, a.N)
	if i >= j {
		return rooms.Args{}
	}
	if i == 0 && j == a.N {
		return a
	}
	start, pos := 0, skipSpace(a.Raw, 0)
	for n := range j {
		if n > 0 {
			pos = skipSpace(a.Raw, min(pos+1, len(a.Raw)))
		}
		if n == i {
			start = pos
		}
		pos = skipValue(a.Raw, pos)
	}
	out := rooms.Args{Raw: bytes.TrimRight(a.Raw[start:pos:pos], " \t\r\n"), N: j - i}
	if len(a.Attachments) > 0 {
		pick(&out, a.Attachments)
	}
	return out
}

// pick gives a those of the attachments that it refers to.
func pick(a *rooms.Args, attachments [][]byte) {
	inOrder := true
	for i := 0; ; {
		_, end, num, ok := nextPlaceholder(a.Raw, i)
		if !ok {
			break
		}
		i = end
		if num < len(attachments) {
			inOrder = inOrder && num == len(a.Attachments)
			a.Attachments = append(a.Attachments, attachments[num])
		}
	}
	if inOrder {
		return
	}
	next := -1
	a.Raw = renumber(make([]byte, 0, len(a.Raw)+8), a.Raw, func(int) int { next++; return next })
}

// Join appends the values of src to dst and renumbers src's placeholders. The
// slices of dst are appended to, so they must not be shared with anybody; src is
// only read. The error is ErrPlaceholder, dst is then unchanged.
func Join(dst *rooms.Args, src rooms.Args) error {
	if src.N == 0 {
		return nil
	}
	// One of the two is plain data and now comes under the rule for placeholders.
	if dst.N > 0 && len(dst.Attachments) == 0 && len(src.Attachments) > 0 {
		if err := checkRaw(dst.Raw, -1); err != nil {
			return err
		}
	}
	if len(dst.Attachments) > 0 && len(src.Attachments) == 0 {
		if err := checkRaw(src.Raw, -1); err != nil {
			return err
		}
	}
	splice(dst, src)
	return nil
}

// splice is Join without the checks.
func splice(dst *rooms.Args, src rooms.Args) {
	if src.N == 0 {
		return
	}
	if dst.N > 0 {
		dst.Raw = append(dst.Raw, ',')
	}
	appendValues(dst, src)
	dst.N += src.N
}

// appendValues appends src's text and attachments to dst's and leaves dst.N alone.
func appendValues(dst *rooms.Args, src rooms.Args) {
	if base := len(dst.Attachments); base > 0 && len(src.Attachments) > 0 {
		dst.Raw = renumber(dst.Raw, src.Raw, func(num int) int { return base + num })
	} else {
		dst.Raw = append(dst.Raw, src.Raw...)
	}
	dst.Attachments = append(dst.Attachments, src.Attachments...)
}

// skipValue returns where the value that begins at i ends: the index of the
// comma or bracket behind it, or len(raw). raw has been checked before.
func skipValue(raw []byte, i int) int {
	for depth := 0; i < len(raw); {
		switch raw[i] {
		case '"':
			i = skipString(raw, i)
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return i
			}
			depth--
		case ',':
			if depth == 0 {
				return i
			}
		}
		i++
	}
	return i
}

// skipString returns the end of the string whose quote is at i. raw has been
// checked before.
func skipString(raw []byte, i int) int {
	for i++; ; {
		n := bytes.IndexByte(raw[i:], '"')
		if n < 0 {
			return len(raw)
		}
		quote := i + n
		slashes := 0
		for quote-slashes > i && raw[quote-slashes-1] == '\\' {
			slashes++
		}
		if i = quote + 1; slashes%2 == 0 {
			return i
		}
	}
}
