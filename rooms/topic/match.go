package topic

import "strings"

// Match reports whether f matches n, as MQTT 5 section 4.7 says: + stands for
// one level, # for the parent and every level beneath it, and a filter that begins
// with a wildcard matches no name that begins with $ (section 4.7.2). f is a
// valid filter and n a valid name. It does not allocate.
func (f Filter) Match(n Name) bool {
	if len(n) > 0 && n[0] == '$' && f.beginsWild() {
		return false
	}
	fs, ns := string(f), string(n)
	for {
		fl, frest, fmore := cut(fs)
		if fl == "#" && !fmore {
			return true
		}
		nl, nrest, nmore := cut(ns)
		if fl != "+" && fl != nl {
			return false
		}
		if !nmore {
			return !fmore || frest == "#" // the parent of a/# is a, section 4.7.1.2
		}
		if !fmore {
			return false
		}
		fs, ns = frest, nrest
	}
}

// beginsWild reports whether the first level of f is a wildcard.
func (f Filter) beginsWild() bool {
	return len(f) > 0 && (f[0] == '+' || f[0] == '#')
}

// HasWildcard reports whether f can match more than one name.
func (f Filter) HasWildcard() bool { return strings.ContainsAny(string(f), "+#") }

// Overlaps reports whether there is a topic name that both filters match. Both
// are valid filters. It does not allocate.
//
// Overlaps(filter, roomFilter) answers whether a subscriber receives anything
// of a room, whatever the form of its filter.
func Overlaps(a, b Filter) bool {
	if len(a) > 0 && a[0] == '$' && b.beginsWild() || len(b) > 0 && b[0] == '$' && a.beginsWild() {
		return false
	}
	as, bs := string(a), string(b)
	// length is that of the shortest name that both match so far: a name of two
	// long halves may be over what MQTT can carry.
	length := 0
	for {
		al, arest, amore := cut(as)
		bl, brest, bmore := cut(bs)
		switch {
		case al == "#":
			return length+shortest(bs) <= MaxBytes
		case bl == "#":
			return length+shortest(as) <= MaxBytes
		case al == "+" && bl == "+": // an empty level is the shortest
		case al == "+":
			length += len(bl)
		case bl == "+" || al == bl:
			length += len(al)
		default:
			return false
		}
		if !amore || !bmore {
			if length == 0 && (al == "" || bl == "") {
				return false // + and /# share the empty name alone, which is none
			}
			ends := amore == bmore || amore && arest == "#" || bmore && brest == "#"
			return ends && length <= MaxBytes
		}
		length++
		as, bs = arest, brest
	}
}

// shortest returns the length of the shortest run of levels that s, the rest of
// a filter, matches: -1 for #, since its parent lacks the slash before it too.
func shortest(s string) int {
	if s == "#" {
		return -1
	}
	s = strings.TrimSuffix(s, "/#")
	n := len(s)
	for {
		level, rest, more := cut(s)
		if level == "+" {
			n--
		}
		if !more {
			return n
		}
		s = rest
	}
}
