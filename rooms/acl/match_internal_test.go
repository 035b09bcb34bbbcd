// Inside the package: matcher and covers are not exported, and what is built on
// them cannot show every shape.
package acl

import (
	"strings"
	"testing"

	"siomq/rooms/topic"
)

// shapes returns each string of one to four of the levels.
func shapes(levels ...string) []string {
	var all []string
	last := []string{""}
	for depth := range 4 {
		var next []string
		for _, head := range last {
			for _, level := range levels {
				s := head + level
				if depth > 0 {
					s = head + "/" + level
				}
				next = append(next, s)
			}
		}
		all = append(all, next...)
		last = next
	}
	return all
}

func validFilters(t *testing.T, levels ...string) []topic.Filter {
	t.Helper()
	var filters []topic.Filter
	for _, s := range shapes(levels...) {
		if f, err := (topic.Limits{}).Filter(s); err == nil {
			filters = append(filters, f)
			if !isMosquittoFilter(s) {
				t.Errorf("isMosquittoFilter(%q) = false", s)
			}
		} else if s != "" && isMosquittoFilter(s) {
			t.Errorf("isMosquittoFilter(%q) = true", s)
		}
	}
	return filters
}

func TestMatcherIsMatch(t *testing.T) {
	p := &Principal{ID: "b", Username: "a/a"}
	names := shapes("a", "b", "$x", "")
	for _, f := range validFilters(t, "a", "b", "%u", "%c", "$x", "+", "#", "", "a+") {
		m := newMatcher(string(f), true)
		plain := topic.Filter(strings.NewReplacer("%u", p.Username, "%c", p.ID).Replace(string(f)))
		if got, ok := m.filter(p); !ok || got != plain {
			t.Errorf("matcher(%q).filter = %q; want %q", f, got, plain)
		}
		for _, n := range names {
			if n == "" {
				continue
			}
			if got, want := m.match(p, n), plain.Match(topic.Name(n)); got != want {
				t.Errorf("matcher(%q).match(%q) = %v; want %v", f, n, got, want)
			}
		}
	}
}

func TestMatcherWithoutNames(t *testing.T) {
	for _, filter := range []string{"%u", "%c", "a/%u/#", "+/%c"} {
		m := newMatcher(filter, true)
		if _, ok := m.filter(&Principal{}); ok || m.match(&Principal{}, "a/") || m.match(&Principal{}, "a//b") {
			t.Errorf("the pattern %q matches for nobody", filter)
		}
	}
}

// covers(a, b) against every name that b matches.
func TestCovers(t *testing.T) {
	names := shapes("a", "b", "c", "")
	filters := validFilters(t, "a", "b", "+", "#", "")
	for _, b := range filters {
		if b[0] == '+' || b[0] == '#' {
			continue // as rooms never do
		}
		for _, a := range filters {
			want := true
			for _, n := range names {
				// Longer names than these are matched by # alone.
				if n != "" && b.Match(topic.Name(n)) && !a.Match(topic.Name(n)) {
					want = false
					break
				}
			}
			if strings.HasSuffix(string(b), "#") && !strings.HasSuffix(string(a), "#") {
				want = false
			}
			if got := covers(a, b); got && !want {
				t.Errorf("covers(%q, %q) = true", a, b)
			} else if want && !got && !(strings.HasSuffix(string(b), "/#") && strings.HasSuffix(string(a), "/+/#")) {
				t.Errorf("covers(%q, %q) = false", a, b)
			}
		}
	}
}
