package topic_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"siomq/rooms/topic"
)

func TestFilters(t *testing.T) {
	c, err := topic.New(&topic.Options{Prefix: "a/sio"})
	if err != nil {
		t.Fatal(err)
	}
	check := func(what string, got topic.Filter, err error, want topic.Filter) {
		t.Helper()
		if err != nil || got != want {
			t.Errorf("%s = %q, %v; want %q", what, got, err, want)
		}
	}
	check("Everything", c.Everything(), nil, "a/sio/#")
	f, err := c.NamespaceFilter("/")
	check("NamespaceFilter", f, err, "a/sio/main/#")
	f, err = c.NamespaceFilter("/main")
	check("NamespaceFilter /main", f, err, "a/sio/%6Dain/#")
	f, err = c.RoomFilter("/chat", "+/#")
	check("RoomFilter", f, err, "a/sio/chat/room/%2B%2F%23/#")
	f, err = c.TargetFilter(topic.All, "/", "")
	check("TargetFilter all", f, err, "a/sio/main/all/#")
	f, err = c.TargetFilter(topic.ControlRoom, "/", "x")
	check("TargetFilter control", f, err, "a/sio/main/control/room/x/#")
	f, err = c.AnyFilter(topic.PresenceSocket)
	check("AnyFilter presence", f, err, "a/sio/+/presence/socket/#")
	f, err = c.ServersFilter()
	check("ServersFilter", f, err, "a/sio-servers/#")
	f, err = c.ServersFilter("x/y", "")
	check("ServersFilter with levels", f, err, "a/sio-servers/x%2Fy//#")

	for what, err := range map[string]error{
		"namespace without slash": second(c.NamespaceFilter("chat")),
		"name for all":            second(c.TargetFilter(topic.All, "/", "x")),
		"unknown kind":            second(c.TargetFilter(99, "/", "x")),
		"any of an unknown kind":  second(c.AnyFilter(99)),
	} {
		if !errors.Is(err, topic.ErrAddress) {
			t.Errorf("%s: %v; want %v", what, err, topic.ErrAddress)
		}
	}
	if _, err := c.RoomFilter("/", "\xff"); !errors.Is(err, topic.ErrUTF8) {
		t.Errorf("RoomFilter of bad UTF-8: %v; want %v", err, topic.ErrUTF8)
	}
}

func second(_ topic.Filter, err error) error { return err }

func TestServers(t *testing.T) {
	var c topic.Codec
	for _, levels := range [][]string{{""}, {"a"}, {"", ""}, {"a/b", "+", "#", "\x00", "é"}, {"%", "%41"}} {
		n, err := c.ServersName(levels...)
		if err != nil || !validName(string(n)) || !c.IsServers(n) || !strings.HasPrefix(string(n), c.ServersPrefix()+"/") {
			t.Errorf("ServersName(%q) = %q, %v", levels, n, err)
		}
		if got, err := c.ParseServers(nil, n); err != nil || !slices.Equal(got, levels) {
			t.Errorf("ParseServers(%q) = %q, %v; want %q", n, got, err, levels)
		}
		if _, err := c.Parse(n); err != topic.ErrForeign {
			t.Errorf("Parse(%q): %v; want %v", n, err, topic.ErrForeign)
		}
		if c.Everything().Match(n) {
			t.Errorf("%q matches %q", c.Everything(), n)
		}
	}
	for _, tt := range []struct {
		name topic.Name
		want error
	}{
		{"sio-servers", topic.ErrMalformed},
		{"sio-servers/a b", topic.ErrNotCanonical},
		{"sio-servers/%2f", topic.ErrNotCanonical},
		{"sio-servers/%41", topic.ErrNotCanonical},
		{"sio-servers/a%", topic.ErrNotCanonical},
		{"sio-servers/+", topic.ErrInvalidName},
		{"sio-servers/%C3", topic.ErrUTF8},
		{"sio-serversx/a", topic.ErrForeign},
		{"sio/main/all/x", topic.ErrForeign},
		{topic.Name("sio-servers/" + strings.Repeat("x", 65536)), topic.ErrTooLong},
	} {
		if got, err := c.ParseServers(nil, tt.name); !errors.Is(err, tt.want) || got != nil {
			t.Errorf("ParseServers(%.60q) = %q, %v; want %v", tt.name, got, err, tt.want)
		}
	}
	for what, tt := range map[string]struct {
		levels []string
		want   error
	}{
		"none":      {nil, topic.ErrAddress},
		"bad UTF-8": {[]string{"a", "\xff"}, topic.ErrUTF8},
		"long":      {[]string{strings.Repeat("x", 65000), strings.Repeat("x", 600)}, topic.ErrTooLong},
		"escaped":   {[]string{strings.Repeat("/", 22000)}, topic.ErrTooLong},
	} {
		if b, err := c.AppendServers([]byte("k"), tt.levels...); !errors.Is(err, tt.want) || string(b) != "k" {
			t.Errorf("AppendServers, %s: %.20q, %v; want %v", what, b, err, tt.want)
		}
	}
}

