package auth_test

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"siomq/server/auth"
)

// says is an Authenticator with a fixed answer.
func says(p *auth.Principal, err error) auth.Authenticator {
	return auth.Func(func(context.Context, *auth.Credentials) (*auth.Principal, error) { return p, err })
}

func TestAny(t *testing.T) {
	alice, bob := &auth.Principal{Username: "alice"}, &auth.Principal{Username: "bob"}
	down := errors.New("database down")
	none := says(nil, auth.ErrNoCredentials)
	no := says(nil, auth.ErrNotAuthorized)
	tests := []struct {
		name    string
		as      []auth.Authenticator
		want    *auth.Principal
		wantErr error
	}{
		{"nobody to ask", nil, nil, auth.ErrNoCredentials},
		{"nil is left out", []auth.Authenticator{nil, says(alice, nil)}, alice, nil},
		{"the first that accepts", []auth.Authenticator{no, says(alice, nil), says(bob, nil)}, alice, nil},
		{"acceptance after a failure", []auth.Authenticator{says(nil, down), says(bob, nil)}, bob, nil},
		{"nothing for anybody", []auth.Authenticator{none, none}, nil, auth.ErrNoCredentials},
		{"a refusal tells more than nothing", []auth.Authenticator{none, no, none}, nil, auth.ErrNotAuthorized},
		{"expired tells more than a refusal", []auth.Authenticator{no, says(nil, auth.ErrExpired), no}, nil, auth.ErrExpired},
		{"a failure tells most", []auth.Authenticator{says(nil, auth.ErrExpired), says(nil, down), no}, nil, down},
		{"busy is a failure", []auth.Authenticator{no, says(nil, auth.ErrBusy)}, nil, auth.ErrBusy},
		{"a function that answers nothing refuses", []auth.Authenticator{says(nil, nil)}, nil, auth.ErrNotAuthorized},
		{"no function refuses", []auth.Authenticator{auth.Func(nil)}, nil, auth.ErrNotAuthorized},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := auth.Any(tt.as...).Authenticate(t.Context(), &auth.Credentials{})
			if got != tt.want || !errors.Is(err, tt.wantErr) {
				t.Errorf("got %v, %v, want %v, %v", got, err, tt.want, tt.wantErr)
			}
			if tt.wantErr == auth.ErrNotAuthorized && errors.Is(err, auth.ErrNoCredentials) {
				t.Errorf("got %v, want the refusal", err)
			}
		})
	}
}

func TestAnyStopsWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	asked := 0
	a := auth.Func(func(context.Context, *auth.Credentials) (*auth.Principal, error) {
		asked++
		cancel()
		return nil, auth.ErrNotAuthorized
	})
	if _, err := auth.Any(a, a).Authenticate(ctx, &auth.Credentials{}); err == nil || asked != 1 {
		t.Errorf("asked %d times with error %v, want once and an error", asked, err)
	}
}

func TestAnonymous(t *testing.T) {
	tests := []struct {
		name        string
		credentials auth.Credentials
		want        bool
	}{
		{"nothing", auth.Credentials{ClientID: "c", Address: "127.0.0.1:1"}, true},
		{"a certificate", auth.Credentials{Certificates: []*x509.Certificate{{}}}, true},
		{"user name", auth.Credentials{Username: "alice"}, false},
		{"password", auth.Credentials{Password: []byte("x")}, false},
		{"empty password", auth.Credentials{Password: []byte{}}, true},
		{"token", auth.Credentials{Token: "x"}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := auth.Anonymous().Authenticate(t.Context(), &tt.credentials)
			if (err == nil) != tt.want || err != nil && !errors.Is(err, auth.ErrNotAuthorized) {
				t.Errorf("Anonymous: got %v, %v, want let in %t", p, err, tt.want)
			}
			if p != nil && p.Username != "" {
				t.Errorf("Anonymous: got the name %q, want none", p.Username)
			}
			if p, err := auth.Everyone().Authenticate(t.Context(), &tt.credentials); err != nil || p.Username != "" {
				t.Errorf("Everyone: got %v, %v, want nobody and no error", p, err)
			}
		})
	}
}

func TestWithRoles(t *testing.T) {
	table := map[string][]string{"alice": {"admin", "teacher"}, "": {"admin"}}
	inner := &auth.Principal{Username: "alice", Roles: []string{"teacher"}}
	a := auth.WithRoles(says(inner, nil), table)
	table["alice"][0] = "changed"
	p, err := a.Authenticate(t.Context(), &auth.Credentials{})
	if err != nil || !slices.Equal(p.Roles, []string{"teacher", "admin"}) {
		t.Errorf("got %v, %v, want teacher and admin", p, err)
	}
	if len(inner.Roles) != 1 {
		t.Errorf("the inner principal has %v, want it unchanged", inner.Roles)
	}
	if p, _ := auth.WithRoles(auth.Anonymous(), table).Authenticate(t.Context(), &auth.Credentials{}); len(p.Roles) != 0 {
		t.Errorf("nobody has roles %v, want none", p.Roles)
	}
	var none *auth.Principal
	if !p.HasRole("admin") || p.HasRole("root") || none.HasRole("admin") {
		t.Error("HasRole: wrong")
	}
}

func TestFromHandshake(t *testing.T) {
	tests := []struct {
		name, object, header  string
		token, user, password string
		wantError             bool
	}{
		{name: "nothing"},
		{name: "token", object: `{"token":"abc"}`, token: "abc"},
		{name: "user and password", object: `{"username":"alice","password":"p"}`, user: "alice", password: "p"},
		{name: "empty password", object: `{"username":"alice","password":""}`, user: "alice"},
		{name: "null is absent", object: `{"token":null,"password":null}`},
		{name: "header", header: "Bearer abc", token: "abc"},
		{name: "scheme in any case", header: "bEARER  abc ", token: "abc"},
		{name: "the object comes first", object: `{"token":"abc"}`, header: "Bearer def", token: "abc"},
		{name: "Basic is not taken", header: "Basic YTpi"},
		{name: "header without token", header: "Bearer"},
		{name: "names are exact", object: `{"Token":"abc"}`},
		{name: "other members do not matter", object: `{"token":"abc","session":{"token":1}}`, token: "abc"},
		{name: "no object", object: `"abc"`},
		{name: "no JSON", object: `{`},
		{name: "token is no string", object: `{"token":{"a":1}}`, wantError: true},
		{name: "password is no string", object: `{"password":1}`, wantError: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := auth.FromHandshake([]byte(tt.object), http.Header{"Authorization": {tt.header}})
			if tt.wantError {
				if !errors.Is(err, auth.ErrNotAuthorized) {
					t.Fatalf("got %v, %v, want ErrNotAuthorized", c, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if c.Token != tt.token || c.Username != tt.user || string(c.Password) != tt.password || c.Via != auth.SocketIO {
				t.Errorf("got token %q, user %q, password %q, via %q", c.Token, c.Username, c.Password, c.Via)
			}
		})
	}
}

func TestCredentialsHideTheirSecrets(t *testing.T) {
	c := &auth.Credentials{Username: "alice", Password: []byte("hunter2"), Token: "hunter3"}
	encoded, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{fmt.Sprint(c), fmt.Sprintf("%+v", c), fmt.Sprintf("%#v", c), string(encoded)} {
		if strings.Contains(s, "hunter") || strings.Contains(s, "aHVudGVyM") || !strings.Contains(s, "alice") {
			t.Errorf("got %s, want the name and no secret", s)
		}
	}
	if got := (*auth.Credentials)(nil).String(); got != "no credentials" {
		t.Errorf("got %q", got)
	}
}
