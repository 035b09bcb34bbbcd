package auth

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Principal is who was authenticated. It is not modified once returned: many
// may hold the same one.
type Principal struct {
	// Username names the principal. Empty means nobody: an anonymous client is no user.
	Username string
	// Roles are what access rules may speak of, in the order in which they were found.
	Roles []string
	// Method says how: "anonymous", "password", "jwt", "certificate"; a Func
	// says what it likes.
	Method string
	// Expires is when the proof runs out, as the exp claim of a token says; zero
	// for never. Whoever keeps a connection open beyond it decides so.
	Expires time.Time
	// Claims is the verified payload of a token, a JSON object; nil without a token.
	Claims json.RawMessage
}

// HasRole reports whether the principal has the role. A nil Principal has none.
func (p *Principal) HasRole(role string) bool { return p != nil && slices.Contains(p.Roles, role) }

// The doors, as Credentials.Via names them.
const (
	SocketIO = "socket.io"
	MQTT     = "mqtt"
)

// Credentials are what somebody brought to prove who they are. An authenticator
// neither modifies them nor keeps them after it has answered.
type Credentials struct {
	Username string
	// Password is empty when none was given: Mosquitto makes no difference either.
	Password []byte `json:"-"`
	// Token is a bearer token; see FromHandshake. MQTT 3 has no place for one:
	// it comes as the password, with any user name.
	Token string `json:"-"`
	// ClientID is the MQTT client identifier.
	ClientID string
	// Certificates is a client certificate that was verified, then its issuers:
	// VerifiedCertificates has them. Never put here what was only presented.
	Certificates []*x509.Certificate `json:"-"`
	Address      string              // of the client, "IP:port"
	Via          string              // SocketIO or MQTT
}

// String describes the credentials without their secrets, for a log.
func (c *Credentials) String() string {
	if c == nil {
		return "no credentials"
	}
	return fmt.Sprintf("user %q, client identifier %q, from %s by %s (password %t, token %t, certificate %t)",
		c.Username, c.ClientID, c.Address, c.Via, len(c.Password) > 0, c.Token != "", len(c.Certificates) > 0)
}

// GoString is String: %#v shows no secret either.
func (c *Credentials) GoString() string { return c.String() }

// Authenticator says who brought the credentials.
//
// The error is an ErrNotAuthorized for a refusal, more exactly an ErrNoCredentials
// where there is nothing that the authenticator looks at. Any other error means
// that it could not find out, and lets nobody in. A nil Principal comes with an
// error, and only then. Authenticate may be called by many goroutines at once
// and returns soon after the context has ended.
type Authenticator interface {
	Authenticate(ctx context.Context, c *Credentials) (*Principal, error)
}

// Func is a function as an Authenticator. A nil Principal without an error is a
// refusal, and so is a nil Func.
type Func func(ctx context.Context, c *Credentials) (*Principal, error)

// Authenticate implements [Authenticator].
func (f Func) Authenticate(ctx context.Context, c *Credentials) (*Principal, error) {
	if f == nil {
		return nil, ErrNotAuthorized
	}
	p, err := f(ctx, c)
	switch {
	case err != nil:
		return nil, err
	case p == nil:
		return nil, ErrNotAuthorized
	}
	return p, nil
}

// Anonymous lets in, as nobody, who brings neither user name, password nor token.
// Somebody with a wrong password does not become anonymous by it.
// A certificate is no objection: a connection may need one to come this far.
func Anonymous() Authenticator {
	return Func(func(_ context.Context, c *Credentials) (*Principal, error) {
		if c.Username != "" || len(c.Password) > 0 || c.Token != "" {
			return nil, refuse("not anonymous: there are credentials")
		}
		return &Principal{Method: "anonymous"}, nil
	})
}

// Everyone lets everybody in as nobody, whatever they bring: no one looks at it.
// It is for a server without users, alone. Within Any it would make
// every wrong password good for an anonymous connection; Anonymous does not.
func Everyone() Authenticator {
	return Func(func(context.Context, *Credentials) (*Principal, error) {
		return &Principal{Method: "anonymous"}, nil
	})
}

// Any asks each authenticator in turn until one accepts. When none does, its
// error is the most telling one: a failure before a refusal, a refusal before
// ErrNoCredentials. The cheap ones should come first: what Users does not know
// costs as much as a wrong password. Nil authenticators are left out.
func Any(as ...Authenticator) Authenticator {
	return anyOf(slices.DeleteFunc(slices.Clone(as), func(a Authenticator) bool { return a == nil }))
}

type anyOf []Authenticator

func (as anyOf) Authenticate(ctx context.Context, c *Credentials) (*Principal, error) {
	result := ErrNoCredentials
	for _, a := range as {
		p, err := a.Authenticate(ctx, c)
		if err == nil && p != nil {
			return p, nil
		}
		if err == nil {
			err = ErrNotAuthorized
		}
		if rank(err) > rank(result) {
			result = err
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, result
}

// rank orders errors by how much they tell.
func rank(err error) int {
	switch {
	case errors.Is(err, ErrNoCredentials):
		return 0
	case errors.Is(err, ErrExpired):
		return 2 // the only refusal that its owner can mend
	case errors.Is(err, ErrNotAuthorized):
		return 1
	}
	return 3
}

// WithRoles adds roles to the principals of a by their user name, since password
// files and certificates hold none. Nobody, the principal without a name, gets
// none. The map is copied.
func WithRoles(a Authenticator, roles map[string][]string) Authenticator {
	byName := make(map[string][]string, len(roles))
	for name, more := range roles {
		byName[name] = slices.Clone(more)
	}
	return Func(func(ctx context.Context, c *Credentials) (*Principal, error) {
		p, err := a.Authenticate(ctx, c)
		if err != nil || p == nil || p.Username == "" || len(byName[p.Username]) == 0 {
			return p, err
		}
		with := *p
		with.Roles = slices.Clone(p.Roles)
		for _, role := range byName[p.Username] {
			if !slices.Contains(with.Roles, role) {
				with.Roles = append(with.Roles, role)
			}
		}
		return &with, nil
	})
}

// maxName is what an MQTT string can hold (MQTT 5 section 1.5.4), in bytes.
const maxName = 65535

// checkName reports why no principal can have the name. What it refuses could not
// come in an MQTT CONNECT, or would forge lines of a log.
func checkName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("%w: empty", ErrInvalidName)
	case len(name) > maxName:
		return fmt.Errorf("%w: %d bytes, over %d", ErrInvalidName, len(name), maxName)
	case !utf8.ValidString(name):
		return fmt.Errorf("%w: not UTF-8", ErrInvalidName)
	case strings.ContainsFunc(name, func(r rune) bool { return r < 0x20 || r >= 0x7f && r < 0xa0 }):
		return fmt.Errorf("%w: %.100q has a control character", ErrInvalidName, name)
	}
	return nil
}
