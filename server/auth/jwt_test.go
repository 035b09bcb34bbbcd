package auth_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"siomq/server/auth"
)

var (
	secret = []byte("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")
	noon   = time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)

	// keyPairs are made once: RSA takes its time.
	keyPairs = sync.OnceValue(func() (k struct {
		rsa, other, weak *rsa.PrivateKey
		p256, p384, p521 *ecdsa.PrivateKey
		ed               ed25519.PrivateKey
	}) {
		must := func(err error) {
			if err != nil {
				panic(err)
			}
		}
		var err error
		k.rsa, err = rsa.GenerateKey(rand.Reader, 2048)
		must(err)
		k.other, err = rsa.GenerateKey(rand.Reader, 2048)
		must(err)
		k.weak, err = rsa.GenerateKey(rand.Reader, 1024)
		must(err)
		k.p256, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		must(err)
		k.p384, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
		must(err)
		k.p521, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
		must(err)
		_, k.ed, err = ed25519.GenerateKey(rand.Reader)
		must(err)
		return k
	})
)

type claims = map[string]any

// standard are claims that are good at noon, with changes; nil takes one out.
func standard(changes claims) claims {
	c := claims{"sub": "alice", "exp": noon.Add(time.Hour).Unix()}
	for name, v := range changes {
		if c[name] = v; v == nil {
			delete(c, name)
		}
	}
	return c
}

func sign(t testing.TB, alg jose.SignatureAlgorithm, key any, kid string, c claims) string {
	t.Helper()
	payload, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return signBytes(t, alg, key, kid, payload)
}

