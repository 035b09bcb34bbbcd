package acl_test

import (
	"fmt"
	"strings"
	"testing"

	"siomq/rooms"
	"siomq/rooms/acl"
	"siomq/rooms/topic"
)

// checkPolicy tests what holds between the answers of every policy.
func checkPolicy(t *testing.T, policy *acl.Rules, p *acl.Principal, n topic.Name) {
	t.Helper()
	receives := policy.CanReceive(p, n)
	if policy.EveryoneReceives(n) && !receives {
		t.Errorf("EveryoneReceives(%q), but CanReceive(%+v) is false", n, *p)
	}
	if receives {
		f := string(n)
		for _, filter := range []string{f, f + "/#", "#", above(f) + "/+", above(f) + "/#", above(above(f)) + "/#", above(above(f)) + "/+/+"} {
			if topic.Filter(filter).Match(n) && !policy.CanSubscribe(p, topic.Filter(filter)) {
				t.Errorf("CanSubscribe(%+v, %q) is false; it gives %q", *p, filter, n)
			}
		}
	}
}

// checkDoors tests that both doors give the same answers, where no rule is for
// the MQTT door alone.
func checkDoors(t *testing.T, policy *acl.Rules, p *acl.Principal, n topic.Name) {
	t.Helper()
	a, err := topic.Codec{}.Decode(n)
	if err != nil || a.Kind > topic.User {
		return
	}
	to := rooms.Target{Kind: rooms.TargetKind(a.Kind), Name: a.Name}
	if emits, publishes := policy.CanEmit(p, a.Namespace, to, a.Event), policy.CanPublish(p, n); emits != publishes {
		t.Errorf("CanEmit(%+v, %+v) = %v; CanPublish = %v", *p, a, emits, publishes)
	}
	if policy.CanReceive(p, n) {
		return
	}
	if a.Kind == topic.Room && !strings.HasPrefix(a.Name, acl.TopicRoom) && policy.CanJoin(p, a.Namespace, a.Name) ||
		a.Kind == topic.All && policy.CanConnect(p, a.Namespace) {
		t.Errorf("%+v may join %+v, and not receive %q", *p, a, n)
	}
}

func above(s string) string { return s[:max(0, strings.LastIndexByte(s, '/'))] }

const (
	combinedFile = `
topic readwrite sio/#
topic readwrite plain/#
topic deny sio/main/room/closed/#
topic deny sio/main/room/part/secret
user ann
topic read sio/main/room/+/+
topic write sio/main/room/lobby/say
topic sio/main/all/#
topic sio/main/socket/#
topic sio/main/from/#
topic sio-servers/#
topic $SYS/#
topic $app/#
user half
topic read sio/main/room/lobby/temp
pattern sio/main/room/desk-%u/#
`
	combinedRooms = `
allow join,emit room staff role teacher
deny  join,emit room staff
deny  emit      to all event alarm role guest
deny  join      room desk-gus user half
`
)

func combined(t testing.TB) *acl.Rules {
	return acl.NewRules(topic.Codec{}, parseMosquitto(t, combinedFile), parseRooms(t, combinedRooms))
}

