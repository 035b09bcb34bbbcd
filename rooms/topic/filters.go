package topic

import "unicode/utf8"

// Everything returns the filter of all topics beneath the prefix but those
// between servers: sio/#.
func (c Codec) Everything() Filter { return Filter(c.Prefix() + "/#") }

// AnyFilter returns the filter of one subtree in every namespace: sio/+/room/#.
func (c Codec) AnyFilter(k Kind) (Filter, error) {
	if k >= kinds {
		return "", ErrAddress
	}
	return Filter(c.Prefix() + "/+/" + k.shape().word + "/#"), nil
}

// NamespaceFilter returns the filter of a namespace: sio/{ns}/#.
func (c Codec) NamespaceFilter(ns string) (Filter, error) {
	a := Address{Namespace: ns}
	if err := a.check(); err != nil {
		return "", a.encodeError(err)
	}
	return c.subtree(&a, func(dst []byte) ([]byte, error) { return dst, nil })
}

// RoomFilter returns the filter of a room: sio/{ns}/room/{room}/#. It matches
// each event of the room, and the topic without an event.
func (c Codec) RoomFilter(ns, room string) (Filter, error) {
	return c.TargetFilter(Room, ns, room)
}

// TargetFilter returns the filter of everything for one name in the subtree of
// a kind, sio/{ns}/socket/{sid}/#. For All, which names nobody, name is empty.
func (c Codec) TargetFilter(k Kind, ns, name string) (Filter, error) {
	a := Address{Kind: k, Namespace: ns, Name: name}
	if k.isControl() {
		a.Verb = VerbJoin // any verb: it is checked, not written
	}
	if err := a.check(); err != nil {
		return "", a.encodeError(err)
	}
	return c.subtree(&a, func(dst []byte) ([]byte, error) {
		sh := k.shape()
		dst = append(dst, '/')
		dst = append(dst, sh.word...)
		if sh.fields&hasName == 0 {
			return dst, nil
		}
		return appendLevel(append(dst, '/'), name)
	})
}

func (k Kind) isControl() bool { return k == ControlSocket || k == ControlRoom }

// subtree builds {prefix}/{ns}, what add appends, and /#.
func (c Codec) subtree(a *Address, add func([]byte) ([]byte, error)) (Filter, error) {
	if len(a.Namespace)+len(a.Name) > c.limit() {
		return "", a.encodeError(ErrTooLong)
	}
	b, err := c.appendNamespace(nil, a.Namespace)
	if err == nil {
		b, err = add(b)
	}
	if err == nil && len(b)+len("/#") > c.limit() {
		err = ErrTooLong
	}
	if err != nil {
		return "", a.encodeError(err)
	}
	return Filter(append(b, "/#"...)), nil
}

// Reaches reports whether f matches a topic name of kind k, written canonically or
// not, that Parse accepts. It does not build names, so lengths are not
// considered.
func (c Codec) Reaches(f Filter, k Kind) bool { return c.reaches(f, k, nil) }

// ReachesName is Reaches for the topics of kind k with the given name: does a
// subscriber with f receive anything for that socket, room or user.
func (c Codec) ReachesName(f Filter, k Kind, name string) bool {
	return utf8.ValidString(name) && c.reaches(f, k, &name)
}

// reaches walks f and the levels that Parse expects side by side. Each level
// of f is +, which can be whatever is expected, or a literal that must be it.
// A # can be all that follows, so it ends the walk.
func (c Codec) reaches(f Filter, k Kind, name *string) bool {
	if k >= kinds {
		return false
	}
	sh := k.shape()
	w := walk{rest: string(f), more: true}
	w.words(c.Prefix())
	w.level(func(raw string) bool {
		_, err := parseNamespace("/" + raw)
		return err == nil
	})
	w.words(sh.word)
	if sh.fields&hasName != 0 {
		w.level(func(raw string) bool {
			s, err := parseLevel(raw)
			return err == nil && (name == nil || s == *name)
		})
	} else if name != nil && *name != "" {
		return false
	}
	if !w.more && sh.fields&mayOmitEvent != 0 {
		return !w.failed
	}
	if sh.fields&hasEvent != 0 {
		w.level(func(raw string) bool {
			s, err := parseLevel(raw)
			return err == nil && !IsReservedEvent(s)
		})
	}
	if sh.fields&hasVerb != 0 {
		w.level(func(raw string) bool {
			s, err := parseLevel(raw)
			return err == nil && isVerb(s)
		})
	}
	if sh.fields&hasID != 0 {
		w.level(func(raw string) bool {
			_, err := parseLevel(raw)
			return err == nil
		})
	}
	return w.ends()
}

// walk goes through the levels of a filter.
type walk struct {
	rest   string
	more   bool // there is a level in rest
	hash   bool // # was reached: whatever follows matches
	failed bool
}

// level takes one level and tests it, unless it is a wildcard.
func (w *walk) level(test func(raw string) bool) {
	if w.failed || w.hash {
		return
	}
	if !w.more {
		w.failed = true
		return
	}
	var raw string
	raw, w.rest, w.more = cut(w.rest)
	if raw == "#" && !w.more {
		w.hash = true
		return
	}
	w.failed = raw != "+" && !test(raw)
}

// words takes the levels of s.
func (w *walk) words(s string) {
	for more := true; more; {
		var word string
		word, s, more = cut(s)
		w.level(func(raw string) bool { return raw == word })
	}
}

// ends reports whether the walk came to the end of the filter; a/# ends at a.
func (w *walk) ends() bool {
	return !w.failed && (w.hash || !w.more || w.rest == "#")
}
