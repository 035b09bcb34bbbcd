package server_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"siomq/internal/siotest"
	"siomq/rooms/args"
	"siomq/server"
	"siomq/server/packet"
)

// resuming is a client that remembers what it needs to come back, as the official ones do.
type resuming struct {
	t      testing.TB
	url    string
	c      *siotest.Client
	sid    string
	pid    string
	offset string
	got    []string // events received
}

func (r *resuming) connect() {
	r.t.Helper()
	r.c = siotest.Dial(r.t, r.url)
	payload := ""
	if r.pid != "" {
		b, _ := json.Marshal(map[string]string{"pid": r.pid, "offset": r.offset})
		payload = string(b)
		if r.offset == "" {
			payload = strings.Replace(payload, `"offset":"",`, "", 1)
		}
	}
	r.c.Raw("40" + payload)
	p := r.c.Next()
	var open struct{ SID, PID string }
	if p.Type != packet.Connect || json.Unmarshal(p.Data, &open) != nil {
		r.t.Fatalf("connect: %s %s", p.Type, p.Data)
	}
	r.sid, r.pid = open.SID, open.PID
}

// read takes events up to and with last.
func (r *resuming) read(last string) {
	r.t.Helper()
	for {
		p := r.c.Next()
		if p.Type != packet.Event {
			continue
		}
		if err := args.Bind(args.At(p.Args, p.Args.N-1), &r.offset); err != nil {
			r.t.Fatalf("event %q has no offset: %v", p.Event, err)
		}
		r.got = append(r.got, p.Event)
		if p.Event == last {
			return
		}
	}
}

func startRecovering(t *testing.T, o *server.RecoveryOptions) (*server.Server, *resuming, <-chan bool) {
	io, url := start(t, &server.Options{Recovery: o})
	recovered := make(chan bool, 1000)
	io.OnConnection(func(s *server.Socket) {
		echo(s)
		if !s.Recovered() {
			s.SetData("data of the first")
			_ = s.Join("room")
		}
		recovered <- s.Recovered()
	})
	return io, &resuming{t: t, url: url}, recovered
}

func TestRecovery(t *testing.T) {
	io, r, recovered := startRecovering(t, &server.RecoveryOptions{})
	r.connect()
	first := r.sid
	if receive(t, recovered) {
		t.Error("the first connection is recovered")
	}
	_ = io.Emit("one", 1)
	r.read("one")
	gone := io.Socket(first)
	r.c.Close()
	until(t, "the socket is gone", func() bool { return !gone.Connected() })

	_ = io.Emit("two")
	_ = io.To("room").Emit("three")
	_ = io.To("elsewhere").Emit("not for it")
	_ = io.Except("room").Emit("not for it")
	_ = io.To(first).Emit("four")
	_ = io.Volatile().Emit("volatile, lost")
	_ = io.Of("/other").Emit("not for it")
	r.connect()
	if r.sid != first || !receive(t, recovered) {
		t.Fatalf("came back as %q, was %q", r.sid, first)
	}
	s := io.Socket(first)
	if s.Data() != "data of the first" || !slices.Equal(s.Rooms(), []string{first, "room"}) {
		t.Errorf("data %q, rooms %q", s.Data(), s.Rooms())
	}
	_ = s.Emit("five")
	r.read("five")
	if want := []string{"one", "two", "three", "four", "five"}; !slices.Equal(r.got, want) {
		t.Errorf("got %q, want %q", r.got, want)
	}
}

func TestRecoveryOfAClientThatNoticedFirst(t *testing.T) {
	io, r, recovered := startRecovering(t, &server.RecoveryOptions{})
	r.connect()
	first, old := r.sid, r.c
	receive(t, recovered)
	r.connect() // while the server holds the first connection for good; and no event was received yet
	if !receive(t, recovered) || r.sid != first {
		t.Errorf("came back as %q, was %q", r.sid, first)
	}
	old.Closed()
	if n := len(io.Sockets()); n != 1 {
		t.Errorf("%d sockets", n)
	}
}

func TestNoRecovery(t *testing.T) {
	tests := []struct {
		name   string
		o      server.RecoveryOptions
		spoil  func(io *server.Server, r *resuming)
		reason string
	}{
		{name: "after a disconnect by the client", spoil: func(_ *server.Server, r *resuming) { r.c.Raw("41"); r.c.Raw("40"); r.c.Next() }},
		{name: "with a wrong id", spoil: func(_ *server.Server, r *resuming) { r.pid = "somebody else's" }},
		{name: "with an offset of another run", spoil: func(_ *server.Server, r *resuming) { r.offset = "abcdefgh-1" }},
		{name: "with an offset in the future", spoil: func(_ *server.Server, r *resuming) { r.offset += "zzz" }},
		{name: "after too long", o: server.RecoveryOptions{MaxDisconnection: time.Nanosecond}},
		{name: "when the log ran over", o: server.RecoveryOptions{MaxLog: 1000}, spoil: func(io *server.Server, _ *resuming) {
			for range 100 {
				_ = io.Emit("x", "a few bytes")
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			io, r, recovered := startRecovering(t, &tt.o)
			r.connect()
			first := r.sid
			receive(t, recovered)
			_ = io.Emit("one")
			r.read("one")
			if tt.spoil != nil {
				tt.spoil(io, r)
			}
			r.c.Close()
			until(t, "the socket is gone", func() bool { return len(io.Sockets()) == 0 })
			for len(recovered) > 0 {
				<-recovered
			}
			r.connect()
			if receive(t, recovered) || r.sid == first {
				t.Error("recovered")
			}
		})
	}
}

// TestRecoveryLosesNothing has clients whose connections break again and again during a
// stream of broadcasts by several goroutines: each receives all, once and in one order.
func TestRecoveryLosesNothing(t *testing.T) {
	io, r, joined := startRecovering(t, &server.RecoveryOptions{})
	io.OnConnection(func(s *server.Socket) { s.OnAnyOutgoing(func(*server.Event) {}) })
	const writers, each = 4, 300
	r.connect()
	receive(t, joined)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				if err := io.To("room").Emit(fmt.Sprint(w, ".", i)); err != nil {
					t.Error(err)
				}
				time.Sleep(50 * time.Microsecond)
			}
		})
	}
	next := make([]int, writers)
	for n := 0; n < writers*each; n++ {
		if n%97 == 50 {
			r.c.Close()
			sid := r.sid
			if r.connect(); r.sid != sid {
				t.Fatalf("not recovered after %d events", n)
			}
		}
		p := r.c.Next()
		var w, i int
		if _, err := fmt.Sscanf(p.Event, "%d.%d", &w, &i); err != nil || next[w] != i {
			t.Fatalf("event %d is %q, want %d.%d", n, p.Event, w, next[w])
		}
		next[w]++
		if err := args.Bind(p.Args, &r.offset); err != nil {
			t.Fatal(err)
		}
	}
	wg.Wait()
}