func TestCombination(t *testing.T) {
	policy := combined(t)
	anon := &acl.Principal{ID: "c"}
	half := &acl.Principal{ID: "h", Username: "half"}
	for _, tt := range []struct {
		p                *acl.Principal
		name             topic.Name
		receive, publish bool
	}{
		{anon, "sio/main/room/lobby/x", true, true},
		{anon, "sio/main/room/closed/x", false, false},
		{anon, "sio/main/room/%63losed/x", false, false}, // another spelling of closed
		{anon, "sio/main/room/staff/x", false, false},    // the file grants, the rules do not
		{anon, "sio/main/room/%73taff/x", false, false},
		{anon, "sio/main/socket/other/x", false, true}, // the file grants, the table does not
		{anon, "sio/main/from/x/y", false, false},
		{anon, "sio/main/nope", false, false},
		{anon, "sio-servers/x", false, false},
		{anon, "plain/x", true, true},
		{anon, "other/x", false, false},
		{anon, "$SYS/x", false, false},
		{teacher, "sio/main/room/staff/x", true, false},
		{teacher, "sio/main/room/lobby/say", true, true},
		{teacher, "sio/main/room/lobby", false, false}, // the event message has no line
		{teacher, "sio/chat/room/lobby/say", false, false},
		{teacher, "sio/main/from/x/y", false, false},
		{teacher, "sio/main/socket/t/x", true, true},
		{teacher, "sio-servers/x", false, false},
		{teacher, "$SYS/x", true, false},
		{teacher, "$app/x", true, true}, // outside the prefix the file alone decides
		{teacher, "plain/x", false, false},
		{&acl.Principal{ID: "b", Username: "ann", Roles: []string{acl.RoleBackend}}, "sio/main/from/x/y", true, false},
		{&acl.Principal{ID: "s", Username: "ann", Roles: []string{acl.RoleServer}}, "sio-servers/x", true, true},
		{half, "sio/main/room/lobby/temp", true, false},
		{half, "sio/main/room/desk-half/temp", true, true},
	} {
		if got := policy.CanReceive(tt.p, tt.name); got != tt.receive {
			t.Errorf("CanReceive(%+v, %q) = %v", *tt.p, tt.name, got)
		}
		if got := policy.CanPublish(tt.p, tt.name); got != tt.publish {
			t.Errorf("CanPublish(%+v, %q) = %v", *tt.p, tt.name, got)
		}
		checkPolicy(t, policy, tt.p, tt.name)
		checkDoors(t, policy, tt.p, tt.name)
	}
	for _, tt := range []struct {
		p    *acl.Principal
		room string
		want bool
	}{
		{anon, "lobby", true},
		{anon, "closed", false},
		{anon, "part", false}, // one event of it is refused
		{anon, "staff", false},
		{teacher, "staff", true},
		{half, "lobby", false}, // one event of it is granted
		{half, "desk-half", true},
		{half, "desk-gus", false},
		{&acl.Principal{ID: "h", Username: "ha+f"}, "desk-ha+f", false},
		{anon, "topic:plain/#", true}, // and each delivery is decided
		{anon, "topic:sio/main/socket/other/#", false},
		{anon, "topic:$share/g/plain", false},
		{anon, "topic:a/#/b", false},
		{anon, "topic:", false},
	} {
		if got := policy.CanJoin(tt.p, "/", tt.room); got != tt.want {
			t.Errorf("CanJoin(%+v, %q) = %v", *tt.p, tt.room, got)
		}
	}
	if !policy.CanConnect(anon, "/x") || !policy.CanConnect(teacher, "/") || policy.CanConnect(teacher, "/chat") || policy.CanConnect(half, "/") {
		t.Error("CanConnect does not follow the file")
	}
	if !policy.CanEmit(half, "/", rooms.Target{Kind: acl.ToServer}, "x") {
		t.Error("the file is asked about what is for the server")
	}
	if policy.CanJoin(anon, "/", "\xff") || policy.CanEmit(anon, "/", rooms.Target{}, "\xff") {
		t.Error("the file grants what has no topic")
	}
}

func TestSubscribeWithMosquittoFile(t *testing.T) {
	policy := combined(t)
	for f, want := range map[topic.Filter]bool{
		"#": true, "nothing/granted": true, "$app/#": true, "$SYSx": true, // as Mosquitto
		"sio/main/socket/other/#": false, "sio-servers/#": false, "sio/main/room/staff/#": false, "sio/main/room/closed/#": true,
	} {
		if got := policy.CanSubscribe(nobody, f); got != want {
			t.Errorf("CanSubscribe(%q) = %v", f, got)
		}
	}
}

func TestTopicRoomsOfTheDefault(t *testing.T) {
	var d acl.Default
	for room, want := range map[string]bool{
		"lobby": true, "": true, "topic:#": true, "topic:a/+": true, "topic:sio/main/socket/me/#": true, "topic:sio/main/socket/other/#": false,
		"topic:$SYS/#": true, "topic:sio-servers/#": false, "topic:a+": false, "topic:$share/g/a": false, "topic:": false,
	} {
		if got := d.CanJoin(me, "/", room); got != want {
			t.Errorf("CanJoin(%q) = %v", room, got)
		}
		if got := acl.NewRules(topic.Codec{}, nil, nil).CanJoin(me, "/", room); got != want {
			t.Errorf("without files, CanJoin(%q) = %v", room, got)
		}
	}
}