// Reaches against every name of a small alphabet: a filter reaches a kind if it
// matches a name that parses as that kind.
func TestReachesEveryShape(t *testing.T) {
	var c topic.Codec
	type found struct {
		name topic.Name
		addr topic.Address
	}
	var all []found
	tail := []string{"", "me", "%6De", "other", "connect", "join", "%FF"}
	for _, ns := range []string{"main", "", "%C3"} {
		for _, word := range []string{"all", "room", "socket", "from", "call", "ack", "control/socket", "presence/room", "nope", "control"} {
			head := "sio/" + ns + "/" + word
			for _, n := range append(enumerate(tail, 4, func(string) bool { return true }), "\x00") {
				name := topic.Name(head + "/" + n)
				if n == "\x00" {
					name = topic.Name(head)
				}
				if a, err := c.Parse(name); err == nil {
					all = append(all, found{name, a})
				}
			}
		}
	}
	var filters []string
	shapes := enumerate([]string{"+", "me", "other", "connect", "join", "#", "%FF"}, 3, func(string) bool { return true })
	for _, head := range []string{"sio/main/all", "sio/+/socket", "sio/main/from", "sio/%C3/room", "sio//room", "sio/+/+", "+/+/call",
		"sio/main/control/socket", "sio/main/presence/+", "sio/main/ack", "siox/main/room", "sio/+/nope"} {
		filters = append(filters, head, head+"/#")
		for _, s := range shapes {
			if f := head + "/" + s; validFilter(f) {
				filters = append(filters, f)
			}
		}
	}
	filters = append(filters, "#", "+", "+/#", "sio", "sio/#", "sio/+", "sio/main", "sio/main/#", "$SYS/#")
	for _, f := range filters {
		f := topic.Filter(f)
		for k := range topic.PresenceRoom + 1 {
			if k == topic.User || k == topic.ControlRoom || k == topic.PresenceSocket {
				continue // as Socket, ControlSocket and PresenceRoom, and not in the alphabet
			}
			want, wantMe := false, false
			for _, n := range all {
				if n.addr.Kind == k && f.Match(n.name) {
					want = true
					wantMe = wantMe || n.addr.Name == "me"
				}
			}
			if got := c.Reaches(f, k); got != want {
				t.Errorf("Reaches(%q, %v) = %v; want %v", f, k, got, want)
			}
			if got := c.ReachesName(f, k, "me"); got != wantMe {
				t.Errorf("ReachesName(%q, %v, me) = %v; want %v", f, k, got, wantMe)
			}
		}
	}
	if c.ReachesName("#", topic.Room, "\xff") || c.Reaches("#", 99) {
		t.Error("# reaches what no topic can say")
	}
}
