package acl_test

import (
	"fmt"
	"strings"
	"testing"

	"siomq/rooms/acl"
	"siomq/rooms/topic"
)

var (
	me     = &acl.Principal{ID: "me", Username: "alice"}
	nobody = &acl.Principal{ID: "anon"}
	empty  = &acl.Principal{}
)

func TestPublishAndReceive(t *testing.T) {
	var d acl.Default
	for _, tt := range []struct {
		name                                     topic.Name
		publish, meReceives, anonReceives, every bool
	}{
		// One line for each line of the table, and what is near it.
		{"sio/main/all/news", true, true, true, true},
		{"sio/main/all", true, true, true, true},
		{"sio/%6Dain/room/lobby/message", true, true, true, true},
		{"sio/main/room/lobby/new message", true, true, true, true},
		{"sio/main/room//x", true, true, true, true},
		{"sio/main/socket/me/note", true, true, false, false},
		{"sio/main/socket/me", true, true, false, false},
		{"sio/chat/socket/me/note", true, true, false, false},
		{"sio/main/socket/%6De/note", true, true, false, false},
		{"sio/main/socket/other/note", true, false, false, false},
		{"sio/main/socket/alice/note", true, false, false, false},
		{"sio/main/socket//note", true, false, false, false},
		{"sio/main/user/alice/note", true, true, false, false},
		{"sio/main/user/me/note", true, false, false, false},
		{"sio/main/user/bob/note", true, false, false, false},
		{"sio/main/user//note", true, false, false, false},
		{"sio/main/from/me/x", false, false, false, false},
		{"sio/main/call/me/x/1", false, false, false, false},
		{"sio/main/ack/me/1", false, false, false, false},
		{"sio/main/control/socket/me/join", false, false, false, false},
		{"sio/main/control/room/a/leave", false, false, false, false},
		{"sio/main/presence/socket/me", false, true, true, true},
		{"sio/main/presence/room/lobby", false, true, true, true},
		{"sio-servers/a", false, false, false, false},
		{"sio-servers", false, false, false, false},
		// Beneath the prefix, and no address.
		{"sio", false, false, false, false},
		{"sio/main", false, false, false, false},
		{"sio/main/nope/x", false, false, false, false},
		{"sio/main/room/a/b/c", false, false, false, false},
		{"sio/main/all/disconnect", false, false, false, false},
		{"sio/main/room/%C3/x", false, false, false, false},
		{"sio//all/x", false, false, false, false},
		// Plain MQTT.
		{"a", true, true, true, true},
		{"/sio/main/from/me/x", true, true, true, true},
		{"siox/main/from/me/x", true, true, true, true},
		{"sio-serversx/a", true, true, true, true},
		{"Sio/main/socket/other/x", true, true, true, true},
		{"$SYS/broker/uptime", false, true, true, true},
		{"$SYS", false, true, true, true},
		{"$SYSx", false, false, false, false},
		{"$share/g/a", false, false, false, false},
		{"$", false, false, false, false},
	} {
		if got := d.CanPublish(me, tt.name); got != tt.publish {
			t.Errorf("CanPublish(%q) = %v; want %v", tt.name, got, tt.publish)
		}
		if got := d.CanReceive(me, tt.name); got != tt.meReceives {
			t.Errorf("CanReceive(me, %q) = %v; want %v", tt.name, got, tt.meReceives)
		}
		for _, p := range []*acl.Principal{nobody, empty} {
			if got := d.CanReceive(p, tt.name); got != tt.anonReceives {
				t.Errorf("CanReceive(%+v, %q) = %v; want %v", *p, tt.name, got, tt.anonReceives)
			}
		}
		if got := d.EveryoneReceives(tt.name); got != tt.every {
			t.Errorf("EveryoneReceives(%q) = %v; want %v", tt.name, got, tt.every)
		}
		// A name is a filter that matches itself.
		if got := d.CanSubscribe(me, topic.Filter(tt.name)); got != tt.meReceives {
			t.Errorf("CanSubscribe(me, %q) = %v; want %v", tt.name, got, tt.meReceives)
		}
	}
}

