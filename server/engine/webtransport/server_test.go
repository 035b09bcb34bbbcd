package webtransport_test

import (
	"crypto/tls"
	"net"
	"strings"
	"testing"

	"siomq/server/engine"
	"siomq/server/engine/webtransport"
)

// What New refuses, and what it says.
func TestNewRefuses(t *testing.T) {
	taken, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	all := []string{engine.Polling, engine.WebTransport}
	for _, c := range []struct {
		name, want string
		transports []string
		options    *webtransport.Options
	}{
		{"no options", "TLSConfig", all, nil},
		{"no certificate", "TLSConfig", all, &webtransport.Options{}},
		{"bad address", "Addr", all, &webtransport.Options{Addr: "nowhere", TLSConfig: &tls.Config{}}},
		{"port in use", "Addr", all, &webtransport.Options{Addr: taken.LocalAddr().String(), TLSConfig: &tls.Config{}}},
		{"not among the transports", "Transports", nil, &webtransport.Options{Addr: "127.0.0.1:0", TLSConfig: &tls.Config{}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, err := engine.New(&engine.Options{Transports: c.transports}, func(*engine.Socket) engine.Handler { return nil })
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			wt, err := webtransport.New(e, c.options)
			if err == nil {
				_ = wt.Close()
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one about %q", err, c.want)
			}
		})
	}
}

// A session that nobody closed ends with Close.
func TestCloseWithSessions(t *testing.T) {
	srv := newServer(t, nil, nil)
	_, s := srv.open()
	if err := srv.wt.Close(); err != nil {
		t.Error(err)
	}
	s.wantClosed(t, engine.TransportClose)
}
