package topic_test

import (
	"errors"
	"strings"
	"testing"

	"siomq/rooms"
	"siomq/rooms/topic"
)

func TestKindsAreTargetKinds(t *testing.T) {
	for _, tt := range []struct {
		target rooms.TargetKind
		kind   topic.Kind
	}{
		{rooms.ToAll, topic.All}, {rooms.ToRoom, topic.Room}, {rooms.ToSocket, topic.Socket}, {rooms.ToUser, topic.User},
	} {
		if topic.Kind(tt.target) != tt.kind || tt.target.String() != tt.kind.String() {
			t.Errorf("rooms: %d %q; topic: %d %q", tt.target, tt.target, tt.kind, tt.kind)
		}
	}
}

// addresses has one address of each kind, with its topic.
var addresses = []struct {
	addr topic.Address
	name topic.Name
}{
	{topic.Address{Kind: topic.All, Namespace: "/", Event: "news"}, "sio/main/all/news"},
	{topic.Address{Kind: topic.Room, Namespace: "/", Name: "lobby", Event: "message"}, "sio/main/room/lobby/message"},
	{topic.Address{Kind: topic.Socket, Namespace: "/chat", Name: "sensor-1", Event: "set"}, "sio/chat/socket/sensor-1/set"},
	{topic.Address{Kind: topic.User, Namespace: "/", Name: "a@b.org", Event: "note"}, "sio/main/user/a%40b.org/note"},
	{topic.Address{Kind: topic.From, Namespace: "/", Name: "sid", Event: "a b"}, "sio/main/from/sid/a%20b"},
	{topic.Address{Kind: topic.Call, Namespace: "/", Name: "sid", Event: "get", ID: "7"}, "sio/main/call/sid/get/7"},
	{topic.Address{Kind: topic.Ack, Namespace: "/", Name: "sid", ID: "7"}, "sio/main/ack/sid/7"},
	{topic.Address{Kind: topic.ControlSocket, Namespace: "/", Name: "sid", Verb: topic.VerbJoin}, "sio/main/control/socket/sid/join"},
	{topic.Address{Kind: topic.ControlRoom, Namespace: "/", Name: "r/1", Verb: topic.VerbDisconnect}, "sio/main/control/room/r%2F1/disconnect"},
	{topic.Address{Kind: topic.PresenceSocket, Namespace: "/", Name: "sid"}, "sio/main/presence/socket/sid"},
	{topic.Address{Kind: topic.PresenceRoom, Namespace: "/main", Name: ""}, "sio/%6Dain/presence/room/"},
}

func TestEveryKind(t *testing.T) {
	var c topic.Codec
	for _, tt := range addresses {
		if got, err := c.Name(tt.addr); err != nil || got != tt.name {
			t.Errorf("Name(%+v) = %q, %v; want %q", tt.addr, got, err, tt.name)
		}
		if got, err := c.Parse(tt.name); err != nil || got != tt.addr {
			t.Errorf("Parse(%q) = %+v, %v; want %+v", tt.name, got, err, tt.addr)
		}
		if got, err := c.Decode(tt.name); err != nil || got != tt.addr {
			t.Errorf("Decode(%q) = %+v, %v; want %+v", tt.name, got, err, tt.addr)
		}
		f, err := c.TargetFilter(tt.addr.Kind, tt.addr.Namespace, tt.addr.Name)
		if err != nil || !f.Match(tt.name) {
			t.Errorf("TargetFilter of %q = %q, %v; does not match", tt.name, f, err)
		}
		if f, err := c.AnyFilter(tt.addr.Kind); err != nil || !f.Match(tt.name) || !validFilter(string(f)) {
			t.Errorf("AnyFilter(%v) = %q, %v; does not match %q", tt.addr.Kind, f, err, tt.name)
		}
		if !c.Everything().Match(tt.name) {
			t.Errorf("%q does not match %q", c.Everything(), tt.name)
		}
	}
}

// names are the names that a topic could get wrong.
func names() []string {
	return []string{
		"", " ", "/", "//", "+", "#", "+/#", "%", "%%", "%2F", "%2f", "%25", "%6Dain", "$", "$SYS", "$share/g/a",
		"\x00", "\x01", "\n", "\x7f", "é", "e\u0301", "😀", "日本", "\ufeff", "\ufffd", "\uffff", ".", "..", "a b", "a*b", "a>b",
		"!~*'()-_.", `"\<>^` + "`{|}", ";,?:@&=+$", "main", "all", "room", "socket", "user", "from", "call", "ack", "control",
		"presence", "join", "leave", "message", "sio", "sio-servers", "constructor", "__proto__", "topic:a/+/#",
		strings.Repeat("x", 255), strings.Repeat("/", 300), strings.Repeat("€", 300),
	}
}

