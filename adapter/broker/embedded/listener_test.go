package embedded_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"siomq/adapter/broker"
	bt "siomq/adapter/broker/brokertest"
	"siomq/adapter/broker/embedded"
)

// authority signs certificates for tests.
type authority struct {
	t    testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	next int64
}

func newAuthority(t testing.TB, name string) *authority {
	a := &authority{t: t}
	cert, key := a.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	})
	a.cert, a.key = cert, key
	return a
}

// sign returns a certificate, signed by itself when the authority has none yet.
func (a *authority) sign(c *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	a.next++
	c.SerialNumber = big.NewInt(a.next)
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, by := a.cert, a.key
	if parent == nil {
		parent, by = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), by)
	if err != nil {
		a.t.Fatal(err)
	}
	signed, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return signed, key
}

// pair returns the certificate of a server on loopback, or of a client.
func (a *authority) pair(name string) tls.Certificate {
	cert, key := a.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	})
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}
}

func (a *authority) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

// write puts PEM files into dir.
func (a *authority) write(f *embedded.TLSFiles, pair tls.Certificate) {
	a.t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		a.t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		f.Cert:     {Type: "CERTIFICATE", Bytes: pair.Certificate[0]},
		f.Key:      {Type: "PRIVATE KEY", Bytes: key},
		f.ClientCA: {Type: "CERTIFICATE", Bytes: a.cert.Raw},
	} {
		if name == "" {
			continue
		}
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			a.t.Fatal(err)
		}
	}
}

func filesIn(t testing.TB) *embedded.TLSFiles {
	dir := t.TempDir()
	return &embedded.TLSFiles{
		Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem"), ClientCA: filepath.Join(dir, "ca.pem"),
	}
}

// TestListeners: a message crosses between TCP, TLS and a Unix socket, and each
// client says where it came in.
func TestListeners(t *testing.T) {
	a := newAuthority(t, "authority")
	path := filepath.Join(t.TempDir(), "mqtt")
	listeners := make(chan string, 3)
	b := open(t, embedded.Options{Listeners: []embedded.Listener{
		{Addr: "127.0.0.1:0", TLS: &tls.Config{Certificates: []tls.Certificate{a.pair("server")}}},
		{Network: "unix", Addr: path, Mode: 0o600},
		{Network: "tcp", Addr: "127.0.0.1:0", Name: "second"},
	}})
	b.SetAccess(broker.Access{Authenticate: func(c *broker.Client) error { listeners <- c.Listener; return nil }})
	addrs := b.Addrs()
	if len(addrs) != 4 || addrs[0] != b.Addr() || addrs[2].String() != path {
		t.Fatalf("addresses %v, first %v", addrs, b.Addr())
	}
	if info, err := os.Stat(path); err != nil || runtime.GOOS == "linux" && info.Mode().Perm() != 0o600 {
		t.Errorf("socket: %v, %v", info, err)
	}
	secure, err := tls.Dial("tcp", addrs[1].String(), &tls.Config{RootCAs: a.pool()})
	if err != nil {
		t.Fatal(err)
	}
	clients := []*bt.Client{bt.Dial(t, secure, bt.Connect{ClientID: "tls"})}
	for _, addr := range []net.Addr{addrs[2], addrs[3]} {
		conn, err := net.Dial(addr.Network(), addr.String())
		if err != nil {
			t.Fatal(err)
		}
		clients = append(clients, bt.Dial(t, conn, bt.Connect{}))
	}
	for _, want := range []string{"tls", "unix", "second"} {
		if got := <-listeners; got != want {
			t.Errorf("came in by %q, want %q", got, want)
		}
	}
	for _, c := range clients {
		c.Subscribe("t", 1)
	}
	big := strings.Repeat("x", 100_000)
	for _, from := range clients {
		from.Publish(&broker.Message{Topic: "t", QoS: 1, Payload: []byte(big)})
		for _, c := range clients {
			if p := c.Receive(); string(p.Payload) != big {
				t.Errorf("received %d bytes", len(p.Payload))
			}
		}
	}
}

