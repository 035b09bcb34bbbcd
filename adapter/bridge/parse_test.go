package bridge_test

import (
	"errors"
	"strings"
	"testing"

	"siomq/adapter/bridge"
	"siomq/adapter/payload"
	"siomq/rooms"
)

func rules(t testing.TB, lines string) []bridge.Rule {
	t.Helper()
	all, err := bridge.Parse(strings.NewReader(lines), "rules")
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func room(name string) rooms.Target { return rooms.Target{Kind: rooms.ToRoom, Name: name} }

func TestParse(t *testing.T) {
	tests := []struct {
		name, line string
		want       bridge.Rule
	}{
		{"in", "howest/{b}/{r}/sensors/{kind} -> room {b}-{r} event sensor payload json",
			bridge.Rule{Topic: "howest/{b}/{r}/sensors/{kind}", Target: room("{b}-{r}"), Event: "sensor", Payload: payload.JSON}},
		{"out", "lights/{r}/set <- room {r} event light payload text qos 2 retain always",
			bridge.Rule{Direction: bridge.Out, Topic: "lights/{r}/set", Target: room("{r}"), Event: "light",
				Payload: payload.Text, QoS: bridge.ExactlyOnce, Retain: bridge.Always}},
		{"both, other order", "chat/{r}/{e} <-> event {e} namespace /chat room {r} qos 0",
			bridge.Rule{Direction: bridge.Both, Topic: "chat/{r}/{e}", Namespace: "/chat", Target: room("{r}"), Event: "{e}", QoS: bridge.AtMostOnce}},
		{"a comment", "a -> to all event x # a comment", bridge.Rule{Topic: "a", Event: "x"}},
		{"a # within a word", "{a}/{b} <-> room {a}#{b} event x", bridge.Rule{Direction: bridge.Both, Topic: "{a}/{b}", Target: room("{a}#{b}"), Event: "x"}},
		{"quoted", `"my house/{r}" -> room "#1 {r} \"x\" \\" event "\n"`,
			bridge.Rule{Topic: "my house/{r}", Target: room(`#1 {r} "x" \`), Event: "\n"}},
		{"empty room", `a -> room "" event ""`, bridge.Rule{Topic: "a", Target: room("")}},
		{"braces", "{{a}}/{x} -> room }}{{ event x", bridge.Rule{Topic: "{{a}}/{x}", Target: room("}}{{"), Event: "x"}},
		{"rest", "a/{x...} <-> room {x} event y", bridge.Rule{Direction: bridge.Both, Topic: "a/{x...}", Target: room("{x}"), Event: "y"}},
		{"rest alone", "{x...} -> room {x} event y", bridge.Rule{Topic: "{x...}", Target: room("{x}"), Event: "y"}},
		{"classes", "{a:word}/{n:number} <-> room {a}-{n} event y",
			bridge.Rule{Direction: bridge.Both, Topic: "{a:word}/{n:number}", Target: room("{a}-{n}"), Event: "y"}},
		{"several in a level", "dev-{a}.{b} -> socket {a} event {b} pass variables",
			bridge.Rule{Topic: "dev-{a}.{b}", Target: rooms.Target{Kind: rooms.ToSocket, Name: "{a}"}, Event: "{b}", PassVariables: true}},
		{"args", "a -> user u event x payload args", bridge.Rule{Topic: "a", Target: rooms.Target{Kind: rooms.ToUser, Name: "u"}, Event: "x", Payload: payload.ArgsJSON}},
		{"used twice", "a/{x} <-> room {x} event {x}", bridge.Rule{Direction: bridge.Both, Topic: "a/{x}", Target: room("{x}"), Event: "{x}"}},
		{"no more than this is needed", "{a}-{b} <- room {a}-{b} event x", bridge.Rule{Direction: bridge.Out, Topic: "{a}-{b}", Target: room("{a}-{b}"), Event: "x"}},
		{"the last ends with its template", "a/{x}-{y} <-> event {y}-end room {x}/x", bridge.Rule{}},
		{"prefix of another word", "siob/{x} -> room {x} event y", bridge.Rule{Topic: "siob/{x}", Target: room("{x}"), Event: "y"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := bridge.Parse(strings.NewReader("# rules\r\n\r\n"+test.line+"\r\n"), "f")
			if test.want == (bridge.Rule{}) {
				if err == nil {
					t.Fatalf("Parse(%q) = %v, want an error", test.line, got)
				}
				return
			}
			if err != nil || len(got) != 1 || got[0] != test.want {
				t.Fatalf("Parse(%q)\n got %+v, %v\nwant %+v", test.line, got, err, test.want)
			}
			again, err := bridge.Parse(strings.NewReader(got[0].String()), "f")
			if err != nil || len(again) != 1 || again[0] != got[0] {
				t.Errorf("Parse(%q) = %+v, %v", got[0].String(), again, err)
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	tests := []struct{ name, line, word, says string }{
		{"no arrow", "a/b", "a/b", "arrow"},
		{"another arrow", "a => room x event y", "=>", "arrow"},
		{"no target", "a -> event y", "", "target"},
		{"no event", "a -> room x", "", "event"},
		{"unknown word", "a -> room x evnet y", "evnet", "unknown word"},
		{"word without value", "a -> room x event", "event", "follow"},
		{"twice", "a -> room x event y event z", "event", "twice"},
		{"two targets", "a -> room x to all event z", "to", "twice"},
		{"to whom", "a -> to some event z", "some", "all"},
		{"payload", "a -> to all event z payload xml", "xml", "json"},
		{"qos", "a -> to all event z qos 3", "3", "0, 1 or 2"},
		{"retain", "a -> to all event z retain yes", "yes", "keep"},
		{"pass", "a -> to all event z pass all", "all", "variables"},
		{"pass out", "a <- to all event z pass variables", "variables", "comes in"},
		{"namespace", "a -> namespace chat to all event z", "chat", "slash"},
		{"empty namespace", `a -> namespace "" to all event z`, "", "slash"},
		{"wildcard +", "a/+ -> to all event z", "a/+", "{name}"},
		{"wildcard #", "a/# -> to all event z", "a/#", "{name...}"},
		{"empty topic", `"" -> to all event z`, "", "topic"},
		{"$", "$SYS/{x} -> to all event z", "$SYS/{x}", "$"},
		{"open brace", "a/{x -> to all event z", "a/{x", "brace"},
		{"closed brace", "a/x} -> to all event z", "a/x}", "brace"},
		{"variable without name", "a/{} -> to all event z", "a/{}", "name"},
		{"variable with a strange name", "a/{x-y} -> to all event z", "a/{x-y}", "name"},
		{"variable with a strange class", "a/{x:hex} -> to all event z", "a/{x:hex}", "word or number"},
		{"variable twice in the topic", "{x}/{x} -> to all event z", "{x}/{x}", "twice"},
		{"rest before the end", "a/{x...}/b -> to all event z", "a/{x...}/b", "last level"},
		{"rest in a part of a level", "a/b{x...} -> to all event z", "a/b{x...}", "last level"},
		{"variable behind the rest", "{x...}{y} -> to all event z", "{x...}{y}", "last level"},
		{"unknown variable", "a/{x} -> room {y} event z", "{y}", "not in the topic"},
		{"class in the room", "a/{x} -> room {x:word} event z", "{x:word}", "topic alone"},
		{"rest in the event", "a/{x...} -> room r event {x...}", "{x...}", "topic alone"},
		{"reserved event", "a -> to all event disconnect", "disconnect", "reserved"},
		{"adjacent", "a/{x}{y} -> room {x} event {y}", "a/{x}{y}", "separates"},
		{"adjacent in the room", "a/{x}/{y} <- room {x}{y} event z", "{x}{y}", "separates"},
		{"lost on the way out", "a/{x}/{y} <- room {x} event z", "a/{x}/{y}", "{y} is neither in the room nor in the event"},
		{"lost, both ways", "a/{x}/{y} <-> to all event {x}", "a/{x}/{y}", "{y} is not in the event"},
		{"ambiguous room", "a/{x}/{y} <-> room {x}-{y} event z", "{x}-{y}", `{x} may contain the "-"`},
		{"ambiguous although the last is a word", "a/{x}/{y:word} <-> room {x}-{y} event z", "{x}-{y}", "not reversible"},
		{"ambiguous rest", "a/{y}/{x...} <-> room {x}/{y} event z", "{x}/{y}", "not reversible"},
		{"ambiguous event", "a/{x}/{y} <-> room r event {x}.{y}", "{x}.{y}", "not reversible"},
		{"ambiguous topic", "a/{x}.{y} <-> room {x} event {y}", "a/{x}.{y}", "not reversible"},
		{"separator of letters behind a word", "a/{x:word}/{y} <-> room {x}_{y} event z", "{x}_{y}", "not reversible"},
		{"quotation mark", `a -> room "x event z`, `"x event z`, "partner"},
		{"backslash at the end", `a -> room "x\`, `"x\`, "partner"},
		{"text behind a quotation mark", `a -> room "x"y event z`, "y event z", "white space"},
		{"no UTF-8", "a\xff -> to all event z", "", "UTF-8"},
		{"NUL", "a\x00 -> to all event z", "a\x00", "topic"},
		{"17 variables", many(17) + " -> to all event z", many(17), "more than 16"},
		{"long", strings.Repeat("x", 1<<18), "", "too long"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := bridge.Parse(strings.NewReader("ok -> to all event x\n"+test.line), "my.rules")
			var line *bridge.LineError
			if !errors.As(err, &line) {
				t.Fatalf("Parse(%q) = %v, %v, want a LineError", test.line, got, err)
			}
			if line.File != "my.rules" || line.Line != 2 || line.Word != test.word || !strings.Contains(err.Error(), test.says) {
				t.Errorf("Parse(%q): %v (word %q), want word %q and %q", test.line, err, line.Word, test.word, test.says)
			}
			if !strings.HasPrefix(err.Error(), "my.rules:2: ") {
				t.Errorf("error %q does not begin with file and line", err)
			}
		})
	}
	_, err := bridge.Parse(strings.NewReader("a\nok -> to all event x\nb\n"), "f")
	if err == nil || !strings.Contains(err.Error(), "f:1:") || !strings.Contains(err.Error(), "f:3:") {
		t.Errorf("two faults: %v, want both", err)
	}
}

func many(n int) string {
	levels := make([]string, n)
	for i := range levels {
		levels[i] = "{v" + string(rune('a'+i)) + "}"
	}
	return strings.Join(levels, "/")
}

func TestNewErrors(t *testing.T) {
	tests := []struct {
		name string
		o    bridge.Options
		says string
	}{
		{"beneath the prefix", bridge.Options{Rules: []bridge.Rule{{Topic: "sio/main/room/{r}/x", Target: room("{r}"), Event: "x"}}}, "rooms themselves"},
		{"the prefix", bridge.Options{Rules: []bridge.Rule{{Topic: "sio", Event: "x"}}}, "rooms themselves"},
		{"between servers", bridge.Options{Rules: []bridge.Rule{{Topic: "sio-servers/{x}", Event: "x"}}}, "rooms themselves"},
		{"the number", bridge.Options{Rules: []bridge.Rule{{Topic: "a", Event: "x"}, {Topic: "a/+", Event: "x"}}}, "rule 2: topic \"a/+\""},
		{"direction", bridge.Options{Rules: []bridge.Rule{{Topic: "a", Event: "x", Direction: 9}}}, "direction"},
		{"target", bridge.Options{Rules: []bridge.Rule{{Topic: "a", Event: "x", Target: rooms.Target{Kind: 9}}}}, "room"},
		{"name of all", bridge.Options{Rules: []bridge.Rule{{Topic: "a", Event: "x", Target: rooms.Target{Name: "r"}}}}, "all has no name"},
		{"payload", bridge.Options{Rules: []bridge.Rule{{Topic: "a", Event: "x", Payload: 99}}}, "payload"},
		{"qos", bridge.Options{Rules: []bridge.Rule{{Topic: "a", Event: "x", QoS: 4}}}, "qos"},
		{"retain", bridge.Options{Rules: []bridge.Rule{{Topic: "a", Event: "x", Retain: 4}}}, "retain"},
		{"UTF-8", bridge.Options{Rules: []bridge.Rule{{Topic: "a", Event: "\xff"}}}, "UTF-8"},
		{"hops", bridge.Options{MaxHops: 256}, "MaxHops"},
		{"negative hops", bridge.Options{MaxHops: -1}, "MaxHops"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := bridge.New(&world{}, &world{}, &test.o)
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("New: %v, want %q", err, test.says)
			}
		})
	}
	if _, err := bridge.New(&world{}, &world{}, nil); err != nil {
		t.Errorf("no options: %v", err)
	}
}
