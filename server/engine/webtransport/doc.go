// Package webtransport brings WebTransport to an engine.Server: HTTP/3 on a UDP
// port, by quic-go and webtransport-go. Whoever does not import it has neither
// in their program.
//
//	io, err := server.New(&server.Options{Engine: engine.Options{
//		Transports: []string{engine.Polling, engine.WebSocket, engine.WebTransport},
//	}})
//	wt, err := webtransport.New(io.Engine(), &webtransport.Options{Addr: ":443", TLSConfig: tlsConfig})
//	err = http.ListenAndServeTLS(":443", "cert.pem", "key.pem", io)
//	...
//	err = io.Shutdown(ctx)
//	err = wt.Close()
//
// Clients look for it at the host, port and path of the server they know, over
// UDP. Those that are also given other transports begin with polling and are
// told of it in the handshake.
//
// Browsers accept a certificate that they do not trust when the page names its
// hash (the option serverCertificateHashes) and it is an ECDSA certificate that
// is valid for two weeks at most.
//
// quic-go itself writes one line to the standard logger, not to Options.Logger,
// when the system allows small UDP buffers only (on Linux: net.core.rmem_max).
//
// The protocol: https://socket.io/docs/v4/engine-io-protocol/, section
// "WebTransport", and https://datatracker.ietf.org/doc/draft-ietf-webtrans-http3/.
package webtransport