func TestRoundTripEveryName(t *testing.T) {
	var c topic.Codec
	seen := map[topic.Name]topic.Address{}
	try := func(a topic.Address) {
		t.Helper()
		n, err := c.Name(a)
		if err != nil {
			t.Errorf("Name(%+v): %v", a, err)
			return
		}
		if other, ok := seen[n]; ok && other != a {
			t.Errorf("%+v and %+v share the topic %q", other, a, n)
		}
		seen[n] = a
		if !validName(string(n)) || n[0] == '$' {
			t.Errorf("Name(%+v) = %q is not a valid topic name", a, n)
		}
		if back, err := c.Decode(n); err != nil || back != a {
			t.Errorf("Decode(%q) = %+v, %v; want %+v", n, back, err, a)
		}
	}
	for _, s := range names() {
		for k := range topic.PresenceRoom + 1 {
			try(filled(k, "/"+s, "x", "x", "x"))
			try(filled(k, "/", s, "x", "x"))
			try(filled(k, "/", "x", s, "x"))
			try(filled(k, "/", "x", "x", s))
		}
	}
}

// filled returns an address of kind k with those parts that the kind has.
func filled(k topic.Kind, ns, name, event, id string) topic.Address {
	a := topic.Address{Kind: k, Namespace: ns}
	if k != topic.All {
		a.Name = name
	}
	switch k {
	case topic.All, topic.Room, topic.Socket, topic.User, topic.From:
		a.Event = event
	case topic.Call:
		a.Event, a.ID = event, id
	case topic.Ack:
		a.ID = id
	case topic.ControlSocket, topic.ControlRoom:
		a.Verb = topic.VerbLeave
	}
	return a
}

func TestNameErrors(t *testing.T) {
	room := func(ns, name, event string) topic.Address {
		return topic.Address{Kind: topic.Room, Namespace: ns, Name: name, Event: event}
	}
	for _, tt := range []struct {
		name string
		addr topic.Address
		want error
	}{
		{"empty namespace", room("", "a", "x"), topic.ErrAddress},
		{"namespace without slash", room("chat", "a", "x"), topic.ErrAddress},
		{"unknown kind", topic.Address{Kind: 200, Namespace: "/"}, topic.ErrAddress},
		{"name for all", topic.Address{Kind: topic.All, Namespace: "/", Name: "a"}, topic.ErrAddress},
		{"event for presence", topic.Address{Kind: topic.PresenceRoom, Namespace: "/", Event: "a"}, topic.ErrAddress},
		{"verb for a room", topic.Address{Kind: topic.Room, Namespace: "/", Verb: "join"}, topic.ErrAddress},
		{"id for a room", topic.Address{Kind: topic.Room, Namespace: "/", ID: "1"}, topic.ErrAddress},
		{"no verb", topic.Address{Kind: topic.ControlRoom, Namespace: "/", Name: "a"}, topic.ErrAddress},
		{"unknown verb", topic.Address{Kind: topic.ControlRoom, Namespace: "/", Name: "a", Verb: "kick"}, topic.ErrAddress},
		{"connect", room("/", "a", "connect"), topic.ErrReservedEvent},
		{"connect_error", room("/", "a", "connect_error"), topic.ErrReservedEvent},
		{"disconnect", room("/", "a", "disconnect"), topic.ErrReservedEvent},
		{"disconnecting", room("/", "a", "disconnecting"), topic.ErrReservedEvent},
		{"newListener", room("/", "a", "newListener"), topic.ErrReservedEvent},
		{"removeListener", room("/", "a", "removeListener"), topic.ErrReservedEvent},
		{"bad UTF-8 in the namespace", room("/\xff", "a", "x"), topic.ErrUTF8},
		{"bad UTF-8 in the room", room("/", "a\xc3", "x"), topic.ErrUTF8},
		{"high surrogate as UTF-8", room("/", "\xed\xa0\x80", "x"), topic.ErrUTF8},
		{"low surrogate in the event", room("/", "a", "\xed\xbf\xbf"), topic.ErrUTF8},
		{"overlong NUL", room("/", "\xc0\x80", "x"), topic.ErrUTF8},
		{"65,536 bytes", room("/", strings.Repeat("x", 65536-len("sio/main/room//e")), "e"), topic.ErrTooLong},
		{"too long escaped alone", room("/", strings.Repeat("/", 21900), "e"), topic.ErrTooLong},
		{"very long", room("/", strings.Repeat("\xff", 1<<20), "e"), topic.ErrTooLong},
	} {
		dst := []byte("kept")
		got, err := topic.Codec{}.AppendName(dst, tt.addr)
		if !errors.Is(err, tt.want) || string(got) != "kept" {
			t.Errorf("%s: AppendName = %.40q, %v; want %q, %v", tt.name, got, err, "kept", tt.want)
		}
		if err != nil && len(err.Error()) > 1000 {
			t.Errorf("%s: the error has %d bytes", tt.name, len(err.Error()))
		}
	}
}