// The two columns of docs/TOPICS.md for those who come in by a door and are
// more than a client.
func TestRolesOfTheDefault(t *testing.T) {
	backend := &acl.Principal{ID: "b", Roles: []string{"x", acl.RoleBackend}}
	server := &acl.Principal{ID: "s", Roles: []string{acl.RoleServer}}
	for _, tt := range []struct {
		name                                   topic.Name
		backReads, backWrites, reads2, writes2 bool
	}{
		{"sio/main/all/x", true, true, true, true},
		{"sio/main/socket/other/x", false, true, true, true},
		{"sio/main/user/ann/x", false, true, true, true},
		{"sio/main/from/me/x", true, false, true, true},
		{"sio/main/call/me/x/1", true, false, true, true},
		{"sio/main/ack/me/1", false, true, true, true},
		{"sio/main/control/socket/me/join", false, true, true, true},
		{"sio/main/control/room/a/leave", false, true, true, true},
		{"sio/main/presence/socket/me", true, false, true, true},
		{"sio/main/nope/x", false, false, false, false},
		{"sio-servers/a", false, false, true, true},
		{"$SYS/x", true, false, true, false},
		{"$x", false, false, false, false},
	} {
		for _, policy := range []acl.Policy{acl.Default{}, acl.NewRules(topic.Codec{}, nil, nil)} {
			if got := [4]bool{policy.CanReceive(backend, tt.name), policy.CanPublish(backend, tt.name), policy.CanReceive(server, tt.name), policy.CanPublish(server, tt.name)}; got != [4]bool{tt.backReads, tt.backWrites, tt.reads2, tt.writes2} {
				t.Errorf("%T: %q: backend and server read and write %v", policy, tt.name, got)
			}
			for _, p := range []*acl.Principal{backend, server} {
				if got := policy.CanSubscribe(p, topic.Filter(tt.name)); got != policy.CanReceive(p, tt.name) {
					t.Errorf("%T: CanSubscribe(%v, %q) = %v", policy, p.Roles, tt.name, got)
				}
			}
		}
	}
	for f, want := range map[topic.Filter][2]bool{
		"sio/main/from/#": {true, true}, "sio/+/call/+/+/+": {true, true}, "sio/main/ack/#": {false, true}, "sio/main/socket/other/#": {false, true},
		"sio-servers/#": {false, true}, "sio/main/nope/#": {false, false},
	} {
		if got := [2]bool{acl.Default{}.CanSubscribe(backend, f), acl.Default{}.CanSubscribe(server, f)}; got != want {
			t.Errorf("CanSubscribe(%q) = %v for backend and server; want %v", f, got, want)
		}
	}
}

// Every policy here against every shape of topic and principal.
func TestEveryTopicShape(t *testing.T) {
	policies := []*acl.Rules{
		combined(t),
		acl.NewRules(topic.Codec{}, parseMosquitto(t, strings.ReplaceAll(mosquittoFile, "users/", "sio/main/room/")), nil),
		acl.NewRules(topic.Codec{}, parseMosquitto(t, "pattern readwrite sio/#"), parseRooms(t, "deny subscribe room other", "deny join room other")),
		acl.NewRules(topic.Codec{}, nil, parseRooms(t, combinedRooms)),
		acl.NewRules(topic.Codec{}, nil, parseRooms(t, "allow join,emit room x", "allow join to all", "deny join,emit")),
		acl.NewRules(topic.Codec{}, nil, parseRooms(t, "deny join room {user}", "deny join,emit anonymous", "deny emit event join")),
		acl.NewRules(topic.Codec{}, nil, nil),
	}
	principals := []*acl.Principal{me, nobody, empty, teacher, guest, {ID: "b", Username: "ann", Roles: []string{acl.RoleBackend}}, {ID: "s", Roles: []string{acl.RoleServer}}}
	build(nil, []level{
		{"sio", "sio-servers", "$SYS", "plain"},
		{"main", "admin", "%FF"},
		{"all", "room", "socket", "user", "from", "call", "ack", "control", "presence", "x"},
		{"me", "ann", "other", "%6Fther", "staff", "lobby", "part", "closed", "socket", ""},
		{"secret", "join", "say", "alarm"},
		{"x", "join"},
	}, func(s string) {
		for _, policy := range policies {
			for _, p := range principals {
				checkPolicy(t, policy, p, topic.Name(s))
				checkDoors(t, policy, p, topic.Name(s))
			}
		}
	})
}

