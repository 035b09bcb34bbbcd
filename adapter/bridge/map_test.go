package bridge_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"siomq/adapter/bridge"
	"siomq/adapter/broker"
	"siomq/rooms"
	"siomq/rooms/args"
)

func encode(t testing.TB, values ...any) rooms.Args {
	t.Helper()
	a, err := args.Encode(values...)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// lines describes what a world was given.
func (w *world) lines() []string {
	var all []string
	for _, m := range w.emitted {
		line := fmt.Sprintf("emit %s %s %q %q [%s]", m.Namespace, m.Targets[0].Kind, m.Targets[0].Name, m.Event, m.Args.Raw)
		for _, a := range m.Args.Attachments {
			line += fmt.Sprintf(" %q", a)
		}
		line += fmt.Sprintf(" q%d", m.QoS)
		if m.Retain {
			line += " retained"
		}
		all = append(all, line)
	}
	for _, p := range w.published {
		line := fmt.Sprintf("publish %q %q %s q%d", p.Topic, p.Payload, p.ContentType, p.QoS)
		if p.Retain {
			line += " retained"
		}
		all = append(all, line)
	}
	return all
}

func TestIn(t *testing.T) {
	tests := []struct {
		name    string
		rules   string
		publish broker.Message
		want    []string
	}{
		{"the sensors", "howest/{b}/{r}/sensors/{kind} -> room {b}-{r} event sensor payload json",
			broker.Message{Topic: "howest/kwe/a101/sensors/co2", Payload: []byte("412"), QoS: 1},
			[]string{`emit / room "kwe-a101" "sensor" [412] q1`}},
		{"variables", "howest/{b}/{r}/sensors/{kind} -> room {b}-{r} event sensor pass variables",
			broker.Message{Topic: `howest/k"w/é/sensors/`, Payload: []byte("1")},
			[]string{`emit / room "k\"w-é" "sensor" [1,{"b":"k\"w","r":"é","kind":""}] q0`}},
		{"variables alone", "d/{x} -> to all event e payload none pass variables",
			broker.Message{Topic: "d/1", Payload: []byte("ignored")}, []string{`emit / all "" "e" [{"x":"1"}] q0`}},
		{"variables without any", "d -> to all event e pass variables",
			broker.Message{Topic: "d", Payload: []byte("1")}, []string{`emit / all "" "e" [1,{}] q0`}},
		{"variables beside binary data", "d/{x} -> to all event e payload binary pass variables",
			broker.Message{Topic: "d/1", Payload: []byte("\x00")}, []string{`emit / all "" "e" [{"_placeholder":true,"num":0},{"x":"1"}] "\x00" q0`}},
		{"text is text", "d -> to all event e payload text", broker.Message{Topic: "d", Payload: []byte("412")}, []string{`emit / all "" "e" ["412"] q0`}},
		{"the content type", "d -> to all event e", broker.Message{Topic: "d", Payload: []byte("412"), ContentType: "text/plain"},
			[]string{`emit / all "" "e" ["412"] q0`}},
		{"args", "d -> to all event e payload args", broker.Message{Topic: "d", Payload: []byte("[1,2]")}, []string{`emit / all "" "e" [1,2] q0`}},
		{"QoS and retain fixed", "d -> to all event e qos 2 retain always", broker.Message{Topic: "d", Payload: []byte("1")},
			[]string{`emit / all "" "e" [1] q2 retained`}},
		{"retain kept", "d -> to all event e", broker.Message{Topic: "d", Payload: []byte("1"), Retain: true},
			[]string{`emit / all "" "e" [1] q0 retained`}},
		{"retain never", "d -> to all event e retain never", broker.Message{Topic: "d", Payload: []byte("1"), Retain: true},
			[]string{`emit / all "" "e" [1] q0`}},
		{"a last value deleted", "d -> to all event e pass variables", broker.Message{Topic: "d", Retain: true}, []string{`emit / all "" "e" [] q0 retained`}},
		{"a last value deleted, never kept", "d -> to all event e retain never", broker.Message{Topic: "d", Retain: true}, nil},
		{"nothing to retain", "d -> to all event e retain always payload text", broker.Message{Topic: "d"}, []string{`emit / all "" "e" [""] q0`}},
		{"no argument to retain", "d -> to all event e retain always payload none", broker.Message{Topic: "d", Payload: []byte("x")}, []string{`emit / all "" "e" [] q0`}},
		{"rest", "a/{x...} -> namespace /n room {x} event e", broker.Message{Topic: "a/b//c"}, []string{`emit /n room "b//c" "e" [] q0`}},
		{"rest of nothing", "a/{x...} -> room {x} event e", broker.Message{Topic: "a/"}, []string{`emit / room "" "e" [] q0`}},
		{"no rest", "a/{x...} -> room {x} event e", broker.Message{Topic: "a"}, nil},
		{"empty levels", "{a}/{b} -> user {a} event {b}", broker.Message{Topic: "/"}, []string{`emit / user "" "" [] q0`}},
		{"too many levels", "{a}/{b} -> user {a} event {b}", broker.Message{Topic: "a/b/c"}, nil},
		{"text around", "x{a}y/z -> room {a} event e", broker.Message{Topic: "x1y2y/z"}, []string{`emit / room "1y2" "e" [] q0`}},
		{"text around, missing", "x{a}y/z -> room {a} event e", broker.Message{Topic: "xy1/z"}, nil},
		{"text around, overlapping", "xy{a}yx -> room {a} event e", broker.Message{Topic: "xyx"}, nil},
		{"a level in parts, the first separator", "{a}-{b} -> room {b} event {a}", broker.Message{Topic: "x-y-z"}, []string{`emit / room "y-z" "x" [] q0`}},
		{"word", "{a:word} -> room {a} event e", broker.Message{Topic: "Zürich_7"}, []string{`emit / room "Zürich_7" "e" [] q0`}},
		{"no word", "{a:word} -> room {a} event e", broker.Message{Topic: "a-b"}, nil},
		{"number", "{a:number}/x -> room {a} event e", broker.Message{Topic: "007/x"}, []string{`emit / room "007" "e" [] q0`}},
		{"no number", "{a:number}/x -> room {a} event e", broker.Message{Topic: "/x"}, nil},
		{"all rules that match, in order", "{x}/b -> room 1 event e\na/{x} -> room 2 event e\na/b -> room 3 event e\nc/b -> room 4 event e\n{x}/{y} -> room 5 event e",
			broker.Message{Topic: "a/b"}, []string{`emit / room "1" "e" [] q0`, `emit / room "2" "e" [] q0`, `emit / room "3" "e" [] q0`, `emit / room "5" "e" [] q0`}},
		{"the same filter twice", "a/{x:number} -> room 1 event e\na/{x} -> room 2 event e", broker.Message{Topic: "a/b"}, []string{`emit / room "2" "e" [] q0`}},
		{"beneath the prefix", "{x...} -> room r event e", broker.Message{Topic: "sio/main/all/x"}, nil},
		{"between servers", "{x...} -> room r event e", broker.Message{Topic: "sio-servers/x"}, nil},
		{"out alone", "a/{x} <- room {x} event e", broker.Message{Topic: "a/b"}, nil},
		{"reserved event", "a/{x} -> to all event {x}", broker.Message{Topic: "a/connect"}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := &world{}
			w.open(t, bridge.Options{}, test.rules)
			if err := w.deliver(&test.publish); err != nil {
				t.Fatal(err)
			}
			if got := w.lines(); !slices.Equal(got, test.want) {
				t.Errorf("publish %q\n got %q\nwant %q", test.publish.Topic, got, test.want)
			}
		})
	}
}