func TestLongestName(t *testing.T) {
	var c topic.Codec
	a := topic.Address{Kind: topic.Room, Namespace: "/", Name: strings.Repeat("x", 65535-len("sio/main/room//e")), Event: "e"}
	n, err := c.Name(a)
	if err != nil || len(n) != 65535 {
		t.Fatalf("Name of 65,535 bytes = %d bytes, %v", len(n), err)
	}
	if back, err := c.Parse(n); err != nil || back != a {
		t.Errorf("Parse of 65,535 bytes: %v", err)
	}
	if _, err := c.RoomFilter("/", a.Name); err != nil {
		t.Errorf("RoomFilter of 65,535 bytes: %v", err)
	}
	if _, err := c.RoomFilter("/", a.Name+"x"); !errors.Is(err, topic.ErrTooLong) {
		t.Errorf("RoomFilter of 65,536 bytes: %v; want %v", err, topic.ErrTooLong)
	}
	// Raw characters grow when escaped: what could not be answered is refused.
	raw := topic.Name("sio/main/room/" + strings.Repeat("é", 12000) + "/e")
	if _, err := c.Parse(raw); !errors.Is(err, topic.ErrTooLong) {
		t.Errorf("Parse of a name whose canonical form is too long: %v; want %v", err, topic.ErrTooLong)
	}
	if _, err := c.Parse(n + "x"); !errors.Is(err, topic.ErrTooLong) {
		t.Errorf("Parse of 65,536 bytes: %v; want %v", err, topic.ErrTooLong)
	}
	small, err := topic.New(&topic.Options{MaxBytes: 20})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		room string
		want error
	}{{"1234", nil}, {"12345", topic.ErrTooLong}, {"é", topic.ErrTooLong}} {
		a := topic.Address{Kind: topic.Room, Namespace: "/", Name: tt.room, Event: "e"}
		if _, err := small.Name(a); !errors.Is(err, tt.want) {
			t.Errorf("with MaxBytes 20: Name of room %q: %v; want %v", tt.room, err, tt.want)
		}
		if _, err := small.Parse(topic.Name("sio/main/room/" + tt.room + "/e")); !errors.Is(err, tt.want) {
			t.Errorf("with MaxBytes 20: Parse of room %q: %v; want %v", tt.room, err, tt.want)
		}
	}
}

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		name topic.Name
		want topic.Address
		err  error
	}{
		{name: "sio/main/room/", want: topic.Address{Namespace: "/", Kind: topic.Room, Event: "message"}},
		{name: "sio/main/all/", want: topic.Address{Namespace: "/", Kind: topic.All}},
		{name: "sio/main/socket/x", want: topic.Address{Namespace: "/", Kind: topic.Socket, Name: "x", Event: "message"}},
		{name: "sio/%6dain/all/x", want: topic.Address{Namespace: "/main", Event: "x"}},
		{name: "sio/m%61in/all/x", want: topic.Address{Namespace: "/main", Event: "x"}},
		{name: "sio/%2Fa/all/x", want: topic.Address{Namespace: "//a", Event: "x"}},
		{name: "sio/main/room/%%41%zz%4/x", want: topic.Address{Namespace: "/", Kind: topic.Room, Name: "%A%zz%4", Event: "x"}},
		{name: "sio/main/room/\x01/x", want: topic.Address{Namespace: "/", Kind: topic.Room, Name: "\x01", Event: "x"}},
		{name: "sio/main/room/a+b/x", err: topic.ErrInvalidName},
		{name: "sio/main/room/#", err: topic.ErrInvalidName},
		{name: "sio/+/room/a", err: topic.ErrInvalidName},
		{name: "sio/main/room/a\x00/x", err: topic.ErrInvalidName},
		{name: "sio/main/room/\xc3/x", err: topic.ErrUTF8},
		{name: "sio/main/room/\xc3%A9/x", err: topic.ErrUTF8},
		{name: "sio/main/room/%ED%A0%80/x", err: topic.ErrUTF8},
		{name: "sio/main/all/%63onnect", err: topic.ErrReservedEvent},
		{name: "sio/main/%61ll/x", err: topic.ErrMalformed},
		{name: "sio/main/ALL/x", err: topic.ErrMalformed},
		{name: "sio/main/from/a", err: topic.ErrMalformed},
		{name: "sio/main/from/a/connect", err: topic.ErrReservedEvent},
		{name: "sio/main/call/a/b", err: topic.ErrMalformed},
		{name: "sio/main/call/a/b/c/d", err: topic.ErrMalformed},
		{name: "sio/main/ack/a", err: topic.ErrMalformed},
		{name: "sio/main/control", err: topic.ErrMalformed},
		{name: "sio/main/control/user/a/join", err: topic.ErrMalformed},
		{name: "sio/main/control/room/a/kick", err: topic.ErrMalformed},
		{name: "sio/main/presence/room", err: topic.ErrMalformed},
		{name: "sio/main/presence/room/a/b", err: topic.ErrMalformed},
		{name: "sio/main/", err: topic.ErrMalformed},
		{name: "sio/", err: topic.ErrMalformed},
		{name: "sio", err: topic.ErrMalformed},
		{name: topic.Name("sio/main/room/a" + strings.Repeat("/", 60000)), err: topic.ErrMalformed},
		{name: "", err: topic.ErrForeign},
		{name: "sio-servers/a", err: topic.ErrForeign},
		{name: "%73io/main/all/x", err: topic.ErrForeign},
		{name: "Sio/main/all/x", err: topic.ErrForeign},
	} {
		got, err := topic.Codec{}.Parse(tt.name)
		if got != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("Parse(%.80q) = %+v, %v; want %+v, %v", tt.name, got, err, tt.want, tt.err)
		}
	}
}

