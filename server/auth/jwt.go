package auth

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// JWTOptions say which tokens are believed. At least one key is needed; several
// may come from several places.
type JWTOptions struct {
	// Secret and SecretFile are HMAC keys, at least 32 bytes. Whoever has one can
	// make tokens too. A line end after the secret in the file does not count.
	Secret     []byte
	SecretFile string
	// PublicKeyFiles are PEM files with public keys or certificates, of which only the
	// key counts: RSA from 2,048 bits, P-256, P-384, P-521, Ed25519.
	PublicKeyFiles []string
	// JWKSFile is a JWK Set (RFC 7517). A kid in a token chooses among its keys.
	JWKSFile string
	// Algorithms narrows what the keys allow, by the names of RFC 7518: "RS256".
	// nil means everything that fits the keys. "none" cannot be allowed.
	Algorithms []string

	// Issuer must be the iss claim; "" does not look at it.
	Issuer string
	// Audience are the names of this server: one must be in the aud claim. Without names,
	// tokens that have an aud are for somebody else and refused (RFC 7519 section 4.1.3).
	Audience []string
	// Leeway is how far the clocks may be apart, for exp, nbf and iat. 0 means 30 s,
	// negative none at all.
	Leeway time.Duration
	// DangerouslyAllowNoExpiry takes tokens without an exp claim. They are good until the key is
	// changed, for whoever finds one; let the issuer set a long exp instead.
	DangerouslyAllowNoExpiry bool

	// UsernameClaim and RolesClaim name the claims that become Username and Roles; ""
	// means "sub" and "roles". A name with dots that is no claim itself leads into
	// objects: "realm_access.roles". The user name must be a string that is not empty; roles are an
	// array of strings, or one string with spaces between (as scope, RFC 8693 section 4.2).
	UsernameClaim string
	RolesClaim    string

	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

const (
	defaultLeeway = 30 * time.Second
	maxToken      = 16 << 10 // bytes
)

// JWT believes signed tokens (RFC 7519, JWS compact serialization). What a token says
// of its own key, jwk, jku, x5c and x5u, is not looked at.
type JWT struct {
	opts JWTOptions // fixed
	keys atomic.Pointer[keySet]
}

type keySet struct {
	keys []*key
	algs []jose.SignatureAlgorithm // what any of them serves
}

// NewJWT reads the keys. The options are copied; an error names the one at fault.
func NewJWT(o *JWTOptions) (*JWT, error) {
	if o == nil {
		o = &JWTOptions{}
	}
	j := &JWT{opts: *o}
	j.opts.Secret = slices.Clone(o.Secret)
	j.opts.PublicKeyFiles = slices.Clone(o.PublicKeyFiles)
	j.opts.Algorithms = slices.Clone(o.Algorithms)
	j.opts.Audience = slices.Clone(o.Audience)
	if j.opts.Leeway == 0 {
		j.opts.Leeway = defaultLeeway
	}
	j.opts.Leeway = max(0, j.opts.Leeway)
	if j.opts.UsernameClaim == "" {
		j.opts.UsernameClaim = "sub"
	}
	if j.opts.RolesClaim == "" {
		j.opts.RolesClaim = "roles"
	}
	if j.opts.Now == nil {
		j.opts.Now = time.Now
	}
	if slices.Contains(o.Audience, "") {
		return nil, errors.New("option Audience: an empty name")
	}
	if err := j.Reload(); err != nil {
		return nil, err
	}
	return j, nil
}

// Reload reads the files with keys again. With an error, which says why, the
// keys stay as they were.
func (j *JWT) Reload() error {
	keys, err := readKeys(&j.opts)
	if err != nil {
		return err
	}
	set := &keySet{}
	for _, name := range j.opts.Algorithms {
		if !slices.ContainsFunc(keys, func(k *key) bool { return k.serves(name) }) {
			return fmt.Errorf("option Algorithms: no key for %.20q", name)
		}
	}
	for _, k := range keys {
		if j.opts.Algorithms != nil {
			k.algs = slices.DeleteFunc(k.algs, func(alg jose.SignatureAlgorithm) bool {
				return !slices.Contains(j.opts.Algorithms, string(alg))
			})
		}
		if len(k.algs) > 0 {
			set.keys = append(set.keys, k)
			set.algs = append(set.algs, k.algs...)
		}
	}
	if len(set.keys) == 0 {
		return errors.New("option Algorithms: allows none")
	}
	j.keys.Store(set)
	return nil
}

// Authenticate implements [Authenticator]: the token is Token, else a Password that
// looks like one, whatever the user name says.
func (j *JWT) Authenticate(_ context.Context, c *Credentials) (*Principal, error) {
	token := c.Token
	if token == "" && looksLikeToken(c.Password) {
		token = string(c.Password)
	}
	if token == "" {
		return nil, ErrNoCredentials
	}
	payload, std, err := j.verify(token)
	if err != nil {
		return nil, err
	}
	if err := j.checkClaims(std); err != nil {
		return nil, err
	}
	p := &Principal{Method: "jwt", Claims: payload, Expires: std.Expiry.Time()}
	var claims map[string]any
	if err := json.Unmarshal(payload, &claims); err != nil {
		return nil, refuse("token: %w", err)
	}
	name, ok := claim(claims, j.opts.UsernameClaim).(string)
	if !ok {
		return nil, refuse("token: claim %q is not a string", j.opts.UsernameClaim)
	}
	if err := checkName(name); err != nil {
		return nil, refuse("token: claim %q: %w", j.opts.UsernameClaim, err)
	}
	p.Username = name
	if p.Roles, ok = roles(claim(claims, j.opts.RolesClaim)); !ok {
		return nil, refuse("token: claim %q is neither a string nor an array of strings", j.opts.RolesClaim)
	}
	return p, nil
}

// looksLikeToken tells a compact JWS, whose header is a JSON object and so begins
// with ey, from a password.
func looksLikeToken(password []byte) bool {
	s := string(password[:min(len(password), maxToken+1)])
	return strings.HasPrefix(s, "ey") && strings.Count(s, ".") == 2
}

// verify returns the payload of a token whose signature is right.
func (j *JWT) verify(token string) (json.RawMessage, *jwt.Claims, error) {
	if len(token) > maxToken {
		return nil, nil, refuse("token: over %d bytes", maxToken)
	}
	if !isCompact(token) {
		return nil, nil, refuse("token: not three parts of base64url")
	}
	set := j.keys.Load()
	parsed, err := jwt.ParseSigned(token, set.algs)
	if err != nil {
		return nil, nil, refuse("token: %w", err)
	}
	if len(parsed.Headers) != 1 {
		return nil, nil, refuse("token: %d signatures", len(parsed.Headers))
	}
	header := parsed.Headers[0]
	tried := false
	for _, k := range set.keys {
		if !k.serves(header.Algorithm) || header.KeyID != "" && k.id != "" && header.KeyID != k.id {
			continue
		}
		tried = true
		var payload json.RawMessage
		if parsed.Claims(k.key, &payload) != nil {
			continue
		}
		// Its decoder refuses names that come twice, which two readers could take differently.
		var std jwt.Claims
		var whole map[string]any
		if err := parsed.Claims(k.key, &std, &whole); err != nil {
			return nil, nil, refuse("token: claims: %w", err)
		}
		return slices.Clone(payload), &std, nil
	}
	if !tried {
		return nil, nil, refuse("token: no key for algorithm %.20q, key id %.100q", header.Algorithm, header.KeyID)
	}
	return nil, nil, refuse("token: wrong signature")
}

// isCompact reports whether a token is spelled in the one way that RFC 7515 section 7.1 has: the
// decoders of base64 skip line ends and take several spellings of the last character.
func isCompact(token string) bool {
	if strings.ContainsAny(token, "\r\n") || strings.Count(token, ".") != 2 {
		return false
	}
	for part := range strings.SplitSeq(token, ".") {
		if _, err := base64.RawURLEncoding.Strict().DecodeString(part); err != nil {
			return false
		}
	}
	return true
}

func (j *JWT) checkClaims(std *jwt.Claims) error {
	if std.Expiry == nil && !j.opts.DangerouslyAllowNoExpiry {
		return refuse("token: no exp claim")
	}
	if len(j.opts.Audience) == 0 && len(std.Audience) > 0 {
		return refuse("token: for audience %.100q, and the option Audience names none", std.Audience)
	}
	now := j.opts.Now()
	if std.Expiry != nil && !now.Add(-j.opts.Leeway).Before(std.Expiry.Time()) { // "on or after", RFC 7519 section 4.1.4
		return fmt.Errorf("%w at %s", ErrExpired, std.Expiry.Time().UTC().Format(time.RFC3339))
	}
	err := std.ValidateWithLeeway(jwt.Expected{
		Issuer: j.opts.Issuer, AnyAudience: jwt.Audience(j.opts.Audience), Time: now,
	}, j.opts.Leeway)
	if err != nil {
		return refuse("token: %w", err)
	}
	return nil
}

// claim finds a claim by its name or, when no claim has it, by the way through objects.
func claim(claims map[string]any, name string) any {
	if v, ok := claims[name]; ok {
		return v
	}
	first, rest, ok := strings.Cut(name, ".")
	if !ok {
		return nil
	}
	inner, _ := claims[first].(map[string]any)
	return claim(inner, rest)
}

// roles reads a claim with roles; none is no fault.
func roles(v any) (list []string, ok bool) {
	switch v := v.(type) {
	case nil:
		return nil, true
	case string:
		return strings.Fields(v), true
	case []any:
		for _, e := range v {
			s, ok := e.(string)
			if !ok || s == "" {
				return nil, false
			}
			list = append(list, s)
		}
		return list, true
	}
	return nil, false
}
