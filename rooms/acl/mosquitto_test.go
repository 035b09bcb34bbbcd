package acl_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"siomq/rooms/acl"
	"siomq/rooms/topic"
)

func parseMosquitto(t testing.TB, file string) *acl.Mosquitto {
	t.Helper()
	m, err := acl.ParseMosquitto("test.acl", strings.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// What Mosquitto 2.0.11 does with a file was tried with it; e2e/real/acl.test.mjs
// keeps trying the decisions.
func TestParseMosquittoErrors(t *testing.T) {
	for _, tt := range []struct {
		name, file string
		line       int
		word       string
		err        error
	}{
		{"unknown word", "topic a\nhello b\n", 2, "hello", acl.ErrKeyword},
		{"word in capitals", "Topic a", 1, "Topic", acl.ErrKeyword},
		{"comment after spaces", "  # hello", 1, "#", acl.ErrKeyword},
		{"tab before the word", "\ttopic a", 1, "\ttopic", acl.ErrKeyword},
		{"tab after the word", "topic\ta", 1, "topic\ta", acl.ErrKeyword},
		{"byte order mark", "\ufefftopic a", 1, "\ufefftopic", acl.ErrKeyword},
		{"old Macintosh lines", "topic a\rtopic b", 1, "a\rtopic", acl.ErrKeyword},
		{"access misspelt", "topic raed a", 1, "raed", acl.ErrKeyword},
		{"access in capitals", "topic READ a", 1, "READ", acl.ErrKeyword},
		{"topic with a space and no access", "topic a b", 1, "a", acl.ErrKeyword},
		{"comment behind a topic", "topic a # comment", 1, "a", acl.ErrKeyword},
		{"comment behind a topic with access", "topic read a # c", 1, "a # c", acl.ErrFilter},
		{"topic alone", "\n\ntopic", 3, "topic", acl.ErrMissing},
		{"pattern alone", "pattern   \r\n", 1, "pattern", acl.ErrMissing},
		{"user alone", "user \n", 1, "user", acl.ErrMissing},
		{"plus in a level", "topic read a+/b", 1, "a+/b", acl.ErrFilter},
		{"hash in a level", "topic a/b#", 1, "a/b#", acl.ErrFilter},
		{"hash not last", "topic deny a/#/b", 1, "a/#/b", acl.ErrFilter},
		{"plus after a name", "pattern read %u+", 1, "%u+", acl.ErrFilter},
		{"too many levels", "topic " + strings.Repeat("/", 201), 1, strings.Repeat("/", 64) + "...", acl.ErrFilter},
		{"too long", "topic " + strings.Repeat("a", 65536), 1, strings.Repeat("a", 64) + "...", acl.ErrFilter},
		{"zero byte", "topic a\x00b", 1, "\x00b", acl.ErrName},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := acl.ParseMosquitto("test.acl", strings.NewReader(tt.file))
			var parse *acl.ParseError
			if !errors.As(err, &parse) {
				t.Fatalf("ParseMosquitto(%q) = %v; want a ParseError", tt.file, err)
			}
			if parse.File != "test.acl" || parse.Line != tt.line || parse.Word != tt.word || !errors.Is(err, tt.err) {
				t.Errorf("ParseMosquitto(%q) = %v; want line %d, word %q, %v", tt.file, err, tt.line, tt.word, tt.err)
			}
			if want := fmt.Sprintf("test.acl:%d: %q: ", tt.line, tt.word); !strings.HasPrefix(err.Error(), want) {
				t.Errorf("the text is %q; want %q first", err, want)
			}
		})
	}
}

