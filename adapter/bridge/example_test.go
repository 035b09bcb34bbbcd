package bridge_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"siomq/adapter/bridge"
)

func ExampleParse() {
	_, err := bridge.Parse(strings.NewReader(`
# a and b may both contain the separator
house/{a}/{b}  <->  room {a}-{b}  event sensor
house/{a}/{b}  <->  room {a}/{b}  evnet sensor
`), "bridge.rules")
	fmt.Println(err)

	rules, _ := bridge.Parse(strings.NewReader(`house/{a:word}/{b} <-> event sensor room {a}-{b} payload json`), "bridge.rules")
	fmt.Println(rules[0])
	// Output:
	// bridge.rules:3: "{a}-{b}": not reversible: {a} may contain the "-" that separates it from {b}; separate them by / or say in the topic what it stands for, {a:word} or {a:number}
	// bridge.rules:4: "evnet": unknown word: namespace, room, socket, user, to, event, payload, qos, retain or pass is expected
	// house/{a:word}/{b} <-> room {a}-{b} event sensor payload json
}

// The rules at the top of docs/BRIDGE.md are rules.
func TestDocumentation(t *testing.T) {
	text, err := os.ReadFile("../../docs/BRIDGE.md")
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(string(text)) {
		if after, ok := strings.CutPrefix(line, "    "); ok && (strings.Contains(line, "->") || strings.Contains(line, "<-")) {
			lines = append(lines, after)
		}
	}
	rules, err := bridge.Parse(strings.NewReader(strings.Join(lines, "")), "docs/BRIDGE.md")
	if err != nil || len(rules) != 3 {
		t.Errorf("%d rules, %v", len(rules), err)
	}
}