// TestUnixSocketFile: the file goes with the broker, a left one is replaced, and
// one in use, or a file of another kind, is left alone.
func TestUnixSocketFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mqtt")
	o := &embedded.Options{Listeners: []embedded.Listener{{Network: "unix", Addr: path}}}
	left, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	left.SetUnlinkOnClose(false)
	if _, err := embedded.New(o); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "in use") {
		t.Errorf("socket in use: %v", err)
	}
	_ = left.Close()
	b, err := embedded.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket after Close: %v", err)
	}
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := embedded.New(o); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("another file: %v", err)
	}
	if got, err := os.ReadFile(path); string(got) != "mine" {
		t.Errorf("the other file has %q, %v", got, err)
	}
}

// TestListenerErrors: each names its address, and nothing stays open.
func TestListenerErrors(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	f := filesIn(t)
	tests := []struct {
		name string
		l    embedded.Listener
		want string
	}{
		{"port in use", embedded.Listener{Addr: taken.Addr().String()}, "in use"},
		{"network", embedded.Listener{Network: "udp", Addr: "here"}, `"udp" is not`},
		{"no path", embedded.Listener{Network: "unix"}, "no path"},
		{"two configurations", embedded.Listener{Addr: "here", TLS: &tls.Config{}, TLSFiles: f}, "both"},
		{"no certificate", embedded.Listener{Addr: "here", TLS: &tls.Config{}}, "without a certificate"},
		{"no files", embedded.Listener{Addr: "here", TLSFiles: f}, f.Cert},
		{"no authority", embedded.Listener{Addr: "here", TLSFiles: &embedded.TLSFiles{RequireClientCert: true}}, "ClientCA"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "mqtt")
			_, err := embedded.New(&embedded.Options{Listeners: []embedded.Listener{{Network: "unix", Addr: path}, tt.l}})
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), `"`+tt.l.Addr+`"`) {
				t.Errorf("error %v, want one with %q and the address %q", err, tt.want, tt.l.Addr)
			}
			if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the first listener: %v", err)
			}
		})
	}
}

// TestClientCertificates: a verified chain reaches the access functions, its leaf
// first; none, or a stranger's, is refused when one is required.
func TestClientCertificates(t *testing.T) {
	a, stranger := newAuthority(t, "authority"), newAuthority(t, "stranger")
	asked, required := filesIn(t), filesIn(t)
	required.RequireClientCert = true
	a.write(asked, a.pair("server"))
	a.write(required, a.pair("server"))
	b := open(t, embedded.Options{Listeners: []embedded.Listener{
		{Addr: "127.0.0.1:0", TLSFiles: asked}, {Addr: "127.0.0.1:0", TLSFiles: required},
	}})
	names := make(chan string, 1)
	b.SetAccess(broker.Access{Authenticate: func(c *broker.Client) error {
		name := ""
		for _, cert := range c.Certificates {
			name += cert.Subject.CommonName + "/"
		}
		names <- name
		return nil
	}})
	mine, foreign := a.pair("sensor"), stranger.pair("sensor")
	tests := []struct {
		name     string
		listener int
		pair     *tls.Certificate
		want     string // empty: refused
	}{
		{"asked, none", 1, nil, "none"},
		{"asked, own", 1, &mine, "sensor/authority/"},
		{"asked, a stranger's", 1, &foreign, ""},
		{"required, none", 2, nil, ""},
		{"required, own", 2, &mine, "sensor/authority/"},
		{"required, a stranger's", 2, &foreign, ""},
	}
	refused := int64(0)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			config := &tls.Config{RootCAs: a.pool()}
			if tt.pair != nil {
				config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return tt.pair, nil }
			}
			conn, err := tls.Dial("tcp", b.Addrs()[tt.listener].String(), config)
			if err != nil {
				t.Fatal(err) // TLS 1.3: the server's refusal comes when the client reads
			}
			if tt.want == "" {
				_ = conn.SetDeadline(time.Now().Add(bt.Patience))
				if n, err := conn.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("read %d bytes, %v", n, err)
				}
				_ = conn.Close()
				refused++
				eventually(t, "the refusal is counted", func() bool { return b.Stats().Closed["TLS handshake"] == refused })
				return
			}
			bt.Dial(t, conn, bt.Connect{})
			if got := <-names; got != strings.TrimPrefix(tt.want, "none") {
				t.Errorf("certificates %q, want %q", got, tt.want)
			}
		})
	}
}