// Each file grants to read exactly the topic given.
func TestParseMosquittoWhiteSpace(t *testing.T) {
	anon := &acl.Principal{ID: "c"}
	for _, tt := range []struct {
		name, file string
		want       topic.Name
	}{
		{"plain", "topic a", "a"},
		{"no line feed", "topic read a", "a"},
		{"CRLF", "topic read a\r\n\r\n", "a"},
		{"space before", "   topic a\n", "a"},
		{"space between", "topic    read    a", "a"},
		{"tab before the topic", "topic read \ta", "a"},
		{"tab for the space", "topic read\ta", "read\ta"},
		{"tab behind", "topic read a \t \v\f\r\n", "a"},
		{"space in the topic", "topic read a  b c", "a  b c"},
		{"the topic read", "topic read", "read"},
		{"the topic deny", "topic deny  ", "deny"},
		{"the topic read, readable", "topic read read", "read"},
		{"comment lines", "# topic x\n#topic y\ntopic a\n#", "a"},
		{"empty lines", "\n \n\t\n  \r\ntopic a", "a"},
		{"not UTF-8", "topic \xff/#\ntopic a", "a"},
		{"percent u is text", "topic read %u", "%u"},
		{"200 slashes", "topic " + strings.Repeat("/", 200), topic.Name(strings.Repeat("/", 200))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := parseMosquitto(t, tt.file)
			if !m.CanReceive(anon, tt.want) {
				t.Errorf("%q does not grant %q", tt.file, tt.want)
			}
			if m.CanReceive(anon, tt.want+"x") || m.CanReceive(&acl.Principal{ID: "c", Username: "ann"}, tt.want) {
				t.Errorf("%q grants too much", tt.file)
			}
		})
	}
}

const mosquittoFile = `
topic read public/#
topic deny public/secret
topic write in/+

user ann
topic readwrite home/#
topic deny home/safe/#
topic write home/safe/box
topic read +/temp
topic $SYS/#
topic $other/x
topic wide/#

pattern read clients/%c/#
pattern write clients/%c/up
pattern users/%u/+
pattern deny users/%u/no
pattern read same/%u/%c
pattern deny wide/no/#
pattern read wide/#
pattern read %u

user bob
topic read tell/bob
user ann
topic read later
`

