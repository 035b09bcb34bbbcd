package topic_test

import (
	"strings"
	"testing"

	"siomq/rooms/topic"
)

// enumerate returns every valid string of 1 to most levels, each from words.
func enumerate(words []string, most int, valid func(string) bool) []string {
	var all []string
	layer := words
	for i := 1; ; i++ {
		for _, s := range layer {
			if valid(s) {
				all = append(all, s)
			}
		}
		if i == most {
			return all
		}
		var next []string
		for _, s := range layer {
			for _, w := range words {
				next = append(next, s+"/"+w)
			}
		}
		layer = next
	}
}

func validFilter(s string) bool { _, err := topic.Limits{}.Filter(s); return err == nil }
func validName(s string) bool   { _, err := topic.Limits{}.Name(s); return err == nil }

// naiveMatch is MQTT 5 section 4.7 read off level by level.
func naiveMatch(filter, name []string) bool {
	if len(filter) == 1 && filter[0] == "#" {
		return true // with the name at an end too: # includes the parent
	}
	if len(filter) == 0 || len(name) == 0 {
		return len(filter) == len(name)
	}
	return (filter[0] == "+" || filter[0] == name[0]) && naiveMatch(filter[1:], name[1:])
}

func referenceMatch(f, n string) bool {
	if strings.HasPrefix(n, "$") && (strings.HasPrefix(f, "+") || strings.HasPrefix(f, "#")) {
		return false
	}
	return naiveMatch(strings.Split(f, "/"), strings.Split(n, "/"))
}

