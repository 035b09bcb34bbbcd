package server

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"siomq/adapter"
	"siomq/adapter/bridge"
	"siomq/rooms"
	"siomq/rooms/topic"
	"siomq/server/engine"
	"siomq/server/packet"
)

// Server is a Socket.IO server, and with [Options.Broker] the MQTT door to the
// same rooms. It has the methods of its main namespace, "/".
//
// All methods may be called by many goroutines at once.
type Server struct {
	*Namespace // "/"

	// Fixed after New.
	opts    Options
	log     *zap.Logger
	codec   packet.Codec
	codec4  packet.Codec // of clients with protocol revision 4
	engine  *engine.Server
	mqtt    *mqttDoor      // nil without a broker
	bridge  *bridge.Bridge // nil without mapping rules
	access  *access
	bundles bundles

	counters counters

	flusher flusher
	closing atomic.Bool
	running sync.WaitGroup // goroutines that run handlers

	mu           sync.RWMutex // for the fields below; nothing is called while it is held
	namespaces   map[string]*Namespace
	parents      []*ParentNamespace
	newNamespace []func(*Namespace)
	https        []*http.Server // of Serve
}

// readHeaderTimeout bounds how long Serve waits for the head of a request.
const readHeaderTimeout = 10 * time.Second

// New makes a server. A nil o means all defaults. The error names the option at
// fault, or says what the broker refused.
func New(o *Options) (*Server, error) {
	opts, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	srv := &Server{
		opts: opts, log: opts.Logger, codec: opts.Parser, codec4: packet.Revision4(opts.Parser),
		namespaces: make(map[string]*Namespace),
	}
	srv.flusher.init(&srv.running, opts.Engine.MaxQueue)
	srv.bundles = bundles{files: opts.Client, log: opts.Logger}
	if srv.engine, err = engine.New(&opts.Engine, srv.accept); err != nil {
		return nil, err
	}
	topics, err := topic.New(&topic.Options{Prefix: opts.Prefix})
	if err != nil {
		srv.engine.Close()
		return nil, fmt.Errorf("option Prefix: %w", err)
	}
	srv.access = newAccess(&opts, topics)
	if opts.Broker != nil {
		srv.mqtt = openMQTT(srv, topics)
	}
	if srv.bridge, err = openBridge(srv); err != nil {
		srv.engine.Close()
		return nil, err
	}
	srv.Namespace = newNamespace(srv, "/")
	srv.namespaces["/"] = srv.Namespace
	if srv.mqtt != nil {
		if err := srv.mqtt.start(); err != nil {
			srv.engine.Close()
			return nil, err
		}
	}
	if err := srv.startBridge(); err != nil {
		srv.mqtt.close()
		srv.engine.Close()
		return nil, err
	}
	return srv, nil
}

// Of returns the namespace of this name, which is made if need be. A missing
// slash in front is added. Clients may connect to it from then on. It returns nil when
// no namespace can have that name: it has a comma or is not valid UTF-8.
func (srv *Server) Of(name string) *Namespace {
	if !strings.HasPrefix(name, "/") {
		name = "/" + name
	}
	if n := srv.lookup(name); n != nil {
		return n
	}
	if packet.CheckNamespace(name) != nil {
		return nil
	}
	srv.mu.Lock()
	defer srv.mu.Unlock()
	n := srv.namespaces[name]
	if n == nil {
		n = newNamespace(srv, name)
		srv.namespaces[name] = n
	}
	return n
}

func (srv *Server) lookup(name string) *Namespace {
	srv.mu.RLock()
	defer srv.mu.RUnlock()
	return srv.namespaces[name]
}

func (srv *Server) openAdapter(n *Namespace) adapter.Adapter {
	switch {
	case srv.opts.Adapter != nil:
		return srv.opts.Adapter(n)
	case srv.mqtt != nil:
		return srv.mqtt.adapter.Open(n)
	}
	return adapter.Memory(n)
}

// newSocketID returns 20 characters of base64url, unguessable: whoever knows a
// socket's id can send it private messages.
func (srv *Server) newSocketID() rooms.SocketID {
	var b [15]byte
	_, _ = rand.Read(b[:]) // never fails, see crypto/rand
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// ServeHTTP answers Socket.IO at Options.Path and MQTT over WebSocket at
// Options.MQTTPath, and 404 elsewhere. Mount the server at the root, or at those two paths.
func (srv *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if name := srv.bundle(r.URL.Path); name != "" {
		srv.bundles.serve(w, r, name)
		return
	}
	switch {
	case strings.HasPrefix(r.URL.Path, srv.opts.Path), r.URL.Path == strings.TrimSuffix(srv.opts.Path, "/"):
		srv.engine.ServeHTTP(w, r)
	case srv.mqtt != nil && r.URL.Path == srv.opts.MQTTPath:
		srv.mqtt.ServeHTTP(w, r)
	default:
		http.NotFound(w, r)
	}
}

// Serve accepts HTTP connections on l and answers them with ServeHTTP, until Shutdown.
// It always returns an error, ErrServerClosed after Shutdown.
func (srv *Server) Serve(l net.Listener) error {
	h := &http.Server{Handler: srv, ReadHeaderTimeout: readHeaderTimeout, ErrorLog: zap.NewStdLog(srv.log)}
	srv.mu.Lock()
	if srv.closing.Load() {
		srv.mu.Unlock()
		_ = l.Close() // nothing was accepted
		return ErrServerClosed
	}
	srv.https = append(srv.https, h)
	srv.mu.Unlock()
	err := h.Serve(l)
	if errors.Is(err, http.ErrServerClosed) {
		return ErrServerClosed
	}
	return err
}

// Shutdown ends the server: new connections are refused, every socket is
// disconnected with the reason "server shutting down", and handlers that run
// are waited for until ctx ends. The broker is left to whoever made it. It may be called
// more than once.
func (srv *Server) Shutdown(ctx context.Context) error {
	srv.closing.Store(true)
	srv.mu.Lock()
	https := srv.https
	srv.https = nil
	srv.mu.Unlock()
	if srv.mqtt != nil {
		srv.mqtt.close()
	}
	if srv.bridge != nil {
		srv.bridge.Stop()
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		srv.engine.Close()
		srv.flusher.close()
		srv.running.Wait()
	}()
	var err error
	for _, h := range https {
		err = errors.Join(err, h.Shutdown(ctx))
	}
	select {
	case <-done:
	case <-ctx.Done():
		err = errors.Join(err, fmt.Errorf("shutdown: handlers still run: %w", ctx.Err()))
	}
	return err
}

// Engine returns the server of the connections beneath this one, for package webtransport,
// which brings it another transport. Shutdown closes it.
func (srv *Server) Engine() *engine.Server { return srv.engine }

// Connections returns the number of open connections.
func (srv *Server) Connections() int { return srv.engine.Len() }
