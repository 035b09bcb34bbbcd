package brokertest

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"siomq/adapter/broker"
)

var clientSentences = []sentence{
	{says: "Wants knows each session's filters until they end", test: wants, when: hasInterest},
	{says: "an observer is told of each change, in order for each client", test: observe, when: hasClients},
	{says: "Connected lists connected clients with their filters", test: connected, when: hasClients},
	{says: "Known knows sessions, connected or not", test: known, when: hasClients},
	{says: "after Close, clients are told and methods fail", test: closed},
}

func wants(s *suite) {
	w := s.Broker.(broker.Interest).Wants
	expect := func(when string, want bool, list ...string) {
		s.Helper()
		for _, topic := range list {
			if got := w(topic); got != want {
				s.Errorf("%s: Wants(%q) is %v", when, topic, got)
			}
		}
	}
	expect("nobody", false, "a", "a/b", "$x/y")
	c := s.connect(Connect{ClientID: "c", Props: Props{SessionExpiry: 3600}})
	c.Subscribe("a/+", 0)
	expect("a/+", true, "a/b", "a/")
	expect("a/+", false, "a", "a/b/c", "b")
	c.Subscribe("$share/g/shared/#", 0)
	expect("shared", true, "shared", "shared/x")
	c.Unsubscribe("$share/g/shared/#")
	expect("unsubscribed", false, "shared", "shared/x")
	c.Subscribe("#", 0)
	expect("#", true, "a", "x/y")
	expect("#", false, "$x/y")
	c.Unsubscribe("#")
	c.Disconnect()
	expect("disconnected", true, "a/b")
	c = s.connect(Connect{ClientID: "c"}) // clean start
	expect("clean start", false, "a/b")
	c.Subscribe("a/b", 0)
	expect("again", true, "a/b")
	c.Disconnect()
	s.eventually("the session ends", func() bool { return !w("a/b") })
}

// events keeps what an observer is told, as one word each.
type events struct {
	mu   sync.Mutex
	list []string
}

func (e *events) add(ev broker.ClientEvent) {
	e.mu.Lock()
	defer e.mu.Unlock()
	word := [...]string{"connected", "disconnected", "subscribed", "unsubscribed"}[ev.Kind]
	e.list = append(e.list, strings.TrimSpace(ev.Client.ID+":"+word+" "+sorted(ev.Filters)))
}

func (e *events) of(id string) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var list []string
	for _, word := range e.list {
		if rest, ok := strings.CutPrefix(word, id+":"); ok {
			list = append(list, rest)
		}
	}
	return strings.Join(list, ", ")
}

func observe(s *suite) {
	var e events
	remove := s.Broker.(broker.Clients).Observe(e.add)
	expect := func(want string) {
		s.Helper()
		s.eventually(fmt.Sprintf("%q (got %q)", want, e.of("c")), func() bool { return e.of("c") == want })
	}
	c := s.connect(Connect{ClientID: "c", Props: Props{SessionExpiry: 3600}})
	c.SubscribeWith(Props{}, Filter{Filter: "b"}, Filter{Filter: "a/#"}, Filter{Filter: "bad+"})
	c.Subscribe("$share/g/s", 0)
	c.Unsubscribe("b", "never")
	want := "connected, subscribed a/# b, subscribed s, unsubscribed b"
	expect(want)
	// A second connection takes over; the events of the first come before.
	c = s.connect(Connect{ClientID: "c", Resume: true})
	want += ", disconnected, connected a/# s"
	expect(want)
	c.Disconnect()
	want += ", disconnected"
	expect(want)
	remove()
	s.connect(Connect{ClientID: "c"}).Ping()
	expect(want)
}

func connected(s *suite) {
	b := s.Broker.(broker.Clients)
	list := func() string {
		var all []string
		b.Connected(func(c broker.Client, filters []string) bool {
			all = append(all, fmt.Sprintf("%s/%s/%d[%s]", c.ID, c.Username, c.Version, sorted(filters)))
			return true
		})
		return sorted(all)
	}
	one := s.connect(Connect{ClientID: "one", Username: "u"})
	two := s.connect(Connect{ClientID: "two", Version: 4, Resume: true})
	one.Subscribe("a", 0)
	two.Subscribe("$share/g/b", 0)
	two.Subscribe("c/#", 0)
	if got, want := list(), "one/u/5[a] two//4[b c/#]"; got != want {
		s.Errorf("got %q, want %q", got, want)
	}
	n := 0
	b.Connected(func(broker.Client, []string) bool { n++; return false })
	if n != 1 {
		s.Errorf("yield was called %d times after it returned false", n)
	}
	two.Disconnect()
	s.eventually("two is gone", func() bool { return list() == "one/u/5[a]" })
}

func known(s *suite) {
	b := s.Broker.(broker.Clients)
	if b.Known("c") {
		s.Error("known before it came")
	}
	c := s.connect(Connect{ClientID: "c", Version: 4, Resume: true})
	if !b.Known("c") || b.Known("d") {
		s.Error("connected: not known, or another is")
	}
	c.Disconnect()
	if !b.Known("c") {
		s.Error("its session is not known after it left")
	}
	c = s.connect(Connect{ClientID: "c", Version: 4})
	c.Disconnect()
	s.eventually("the clean session is forgotten", func() bool { return !b.Known("c") })
}

func closed(s *suite) {
	five, four := s.subscriber(5, "#"), s.subscriber(4, "#")
	if err := s.Broker.Close(s.ctx()); err != nil {
		s.Fatal(err)
	}
	if p := five.AwaitClose(); p == nil || p.Code != 0x8B {
		s.Errorf("MQTT 5: DISCONNECT %+v, want reason code 0x8b", p)
	}
	if p := four.AwaitClose(); p != nil {
		s.Errorf("3.1.1: got %+v, which its servers do not send", p)
	}
	if err := s.Broker.Publish(s.ctx(), &broker.Message{Topic: "t"}); !errors.Is(err, broker.ErrClosed) {
		s.Errorf("publish: %v", err)
	}
	if _, err := s.Broker.Handle(s.ctx(), "t", nil); !errors.Is(err, broker.ErrClosed) {
		s.Errorf("handle: %v", err)
	}
	if err := s.Broker.Close(s.ctx()); err != nil {
		s.Errorf("close again: %v", err)
	}
}
