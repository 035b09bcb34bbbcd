package auth

import (
	"encoding/json"
	"net/http"
	"strings"
)

// FromHandshake returns what a Socket.IO handshake holds: token, username and
// password of the auth object, and the Authorization header of the request
// (Bearer only, RFC 6750 section 2.1) where the object has no token. ClientID,
// Certificates and Address are left to the caller.
//
// The query is not looked at, since URLs end up in logs; nor is Basic
// authentication, which browsers add to requests of other sites by themselves.
// An auth object that is no object has no credentials: applications put
// there what they like. Members of these names that are no strings are refused.
func FromHandshake(authObject []byte, header http.Header) (*Credentials, error) {
	c := &Credentials{Via: SocketIO}
	var members map[string]json.RawMessage
	if len(authObject) > 0 && json.Unmarshal(authObject, &members) == nil {
		var password string
		for name, to := range map[string]any{"token": &c.Token, "username": &c.Username, "password": &password} {
			raw, ok := members[name]
			if ok && json.Unmarshal(raw, to) != nil {
				return nil, refuse("auth object: %s is not a string", name)
			}
		}
		c.Password = []byte(password)
	}
	if c.Token == "" {
		c.Token = bearer(header.Get("Authorization"))
	}
	return c, nil
}

// bearer returns the token of an Authorization header, "" without one. The
// scheme is case-insensitive (RFC 9110 section 11.1).
func bearer(value string) string {
	scheme, token, _ := strings.Cut(value, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.Trim(token, " ")
}