func TestMatch(t *testing.T) {
	for _, tt := range []struct {
		filter topic.Filter
		name   topic.Name
		want   bool
	}{
		// The examples of MQTT 5 section 4.7.1 and 4.7.2.
		{"sport/tennis/player1/#", "sport/tennis/player1", true},
		{"sport/tennis/player1/#", "sport/tennis/player1/ranking", true},
		{"sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true},
		{"sport/#", "sport", true},
		{"#", "a", true},
		{"#", "/", true},
		{"sport/tennis/+", "sport/tennis/player1", true},
		{"sport/tennis/+", "sport/tennis/player1/ranking", false},
		{"sport/+", "sport", false},
		{"sport/+", "sport/", true},
		{"+/+", "/finance", true},
		{"/+", "/finance", true},
		{"+", "/finance", false},
		{"#", "$SYS/a", false},
		{"+/monitor/Clients", "$SYS/monitor/Clients", false},
		{"$SYS/#", "$SYS/a", true},
		{"$SYS/#", "$SYS", true},
		{"$SYS/monitor/+", "$SYS/monitor/Clients", true},
		// Where others went wrong.
		{"a", "a/b", false},
		{"a/b", "a", false},
		{"+/#", "a", true},
		{"a/+/#", "a/b", true},
		{"a/+/#", "a", false},
		{"a/#", "ab", false},
		{"a/#", "ab/c", false},
		{"+/#", "$SYS", false},
		{"a/+", "a/$b", true},
		{"a/#", "a/$b", true},
		{"ACCOUNTS", "Accounts", false},
		{"/", "/", true},
		{"//", "/", false},
		{"+/+", "/", true},
		{"a/+/c", "a//c", true},
	} {
		if got := tt.filter.Match(tt.name); got != tt.want {
			t.Errorf("Filter(%q).Match(%q) = %v; want %v", tt.filter, tt.name, got, tt.want)
		}
		if ref := referenceMatch(string(tt.filter), string(tt.name)); ref != tt.want {
			t.Errorf("the reference matcher says %v for %q and %q", ref, tt.filter, tt.name)
		}
	}
}

func TestMatchEveryShape(t *testing.T) {
	names := enumerate([]string{"a", "b", "", "$s"}, 4, validName)
	for _, f := range enumerate([]string{"a", "", "+", "#", "$s"}, 4, validFilter) {
		for _, n := range names {
			if got, want := topic.Filter(f).Match(topic.Name(n)), referenceMatch(f, n); got != want {
				t.Fatalf("Filter(%q).Match(%q) = %v; want %v", f, n, got, want)
			}
		}
	}
}

// Every pair of filters against every name that could tell them apart: c stands
// for all the levels that no filter spells out.
func TestOverlapsEveryShape(t *testing.T) {
	names := enumerate([]string{"a", "c", "", "$s"}, 4, validName)
	filters := enumerate([]string{"a", "", "+", "#", "$s"}, 3, validFilter)
	for _, a := range filters {
		for _, b := range filters {
			want := false
			for _, n := range names {
				if referenceMatch(a, n) && referenceMatch(b, n) {
					want = true
					break
				}
			}
			if got := topic.Overlaps(topic.Filter(a), topic.Filter(b)); got != want {
				t.Fatalf("Overlaps(%q, %q) = %v; want %v", a, b, got, want)
			}
		}
	}
}

func TestOverlapsTooLong(t *testing.T) {
	long := func(n int) topic.Filter { return topic.Filter(strings.Repeat("x", n)) }
	for _, tt := range []struct {
		name string
		a, b topic.Filter
		want bool
	}{
		{"fits exactly", long(32767) + "/+", "+/" + long(32767), true},
		{"one too many", long(32767) + "/+", "+/" + long(32768), false},
		{"parent fits exactly", long(32767) + "/+/#", "+/" + long(32767) + "/#", true},
		{"parent of one fits", long(32767) + "/+", "+/" + long(32767) + "/#", true},
		{"rest of the other too long", long(65533) + "/#", "+/yy", false},
		{"rest of the other fits", long(65533) + "/#", "+/y", true},
		{"rest has wildcards", long(65533) + "/#", "+/+/#", true},
	} {
		if got := topic.Overlaps(tt.a, tt.b); got != tt.want {
			t.Errorf("%s: Overlaps = %v; want %v", tt.name, got, tt.want)
		}
		if got := topic.Overlaps(tt.b, tt.a); got != tt.want {
			t.Errorf("%s, the other way: Overlaps = %v; want %v", tt.name, got, tt.want)
		}
	}
}

func FuzzMatch(f *testing.F) {
	f.Add("a/+/#", "a/b/c")
	f.Add("#", "$SYS/a")
	f.Add("+/+", "/")
	f.Fuzz(func(t *testing.T, filter, name string) {
		got := topic.Filter(filter).Match(topic.Name(name)) // never panics
		if !validFilter(filter) || !validName(name) {
			return
		}
		if want := referenceMatch(filter, name); got != want {
			t.Errorf("Filter(%q).Match(%q) = %v; want %v", filter, name, got, want)
		}
		var tree topic.Tree[int]
		tree.Add(topic.Filter(filter), 1)
		if tree.Any(topic.Name(name)) != got {
			t.Errorf("a Tree with %q: Any(%q) = %v; want %v", filter, name, !got, got)
		}
		// A name is a filter that matches itself alone.
		if o := topic.Overlaps(topic.Filter(filter), topic.Filter(name)); o != got {
			t.Errorf("Overlaps(%q, %q) = %v; want %v", filter, name, o, got)
		}
	})
}

func FuzzOverlaps(f *testing.F) {
	// Each byte chooses a level, so that the alphabet stays small.
	f.Add([]byte{0, 2, 4}, []byte{2, 0})
	f.Add([]byte{5, 4}, []byte{4})
	words := []string{"a", "", "+", "c", "#", "$s"}
	names := enumerate([]string{"a", "c", "", "$s", "z"}, 4, validName)
	build := func(b []byte) string {
		levels := make([]string, min(len(b), 4))
		for i := range levels {
			levels[i] = words[int(b[i])%len(words)]
		}
		return strings.Join(levels, "/")
	}
	f.Fuzz(func(t *testing.T, x, y []byte) {
		a, b := build(x), build(y)
		if !validFilter(a) || !validFilter(b) {
			return
		}
		want := false
		for _, n := range names {
			want = want || referenceMatch(a, n) && referenceMatch(b, n)
		}
		if got := topic.Overlaps(topic.Filter(a), topic.Filter(b)); got != want {
			t.Errorf("Overlaps(%q, %q) = %v; want %v", a, b, got, want)
		}
	})
}