// TestReload: connections from then on see the new certificate; broken files
// keep the old one, and the error says which and why.
func TestReload(t *testing.T) {
	a, f, plain := newAuthority(t, "authority"), filesIn(t), filesIn(t)
	plain.ClientCA = ""
	a.write(f, a.pair("first"))
	a.write(plain, a.pair("first"))
	b := openFree(t, embedded.Options{Listeners: []embedded.Listener{
		{Addr: "127.0.0.1:0", TLSFiles: f}, {Addr: "127.0.0.1:0", TLSFiles: plain},
	}})
	shown := func(listener int) string {
		t.Helper()
		conn, err := tls.Dial("tcp", b.Addrs()[listener].String(), &tls.Config{RootCAs: a.pool()})
		if err != nil {
			t.Fatal(err)
		}
		bt.Dial(t, conn, bt.Connect{}).Disconnect()
		return conn.ConnectionState().PeerCertificates[0].Subject.CommonName
	}
	is := func(first, second string) {
		t.Helper()
		if got := shown(1) + " " + shown(2); got != first+" "+second {
			t.Errorf("certificates %s, want %s %s", got, first, second)
		}
	}
	is("first", "first")
	a.write(f, a.pair("second"))
	is("first", "first")
	if err := b.Reload(); err != nil {
		t.Error(err)
	}
	is("second", "first")
	a.write(plain, a.pair("third"))
	for _, name := range []string{f.Cert, f.Key, f.ClientCA} {
		a.write(f, a.pair("third"))
		if err := os.WriteFile(name, []byte("nonsense"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := b.Reload(); err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), `"127.0.0.1:0"`) {
			t.Errorf("%s broken: %v", filepath.Base(name), err)
		}
		is("second", "third")
	}
}

// TestHandshakeTime: who does not finish the TLS handshake is closed in the time
// for CONNECT, and Close does not wait for it.
func TestHandshakeTime(t *testing.T) {
	a := newAuthority(t, "authority")
	config := &tls.Config{Certificates: []tls.Certificate{a.pair("server")}}
	o := embedded.Options{ConnectTimeout: 50 * time.Millisecond, Listeners: []embedded.Listener{{Addr: "127.0.0.1:0", TLS: config}}}
	b := openFree(t, o)
	conn, err := net.Dial("tcp", b.Addrs()[1].String())
	if err != nil {
		t.Fatal(err)
	}
	bt.NewClient(t, conn, 5).AwaitClose()
	eventually(t, "it is counted", func() bool { return b.Stats().Closed["connect timeout"] == 1 })
	o.ConnectTimeout = time.Hour
	b = openFree(t, o)
	if conn, err = net.Dial("tcp", b.Addrs()[1].String()); err != nil {
		t.Fatal(err)
	}
	c := bt.NewClient(t, conn, 5)
	eventually(t, "it is there", func() bool { return b.Stats().Connections == 1 })
	if err := b.Close(t.Context()); err != nil {
		t.Error(err)
	}
	c.AwaitClose()
}

// TestStalledTLS: a client that does not read is closed at once, without the
// seconds that TLS takes to say goodbye.
func TestStalledTLS(t *testing.T) {
	a := newAuthority(t, "authority")
	config := &tls.Config{Certificates: []tls.Certificate{a.pair("server")}}
	b := openFree(t, embedded.Options{
		MaxQueue: 256 << 10, MaxPacketSize: 128 << 10, Listeners: []embedded.Listener{{Addr: "127.0.0.1:0", TLS: config}},
	})
	conn, err := tls.Dial("tcp", b.Addrs()[1].String(), &tls.Config{RootCAs: a.pool()})
	if err != nil {
		t.Fatal(err)
	}
	bt.Dial(t, conn, bt.Connect{}).Subscribe("t", 0)
	var full time.Time
	for b.Stats().Connections > 0 {
		publish(t, b, &broker.Message{Topic: "t", Payload: make([]byte, 100<<10)})
		if full.IsZero() && len(b.Stats().Dropped)+len(b.Stats().Closed) > 0 {
			full = time.Now()
		}
	}
	if b.Stats().Closed["queue overflow"] != 1 || !full.IsZero() && time.Since(full) > 3*time.Second {
		t.Errorf("closed %v after %v", b.Stats().Closed, time.Since(full))
	}
}
