package acl_test

import (
	"os"
	"strings"
	"testing"

	"siomq/rooms"
	"siomq/rooms/acl"
	"siomq/rooms/topic"
)

// The examples of docs/ACL.md, blocks of lines indented by four spaces, are what the
// parsers take, and mean what the text says.
func TestExamplesOfTheDocument(t *testing.T) {
	text, err := os.ReadFile("../../docs/ACL.md")
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	open := false
	for line := range strings.Lines(string(text)) {
		code, indented := strings.CutPrefix(line, "    ")
		switch {
		case indented && open:
			blocks[len(blocks)-1] += code
		case indented:
			blocks = append(blocks, code)
		}
		open = indented || open && line == "\n"
	}
	if len(blocks) != 5 {
		t.Fatalf("%d blocks: %q", len(blocks), blocks)
	}
	opened := acl.NewRules(topic.Codec{}, parseMosquitto(t, blocks[0]), nil)
	if !opened.CanConnect(nobody, "/") || !opened.CanJoin(nobody, "/", "lobby") || opened.CanPublish(nobody, "plain") {
		t.Error("the line that opens all rooms does not, or opens more")
	}
	rules := acl.NewRules(topic.Codec{}, nil, parseRooms(t, blocks[1]))
	if !rules.CanJoin(teacher, "/class", "staff-1") || rules.CanJoin(guest, "/class", "staff-1") || !rules.CanJoin(guest, "/", "staff-1") ||
		!rules.CanJoin(guest, "/", "desk-gus") || rules.CanJoin(teacher, "/", "desk-gus") || rules.CanPublish(nobody, "sio/main/all/x") ||
		!rules.CanEmit(nobody, "/", rooms.Target{}, "alarm") || rules.CanEmit(guest, "/", rooms.Target{}, "alarm") {
		t.Error("the first example does not say what its comments say")
	}
	closed := acl.NewRules(topic.Codec{}, nil, parseRooms(t, blocks[2]))
	if !closed.CanConnect(nobody, "/x") || !closed.CanEmit(nobody, "/", rooms.Target{Kind: acl.ToServer}, "x") ||
		!closed.CanJoin(nobody, "/", "lobby") || closed.CanJoin(nobody, "/", "x") || closed.CanEmit(nobody, "/", rooms.Target{}, "x") ||
		!closed.CanReceive(nobody, "sio/main/socket/anon/x") {
		t.Error("the second example does not close what is not named")
	}
	m := parseMosquitto(t, blocks[3])
	if !m.CanReceive(nobody, "public/x") || !m.CanPublish(teacher, "home/x") || m.CanReceive(teacher, "home/safe") || !m.CanPublish(guest, "clients/g/x") {
		t.Error("the example of Mosquitto's file does not say what it seems to")
	}
	if _, err := acl.ParseRoomRules("rooms.acl", strings.NewReader("\n\n\n\n\n\nallow jion")); err == nil || err.Error()+"\n" != blocks[4] {
		t.Errorf("the error is %v; the text says %s", err, blocks[4])
	}
}