func TestSubscribe(t *testing.T) {
	var d acl.Default
	for _, tt := range []struct {
		filter   topic.Filter
		me, anon bool
	}{
		{"#", true, true},
		{"+/#", true, true},
		{"+/+/+/+/+", true, true},
		{"sio/#", true, true},
		{"sio/+/#", true, true},
		{"sio/main/#", true, true},
		{"sio/main/room/#", true, true},
		{"sio/main/room/+/message", true, true},
		{"sio/+/all/#", true, true},
		{"sio/+/+/+/+", true, true},
		{"sio/main/+", true, true}, // sio/main/all
		{"sio/main/socket/#", true, true},
		{"sio/main/socket/+/note", true, true},
		{"sio/main/socket/me/#", true, false},
		{"sio/+/socket/me/note", true, false},
		{"sio/main/socket/other/#", false, false},
		{"sio/main/socket/other/+", false, false},
		{"sio/+/socket/other/#", false, false},
		{"sio/main/socket/#/x", false, false},
		{"+/main/socket/other/note", true, true}, // x/main/socket/other/note is plain MQTT
		{"sio/main/+/other/note", true, true},    // the room other
		{"sio/main/user/alice/#", true, false},
		{"sio/main/user/bob/#", false, false},
		{"sio/main/user/+/x", true, false},
		{"sio/main/from/#", false, false},
		{"sio/+/from/+/+", false, false},
		{"sio/main/call/#", false, false},
		{"sio/main/ack/+/+", false, false},
		{"sio/main/control/#", false, false},
		{"sio/main/presence/#", true, true},
		{"sio/main/presence/+/x", true, true},
		{"sio/main/nope/#", false, false},
		{"sio", false, false},
		{"sio/main", false, false},
		{"sio/+", false, false},
		{"sio/main/all/connect", false, false},
		{"sio/main/all/connect/#", false, false},
		{"sio/main/all/x/#", true, true},
		{"sio/main/all/x/+", false, false},
		{"sio-servers/#", false, false},
		{"sio-servers/+/x", false, false},
		{"sio-servers", false, false},
		{"+/a", true, true},
		{"$SYS/#", true, true},
		{"$SYS/broker/+", true, true},
		{"$share/g/a", false, false},
		{"$other/#", false, false},
		{"sensors/#", true, true},
	} {
		if got := d.CanSubscribe(me, tt.filter); got != tt.me {
			t.Errorf("CanSubscribe(me, %q) = %v; want %v", tt.filter, got, tt.me)
		}
		// Nobody in particular may try the wildcards over private topics when it
		// has an identifier: its own are among them.
		if got := d.CanSubscribe(nobody, tt.filter); got != tt.anon {
			t.Errorf("CanSubscribe(anon, %q) = %v; want %v", tt.filter, got, tt.anon)
		}
	}
}

func TestPrefix(t *testing.T) {
	codec, err := topic.New(&topic.Options{Prefix: "site/sio"})
	if err != nil {
		t.Fatal(err)
	}
	d := acl.NewDefault(codec)
	for _, tt := range []struct {
		filter topic.Filter
		want   bool
	}{
		{"site", true},
		{"site/#", true},
		{"site/+", true},
		{"site/+/main/socket/other/x", true},
		{"+/sio/main/socket/other/x", true},
		{"site/sio", false},
		{"site/sio/#", true},
		{"site/sio/main/socket/me/x", true},
		{"site/sio/main/socket/other/x", false},
		{"site/sio-servers/#", false},
		{"site/sio-servers", false},
		{"sio/main/socket/other/x", true},
		{"sio-servers/#", true},
	} {
		if got := d.CanSubscribe(me, tt.filter); got != tt.want {
			t.Errorf("CanSubscribe(%q) = %v; want %v", tt.filter, got, tt.want)
		}
	}
	if !d.CanPublish(me, "sio/main/from/x/y") || d.CanPublish(me, "site/sio/main/from/x/y") || d.CanPublish(me, "site/sio-servers/x") {
		t.Error("CanPublish does not follow the prefix")
	}
}