func TestMosquittoDecisions(t *testing.T) {
	m := parseMosquitto(t, mosquittoFile)
	anon := &acl.Principal{ID: "c1"}
	ann := &acl.Principal{ID: "c2", Username: "ann"}
	bob := &acl.Principal{ID: "c3", Username: "bob"}
	dan := &acl.Principal{ID: "c4", Username: "dan"} // no line of his own
	for _, tt := range []struct {
		p           *acl.Principal
		name        topic.Name
		read, write bool
	}{
		{anon, "public/news", true, false},
		{anon, "public", true, false},
		{anon, "publicity", false, false},
		{anon, "public/secret", false, false},
		{anon, "public/secret/deeper", true, false},
		{anon, "in/x", false, true},
		{anon, "in/x/y", false, false},
		{anon, "$SYS/broker/uptime", false, false},
		{anon, "clients/c1/down", true, false},
		{anon, "clients/c1/up", true, true},
		{anon, "clients/c1", true, false},
		{anon, "clients/c2/down", false, false},
		{anon, "users//x", false, false},
		{ann, "public/news", false, false}, // the first lines are not for users
		{ann, "home/lamp", true, true},
		{ann, "home/safe/box", false, false},
		{ann, "home/safe", false, false},
		{ann, "kitchen/temp", true, false},
		{ann, "$x/temp", false, false}, // + does not cover $
		{ann, "$SYS/broker/uptime", true, false},
		{ann, "$SYS/broker/connection/b/state", true, true},
		{ann, "$SYSTEM/x", false, false},
		{ann, "$other/x", true, true},
		{ann, "$share/g/x", false, false},
		{ann, "users/ann/x", true, true},
		{ann, "users/ann/no", false, false},
		{ann, "users/ann/x/y", false, false},
		{ann, "users/bob/x", false, false},
		{ann, "same/ann/c2", true, false},
		{ann, "same/ann/c3", false, false},
		{ann, "wide/no/x", true, true}, // the user's grants come before the patterns' denies
		{ann, "later", true, false},
		{ann, "ann", true, false},
		{bob, "wide/no/x", false, false},
		{bob, "wide/yes", true, false},
		{bob, "tell/bob", true, false},
		{bob, "later", false, false},
		{dan, "clients/c4/up", true, true},
		{dan, "users/dan/x", true, true},
		{dan, "public/news", false, false},
		// A wildcard in a name ends it before the patterns, and not before the user.
		{&acl.Principal{ID: "+", Username: "ann"}, "home/lamp", true, true},
		{&acl.Principal{ID: "+", Username: "ann"}, "users/ann/x", false, false},
		{&acl.Principal{ID: "+"}, "clients/c1/down", false, false},
		{&acl.Principal{ID: "+"}, "clients/+/down", false, false},
		{&acl.Principal{ID: "a#"}, "wide/yes", false, false},
		{&acl.Principal{ID: "c", Username: "#"}, "wide/yes", false, false},
		{&acl.Principal{ID: "c", Username: "a/b"}, "users/a/b/x", true, true},
		{&acl.Principal{ID: "c", Username: "$SYS"}, "$SYS", true, false},
		{&acl.Principal{ID: "c", Username: "%c"}, "users/%c/x", true, true},
		{&acl.Principal{ID: "c", Username: "%c"}, "users/c/x", false, false},
		{&acl.Principal{}, "clients//x", false, false},
		{&acl.Principal{}, "wide/yes", true, false},
	} {
		if got := m.CanReceive(tt.p, tt.name); got != tt.read {
			t.Errorf("CanReceive(%+v, %q) = %v; want %v", *tt.p, tt.name, got, tt.read)
		}
		if got := m.CanPublish(tt.p, tt.name); got != tt.write {
			t.Errorf("CanPublish(%+v, %q) = %v; want %v", *tt.p, tt.name, got, tt.write)
		}
		if !m.CanSubscribe(tt.p, topic.Filter(tt.name)) {
			t.Errorf("CanSubscribe(%+v, %q) = false; Mosquitto never refuses", *tt.p, tt.name)
		}
	}
}

func TestEmptyMosquittoFileRefusesAll(t *testing.T) {
	for _, file := range []string{"", "# nothing\n", "user ann\n"} {
		m := parseMosquitto(t, file)
		for _, p := range []*acl.Principal{me, nobody, {ID: "x", Username: "ann"}} {
			if m.CanReceive(p, "a") || m.CanPublish(p, "a") {
				t.Errorf("the file %q grants something to %+v", file, *p)
			}
		}
	}
}

func FuzzParseMosquitto(f *testing.F) {
	for _, seed := range []string{mosquittoFile, "topic", "topic read", "user \r\n", "pattern deny %u%c/+/#", "topic a\x00", "topic /#\npattern %c"} {
		f.Add(seed, "sio/main/room/a/b", "ann", "c")
	}
	f.Fuzz(func(t *testing.T, file, name, user, id string) {
		m, err := acl.ParseMosquitto("f", strings.NewReader(file))
		checkParse(t, m != nil, err)
		n, nameErr := topic.Limits{}.Name(name)
		if err != nil || nameErr != nil {
			return
		}
		p := &acl.Principal{ID: id, Username: user}
		m.CanPublish(p, n)
		m.CanReceive(p, n)
		checkPolicy(t, acl.NewRules(topic.Codec{}, m, nil), p, n)
		checkDoors(t, acl.NewRules(topic.Codec{}, m, nil), p, n)
	})
}

// checkParse tests that a parser gives a value or a ParseError.
func checkParse(t *testing.T, value bool, err error) {
	t.Helper()
	var parse *acl.ParseError
	if value == (err != nil) || err != nil && (!errors.As(err, &parse) || parse.Line < 1) {
		t.Fatalf("a value: %v, and the error %v", value, err)
	}
}