func signBytes(t testing.TB, alg jose.SignatureAlgorithm, key any, kid string, payload []byte) string {
	t.Helper()
	o := &jose.SignerOptions{}
	if kid != "" {
		o.WithHeader("kid", kid)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, o)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	token, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// forge makes a token by hand, with an HMAC or with the signature that is given.
func forge(header, payload string, hmacKey, signature []byte) string {
	b64 := base64.RawURLEncoding.EncodeToString
	input := b64([]byte(header)) + "." + b64([]byte(payload))
	if hmacKey != nil {
		m := hmac.New(sha256.New, hmacKey)
		m.Write([]byte(input))
		signature = m.Sum(nil)
	}
	return input + "." + b64(signature)
}

func publicPEM(t testing.TB, public any) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func jwks(t testing.TB, keys ...jose.JSONWebKey) string {
	t.Helper()
	b, err := json.Marshal(jose.JSONWebKeySet{Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func newJWT(t testing.TB, o auth.JWTOptions) *auth.JWT {
	t.Helper()
	if o.Now == nil {
		o.Now = func() time.Time { return noon }
	}
	j, err := auth.NewJWT(&o)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func TestJWTAlgorithms(t *testing.T) {
	k := keyPairs()
	j := newJWT(t, auth.JWTOptions{
		Secret: secret,
		PublicKeyFiles: []string{
			write(t, "rsa.pem", publicPEM(t, k.rsa.Public())),
			write(t, "ec.pem", publicPEM(t, k.p256.Public())+publicPEM(t, k.p384.Public())+"text between\n"+publicPEM(t, k.p521.Public())),
			write(t, "ed.pem", publicPEM(t, k.ed.Public())),
		},
	})
	for alg, key := range map[jose.SignatureAlgorithm]any{
		"HS256": secret, "HS384": secret, "HS512": secret,
		"RS256": k.rsa, "RS384": k.rsa, "RS512": k.rsa, "PS256": k.rsa, "PS384": k.rsa, "PS512": k.rsa,
		"ES256": k.p256, "ES384": k.p384, "ES512": k.p521, "EdDSA": k.ed,
	} {
		for _, kid := range []string{"", "unknown to keys without an id"} {
			token := sign(t, alg, key, kid, standard(claims{"roles": []string{"teacher"}}))
			p, err := j.Authenticate(t.Context(), &auth.Credentials{Token: token})
			if err != nil || p.Username != "alice" || p.Method != "jwt" || !p.HasRole("teacher") || !p.Expires.Equal(noon.Add(time.Hour)) {
				t.Errorf("%s: got %+v, %v, want alice, a teacher", alg, p, err)
			}
		}
	}
}

// TestJWTAttacks holds what must never be let in. Each token would do if one check failed.
func TestJWTAttacks(t *testing.T) {
	k := keyPairs()
	rsaPEM := publicPEM(t, k.rsa.Public())
	rsaDER, _ := pem.Decode([]byte(rsaPEM))
	set := jwks(t,
		jose.JSONWebKey{Key: k.rsa.Public(), KeyID: "r", Algorithm: "RS256", Use: "sig"},
		jose.JSONWebKey{Key: k.p256.Public(), KeyID: "e"},
		jose.JSONWebKey{Key: k.other.Public(), KeyID: "enc", Use: "enc"},
	)
	j := newJWT(t, auth.JWTOptions{JWKSFile: write(t, "jwks", set), Issuer: "https://id", Audience: []string{"siomq", "other"}})
	good := claims{"iss": "https://id", "aud": []string{"x", "siomq"}}
	with := func(name string, v any) claims {
		c := claims{"iss": good["iss"], "aud": good["aud"]}
		c[name] = v
		return standard(c)
	}
	payload, _ := json.Marshal(standard(good))
	rs := func(c claims) string { return sign(t, jose.RS256, k.rsa, "r", c) }
	valid := rs(standard(good))
	parts := strings.Split(valid, ".")
	otherJWK, _ := json.Marshal(jose.JSONWebKey{Key: k.other.Public()})
	signOther := func(header string) string {
		input := forge(header, string(payload), nil, nil)
		digest := sha256.Sum256([]byte(strings.TrimSuffix(input, ".")))
		signature, err := rsa.SignPKCS1v15(nil, k.other, crypto.SHA256, digest[:])
		if err != nil {
			t.Fatal(err)
		}
		return forge(header, string(payload), nil, signature)
	}
	tests := []struct {
		name, token string
		want        error
	}{
		{"the valid one", valid, nil},
		{"exp within the leeway", rs(with("exp", noon.Add(-29*time.Second).Unix())), nil},
		{"nbf within the leeway", rs(with("nbf", noon.Add(29*time.Second).Unix())), nil},
		{"one audience, as a string", rs(with("aud", "other")), nil},

		{"alg none", forge(`{"alg":"none"}`, string(payload), nil, nil), auth.ErrNotAuthorized},
		{"alg None", forge(`{"alg":"None","kid":"r"}`, string(payload), nil, nil), auth.ErrNotAuthorized},
		{"alg nOnE with a signature", forge(`{"alg":"nOnE"}`, string(payload), secret, nil), auth.ErrNotAuthorized},
		{"alg empty", forge(`{"alg":""}`, string(payload), nil, nil), auth.ErrNotAuthorized},
		{"no alg", forge(`{"typ":"JWT"}`, string(payload), secret, nil), auth.ErrNotAuthorized},
		{"HMAC with the public key as PEM", forge(`{"alg":"HS256","kid":"r"}`, string(payload), []byte(rsaPEM), nil), auth.ErrNotAuthorized},
		{"HMAC with the public key as DER", forge(`{"alg":"HS256"}`, string(payload), rsaDER.Bytes, nil), auth.ErrNotAuthorized},
		{"HMAC with the modulus", forge(`{"alg":"HS256"}`, string(payload), k.rsa.N.Bytes(), nil), auth.ErrNotAuthorized},
		{"HMAC with an empty key", forge(`{"alg":"HS256"}`, string(payload), []byte{}, nil), auth.ErrNotAuthorized},
		{"another RSA algorithm than the key's alg", sign(t, jose.RS512, k.rsa, "r", standard(good)), auth.ErrNotAuthorized},
		{"PSS instead of PKCS #1", sign(t, jose.PS256, k.rsa, "r", standard(good)), auth.ErrNotAuthorized},
		{"another key", sign(t, jose.RS256, k.other, "r", standard(good)), auth.ErrNotAuthorized},
		{"another key without kid", sign(t, jose.RS256, k.other, "", standard(good)), auth.ErrNotAuthorized},
		{"the key for encryption", sign(t, jose.RS256, k.other, "enc", standard(good)), auth.ErrNotAuthorized},
		{"another curve", sign(t, jose.ES384, k.p384, "e", standard(good)), auth.ErrNotAuthorized},
		{"unknown kid", sign(t, jose.RS256, k.rsa, "x", standard(good)), auth.ErrNotAuthorized},
		{"kid of another type of key", sign(t, jose.RS256, k.rsa, "e", standard(good)), auth.ErrNotAuthorized},
		{"kid that is a path", sign(t, jose.RS256, k.other, "../../dev/null", standard(good)), auth.ErrNotAuthorized},
		{"key in the token", signOther(`{"alg":"RS256","jwk":` + string(otherJWK) + `}`), auth.ErrNotAuthorized},
		{"key by address", signOther(`{"alg":"RS256","jku":"https://evil.example/jwks","x5u":"https://evil.example/c"}`), auth.ErrNotAuthorized},
		{"ES256 with a signature of zeros", forge(`{"alg":"ES256"}`, string(payload), nil, make([]byte, 64)), auth.ErrNotAuthorized},
		{"ES256 with an empty signature", forge(`{"alg":"ES256"}`, string(payload), nil, nil), auth.ErrNotAuthorized},

		{"payload changed", parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(payload), "alice", "admin", 1))) + "." + parts[2], auth.ErrNotAuthorized},
		{"header changed", base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256"}`)) + "." + parts[1] + "." + parts[2], auth.ErrNotAuthorized},
		{"signature cut", valid[:len(valid)-4], auth.ErrNotAuthorized},
		{"signature gone", parts[0] + "." + parts[1] + ".", auth.ErrNotAuthorized},
		{"two parts", parts[0] + "." + parts[1], auth.ErrNotAuthorized},
		{"four parts", valid + ".x", auth.ErrNotAuthorized},
		{"five parts, encrypted", parts[0] + ".." + parts[1] + "." + parts[1] + "." + parts[2], auth.ErrNotAuthorized},
		{"JSON serialization", `{"payload":"` + parts[1] + `","signatures":[{"protected":"` + parts[0] + `","signature":"` + parts[2] + `"}]}`, auth.ErrNotAuthorized},
		{"padding", valid + "==", auth.ErrNotAuthorized},
		{"line end within", parts[0] + "\n." + parts[1] + "." + parts[2], auth.ErrNotAuthorized},
		{"dots", "..", auth.ErrNotAuthorized},
		{"no token", "hunter2", auth.ErrNotAuthorized},
		{"huge", strings.Repeat("A", 1<<20) + "." + parts[1] + "." + parts[2], auth.ErrNotAuthorized},
		{"huge but valid", rs(with("x", strings.Repeat("A", 16<<10))), auth.ErrNotAuthorized},

		{"expired", rs(with("exp", noon.Add(-31*time.Second).Unix())), auth.ErrExpired},
		{"expired at the leeway", rs(with("exp", noon.Add(-30*time.Second).Unix())), auth.ErrExpired},
		{"no exp", rs(with("exp", nil)), auth.ErrNotAuthorized},
		{"exp null", signBytes(t, jose.RS256, k.rsa, "r", []byte(`{"sub":"a","iss":"https://id","aud":"siomq","exp":null}`)), auth.ErrNotAuthorized},
		{"exp a string", rs(with("exp", "2040-01-01")), auth.ErrNotAuthorized},
		{"exp over all limits", signBytes(t, jose.RS256, k.rsa, "r", []byte(`{"sub":"a","iss":"https://id","aud":"siomq","exp":1e300}`)), auth.ErrNotAuthorized},
		{"exp twice", signBytes(t, jose.RS256, k.rsa, "r", []byte(`{"sub":"a","iss":"https://id","aud":"siomq","exp":1,"exp":9999999999}`)), auth.ErrNotAuthorized},
		{"not yet", rs(with("nbf", noon.Add(31*time.Second).Unix())), auth.ErrNotAuthorized},
		{"issued in the future", rs(with("iat", noon.Add(time.Minute).Unix())), auth.ErrNotAuthorized},
		{"wrong audience", rs(with("aud", []string{"x"})), auth.ErrNotAuthorized},
		{"audience is a prefix", rs(with("aud", "siom")), auth.ErrNotAuthorized},
		{"no audience", rs(with("aud", nil)), auth.ErrNotAuthorized},
		{"wrong issuer", rs(with("iss", "https://id/")), auth.ErrNotAuthorized},
		{"no issuer", rs(with("iss", nil)), auth.ErrNotAuthorized},
		{"no name", rs(with("sub", nil)), auth.ErrNotAuthorized},
		{"empty name", rs(with("sub", "")), auth.ErrNotAuthorized},
		{"name is no string", rs(with("sub", 7)), auth.ErrNotAuthorized},
		{"name with a line end", rs(with("sub", "a\nb")), auth.ErrNotAuthorized},
		{"roles are numbers", rs(with("roles", []int{1})), auth.ErrNotAuthorized},
		{"roles are an object", rs(with("roles", claims{"admin": true})), auth.ErrNotAuthorized},
		{"claims are no object", signBytes(t, jose.RS256, k.rsa, "r", []byte(`["a"]`)), auth.ErrNotAuthorized},
		{"claims are null", signBytes(t, jose.RS256, k.rsa, "r", []byte(`null`)), auth.ErrNotAuthorized},
		{"claims are no JSON", signBytes(t, jose.RS256, k.rsa, "r", []byte(`{`)), auth.ErrNotAuthorized},
		{"deep claims", rs(with("x", json.RawMessage(strings.Repeat("[", 5000)+strings.Repeat("]", 5000)))), nil},
		{"unknown critical header", signOther(`{"alg":"RS256","crit":["x"],"x":1}`), auth.ErrNotAuthorized},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, c := range []*auth.Credentials{{Token: tt.token}, {Username: "admin", Password: []byte(tt.token)}} {
				p, err := j.Authenticate(t.Context(), c)
				if tt.want == nil {
					if err != nil || p.Username != "alice" {
						t.Errorf("got %v, %v, want alice", p, err)
					}
					continue
				}
				if p != nil || !errors.Is(err, auth.ErrNotAuthorized) || c.Token != "" && !errors.Is(err, tt.want) {
					t.Errorf("got %v, %v, want %v", p, err, tt.want)
				}
				if err != nil && len(err.Error()) > 500 {
					t.Errorf("an error of %d bytes", len(err.Error()))
				}
			}
		})
	}
}

func TestJWTCriticalHeader(t *testing.T) {
	j := newJWT(t, auth.JWTOptions{Secret: secret})
	payload, _ := json.Marshal(standard(nil))
	for header, want := range map[string]bool{
		`{"alg":"HS256"}`:                            true,
		`{"alg":"HS256","typ":"at+jwt"}`:             true,
		`{"alg":"HS256","crit":["exp"],"exp":1}`:     false,
		`{"alg":"HS256","crit":["x"],"x":1}`:         false,
		`{"alg":"HS256","b64":false,"crit":["b64"]}`: false,
		`{"alg":"HS256","alg":"none"}`:               false,
	} {
		_, err := j.Authenticate(t.Context(), &auth.Credentials{Token: forge(header, string(payload), secret, nil)})
		if (err == nil) != want {
			t.Errorf("header %s: got %v, want accepted %t", header, err, want)
		}
	}
}

func TestJWTOptions(t *testing.T) {
	hs := func(c claims) string { return sign(t, jose.HS256, secret, "", standard(c)) }
	nested := claims{"realm": claims{"roles": []string{"a", "b"}}, "https://x.example/roles": "c d", "name": "Al"}
	tests := []struct {
		name  string
		o     auth.JWTOptions
		token string
		want  string // name and roles, "" for a refusal
	}{
		{"defaults", auth.JWTOptions{}, hs(nil), "alice []"},
		{"roles as a string", auth.JWTOptions{}, hs(claims{"roles": " a  b "}), "alice [a b]"},
		{"no roles", auth.JWTOptions{}, hs(claims{"roles": []string{}}), "alice []"},
		{"an empty role", auth.JWTOptions{}, hs(claims{"roles": []string{""}}), ""},
		{"way through objects", auth.JWTOptions{RolesClaim: "realm.roles"}, hs(nested), "alice [a b]"},
		{"dots in the name itself", auth.JWTOptions{RolesClaim: "https://x.example/roles"}, hs(nested), "alice [c d]"},
		{"no such way", auth.JWTOptions{RolesClaim: "realm.x.y"}, hs(nested), "alice []"},
		{"other name", auth.JWTOptions{UsernameClaim: "name"}, hs(nested), "Al []"},
		{"no such name", auth.JWTOptions{UsernameClaim: "email"}, hs(nested), ""},
		{"audience without the option", auth.JWTOptions{}, hs(claims{"aud": "siomq"}), ""},
		{"no exp", auth.JWTOptions{}, hs(claims{"exp": nil}), ""},
		{"no exp, allowed", auth.JWTOptions{DangerouslyAllowNoExpiry: true}, hs(claims{"exp": nil}), "alice []"},
		{"expired all the same", auth.JWTOptions{DangerouslyAllowNoExpiry: true}, hs(claims{"exp": 1}), ""},
		{"more leeway", auth.JWTOptions{Leeway: time.Hour}, hs(claims{"exp": noon.Add(-time.Minute).Unix()}), "alice []"},
		{"no leeway", auth.JWTOptions{Leeway: -1}, hs(claims{"exp": noon.Unix()}), ""},
		{"no leeway, a second left", auth.JWTOptions{Leeway: -1}, hs(claims{"exp": noon.Unix() + 1}), "alice []"},
		{"algorithm allowed", auth.JWTOptions{Algorithms: []string{"HS256"}}, hs(nil), "alice []"},
		{"algorithm not allowed", auth.JWTOptions{Algorithms: []string{"HS512"}}, hs(nil), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.o.Secret = secret
			p, err := newJWT(t, tt.o).Authenticate(t.Context(), &auth.Credentials{Token: tt.token})
			got := ""
			if err == nil {
				got = p.Username + " [" + strings.Join(p.Roles, " ") + "]"
			}
			if got != tt.want {
				t.Errorf("got %q, %v, want %q", got, err, tt.want)
			}
		})
	}
}