// Every shape of filter is granted exactly when it matches a name that may be
// received. The names have each level that could make a difference.
func TestEveryFilterShape(t *testing.T) {
	var d acl.Default
	var names []topic.Name
	build(nil, []level{
		{"sio", "sio-servers", "$SYS", "$x", "else", ""},
		{"main", "", "%FF", "x"},
		{"all", "room", "socket", "user", "from", "call", "ack", "control", "presence", "x"},
		{"me", "%6De", "alice", "other", "connect", "socket", "room", ""},
		{"me", "join", "x", "connect", "%FF"},
		{"x", "join", ""},
	}, func(s string) { names = append(names, topic.Name(s)) })
	// The private topics of anon are beside the alphabet, for wildcards to find.
	names = append(names, "sio/main/socket/anon", "sio/main/socket/anon/x", "sio/main/socket/anon/join")

	var filters []topic.Filter
	var tree topic.Tree[int] // the value is the index in filters
	build(nil, []level{
		{"sio", "sio-servers", "+", "#", "$SYS", "$x"},
		{"main", "+", "#", "%FF"},
		{"all", "room", "socket", "user", "from", "call", "control", "presence", "+", "#", "x"},
		{"me", "%6De", "alice", "other", "socket", "+", "#"},
		{"x", "connect", "join", "+", "#"},
		{"+", "#", "x"},
	}, func(s string) {
		if f, err := (topic.Limits{}).Filter(s); err == nil {
			tree.Add(f, len(filters))
			filters = append(filters, f)
		}
	})
	if len(filters) < 3000 {
		t.Errorf("only %d filters are tested", len(filters))
	}
	for _, p := range []*acl.Principal{me, nobody, empty} {
		want := make([]bool, len(filters))
		for _, n := range names {
			receives := n != "" && d.CanReceive(p, n)
			if receives {
				tree.Match(n, func(i int) bool { want[i] = true; return true })
			}
			if n != "" && d.EveryoneReceives(n) && !receives {
				t.Errorf("EveryoneReceives(%q), but CanReceive(%+v) is false", n, *p)
			}
		}
		for i, f := range filters {
			if got := d.CanSubscribe(p, f); got != want[i] {
				t.Errorf("CanSubscribe(%+v, %q) = %v; want %v", *p, f, got, want[i])
			}
		}
	}
}

type level []string

// build calls fn for every choice of one word for each of the first 1, 2, ...
// levels.
func build(head []string, levels []level, fn func(string)) {
	if len(head) > 0 {
		fn(strings.Join(head, "/"))
	}
	if len(levels) == 0 {
		return
	}
	for _, word := range levels[0] {
		build(append(head[:len(head):len(head)], word), levels[1:], fn)
	}
}

func TestDecisionsDoNotAllocate(t *testing.T) {
	var d acl.Default
	for _, n := range []topic.Name{"sio/main/room/lobby/message", "sio/main/socket/other/x", "elsewhere/a", "sio-servers/a", "$SYS/a"} {
		if allocs := testing.AllocsPerRun(100, func() {
			d.CanPublish(me, n)
			d.CanReceive(me, n)
			d.EveryoneReceives(n)
		}); allocs != 0 {
			t.Errorf("deciding %q allocates %v times", n, allocs)
		}
	}
}

// What does the decision of one delivery cost?
func BenchmarkCanReceive(b *testing.B) {
	var d acl.Default
	b.ReportAllocs()
	for b.Loop() {
		d.CanReceive(me, "sio/main/room/lobby/message")
	}
}

func ExampleDefault() {
	policy := acl.NewDefault(topic.Codec{})
	p := &acl.Principal{ID: "sensor-1"}
	fmt.Println(policy.CanSubscribe(p, "#"), policy.CanReceive(p, "sio/main/socket/other/note"))
	fmt.Println(policy.CanSubscribe(p, "sio/main/socket/other/#"))
	// Output:
	// true false
	// false
}