func TestOut(t *testing.T) {
	all := []rooms.Target(nil)
	to := func(names ...string) (targets []rooms.Target) {
		for _, n := range names {
			targets = append(targets, room(n))
		}
		return targets
	}
	tests := []struct {
		name  string
		rules string
		m     rooms.Message
		want  []string
	}{
		{"a lamp", "lights/{r}/set <- room {r} event light payload text", rooms.Message{Event: "light", Targets: to("7"), Args: encode(t, "on"), QoS: 1},
			[]string{`publish "lights/7/set" "on" text/plain q1`}},
		{"an object as text", "l <- to all event e payload text", rooms.Message{Event: "e", Targets: all, Args: encode(t, map[string]int{"a": 1})},
			[]string{`publish "l" "{\"a\":1}" text/plain q0`}},
		{"another event", "lights/{r}/set <- room {r} event light", rooms.Message{Event: "dark", Targets: to("7")}, nil},
		{"another namespace", "l <- namespace /n to all event e", rooms.Message{Event: "e"}, nil},
		{"everyone is no room", "l <- room r event e", rooms.Message{Event: "e"}, nil},
		{"several rooms", "l/{r} <- room {r} event e payload none", rooms.Message{Event: "e", Targets: to("1", "2", "1")},
			[]string{`publish "l/1" ""  q0`, `publish "l/2" ""  q0`}},
		{"several rooms, one topic", "l <- room x{n} event e", rooms.Message{Event: "e", Targets: to("x", "x")}, nil},
		{"a room of a variable that must be the same", "l/{r} <- room {r} event {r}", rooms.Message{Event: "a", Targets: to("a", "b")},
			[]string{`publish "l/a" ""  q0`}},
		{"room taken apart", "l/{a}/{b} <- room {a}-{b} event e", rooms.Message{Event: "e", Targets: to("x-y-z")}, []string{`publish "l/x/y-z" ""  q0`}},
		{"local", "l <- to all event e", rooms.Message{Event: "e", Local: true}, nil},
		{"a last value for one", "l <- to all event e", rooms.Message{Event: "e", Only: "s"}, nil},
		{"a private message by a room", "l/{r} <- room {r} event e", rooms.Message{Event: "e", Targets: to("sid")}, nil},
		{"a private message", "l/{r} <- socket {r} event e", rooms.Message{Event: "e", Targets: to("sid", "room")}, []string{`publish "l/sid" ""  q0`}},
		{"a private message to a device", "l/{r} <- socket {r} event e", rooms.Message{Event: "e", Targets: []rooms.Target{{Kind: rooms.ToSocket, Name: "d"}}},
			[]string{`publish "l/d" ""  q0`}},
		{"slash in a level", "l/{r} <- room {r} event e", rooms.Message{Event: "e", Targets: to("a/b")}, nil},
		{"plus", "l/{r} <- room {r} event e", rooms.Message{Event: "e", Targets: to("+")}, nil},
		{"hash", "l/{r...} <- room {r} event e", rooms.Message{Event: "e", Targets: to("a/#")}, nil},
		{"NUL", "l/{r} <- room {r} event e", rooms.Message{Event: "e", Targets: to("\x00")}, nil},
		{"no UTF-8", "l/{r} <- room {r} event e", rooms.Message{Event: "e", Targets: to("\xff")}, nil},
		{"the replacement character", "l/{r} <- room {r} event e", rooms.Message{Event: "e", Targets: to("\uFFFD")}, []string{"publish \"l/\uFFFD\" \"\"  q0"}},
		{"too long", "l/{r} <- room {r} event e", rooms.Message{Event: "e", Targets: to(strings.Repeat("x", 65535))}, nil},
		{"empty topic", "{r} <- room {r} event e", rooms.Message{Event: "e", Targets: to("")}, nil},
		{"the broker's topics", "{r...} <- room {r} event e", rooms.Message{Event: "e", Targets: to("$SYS/x")}, nil},
		{"the rooms' topics", "{r...} <- room {r} event e", rooms.Message{Event: "e", Targets: to("sio/main/all/x")}, nil},
		{"retained", "l <- to all event e", rooms.Message{Event: "e", Args: encode(t, 1), Retain: true}, []string{`publish "l" "1" application/json q0 retained`}},
		{"retained always, empty", "l <- to all event e retain always qos 2", rooms.Message{Event: "e"}, []string{`publish "l" ""  q2`}},
		{"all rules", "l <- to all event e\nm <- to all event {x}\nl/{x} <- to all event {x}", rooms.Message{Event: "e"}, nil},
	}
	for i := range tests {
		test := &tests[i]
		switch test.name {
		case "several rooms, one topic":
			test.rules = "l <- room x event e"
			test.want = []string{`publish "l" ""  q0`}
		case "all rules":
			test.rules = "l <- to all event e\nm/{x} <- to all event {x}\nl/{x} <- to all event {x}"
			test.want = []string{`publish "l" ""  q0`, `publish "m/e" ""  q0`, `publish "l/e" ""  q0`}
		}
		t.Run(test.name, func(t *testing.T) {
			w := &world{sockets: map[string]bool{"sid": true}}
			b := w.open(t, bridge.Options{}, test.rules)
			test.m.Namespace = "/"
			if err := b.Broadcast(&test.m); err != nil {
				t.Fatal(err)
			}
			if got := w.lines(); !slices.Equal(got, test.want) {
				t.Errorf("emit %q to %v\n got %q\nwant %q", test.m.Event, test.m.Targets, got, test.want)
			}
			for _, p := range w.published {
				if p.Hops() != 1 {
					t.Errorf("publish %q has passed %d bridges, want 1", p.Topic, p.Hops())
				}
			}
		})
	}
}