func TestJWTWhereTheTokenIs(t *testing.T) {
	j := newJWT(t, auth.JWTOptions{Secret: secret})
	token := sign(t, jose.HS256, secret, "", standard(nil))
	tests := []struct {
		name        string
		credentials auth.Credentials
		want        error
	}{
		{"token", auth.Credentials{Token: token}, nil},
		{"password", auth.Credentials{Username: "jwt", Password: []byte(token)}, nil},
		{"password without a name", auth.Credentials{Password: []byte(token)}, nil},
		{"the token comes first", auth.Credentials{Token: "x", Password: []byte(token)}, auth.ErrNotAuthorized},
		{"another password", auth.Credentials{Username: "alice", Password: []byte("secret")}, auth.ErrNoCredentials},
		{"a password with dots", auth.Credentials{Username: "alice", Password: []byte("a.b.c")}, auth.ErrNoCredentials},
		{"user name", auth.Credentials{Username: token}, auth.ErrNoCredentials},
		{"nothing", auth.Credentials{}, auth.ErrNoCredentials},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := j.Authenticate(t.Context(), &tt.credentials)
			if !errors.Is(err, tt.want) || (p == nil) != (err != nil) {
				t.Errorf("got %v, %v, want %v", p, err, tt.want)
			}
			if tt.want == auth.ErrNotAuthorized && errors.Is(err, auth.ErrNoCredentials) {
				t.Errorf("got %v, want a refusal", err)
			}
		})
	}
}