// What everybody receives is told by the rules alone, and a rule that could tell
// principals apart ends it.
func TestEveryoneReceives(t *testing.T) {
	for rules, want := range map[string]bool{
		"":                        true,
		"deny join":               false,
		"deny join room b":        true,
		"deny emit user ann":      true,
		"deny join user ann":      false,
		"deny join anonymous":     false,
		"deny join role x":        false,
		"deny join room {user}":   false,
		"deny join namespace /x":  true,
		"allow join\ndeny join":   true,
		"deny subscribe to all":   true,
		"deny subscribe to room":  false,
		"allow join role x":       false, // says nothing: all the same it is true
		"deny join room b role x": false,
	} {
		policy := acl.NewRules(topic.Codec{}, nil, parseRooms(t, strings.Split(rules, "\n")...))
		if got := policy.EveryoneReceives("sio/main/room/a/x"); got != want {
			t.Errorf("%q: EveryoneReceives = %v", rules, got)
		}
		if !policy.EveryoneReceives("plain") || policy.EveryoneReceives("sio/main/socket/me/x") {
			t.Errorf("%q: EveryoneReceives does not follow the table", rules)
		}
	}
	if acl.NewRules(topic.Codec{}, parseMosquitto(t, "topic #\npattern #"), nil).EveryoneReceives("plain") {
		t.Error("a file of Mosquitto grants to everybody")
	}
}

// hundred is a file of a hundred lines, the last of which decides.
func hundred(t testing.TB) *acl.Rules {
	var file, rules strings.Builder
	file.WriteString("user alice\n")
	for i := range 96 {
		fmt.Fprintf(&file, "topic read sio/main/room/room%02d/#\n", i)
		fmt.Fprintf(&rules, "deny join,emit room room%02d-* role guest\n", i)
	}
	file.WriteString("pattern deny x/%u\npattern readwrite sio/main/room/%u/#\npattern readwrite x/%c/+\npattern readwrite sio/main/room/lobby/+\n")
	rules.WriteString("deny join,emit room {user}\nallow join,emit room lob*\nallow emit event x\ndeny join,emit\n")
	return acl.NewRules(topic.Codec{}, parseMosquitto(t, file.String()), parseRooms(t, rules.String()))
}

func TestRulesDoNotAllocate(t *testing.T) {
	policy := hundred(t)
	if !policy.CanPublish(me, "sio/main/room/lobby/message") || !policy.CanReceive(me, "sio/main/room/lobby/message") {
		t.Fatal("the last line does not decide")
	}
	for _, n := range []topic.Name{"sio/main/room/lobby/message", "sio/main/socket/other/x", "elsewhere/a", "x/me/x", "$SYS/a"} {
		if allocs := testing.AllocsPerRun(100, func() {
			policy.CanPublish(me, n)
			policy.CanReceive(me, n)
			policy.EveryoneReceives(n)
		}); allocs != 0 {
			t.Errorf("deciding %q allocates %v times", n, allocs)
		}
	}
	noFile := acl.NewRules(topic.Codec{}, nil, parseRooms(t, combinedRooms))
	if allocs := testing.AllocsPerRun(100, func() {
		noFile.CanEmit(me, "/", rooms.Target{Kind: rooms.ToRoom, Name: "lobby"}, "message")
		noFile.CanJoin(me, "/", "lobby")
		noFile.CanConnect(me, "/")
	}); allocs != 0 {
		t.Errorf("deciding for a socket allocates %v times", allocs)
	}
}

// What does the decision of one delivery cost with a hundred lines in each file?
func BenchmarkHundredLines(b *testing.B) {
	policy := hundred(b)
	noRooms := acl.NewRules(topic.Codec{}, nil, nil)
	for name, p := range map[string]acl.Policy{"files": policy, "none": noRooms} {
		b.Run(name+"/receive", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p.CanReceive(me, "sio/main/room/lobby/message")
			}
		})
		b.Run(name+"/emit", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p.CanEmit(me, "/", rooms.Target{Kind: rooms.ToRoom, Name: "lobby"}, "message")
			}
		})
		b.Run(name+"/join", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p.CanJoin(me, "/", "lobby")
			}
		})
	}
}
