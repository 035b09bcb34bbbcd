package acl_test

import (
	"errors"
	"strings"
	"testing"

	"siomq/rooms"
	"siomq/rooms/acl"
	"siomq/rooms/topic"
)

func parseRooms(t testing.TB, lines ...string) *acl.RoomRules {
	t.Helper()
	r, err := acl.ParseRoomRules("rooms.acl", strings.NewReader(strings.Join(lines, "\n")))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestParseRoomRulesErrors(t *testing.T) {
	for _, tt := range []struct {
		name, file string
		line       int
		word       string
		err        error
	}{
		{"no verdict", "join room a", 1, "join", acl.ErrKeyword},
		{"misspelt verdict", "# first\n\nallwo join", 3, "allwo", acl.ErrKeyword},
		{"verdict alone", "deny", 1, "deny", acl.ErrMissing},
		{"misspelt action", "allow join,emti room a", 1, "emti", acl.ErrKeyword},
		{"empty action", "allow join,", 1, "join,", acl.ErrName},
		{"misspelt condition", "allow join rom a", 1, "rom", acl.ErrKeyword},
		{"condition without a name", "allow join room", 1, "room", acl.ErrMissing},
		{"name that is a comment", "allow join room #general", 1, "room", acl.ErrMissing},
		{"name without a condition", "allow join lobby", 1, "lobby", acl.ErrKeyword},
		{"two rooms", "allow join room a room b", 1, "room", acl.ErrTwice},
		{"two targets", "allow emit to all to room", 1, "to", acl.ErrTwice},
		{"anonymous twice", "deny join anonymous anonymous", 1, "anonymous", acl.ErrTwice},
		{"unknown target", "allow emit to all,everybody", 1, "everybody", acl.ErrKeyword},
		{"empty name in a list", "allow join room a,,b", 1, "a,,", acl.ErrName},
		{"list begins empty", "allow join room ,a", 1, ",", acl.ErrName},
		{"quote not closed", `allow join room "a b`, 1, `"a b`, acl.ErrName},
		{"backslash at the end", `allow join room a\`, 1, `a\`, acl.ErrName},
		{"unknown placeholder", "allow join room {name}", 1, "{name}", acl.ErrName},
		{"brace not closed", "allow join room {user", 1, "{user", acl.ErrName},
		{"not UTF-8", "allow join room a\xff", 1, "a\xff", acl.ErrName},
		{"namespace without slash", "allow join namespace chat", 1, "chat", acl.ErrName},
		{"namespace that is a user", "allow join namespace {user}", 1, "{user}", acl.ErrName},
		{"room and to all", "deny emit room a to all", 1, "room", acl.ErrNoSense},
		{"room and to room, all", "deny emit room a to room,all", 1, "room", acl.ErrNoSense},
		{"event of a join", "deny join,emit event alarm", 1, "event", acl.ErrNoSense},
		{"event of a subscription", "deny subscribe event alarm", 1, "event", acl.ErrNoSense},
		{"joining the server", "deny join to server", 1, "to", acl.ErrNoSense},
		{"anonymous user", "deny join anonymous user ann", 1, "anonymous", acl.ErrNoSense},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := acl.ParseRoomRules("rooms.acl", strings.NewReader(tt.file))
			var parse *acl.ParseError
			if !errors.As(err, &parse) {
				t.Fatalf("ParseRoomRules(%q) = %v; want a ParseError", tt.file, err)
			}
			if parse.File != "rooms.acl" || parse.Line != tt.line || parse.Word != tt.word || !errors.Is(err, tt.err) {
				t.Errorf("ParseRoomRules(%q) = %v; want line %d, word %q, %v", tt.file, err, tt.line, tt.word, tt.err)
			}
		})
	}
}

// Each rule denies joining the rooms of in and not those of out.
func TestRoomNames(t *testing.T) {
	for _, tt := range []struct {
		rule    string
		in, out []string
	}{
		{"deny join room lobby", []string{"lobby"}, []string{"", "lobb", "lobbyx", "xlobby", "Lobby"}},
		{"deny join room a,b", []string{"a", "b"}, []string{"", "c", "a,b"}},
		{"deny join room *", []string{"", "a", "a/b", "é"}, nil},
		{"deny join", []string{"", "a"}, nil},
		{"deny join to room", []string{"", "a"}, nil},
		{"deny join to all", nil, []string{"", "a", "all"}},
		{`deny join room ""`, []string{""}, []string{"a"}},
		{"deny join room staff-*", []string{"staff-", "staff-1", "staff-a/b"}, []string{"staff", "xstaff-"}},
		{"deny join room *-x", []string{"-x", "a-x", "-x-x"}, []string{"x", "-xa"}},
		{"deny join room a*b*c", []string{"abc", "a--b--c", "abbcc", "abcbc"}, []string{"ab", "acb", "abcd", "xabc"}},
		{"deny join room a**b", []string{"ab", "a*b", "axb"}, []string{"a"}},
		{"deny join room *ab*ab*", []string{"abab", "xabxabx"}, []string{"ab", "aba", "abba"}},
		{`deny join room a\*b`, []string{"a*b"}, []string{"axb", `a\*b`}},
		{`deny join room \{user\},\{id}`, []string{"{user}", "{id}"}, []string{"alice", "me"}},
		{`deny join room "a b",c`, []string{"a b", "c"}, []string{"a", "b"}},
		{`deny join room a" b, "c`, []string{"a b, c"}, []string{"a b", "c"}},
		{`deny join room "#general" # not "general"`, []string{"#general"}, []string{"general"}},
		{`deny join room a#b`, []string{"a#b"}, []string{"a"}},
		{`deny join room a\,b,\"`, []string{"a,b", `"`}, []string{"a", "b"}},
		{`deny join room desk-{user}`, []string{"desk-alice"}, []string{"desk-", "desk-bob", "desk-{user}"}},
		{`deny join room {id}/{user}/*`, []string{"me/alice/", "me/alice/x"}, []string{"me/bob/x", "alice/me/x"}},
		{`deny join room *{user}`, []string{"alice", "xalice", "alicealice"}, []string{"alicex"}},
		{"deny join room " + strings.Repeat("*a", 30), []string{strings.Repeat("a", 30), strings.Repeat("ba", 40)}, []string{strings.Repeat("a", 29), strings.Repeat("a", 5000) + "b"}},
		{"deny join room kitchen \t # the cook's\r", []string{"kitchen"}, []string{"kitchen "}},
	} {
		policy := acl.NewRules(topic.Codec{}, nil, parseRooms(t, tt.rule))
		for _, room := range tt.in {
			if policy.CanJoin(me, "/", room) {
				t.Errorf("%s: CanJoin(%q) = true", tt.rule, room)
			}
		}
		for _, room := range tt.out {
			if !policy.CanJoin(me, "/", room) {
				t.Errorf("%s: CanJoin(%q) = false", tt.rule, room)
			}
		}
	}
}

var (
	teacher = &acl.Principal{ID: "t", Username: "ann", Roles: []string{"person", "teacher"}}
	guest   = &acl.Principal{ID: "g", Username: "gus", Roles: []string{"guest"}}
	// A name is never a pattern.
	sly = &acl.Principal{ID: "*", Username: "*"}
)

func TestWho(t *testing.T) {
	for _, tt := range []struct {
		rule string
		want string // who is refused
	}{
		{"deny join", "teacher guest nobody sly"},
		{"deny join anonymous", "nobody"},
		{"deny join user *", "teacher guest sly"},
		{"deny join user ann", "teacher"},
		{"deny join user ann,gus", "teacher guest"},
		{"deny join user g*", "guest"},
		{"deny join role teacher", "teacher"},
		{"deny join role *", "teacher guest"},
		{"deny join role guest,person", "teacher guest"},
		{"deny join role guest user ann", ""},
		{"deny join role teacher user ann", "teacher"},
		{"deny join role teacher anonymous", ""},
		{"deny join room {id}", ""},
		{"deny join room roo{user}", ""},
		{`deny join user ""`, ""}, // nobody has it: the anonymous are anonymous
	} {
		policy := acl.NewRules(topic.Codec{}, nil, parseRooms(t, tt.rule))
		var refused []string
		for _, who := range []struct {
			name string
			p    *acl.Principal
		}{{"teacher", teacher}, {"guest", guest}, {"nobody", nobody}, {"sly", sly}} {
			if !policy.CanJoin(who.p, "/", "room") {
				refused = append(refused, who.name)
			}
		}
		if got := strings.Join(refused, " "); got != tt.want {
			t.Errorf("%s: refused are %q; want %q", tt.rule, got, tt.want)
		}
	}
}

// One request at both doors, before rules that let some of it through.
func TestDoors(t *testing.T) {
	for _, tt := range []struct {
		rules                          string
		join, subscribe, emit, publish bool
	}{
		{"", true, true, true, true},
		{"deny join", false, false, true, true},
		{"deny emit", true, true, false, false},
		{"deny subscribe", true, false, true, true},
		{"deny publish", true, true, true, false},
		{"allow subscribe\ndeny join", false, true, true, true},
		{"deny subscribe\nallow join", true, false, true, true},
		{"allow publish,subscribe\ndeny emit,join", false, true, false, true},
		{"deny join,emit\nallow join,emit", false, false, false, false}, // the first decides
		{"allow join,emit room r\ndeny join,emit", true, true, true, true},
		{"deny join,emit namespace /", false, false, false, false},
		{"deny join,emit namespace /x", true, true, true, true},
		{"deny emit event e", true, true, false, false},
		{"deny emit event f", true, true, true, true},
	} {
		policy := acl.NewRules(topic.Codec{}, nil, parseRooms(t, tt.rules))
		if got := policy.CanJoin(me, "/", "r"); got != tt.join {
			t.Errorf("%q: CanJoin = %v", tt.rules, got)
		}
		if got := policy.CanSubscribe(me, "sio/main/room/r/#"); got != tt.subscribe {
			t.Errorf("%q: CanSubscribe = %v", tt.rules, got)
		}
		if got := policy.CanReceive(me, "sio/main/room/r/e"); got != tt.subscribe {
			t.Errorf("%q: CanReceive = %v", tt.rules, got)
		}
		if got := policy.CanEmit(me, "/", rooms.Target{Kind: rooms.ToRoom, Name: "r"}, "e"); got != tt.emit {
			t.Errorf("%q: CanEmit = %v", tt.rules, got)
		}
		if got := policy.CanPublish(me, "sio/main/room/r/e"); got != tt.publish {
			t.Errorf("%q: CanPublish = %v", tt.rules, got)
		}
	}
}

func TestTargets(t *testing.T) {
	targets := map[string]rooms.Target{
		"all":    {Kind: rooms.ToAll},
		"room":   {Kind: rooms.ToRoom, Name: "r"},
		"socket": {Kind: rooms.ToSocket, Name: "r"},
		"user":   {Kind: rooms.ToUser, Name: "r"},
		"server": {Kind: acl.ToServer},
	}
	names := map[string]topic.Name{"all": "sio/main/all/e", "room": "sio/main/room/r/e", "socket": "sio/main/socket/r/e", "user": "sio/main/user/r/e"}
	for rule, refused := range map[string]string{
		"deny emit":                    "all room socket user server",
		"deny emit to all":             "all",
		"deny emit to socket,user":     "socket user",
		"deny emit to server":          "server",
		"deny emit to room":            "room",
		"deny emit room r":             "room",
		"deny emit room all":           "",
		"deny emit to server event no": "",
	} {
		policy := acl.NewRules(topic.Codec{}, nil, parseRooms(t, rule))
		for kind, target := range targets {
			want := !strings.Contains(refused, kind)
			if got := policy.CanEmit(me, "/", target, "e"); got != want {
				t.Errorf("%s: CanEmit to %s = %v", rule, kind, got)
			}
			if name, ok := names[kind]; ok && policy.CanPublish(me, name) != want {
				t.Errorf("%s: CanPublish(%q) = %v", rule, name, !want)
			}
		}
		if policy.CanEmit(me, "/", rooms.Target{Kind: 9}, "e") {
			t.Errorf("%s: CanEmit to an unknown kind = true", rule)
		}
		if policy.CanEmit(me, "/", rooms.Target{Kind: rooms.ToAll}, "disconnect") {
			t.Errorf("%s: CanEmit of disconnect = true", rule)
		}
	}
}

// Who may not be in a namespace receives nothing there.
func TestNamespaceIsAll(t *testing.T) {
	policy := acl.NewRules(topic.Codec{}, nil, parseRooms(t,
		"allow join namespace /admin role teacher",
		"deny join namespace /admin",
		"deny join room staff",
	))
	for _, tt := range []struct {
		name           topic.Name
		teacher, guest bool
	}{
		{"sio/admin/all/e", true, false},
		{"sio/admin/room/x/e", true, false},
		{"sio/admin/room/staff/e", true, false}, // the first line decides
		{"sio/admin/presence/room/x", true, false},
		{"sio/admin/presence/socket/x", true, false},
		{"sio/admin/socket/g/e", false, false},
		{"sio/admin/socket/t/e", true, false},
		{"sio/admin/user/gus/e", false, false},
		{"sio/main/all/e", true, true},
		{"sio/main/socket/g/e", false, true},
		{"sio/main/room/staff/e", false, false},
		{"sio/main/presence/room/staff", false, false},
		{"elsewhere/staff", true, true},
	} {
		if got := policy.CanReceive(teacher, tt.name); got != tt.teacher {
			t.Errorf("CanReceive(teacher, %q) = %v", tt.name, got)
		}
		if got := policy.CanReceive(guest, tt.name); got != tt.guest {
			t.Errorf("CanReceive(guest, %q) = %v", tt.name, got)
		}
	}
	if !policy.CanConnect(teacher, "/admin") || policy.CanConnect(guest, "/admin") || !policy.CanConnect(guest, "/") {
		t.Error("CanConnect does not follow the namespace")
	}
	for f, want := range map[topic.Filter]bool{
		"sio/admin/all/#": false, "sio/admin/room/x/#": false, "sio/main/room/staff/+": false, "sio/main/room/%73taff/+": false,
		"sio/main/room/other/#": true, "sio/+/room/staff/#": true, "sio/main/room/+/x": true, "sio/#": true, "#": true,
	} {
		if got := policy.CanSubscribe(guest, f); got != want {
			t.Errorf("CanSubscribe(guest, %q) = %v", f, got)
		}
	}
}

func FuzzParseRoomRules(f *testing.F) {
	for _, seed := range []string{
		"allow join,emit namespace /class room staff-* role teacher\ndeny join",
		`deny emit room "a b",\*,{user}*{id} event x anonymous # c`,
		"\ufeffdeny publish to all,user\r\n\tallow emit to server user *",
		"allow", "deny join room", "deny join room a,,", `deny join room "`, `deny join room \`, "deny join room {user",
	} {
		f.Add(seed, "sio/main/room/a b/x", "ann", "c")
	}
	f.Fuzz(func(t *testing.T, file, name, user, id string) {
		r, err := acl.ParseRoomRules("f", strings.NewReader(file))
		checkParse(t, r != nil, err)
		n, nameErr := topic.Limits{}.Name(name)
		if err != nil || nameErr != nil {
			return
		}
		policy, p := acl.NewRules(topic.Codec{}, nil, r), &acl.Principal{ID: id, Username: user, Roles: []string{"guest"}}
		checkPolicy(t, policy, p, n)
		if !strings.Contains(file, "publish") && !strings.Contains(file, "subscribe") {
			checkDoors(t, policy, p, n)
		}
	})
}
