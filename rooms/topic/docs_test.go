package topic_test

import (
	"os"
	"strings"
	"testing"

	"siomq/rooms/topic"
)

// The examples of the normative text are what the codec does.
func TestExamplesOfTheDocument(t *testing.T) {
	b, err := os.ReadFile("../../docs/TOPICS.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	var c topic.Codec
	examples := tableRows(text, "| namespace | target | name | event | topic |")
	if len(examples) < 10 {
		t.Fatalf("docs/TOPICS.md has %d examples: too few", len(examples))
	}
	for _, row := range examples {
		v := vector{Namespace: row[0], Target: row[1], Name: row[2], Event: row[3], Topic: row[4]}
		if got, err := c.Name(v.address(t)); err != nil || string(got) != v.Topic {
			t.Errorf("example %q: Name = %q, %v; want %q", row, got, err, v.Topic)
		}
	}
	for _, row := range tableRows(text, "| topic | is | because |") {
		if _, err := c.Parse(topic.Name(row[0])); err != nil {
			t.Errorf("accepted example %q: %v", row[0], err)
		}
	}
	for _, row := range tableRows(text, "| topic | because |") {
		for name := range strings.SplitSeq(row[0], ", ") {
			name = strings.Trim(name, "`")
			if _, err := c.Parse(topic.Name(name)); err == nil {
				t.Errorf("refused example %q: no error", name)
			}
		}
	}
}

// tableRows returns the cells of a Markdown table, code marks removed, from its heading line on.
func tableRows(text, heading string) [][]string {
	_, rest, _ := strings.Cut(text, heading+"\n")
	var rows [][]string
	for line := range strings.SplitSeq(rest, "\n") {
		if !strings.HasPrefix(line, "|") {
			return rows
		}
		if strings.HasPrefix(line, "|---") {
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.Trim(strings.TrimSpace(cells[i]), "`")
		}
		rows = append(rows, cells)
	}
	return rows
}