func TestJWTKeys(t *testing.T) {
	k := keyPairs()
	privateDER, err := x509.MarshalPKCS8PrivateKey(k.rsa)
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	rsaPEM := publicPEM(t, k.rsa.Public())
	one := func(key any) string { return jwks(t, jose.JSONWebKey{Key: key}) }
	p := func(name, content string) auth.JWTOptions {
		return auth.JWTOptions{PublicKeyFiles: []string{write(t, name, content)}}
	}
	set := func(content string) auth.JWTOptions { return auth.JWTOptions{JWKSFile: write(t, "jwks", content)} }
	file := func(content string) auth.JWTOptions { return auth.JWTOptions{SecretFile: write(t, "secret", content)} }
	tests := []struct {
		name string
		o    auth.JWTOptions
		want string // in the error, "" for none
	}{
		{"nothing", auth.JWTOptions{}, "no key"},
		{"secret", auth.JWTOptions{Secret: secret[:32]}, ""},
		{"short secret", auth.JWTOptions{Secret: secret[:31]}, "31 bytes"},
		{"empty secret", auth.JWTOptions{Secret: []byte{}}, "0 bytes"},
		{"public key as secret", auth.JWTOptions{Secret: []byte(rsaPEM)}, "PEM"},
		{"secret file", file(string(secret) + "\n"), ""},
		{"short secret file", file(string(secret[:31]) + "\r\n"), "31 bytes"},
		{"public key as secret file", file(rsaPEM), "PEM"},
		{"no such file", auth.JWTOptions{SecretFile: "/nonexistent"}, "SecretFile"},
		{"PKCS #1", p("k", block("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&k.rsa.PublicKey))), ""},
		{"private key", p("k", block("PRIVATE KEY", privateDER)), "private"},
		{"private key behind a public one", p("k", rsaPEM+block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(k.rsa))), "block 2"},
		{"short RSA key", p("k", publicPEM(t, k.weak.Public())), "1024 bits"},
		{"unknown block", p("k", block("DH PARAMETERS", nil)), "DH PARAMETERS"},
		{"broken block", p("k", block("PUBLIC KEY", []byte("x"))), "block 1"},
		{"no block", p("k", "hello"), "no PEM block"},
		{"huge file", p("k", strings.Repeat("x", 2<<20)), "over"},
		{"JWK Set", set(one(k.ed.Public())), ""},
		{"private keys in a JWK Set count by their public half", set(one(k.rsa)), ""},
		{"secret in a JWK Set", set(one(secret)), ""},
		{"short secret in a JWK Set", set(one(secret[:31])), "31 bytes"},
		{"short RSA key in a JWK Set", set(one(k.weak.Public())), "1024 bits"},
		{"unknown kind beside a known one", set(`{"keys":[{"kty":"new"},` + one(k.ed.Public())[len(`{"keys":[`):]), ""},
		{"only unknown kinds", set(`{"keys":[{"kty":"new"}]}`), "no key"},
		{"no kind", set(`{"keys":[{}]}`), "key 1"},
		{"only for encryption", set(jwks(t, jose.JSONWebKey{Key: k.rsa.Public(), Use: "enc"})), "no key"},
		{"only for signing", set(strings.Replace(one(k.ed.Public()), `{"kty"`, `{"key_ops":["sign"],"kty"`, 1)), "no key"},
		{"for verifying", set(strings.Replace(one(k.ed.Public()), `{"kty"`, `{"key_ops":["verify"],"kty"`, 1)), ""},
		{"alg of another kind", set(jwks(t, jose.JSONWebKey{Key: k.rsa.Public(), Algorithm: "HS256"})), "alg"},
		{"alg none", set(jwks(t, jose.JSONWebKey{Key: secret, Algorithm: "none"})), "alg"},
		{"point off the curve", set(`{"keys":[{"kty":"EC","crv":"P-256","x":"` + strings.Repeat("A", 42) + `E","y":"` + strings.Repeat("A", 42) + `E"}]}`), "key 1"},
		{"a single key is no set", set(strings.TrimSuffix(one(k.ed.Public())[len(`{"keys":[`):], "]}")), "no key"},
		{"no JSON", set("x"), "JWK Set"},
		{"too many", set(jwks(t, slices.Repeat([]jose.JSONWebKey{{Key: k.ed.Public()}}, 101)...)), "101 keys"},
		{"unknown algorithm", auth.JWTOptions{Secret: secret, Algorithms: []string{"HS256", "none"}}, `"none"`},
		{"algorithm without key", auth.JWTOptions{Secret: secret, Algorithms: []string{"RS256"}}, `"RS256"`},
		{"no algorithm", auth.JWTOptions{Secret: secret, Algorithms: []string{}}, "Algorithms"},
		{"empty audience", auth.JWTOptions{Secret: secret, Audience: []string{""}}, "Audience"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := auth.NewJWT(&tt.o)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
	if _, err := auth.NewJWT(nil); err == nil {
		t.Error("no options: got no error")
	}
}

func TestJWTReload(t *testing.T) {
	k := keyPairs()
	path := filepath.Join(t.TempDir(), "jwks")
	replace := func(content string) {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	replace(jwks(t, jose.JSONWebKey{Key: k.p256.Public(), KeyID: "old"}))
	j := newJWT(t, auth.JWTOptions{JWKSFile: path})
	may := func(key *ecdsa.PrivateKey, alg jose.SignatureAlgorithm, kid string) bool {
		_, err := j.Authenticate(t.Context(), &auth.Credentials{Token: sign(t, alg, key, kid, standard(nil))})
		return err == nil
	}
	if !may(k.p256, jose.ES256, "old") || may(k.p384, jose.ES384, "new") {
		t.Error("at first: want the old key")
	}
	replace(`{"keys":`)
	if err := j.Reload(); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("broken file: got %v, want an error with its path", err)
	}
	if !may(k.p256, jose.ES256, "old") {
		t.Error("after the broken file: want the old key")
	}
	replace(jwks(t, jose.JSONWebKey{Key: k.p384.Public(), KeyID: "new"}))
	if err := j.Reload(); err != nil {
		t.Fatal(err)
	}
	if may(k.p256, jose.ES256, "old") || !may(k.p384, jose.ES384, "new") {
		t.Error("after the new file: want the new key")
	}
}
