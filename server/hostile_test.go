package server_test

import (
	"strings"
	"testing"
	"time"

	"siomq/internal/siotest"
	"siomq/server"
	"siomq/server/packet"
)

// TestHostileFrames sends what no client sends. It ends that connection, as the
// reference implementation does, and touches no other.
func TestHostileFrames(t *testing.T) {
	deep := strings.Repeat("[", 50_000) + strings.Repeat("]", 50_000)
	tests := []struct {
		name   string
		frames []string
		stays  bool
	}{
		{name: "event without payload", frames: []string{"42"}},
		{name: "event with an object", frames: []string{"42{}"}},
		{name: "event with an empty array", frames: []string{"42[]"}},
		{name: "event named by an object", frames: []string{"42[{}]"}},
		{name: "reserved event", frames: []string{`42["disconnect"]`}},
		{name: "binary event without attachments", frames: []string{"450-"}},
		{name: "missing attachment, then text", frames: []string{`451-["x",{"_placeholder":true,"num":0}]`, `42["x"]`}},
		{name: "placeholder out of range", frames: []string{`451-["x",{"_placeholder":true,"num":7}]`}},
		{name: "deep array", frames: []string{`42["x",` + deep + "]"}},
		{name: "broken JSON", frames: []string{`42["x",`}},
		{name: "unknown type", frames: []string{"49"}},
		{name: "nothing", frames: []string{"4"}},
		{name: "second CONNECT", frames: []string{"40"}},
		{name: "CONNECT_ERROR from a client", frames: []string{`44{"message":"no"}`}},
		{name: "event for a namespace never joined", frames: []string{`42/other,["x"]`}},
		{name: "acknowledgement without payload", frames: []string{"43"}},
		{name: "acknowledgement nobody waits for", frames: []string{"4399[1]"}, stays: true},
		{name: "acknowledgement with a huge id", frames: []string{"43" + strings.Repeat("9", 100) + "[1]"}},
	}
	io, url := start(t, nil)
	io.OnConnection(echo)
	other := siotest.Dial(t, url)
	other.Connect("/")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := siotest.Dial(t, url)
			c.Connect("/")
			for _, f := range tt.frames {
				c.Raw(f)
			}
			if tt.stays {
				c.Quiet("/")
			} else {
				c.Closed()
			}
			other.Quiet("/")
		})
	}
}

// TestLimits goes over each limit of what one client may make the server keep.
func TestLimits(t *testing.T) {
	io, url := start(t, &server.Options{
		MaxNamespaces: 3,
		Limits:        packet.Limits{MaxAttachments: 2, MaxPacket: 1000, MaxNamespace: 20, MaxEvent: 20, MaxDepth: 5},
	})
	for _, name := range []string{"/a", "/b", "/c"} {
		io.Of(name)
	}
	tests := []struct {
		name    string
		frames  []string
		counter func(server.Stats) uint64
	}{
		{"namespaces", []string{"40/a,", "40/b,", "40/c,"}, func(s server.Stats) uint64 { return s.Namespaces }},
		{"attachments", []string{`453-["x"]`}, func(s server.Stats) uint64 { return s.Attachments }},
		{"packet size", []string{`42["x","` + strings.Repeat("x", 1000) + `"]`}, func(s server.Stats) uint64 { return s.PacketSize }},
		{"namespace name", []string{"40/" + strings.Repeat("x", 30) + ","}, func(s server.Stats) uint64 { return s.NamespaceSize }},
		{"event name", []string{`42["` + strings.Repeat("x", 30) + `"]`}, func(s server.Stats) uint64 { return s.EventSize }},
		{"depth", []string{`42["x",[[[[[[]]]]]]]`}, func(s server.Stats) uint64 { return s.Depth }},
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := siotest.Dial(t, url)
			c.Connect("/")
			for _, f := range tt.frames {
				c.Raw(f)
			}
			c.Closed()
			if s := io.Stats(); tt.counter(s) != 1 || s.Violations != uint64(i+1) {
				t.Errorf("counted %d of %d violations, want 1 of %d", tt.counter(s), s.Violations, i+1)
			}
		})
	}
}

func TestSocketWithoutNamespaceIsClosed(t *testing.T) {
	_, url := start(t, &server.Options{ConnectTimeout: 20 * time.Millisecond})
	siotest.Dial(t, url).Closed()
}

func TestSlowListenerHoldsUpNobodyElse(t *testing.T) {
	io, url := start(t, &server.Options{EventQueue: 5})
	release := make(chan struct{})
	started := make(chan struct{}, 1000)
	io.OnConnection(func(s *server.Socket) {
		echo(s)
		s.On("slow", func(*server.Event) { started <- struct{}{}; <-release })
	})
	other, c := siotest.Dial(t, url), siotest.Dial(t, url)
	other.Connect("/")
	c.Connect("/")
	for range 100 {
		c.Emit("/", "slow")
	}
	receive(t, started)
	other.Quiet("/")
	close(release)
	c.Quiet("/")
}

func TestOptions(t *testing.T) {
	tests := []struct {
		name string
		o    server.Options
		want string
	}{
		{"path", server.Options{Path: "socket.io"}, "Path"},
		{"event queue", server.Options{EventQueue: -1}, "EventQueue"},
		{"namespaces", server.Options{MaxNamespaces: -1}, "MaxNamespaces"},
		{"MQTT path", server.Options{MQTTPath: "mqtt"}, "MQTTPath"},
	}
	for _, tt := range tests {
		if _, err := server.New(&tt.o); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: New = %v, want an error that names %s", tt.name, err, tt.want)
		}
	}
}