func TestPrefix(t *testing.T) {
	for _, p := range []string{"x", "site/a/sio", "100%", "é", "a$b", strings.Repeat("x", 1024)} {
		c, err := topic.New(&topic.Options{Prefix: p})
		if err != nil {
			t.Errorf("New with prefix %.20q: %v", p, err)
			continue
		}
		a := topic.Address{Kind: topic.Room, Namespace: "/", Name: "lobby", Event: "x"}
		n, err := c.Name(a)
		if want := p + "/main/room/lobby/x"; err != nil || string(n) != want || c.Prefix() != p {
			t.Errorf("prefix %.20q: Name = %.60q, %v; want %.60q", p, n, err, want)
		}
		if back, err := c.Parse(n); err != nil || back != a {
			t.Errorf("prefix %.20q: Parse(%.60q) = %+v, %v; want %+v", p, n, back, err, a)
		}
		if _, err := c.Parse("sio/main/room/lobby/x"); err != topic.ErrForeign {
			t.Errorf("prefix %.20q: Parse of another prefix: %v; want %v", p, err, topic.ErrForeign)
		}
	}
	for _, p := range []string{"/", "/sio", "sio/", "a//b", "+", "a/#", "$sio", "a\x00", "\xff", strings.Repeat("x", 1025)} {
		if _, err := topic.New(&topic.Options{Prefix: p}); err == nil {
			t.Errorf("New with prefix %.20q: no error", p)
		}
	}
	for _, n := range []int{-1, 65536} {
		if _, err := topic.New(&topic.Options{MaxBytes: n}); err == nil {
			t.Errorf("New with MaxBytes %d: no error", n)
		}
	}
	for _, o := range []*topic.Options{nil, {}, {Prefix: "sio"}, {MaxBytes: 65535}} {
		if c, err := topic.New(o); err != nil || c.Prefix() != "sio" {
			t.Errorf("New(%+v) = prefix %q, %v; want sio", o, c.Prefix(), err)
		}
	}
}

