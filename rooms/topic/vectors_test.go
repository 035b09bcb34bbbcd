package topic_test

import (
	"encoding/json"
	"os"
	"testing"

	"siomq/rooms/topic"
)

// vector is one entry of testdata/topics.json.
type vector struct {
	Namespace, Target, Name, Event, Topic string
}

type vectors struct {
	Encode, Inbound []vector
	Refused         []string
}

var kindWords = map[string]topic.Kind{
	"all": topic.All, "room": topic.Room, "socket": topic.Socket, "user": topic.User,
}

func (v vector) address(tb testing.TB) topic.Address {
	tb.Helper()
	k, ok := kindWords[v.Target]
	if !ok {
		tb.Fatalf("vector %q: unknown target %q", v.Topic, v.Target)
	}
	return topic.Address{Kind: k, Namespace: v.Namespace, Name: v.Name, Event: v.Event}
}

func readVectors(tb testing.TB) vectors {
	tb.Helper()
	b, err := os.ReadFile("testdata/topics.json")
	if err != nil {
		tb.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(b, &v); err != nil {
		tb.Fatal(err)
	}
	if len(v.Encode) < 60 || len(v.Inbound) < 7 || len(v.Refused) < 12 {
		tb.Fatalf("testdata/topics.json has %d, %d and %d vectors: too few", len(v.Encode), len(v.Inbound), len(v.Refused))
	}
	return v
}

func TestVectorsEncode(t *testing.T) {
	var c topic.Codec
	for _, v := range readVectors(t).Encode {
		a := v.address(t)
		got, err := c.Name(a)
		if err != nil || string(got) != v.Topic {
			t.Errorf("Name(%+v) = %q, %v; want %q", a, got, err, v.Topic)
		}
		for what, read := range map[string]func(topic.Name) (topic.Address, error){"Parse": c.Parse, "Decode": c.Decode} {
			if back, err := read(topic.Name(v.Topic)); err != nil || back != a {
				t.Errorf("%s(%q) = %+v, %v; want %+v", what, v.Topic, back, err, a)
			}
		}
	}
}

func TestVectorsInbound(t *testing.T) {
	var c topic.Codec
	for _, v := range readVectors(t).Inbound {
		want := v.address(t)
		if got, err := c.Parse(topic.Name(v.Topic)); err != nil || got != want {
			t.Errorf("Parse(%q) = %+v, %v; want %+v", v.Topic, got, err, want)
		}
		canonical, err := c.Name(want)
		if err != nil {
			t.Errorf("Name(%+v): %v", want, err)
		}
		// One of them, the empty room, is canonical all the same.
		got, err := c.Decode(topic.Name(v.Topic))
		if (err == nil) != (string(canonical) == v.Topic) {
			t.Errorf("Decode(%q) = %+v, %v; the canonical name is %q", v.Topic, got, err, canonical)
		}
	}
}

func TestVectorsRefused(t *testing.T) {
	var c topic.Codec
	for _, name := range readVectors(t).Refused {
		if got, err := c.Parse(topic.Name(name)); err == nil {
			t.Errorf("Parse(%q) = %+v; want an error", name, got)
		}
	}
}
