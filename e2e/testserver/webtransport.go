package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"math/big"
	"net"
	"slices"
	"time"

	"go.uber.org/zap"

	"siomq/server"
	"siomq/server/engine"
	"siomq/server/engine/webtransport"
)

// withWebTransport adds the transport to the default ones.
func withWebTransport(eng *engine.Options) {
	eng.Transports = []string{engine.Polling, engine.WebSocket, engine.WebTransport}
}

// offersWebTransport tells whether the transport is asked for.
func offersWebTransport(eng *engine.Options) bool {
	return slices.Contains(eng.Transports, engine.WebTransport)
}

// serveWebTransport listens on the UDP port with the number of the TCP port, where
// clients expect it, with a certificate of its own. hash is what a page names that
// certificate by: the SHA-256 of it, in hexadecimal.
func serveWebTransport(srv *server.Server, addr net.Addr, log *zap.Logger) (wt *webtransport.Server, hash string, err error) {
	der, key, err := certificate()
	if err != nil {
		return nil, "", err
	}
	wt, err = webtransport.New(srv.Engine(), &webtransport.Options{
		Addr:      addr.String(),
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}},
		Logger:    log,
	})
	sum := sha256.Sum256(der)
	return wt, hex.EncodeToString(sum[:]), err
}

// certificate makes one that a browser takes by its hash: ECDSA P-256, and valid
// for two weeks at most
// (https://www.w3.org/TR/webtransport/#dom-webtransportoptions-servercertificatehashes).
func certificate() (der []byte, key *ecdsa.PrivateKey, err error) {
	if key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(13 * 24 * time.Hour),
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err = x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	return der, key, err
}