// The name travels through the hot path without garbage.
func TestCodecDoesNotAllocate(t *testing.T) {
	var c topic.Codec
	buf := make([]byte, 0, 256)
	for _, tt := range addresses {
		if n := testing.AllocsPerRun(100, func() { buf, _ = c.AppendName(buf[:0], tt.addr) }); n != 0 {
			t.Errorf("AppendName(%+v) allocates %v times", tt.addr, n)
		}
	}
	for _, n := range []topic.Name{"sio/main/room/lobby/message", "sio/chat/socket/x/y", "elsewhere/a", "sio/main/call/a/b/c", "sio/main/all"} {
		if allocs := testing.AllocsPerRun(100, func() { _, _ = c.Parse(n) }); allocs != 0 {
			t.Errorf("Parse(%q) allocates %v times", n, allocs)
		}
	}
	if n := testing.AllocsPerRun(100, func() { buf, _ = c.AppendServers(buf[:0], "a", "b c") }); n != 0 {
		t.Errorf("AppendServers allocates %v times", n)
	}
}

func FuzzRoundTrip(f *testing.F) {
	for _, s := range names() {
		f.Add(uint8(1), s, s, s, s)
	}
	f.Fuzz(func(t *testing.T, kind uint8, ns, name, event, id string) {
		var c topic.Codec
		a := filled(topic.Kind(kind)%(topic.PresenceRoom+1), "/"+ns, name, event, id)
		n, err := c.Name(a)
		if err != nil {
			return
		}
		if !validName(string(n)) {
			t.Errorf("Name(%+v) = %q: not a valid topic name", a, n)
		}
		// That each address comes back from its name means that no two share one.
		if back, err := c.Decode(n); err != nil || back != a {
			t.Errorf("Decode(%q) = %+v, %v; want %+v", n, back, err, a)
		}
	})
}

func FuzzParse(f *testing.F) {
	v := readVectors(f)
	for _, e := range append(v.Encode, v.Inbound...) {
		f.Add(e.Topic)
	}
	for _, s := range v.Refused {
		f.Add(s)
	}
	for _, a := range addresses {
		f.Add(string(a.name))
	}
	f.Fuzz(func(t *testing.T, s string) {
		var c topic.Codec
		a, err := c.Parse(topic.Name(s))
		if err != nil {
			if a != (topic.Address{}) {
				t.Errorf("Parse(%q) = %+v beside %v", s, a, err)
			}
			return
		}
		n, err := c.Name(a)
		if err != nil {
			t.Fatalf("Parse(%q) = %+v, which is no address: %v", s, a, err)
		}
		if back, err := c.Parse(n); err != nil || back != a {
			t.Errorf("Parse(%q) = %+v, %v; want %+v as %q gives", n, back, err, a, s)
		}
		if _, err := c.Decode(topic.Name(s)); (err == nil) != (string(n) == s) {
			t.Errorf("Decode(%q): %v; the canonical name is %q", s, err, n)
		}
		// A legal name is a filter too, and it reaches what it names.
		if validName(s) && !c.ReachesName(topic.Filter(s), a.Kind, a.Name) {
			t.Errorf("ReachesName(%q, %v, %q) = false", s, a.Kind, a.Name)
		}
	})
}

// What does the topic of an emit cost?
func BenchmarkAppendName(b *testing.B) {
	for _, tt := range []struct{ name, room, event string }{
		{"plain", "lobby", "message"}, {"escaped", "user:42", "new message"}, {"unicode", "日本", "é😀"},
	} {
		b.Run(tt.name, func(b *testing.B) {
			a := topic.Address{Kind: topic.Room, Namespace: "/", Name: tt.room, Event: tt.event}
			buf := make([]byte, 0, 256)
			b.ReportAllocs()
			for b.Loop() {
				buf, _ = topic.Codec{}.AppendName(buf[:0], a)
			}
		})
	}
}

// What does reading the topic of a publish cost?
func BenchmarkParse(b *testing.B) {
	for name, n := range map[string]topic.Name{
		"plain": "sio/main/room/lobby/message", "escaped": "sio/main/room/user%3A42/new%20message", "foreign": "building/floor/temperature",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = topic.Codec{}.Parse(n)
			}
		})
	}
}
