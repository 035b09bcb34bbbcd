package bridge_test

import (
	"testing"
	"time"

	"siomq/adapter/bridge"
	"siomq/adapter/broker"
	"siomq/rooms"
)

// same gives a publish back as it is, as a bridge with MQTT 5 does.
func same(m broker.Message) *broker.Message { return &m }

// bare gives it back without properties, as a bridge with MQTT 3.1.1 does.
func bare(m broker.Message) *broker.Message {
	m.UserProperties, m.ContentType = nil, ""
	return &m
}

func TestLoops(t *testing.T) {
	const feeding = "x/{r} -> room {r} event e\ny/{r} <- room {r} event e\ny/{r} -> room {r} event e\nx/{r} <- room {r} event e"
	tests := []struct {
		name  string
		rules string
		o     bridge.Options
		echo  func(broker.Message) *broker.Message
		want  bridge.Stats
	}{
		{"two rules that feed each other", feeding, bridge.Options{}, nil, bridge.Stats{In: 1, Out: 1}},
		{"a rule whose output is its input", "x/{r} <-> room {r} event e", bridge.Options{}, same, bridge.Stats{In: 1}},
		{"the broker echoes", feeding, bridge.Options{}, same, bridge.Stats{In: 1, Out: 1, DroppedHops: 1}},
		{"the broker echoes, three bridges", feeding, bridge.Options{MaxHops: 3}, same, bridge.Stats{In: 3, Out: 3, DroppedHops: 1}},
		{"without properties", feeding, bridge.Options{}, bare, bridge.Stats{In: 1, Out: 1, DroppedEcho: 1}},
		{"without properties, and nothing against it", feeding, bridge.Options{EchoWindow: -1}, bare, bridge.Stats{In: 101, Out: 101}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := &world{echo: test.echo}
			b := w.open(t, test.o, test.rules)
			if err := w.deliver(&broker.Message{Topic: "x/1", Payload: []byte("1")}); err != nil {
				t.Fatal(err)
			}
			if got := b.Stats(); got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestHops(t *testing.T) {
	tests := []struct {
		value string
		drop  bool
	}{{"0", false}, {"1", false}, {"2", true}, {"255", true}, {"256", true}, {"-1", true}, {"", true}, {"x", true}}
	for _, test := range tests {
		t.Run(test.value, func(t *testing.T) {
			w := &world{}
			b := w.open(t, bridge.Options{MaxHops: 2}, "a -> to all event e\nb <- to all event e")
			m := &broker.Message{Topic: "a", UserProperties: []broker.Property{{Key: "k", Value: "9"}, {Key: broker.HopsProperty, Value: test.value}}}
			if err := w.deliver(m); err != nil {
				t.Fatal(err)
			}
			if (b.Stats().DroppedHops == 1) != test.drop || (len(w.emitted) == 0) != test.drop {
				t.Errorf("siomq-hops %q: %+v", test.value, b.Stats())
			}
			if len(w.published) == 1 && w.published[0].Hops() != m.Hops()+1 {
				t.Errorf("siomq-hops %q: published with %d", test.value, w.published[0].Hops())
			}
		})
	}
	t.Run("through the topics of the rooms", func(t *testing.T) {
		w := &world{}
		b := w.open(t, bridge.Options{}, "b <- to all event e")
		_ = b.Broadcast(&rooms.Message{Namespace: "/", Event: "e", Hops: 1})
		if got, want := b.Stats(), (bridge.Stats{DroppedHops: 1}); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	})
}

func TestEcho(t *testing.T) {
	emit := &rooms.Message{Namespace: "/", Event: "e", Args: encode(t, "on")}
	in := func(w *world, payload string) int {
		before := len(w.emitted)
		_ = w.deliver(&broker.Message{Topic: "x", Payload: []byte(payload)})
		return len(w.emitted) - before
	}
	w := &world{}
	b := w.open(t, bridge.Options{EchoWindow: time.Hour}, "x <-> to all event e")
	if in(w, "on") != 1 {
		t.Error("nothing was published yet, and a publish was taken for an echo")
	}
	_ = b.Broadcast(emit)
	if in(w, "off") != 1 {
		t.Error("another payload was taken for an echo")
	}
	if in(w, "on") != 0 {
		t.Error("the echo was mapped")
	}
	if in(w, "on") != 1 {
		t.Error("a second publish was taken for the echo")
	}
	_ = b.Broadcast(emit)
	for range 256 {
		_ = b.Broadcast(&rooms.Message{Namespace: "/", Event: "e", Args: encode(t, "x")})
	}
	if in(w, "on") != 1 {
		t.Error("one of 257 publishes ago was remembered")
	}

	short := &world{}
	b = short.open(t, bridge.Options{EchoWindow: 1}, "x <-> to all event e")
	_ = b.Broadcast(emit)
	for start := time.Now(); time.Since(start) < time.Microsecond; { // until the window is over
	}
	if in(short, "on") != 1 {
		t.Error("an echo after the window")
	}
}

// What costs nothing costs nothing.
func TestAllocations(t *testing.T) {
	w := &world{}
	b := w.open(t, bridge.Options{}, "a/{x} <-> room {x} event e\nb/{x} <- namespace /n room {x} event {x}\n{y}/c -> room {y} event z")
	targets := []rooms.Target{room("r")}
	other := &rooms.Message{Namespace: "/", Event: "other", Targets: targets}
	elsewhere := &rooms.Message{Namespace: "/m", Event: "e", Targets: targets}
	different := &rooms.Message{Namespace: "/n", Event: "e", Targets: targets}
	unmatched := &broker.Message{Topic: "b/c/d"}
	n := testing.AllocsPerRun(100, func() {
		_ = b.Broadcast(other)
		_ = b.Broadcast(elsewhere)
		_ = b.Broadcast(different)
		_ = w.deliver(unmatched)
	})
	if n != 0 {
		t.Errorf("%v allocations for what no rule maps", n)
	}
}

func BenchmarkNotMapped(b *testing.B) {
	w := &world{}
	br := w.open(b, bridge.Options{}, "a/{x} <-> room {x} event e\nb/{x} <- room {x} event f")
	m := &rooms.Message{Namespace: "/", Event: "other", Targets: []rooms.Target{room("r")}}
	b.ReportAllocs()
	for b.Loop() {
		_ = br.Broadcast(m)
	}
}

func BenchmarkIn(b *testing.B) {
	w := &world{}
	w.open(b, bridge.Options{}, "howest/{building}/{room}/sensors/{kind} -> room {building}/{room} event sensor payload json")
	m := &broker.Message{Topic: "howest/kwe/a101/sensors/co2", Payload: []byte("412")}
	b.ReportAllocs()
	for b.Loop() {
		w.emitted = w.emitted[:0]
		_ = w.deliver(m)
	}
}

func BenchmarkOut(b *testing.B) {
	w := &world{}
	br := w.open(b, bridge.Options{}, "lights/{r}/set <- room {r} event light payload text")
	m := &rooms.Message{Namespace: "/", Event: "light", Targets: []rooms.Target{room("r")}, Args: encode(b, "on")}
	b.ReportAllocs()
	for b.Loop() {
		w.published = w.published[:0]
		_ = br.Broadcast(m)
	}
}
