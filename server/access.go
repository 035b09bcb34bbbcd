package server

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"siomq/adapter/broker"
	"siomq/rooms"
	"siomq/rooms/acl"
	"siomq/rooms/topic"
	"siomq/server/auth"
)

// ErrNotAllowed says that the policy does not allow it to that socket.
var ErrNotAllowed = errors.New("not allowed")

// access is who may do what, at both doors.
type access struct {
	authenticator auth.Authenticator // nil: everybody is nobody
	policy        acl.Policy
	uniform       acl.Uniform // the policy, if it can tell what everyone receives; else nil
	strict        bool        // the policy was given: rooms and emits are judged too
	log           *zap.Logger
}

// authTimeout bounds an authentication.
const authTimeout = 10 * time.Second

func newAccess(o *Options, topics topic.Codec) *access {
	a := &access{authenticator: o.Authenticator, policy: o.Policy, strict: o.Policy != nil, log: o.Logger}
	if a.policy == nil {
		a.policy = acl.NewDefault(topics)
	}
	a.uniform, _ = a.policy.(acl.Uniform)
	return a
}

// identify asks who it is. id is the socket's or the MQTT client's.
func (a *access) identify(ctx context.Context, id string, c *auth.Credentials) (*acl.Principal, error) {
	if a.authenticator == nil {
		return &acl.Principal{ID: id}, nil // a name that nobody has checked gives no rights
	}
	ctx, cancel := context.WithTimeout(ctx, authTimeout)
	defer cancel()
	p, err := a.authenticator.Authenticate(ctx, c)
	if err != nil {
		return nil, err
	}
	return &acl.Principal{ID: id, Username: p.Username, Roles: p.Roles}, nil
}

// errRefused is what a client is told, whatever the reason: it must not learn whether the
// user or the password was wrong.
var errRefused = &Error{Message: auth.ErrNotAuthorized.Error()}

// admitPrincipal finds out who the socket is and whether it may be in the namespace.
func (s *Socket) admitPrincipal() error {
	a := s.nsp.server.access
	creds := &auth.Credentials{}
	if a.authenticator != nil {
		var err error
		if creds, err = auth.FromHandshake(s.handshake.Auth, s.handshake.Headers()); err != nil {
			a.log.Info("credentials of a socket", zap.String("address", s.handshake.Address()), zap.Error(err))
			return errRefused
		}
		creds.Address, creds.Via = s.handshake.Address(), auth.SocketIO
		creds.Certificates = auth.VerifiedCertificates(s.handshake.request.TLS)
	}
	p, err := a.identify(s.Context(), s.id, creds)
	if err != nil {
		a.log.Info("socket not authorized", zap.String("address", s.handshake.Address()), zap.Stringer("credentials", creds), zap.Error(err))
		return errRefused
	}
	if !a.policy.CanConnect(p, s.nsp.name) {
		return &Error{Message: fmt.Sprintf("not allowed in namespace %s", s.nsp.name)}
	}
	s.principal = p
	if p.Username == "" {
		return nil
	}
	return s.SetUser(p.Username)
}

// mayJoin decides about rooms other than the socket's own.
func (s *Socket) mayJoin(names []rooms.Room) error {
	a := s.nsp.server.access
	for _, name := range names {
		if name == s.id || !a.strict && !isTopicRoom(name) {
			continue
		}
		if s.principal == nil || !a.policy.CanJoin(s.principal, s.nsp.name, name) {
			return fmt.Errorf("join %q: %w", name, ErrNotAllowed)
		}
	}
	return nil
}

// mayEmit decides about what a socket emits, to the server or by an operator of its own.
func (s *Socket) mayEmit(targets []rooms.Target, event string) error {
	a := s.nsp.server.access
	if !a.strict {
		return nil
	}
	for _, t := range targets {
		if !a.policy.CanEmit(s.principal, s.nsp.name, t, event) {
			return fmt.Errorf("emit %q: %w", event, ErrNotAllowed)
		}
	}
	return nil
}

// toServer is the target of what a socket emits to the server.
var toServer = []rooms.Target{{Kind: acl.ToServer}}

// mayReceive decides whether a socket may see a publish on a topic.
func (s *Socket) mayReceive(name topic.Name) bool {
	return s.nsp.server.access.policy.CanReceive(s.principal, name)
}

// mqtt is the same access for MQTT clients. taken reports the ids of live sockets: a client by
// that name would receive their private messages.
func (a *access) mqtt(taken func(id string) bool) broker.Access {
	nobody := &acl.Principal{}
	principal := func(c *broker.Client) *acl.Principal {
		if p, ok := c.Principal.(*acl.Principal); ok {
			return p
		}
		return nobody
	}
	return broker.Access{
		Authenticate: func(c *broker.Client) error {
			if taken(c.ID) {
				return fmt.Errorf("%w: %q is the id of a socket", broker.ErrClientID, c.ID)
			}
			p, err := a.identify(context.Background(), c.ID, &auth.Credentials{
				Username: c.Username, Password: c.Password, ClientID: c.ID, Certificates: c.Certificates, Address: c.Addr, Via: auth.MQTT,
			})
			if err != nil {
				return err
			}
			c.Principal = p
			return nil
		},
		Publish:   func(c *broker.Client, name string) bool { return a.policy.CanPublish(principal(c), topic.Name(name)) },
		Subscribe: func(c *broker.Client, f string) bool { return a.policy.CanSubscribe(principal(c), topic.Filter(f)) },
		Receive: func(c *broker.Client, name string) bool {
			return a.everyone(topic.Name(name)) || a.policy.CanReceive(principal(c), topic.Name(name))
		},
	}
}

// everyone reports whether every principal may receive what is published there.
func (a *access) everyone(name topic.Name) bool {
	return a.uniform != nil && a.uniform.EveryoneReceives(name)
}
