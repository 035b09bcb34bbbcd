package topic

import (
	"errors"
	"fmt"
	"strings"
)

// DefaultPrefix is the prefix of the zero Codec.
const DefaultPrefix = "sio"

// maxPrefixBytes bounds the prefix so that names remain possible beneath it.
const maxPrefixBytes = 1024

// serversSuffix makes the prefix of the topics between servers.
const serversSuffix = "-servers"

// Options of a Codec. The zero value is good.
type Options struct {
	// Prefix is one or more levels, "sio" or "site/a/sio". Empty means
	// "sio". It is written as it is, has no wildcard and no empty level, does
	// not begin with $, and has at most 1,024 bytes. Deployments that share a
	// broker need different prefixes, none of them beneath another.
	Prefix string
	// MaxBytes bounds the topics, in bytes. Zero means 65,535, which is also
	// the most. What is longer is an error in both directions.
	MaxBytes int
}

// Codec writes and reads the topics beneath one prefix. The zero value has the
// prefix "sio" and the limit of MQTT. A Codec is a small value that never
// changes.
type Codec struct {
	prefix string // empty means DefaultPrefix
	max    int    // zero means MaxBytes
}

// New returns the Codec for the options, nil for the defaults.
func New(o *Options) (Codec, error) {
	if o == nil {
		return Codec{}, nil
	}
	if o.MaxBytes < 0 || o.MaxBytes > MaxBytes {
		return Codec{}, fmt.Errorf("topic: MaxBytes %d is not in 0 to %d", o.MaxBytes, MaxBytes)
	}
	if o.Prefix == "" {
		return Codec{max: o.MaxBytes}, nil
	}
	if err := checkPrefix(o.Prefix); err != nil {
		return Codec{}, fmt.Errorf("topic: Prefix %s: %w", quote(o.Prefix), err)
	}
	return Codec{prefix: o.Prefix, max: o.MaxBytes}, nil
}

func checkPrefix(p string) error {
	if len(p) > maxPrefixBytes {
		return ErrTooLong
	}
	if _, err := (Limits{}).Name(p); err != nil {
		return errors.Unwrap(err)
	}
	if p[0] == '$' {
		return fmt.Errorf("%w: begins with $", ErrInvalidName)
	}
	if p[0] == '/' || p[len(p)-1] == '/' || strings.Contains(p, "//") {
		return fmt.Errorf("%w: empty level", ErrInvalidName)
	}
	return nil
}

// Prefix returns the prefix, without a slash at its end.
func (c Codec) Prefix() string {
	if c.prefix == "" {
		return DefaultPrefix
	}
	return c.prefix
}

// limit returns the longest topic in bytes.
func (c Codec) limit() int {
	if c.max == 0 {
		return MaxBytes
	}
	return c.max
}

// Name returns the topic name of a.
func (c Codec) Name(a Address) (Name, error) {
	var buf [128]byte
	b, err := c.AppendName(buf[:0], a)
	if err != nil {
		return "", err
	}
	return Name(b), nil
}

// AppendName appends the topic name of a to dst. It allocates only to grow
// dst. With an error, dst is returned as it was.
func (c Codec) AppendName(dst []byte, a Address) ([]byte, error) {
	if err := a.check(); err != nil {
		return dst, fmt.Errorf("encode %s topic in %s: %w", a.Kind, quote(a.Namespace), err)
	}
	limit := c.limit()
	// Escaping never shortens: what is over the limit now need not be built.
	if len(a.Namespace)+len(a.Name)+len(a.Event)+len(a.ID) > limit {
		return dst, a.encodeError(ErrTooLong)
	}
	sh := a.Kind.shape()
	out, err := c.appendNamespace(dst, a.Namespace)
	out = append(out, '/')
	out = append(out, sh.word...)
	for f := hasName; f <= hasID && err == nil; f <<= 1 {
		if sh.fields&f != 0 {
			out, err = appendLevel(append(out, '/'), a.field(f))
		}
	}
	if err == nil && len(out)-len(dst) > limit {
		err = ErrTooLong
	}
	if err != nil {
		return out[:len(dst)], a.encodeError(err)
	}
	return out, nil
}

// encodeError wraps err with the part of a that is likely at fault.
func (a *Address) encodeError(err error) error {
	return fmt.Errorf("encode %s topic of %s in %s: %w", a.Kind, quote(a.Name), quote(a.Namespace), err)
}

// field returns the text of one level.
func (a *Address) field(f fields) string {
	switch f {
	case hasName:
		return a.Name
	case hasEvent:
		return a.Event
	case hasVerb:
		return a.Verb
	}
	return a.ID
}

// appendNamespace appends the prefix and the level of a namespace.
func (c Codec) appendNamespace(dst []byte, ns string) ([]byte, error) {
	dst = append(dst, c.Prefix()...)
	dst = append(dst, '/')
	switch ns {
	case "/":
		return append(dst, mainWord...), nil
	case "/" + mainWord:
		// The word stands for "/", so the name is told apart by an escape
		// that encodeURIComponent would not make.
		return append(dst, "%6Dain"...), nil
	}
	return appendLevel(dst, ns[1:])
}