func TestFaultsOfOthers(t *testing.T) {
	refused := errors.New("refused")
	t.Run("a refused emit refuses the publish", func(t *testing.T) {
		w := &world{refuse: refused}
		b := w.open(t, bridge.Options{}, "a/{x} -> room {x} event e")
		if err := w.deliver(&broker.Message{Topic: "a/b"}); !errors.Is(err, refused) {
			t.Errorf("got %v", err)
		}
		if got, want := b.Stats(), (bridge.Stats{Refused: 1}); got != want {
			t.Errorf("stats %+v, want %+v", got, want)
		}
	})
	t.Run("a payload of another kind refuses nothing", func(t *testing.T) {
		w := &world{}
		b := w.open(t, bridge.Options{}, "a -> room 1 event e payload json\na -> room 2 event e payload text")
		if err := w.deliver(&broker.Message{Topic: "a", Payload: []byte("{")}); err != nil {
			t.Error(err)
		}
		if got, want := b.Stats(), (bridge.Stats{In: 1, BadPayload: 1}); got != want {
			t.Errorf("stats %+v, want %+v", got, want)
		}
	})
	t.Run("arguments of another kind", func(t *testing.T) {
		w := &world{}
		b := w.open(t, bridge.Options{}, "a <- to all event e payload json")
		if err := b.Broadcast(&rooms.Message{Namespace: "/", Event: "e", Args: encode(t, 1, 2)}); err == nil {
			t.Error("no error")
		}
		if got, want := b.Stats(), (bridge.Stats{BadPayload: 1}); got != want {
			t.Errorf("stats %+v, want %+v", got, want)
		}
	})
	t.Run("the broker fails", func(t *testing.T) {
		w := &world{fail: refused}
		b := w.open(t, bridge.Options{}, "a <- to all event e\nb <- to all event e")
		if err := b.Broadcast(&rooms.Message{Namespace: "/", Event: "e"}); !errors.Is(err, refused) {
			t.Errorf("got %v", err)
		}
		if got, want := b.Stats(), (bridge.Stats{Failed: 2}); got != want {
			t.Errorf("stats %+v, want %+v", got, want)
		}
	})
	t.Run("a subscription fails", func(t *testing.T) {
		w := &world{}
		b, err := bridge.New(w, w, &bridge.Options{Rules: rules(t, "a -> to all event e\nrefused/{x} -> to all event e")})
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Start(t.Context()); err == nil || len(w.handlers) != 0 {
			t.Errorf("Start: %v, %d subscriptions left", err, len(w.handlers))
		}
	})
}

