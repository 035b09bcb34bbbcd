package server

import (
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"sync"
)

// ParentNamespace is a rule by which namespaces come into being when a client
// asks for them. Each gets the middleware and the connection listeners that
// the parent has at that time.
type ParentNamespace struct {
	server *Server
	match  func(name string, auth json.RawMessage) bool

	mu         sync.Mutex // for the fields below; nothing is called while it is held
	middleware []func(*Socket) error
	connection []func(*Socket)
	publish    []func(*Publish) error
	children   []*Namespace
}

// OfPattern returns a parent of all namespaces whose name the expression matches.
func (srv *Server) OfPattern(pattern *regexp.Regexp) *ParentNamespace {
	return srv.OfFunc(func(name string, _ json.RawMessage) bool { return pattern.MatchString(name) })
}

// OfFunc returns a parent of all namespaces that match accepts. It is asked
// when a client wants a namespace that does not exist, with the client's auth object, nil if none,
// and may take its time: it holds up that client's request alone. Parents are
// asked in the order in which they were made.
func (srv *Server) OfFunc(match func(name string, auth json.RawMessage) bool) *ParentNamespace {
	p := &ParentNamespace{server: srv, match: match}
	srv.mu.Lock()
	defer srv.mu.Unlock()
	srv.parents = append(slices.Clip(srv.parents), p)
	return p
}

// Use adds a middleware for the namespaces that will be made, see [Namespace.Use].
func (p *ParentNamespace) Use(fn func(*Socket) error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.middleware = append(p.middleware, fn)
}

// OnConnection adds a connection listener for the namespaces that will be made,
// see [Namespace.OnConnection]. [Socket.Namespace] tells in which one a socket is.
func (p *ParentNamespace) OnConnection(fn func(*Socket)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.connection = append(p.connection, fn)
}

// UsePublish adds a middleware for publishes into the namespaces that will be made, see
// [Namespace.UsePublish].
func (p *ParentNamespace) UsePublish(fn func(*Publish) error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.publish = append(p.publish, fn)
}

// Namespaces returns the namespaces that exist by this rule.
func (p *ParentNamespace) Namespaces() []*Namespace {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.children)
}

// Emit sends an event to everyone in all namespaces that exist by this rule.
func (p *ParentNamespace) Emit(event string, values ...any) error {
	var errs error
	for _, n := range p.Namespaces() {
		errs = errors.Join(errs, n.Emit(event, values...))
	}
	return errs
}

// child makes a namespace; the caller holds Server.mu.
func (p *ParentNamespace) child(name string) *Namespace {
	n := newNamespace(p.server, name)
	n.parent = p
	p.mu.Lock()
	defer p.mu.Unlock()
	n.middleware = slices.Clone(p.middleware)
	n.connection = slices.Clone(p.connection)
	n.publish = slices.Clone(p.publish)
	p.children = append(p.children, n)
	return n
}

func (p *ParentNamespace) drop(n *Namespace) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.children = without(p.children, n)
}

// OnNewNamespace adds a function that is called with each namespace that a
// client's request makes, before any socket is in it.
func (srv *Server) OnNewNamespace(fn func(*Namespace)) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	srv.newNamespace = append(slices.Clip(srv.newNamespace), fn)
}

// acquire returns the namespace for a client that asks for it, and keeps it from being
// cleaned up until release. It returns nil when there is none and no parent wants one.
// It blocks as long as parents decide.
func (srv *Server) acquire(name string, auth json.RawMessage) *Namespace {
	n, parents := srv.pin(name)
	if n != nil {
		return n
	}
	for _, p := range parents {
		if !p.match(name, auth) {
			continue
		}
		n, made, listeners := srv.adopt(p, name)
		if made {
			for _, fn := range listeners {
				fn(n)
			}
		}
		return n
	}
	return nil
}

// pin returns a namespace that exists, or the rules that may make it.
func (srv *Server) pin(name string) (*Namespace, []*ParentNamespace) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	if n := srv.namespaces[name]; n != nil {
		n.pins++
		return n, nil
	}
	return nil, srv.parents
}

func (srv *Server) adopt(p *ParentNamespace, name string) (n *Namespace, made bool, listeners []func(*Namespace)) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	if n = srv.namespaces[name]; n == nil { // else another client was faster
		n, made = p.child(name), true
		srv.namespaces[name] = n
	}
	n.pins++
	return n, made, srv.newNamespace
}

// release undoes acquire. A child namespace that nobody uses goes away, with
// Options.CleanupEmptyChildNamespaces.
func (srv *Server) release(n *Namespace) {
	srv.mu.Lock()
	n.pins--
	empty := n.pins == 0 && n.parent != nil && srv.opts.CleanupEmptyChildNamespaces
	if empty {
		delete(srv.namespaces, n.name)
		n.parent.drop(n)
	}
	srv.mu.Unlock()
	if empty {
		n.adapter.Close()
	}
}