// Parse reads the topic name of a publish as MQTT clients may write it: see the
// rules of the package. It returns ErrForeign, unwrapped and without
// allocating, for a name that is not beneath the prefix, and for every other
// name an Address that [Codec.Name] can write, or an error.
func (c Codec) Parse(n Name) (Address, error) {
	rest, ok := c.inside(string(n))
	if !ok {
		return Address{}, ErrForeign
	}
	if len(n) > c.limit() {
		return Address{}, parseError(n, ErrTooLong)
	}
	a, err := parse(rest)
	if err == nil {
		err = c.checkLength(&a)
	}
	if err != nil {
		return Address{}, parseError(n, err)
	}
	return a, nil
}

func parseError(n Name, err error) error {
	return fmt.Errorf("parse topic %s: %w", quote(string(n)), err)
}

// inside returns what follows the prefix: nothing, or a slash and more.
func (c Codec) inside(s string) (rest string, ok bool) {
	rest, ok = strings.CutPrefix(s, c.Prefix())
	if !ok || rest != "" && rest[0] != '/' {
		return "", false
	}
	return rest, true
}

// parse reads what follows the prefix: a slash, the namespace and the rest.
func parse(s string) (a Address, err error) {
	if s == "" {
		return a, ErrMalformed
	}
	raw, rest, more := cut(s[1:])
	if !more {
		return a, ErrMalformed
	}
	if a.Namespace, err = parseNamespace(s[:1+len(raw)]); err != nil {
		return a, err
	}
	var ok bool
	if a.Kind, rest, more, ok = kindOf(rest); !ok {
		return a, ErrMalformed
	}
	var levels [4]string
	n := 0
	for ; more; n++ {
		if n == len(levels) {
			return a, ErrMalformed
		}
		levels[n], rest, more = cut(rest)
	}
	return a, a.setLevels(levels[:n])
}

// parseNamespace reads a namespace from its level with the slash before it, so
// that what is not escaped needs no new string.
func parseNamespace(slashed string) (string, error) {
	raw := slashed[1:]
	switch raw {
	case "":
		return "", ErrMalformed
	case mainWord:
		return "/", nil
	}
	s, err := parseLevel(raw)
	if err != nil || len(s) == len(raw) {
		return slashed, err
	}
	return "/" + s, nil
}

// setLevels fills the fields of a from the levels after the word of its kind.
func (a *Address) setLevels(levels []string) (err error) {
	sh := a.Kind.shape()
	omitted := len(levels) == sh.levels-1 && sh.fields&mayOmitEvent != 0
	if len(levels) != sh.levels && !omitted {
		return ErrMalformed
	}
	next := func() (s string) {
		if err == nil {
			s, err = parseLevel(levels[0])
			levels = levels[1:]
		}
		return s
	}
	if sh.fields&hasName != 0 {
		a.Name = next()
	}
	if omitted {
		a.Event = DefaultEvent
	} else if sh.fields&hasEvent != 0 {
		a.Event = next()
	}
	if sh.fields&hasVerb != 0 {
		a.Verb = next()
	}
	if sh.fields&hasID != 0 {
		a.ID = next()
	}
	switch {
	case err != nil:
		return err
	case sh.fields&hasVerb != 0 && !isVerb(a.Verb):
		return ErrMalformed
	case sh.fields&hasEvent != 0 && IsReservedEvent(a.Event):
		return ErrReservedEvent
	}
	return nil
}

// checkLength refuses an address whose canonical name is too long: raw
// characters grow when they are escaped.
func (c Codec) checkLength(a *Address) error {
	sh := a.Kind.shape()
	n := len(c.Prefix()) + 1 + namespaceLen(a.Namespace) + 1 + len(sh.word)
	for f := hasName; f <= hasID; f <<= 1 {
		if sh.fields&f != 0 {
			n += 1 + levelLen(a.field(f))
		}
	}
	if n > c.limit() {
		return ErrTooLong
	}
	return nil
}

func namespaceLen(ns string) int {
	switch ns {
	case "/":
		return len(mainWord)
	case "/" + mainWord:
		return len(mainWord) + 2
	}
	return levelLen(ns[1:])
}

// Decode reads a topic name as [Codec.Name] writes it, and nothing else: one
// address, one spelling. It is for topics that only servers write.
func (c Codec) Decode(n Name) (Address, error) {
	a, err := c.Parse(n)
	if err != nil {
		return Address{}, err
	}
	var buf [128]byte
	b, err := c.AppendName(buf[:0], a)
	if err != nil {
		return Address{}, err
	}
	if string(b) != string(n) {
		return Address{}, parseError(n, ErrNotCanonical)
	}
	return a, nil
}