// TestRoundTrip sends a publish through a rule that goes both ways, and the emit back.
func TestRoundTrip(t *testing.T) {
	lines := []string{
		"{a}/{b} <-> room {a}/{b} event e",
		"{a}/{b} <-> room {a}+{b} event e",
		"{a}/{b} <-> room {b}#x#{a} event e",
		"x/{a}/{b} <-> room -{a}- event {b}",
		"x/{a}/y{b}/{c...} <-> namespace /n room {a}/{b}/{c} event {b}",
		"{a:word}-{b}/{c...} <-> user {a}-{b} event ~{c}",
		"{n:number}{{x}}{b} <-> socket {n}/{b} event {n}x{b}",
		"x/{a...} <-> to all event {a}",
	}
	topics := []string{
		"a/b", "/", "//", "///", "x/a/b", "x//", "x/a/y/", "x/a/yb/c/d", "x/a-b/y-/-", "a-b-c/d", "é-日本/ü", "-/-", "x/-/-", "a--/",
		"7{x}8", "7{x}{x}", "x/%2F/%23", "x/ /\t", "x/a\uFFFD/y😀/..", "x/'\"\\/b", "x/{a}/{b}", "x/\u0301/\u200d",
	}
	mapped := make([]int, len(lines))
	for i, line := range lines {
		for _, name := range topics {
			if roundTrip(t, line, name) {
				mapped[i]++
			}
		}
		if mapped[i] == 0 {
			t.Errorf("rule %q mapped nothing", line)
		}
	}
}

