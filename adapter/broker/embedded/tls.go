package embedded

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
)

// tlsConfig returns what l is to use, nil without TLS.
func (l *Listener) tlsConfig() (*tls.Config, error) {
	switch {
	case l.TLS != nil && l.TLSFiles != nil:
		return nil, errors.New("both TLS and TLSFiles are set")
	case l.TLSFiles != nil:
		return l.TLSFiles.load()
	case l.TLS == nil:
		return nil, nil
	case len(l.TLS.Certificates) == 0 && l.TLS.GetCertificate == nil && l.TLS.GetConfigForClient == nil:
		return nil, errors.New("TLS without a certificate")
	}
	return l.TLS.Clone(), nil
}

// load reads the files. The error names the one that is to blame.
func (f *TLSFiles) load() (*tls.Config, error) {
	if f.RequireClientCert && f.ClientCA == "" {
		return nil, errors.New("RequireClientCert without ClientCA")
	}
	pair, err := tls.LoadX509KeyPair(f.Cert, f.Key)
	if err != nil {
		return nil, fmt.Errorf("certificate %q with key %q: %w", f.Cert, f.Key, err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	if f.ClientCA == "" {
		return config, nil
	}
	pem, err := os.ReadFile(f.ClientCA)
	if err != nil {
		return nil, fmt.Errorf("authorities of client certificates: %w", err)
	}
	config.ClientCAs = x509.NewCertPool()
	if !config.ClientCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("authorities of client certificates: no certificate in %q", f.ClientCA)
	}
	config.ClientAuth = tls.VerifyClientCertIfGiven
	if f.RequireClientCert {
		config.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return config, nil
}

// Reload reads the files of Listener.TLSFiles again, for connections from now on. A
// listener whose files are broken keeps what it had; the error names its address
// and says why, and the others are reloaded all the same.
func (b *Broker) Reload() error {
	var failed []error
	for _, l := range b.listeners {
		if l.files == nil {
			continue
		}
		config, err := l.files.load()
		if err != nil {
			failed = append(failed, fmt.Errorf("reload the certificates of %q: %w", l.addr, err))
			continue
		}
		l.config.Store(config)
	}
	return errors.Join(failed...)
}

// tlsOf returns the TLS connection that nc is or, as a WebSocket, runs over.
func tlsOf(nc net.Conn) *tls.Conn {
	for {
		if t, ok := nc.(*tls.Conn); ok {
			return t
		}
		over, ok := nc.(interface{ NetConn() net.Conn })
		if !ok {
			return nil
		}
		nc = over.NetConn()
	}
}

// handshake makes the TLS handshake, in the time that there is for CONNECT, and notes
// the certificates of the client.
func (c *conn) handshake() *closeError {
	t := tlsOf(c.nc)
	if t == nil {
		return nil
	}
	ctx, cancel := context.WithDeadline(context.Background(), c.deadline)
	defer cancel()
	if err := t.HandshakeContext(ctx); err != nil {
		if ctx.Err() != nil {
			return &closeError{codeSuccess, reasonConnectTime, "TLS: " + err.Error()}
		}
		return &closeError{codeSuccess, reasonTLS, err.Error()}
	}
	if chains := t.ConnectionState().VerifiedChains; len(chains) > 0 {
		c.client.Certificates = chains[0]
	}
	return nil
}

// cut closes the connection beneath TLS. tls.Conn.Close waits for five seconds to
// say goodbye to a client that does not read.
func (c *conn) cut() {
	if t := tlsOf(c.nc); t != nil {
		_ = t.NetConn().Close()
		return
	}
	_ = c.nc.Close()
}