// roundTrip reports whether the rule maps the topic, and fails when the emit does not give it back.
func roundTrip(t *testing.T, line, name string) bool {
	t.Helper()
	w := &world{}
	b := w.open(t, bridge.Options{}, line)
	if err := w.deliver(&broker.Message{Topic: name, Payload: []byte("1")}); err != nil {
		t.Fatalf("%q by %q: %v", name, line, err)
	}
	if len(w.emitted) == 0 {
		return false
	}
	if len(w.published) != 0 {
		t.Errorf("%q by %q came back", name, line)
	}
	if err := b.Broadcast(w.emitted[0]); err != nil {
		t.Fatalf("%q by %q: %v", name, line, err)
	}
	if len(w.published) != 1 || w.published[0].Topic != name || string(w.published[0].Payload) != "1" {
		t.Errorf("%q by %q is %v %q, and back %q", name, line, w.emitted[0].Targets, w.emitted[0].Event, w.lines()[1:])
	}
	return true
}

// FuzzRoundTrip: a rule that New accepts for both ways gives back the topic of whatever it maps,
// and gives back room and event of whatever it publishes.
func FuzzRoundTrip(f *testing.F) {
	f.Add("{a}/{b} <-> room {a}/{b} event e", "a/b", "a/b", "e")
	f.Add("x/{a:word}.{b}/{c...} <-> room {a}-{b} event {c}/", "x/a.b/c/d", "a-b", "c/")
	f.Add("{a}/{n:number}y <-> user {n}x{a}x{n} event {a}", "/1y", "1xax1", "a")
	f.Add("{a} -> room {b} event", "a", "", "")
	f.Fuzz(func(t *testing.T, line, name, roomName, event string) {
		all, err := bridge.Parse(strings.NewReader(line), "f")
		if err != nil || len(all) != 1 {
			return
		}
		r := all[0]
		again, err := bridge.Parse(strings.NewReader(r.String()), "f")
		if err != nil || len(again) != 1 || again[0] != r {
			t.Fatalf("Parse(%q) = %+v, %v, want %+v", r.String(), again, err, r)
		}
		if r.Direction != bridge.Both {
			return
		}
		r.Payload = 0
		w := &world{}
		b, err := bridge.New(w, w, &bridge.Options{Rules: []bridge.Rule{r}, EchoWindow: -1})
		if err != nil {
			return // beneath the prefix
		}
		if err := b.Start(t.Context()); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		defer b.Stop()
		if !validName(name) {
			name = "a/b"
		}
		if err := w.deliver(&broker.Message{Topic: name, Payload: []byte("1")}); err != nil {
			t.Fatal(err)
		}
		if len(w.emitted) > 0 {
			if err := b.Broadcast(w.emitted[0]); err != nil || len(w.published) != 1 || w.published[0].Topic != name {
				t.Fatalf("%q by %q: %q, %v", name, line, w.lines(), err)
			}
		}
		w.emitted, w.published = nil, nil
		m := &rooms.Message{Namespace: r.Namespace, Event: event, Targets: []rooms.Target{{Kind: r.Target.Kind, Name: roomName}}, Args: encode(t, 1)}
		if m.Namespace == "" {
			m.Namespace = "/"
		}
		if r.Target.Kind == rooms.ToAll {
			m.Targets[0].Name = ""
		}
		if err := b.Broadcast(m); err != nil {
			t.Fatal(err)
		}
		if len(w.published) == 0 || event == "connect" {
			return
		}
		back := w.published[0]
		back.UserProperties = nil
		if err := w.deliver(&back); err != nil {
			t.Fatal(err)
		}
		if b.Stats().BadName > 0 {
			return // a reserved event
		}
		if len(w.emitted) != 1 || w.emitted[0].Event != event || w.emitted[0].Targets[0] != m.Targets[0] {
			t.Fatalf("room %q event %q by %q: %q", roomName, event, line, w.lines())
		}
	})
}

func validName(name string) bool {
	return name != "" && name[0] != '$' && len(name) < 60000 && strings.ToValidUTF8(name, "") == name && !strings.ContainsAny(name, "+#\x00")
}
