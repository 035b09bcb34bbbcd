package auth_test

import (
	"crypto/x509"
	"encoding/hex"
	"errors"
	"os"
	"strings"
	"testing"

	"siomq/server/auth"
)

// FuzzPasswordFile: a file is taken whole or refused with a line that it has, without showing
// what stands there; and one that is taken stays so when a user is set.
func FuzzPasswordFile(f *testing.F) {
	for _, seed := range []string{
		"", "# comment\n\n", aliceLine, bobLine + "\r\n" + emptyLine, umlauts + "\n" + aliceLine + "\n",
		"alice:secret", "x:$7$1$$", "x:$6$a$b$c", ":", "\xef\xbb\xbf", "a:$argon2id$", strings.Repeat("\n", 99) + "x",
	} {
		f.Add(seed)
	}
	path := f.TempDir() + "/passwd"
	f.Fuzz(func(t *testing.T, content string) {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		before, err := auth.OpenUsers(path, nil)
		if err != nil {
			var fault *auth.FileError
			if !errors.As(err, &fault) || fault.Line < 1 || fault.Line > strings.Count(content, "\n")+1 {
				t.Fatalf("got %v, want a FileError with a line of the file", err)
			}
		}
		if err := auth.SetPassword(path, "zoe", []byte("secret"), &cheap); err != nil {
			t.Fatal(err)
		}
		after, err := auth.OpenUsers(path, nil)
		if before == nil {
			return // setting zoe may have mended it, or not
		}
		if err != nil || after.Stats().Users < max(1, before.Stats().Users) || after.Stats().Users > before.Stats().Users+1 {
			t.Fatalf("after setting a user: %v", err)
		}
		if _, err := after.Authenticate(t.Context(), login("zoe", "secret")); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzJWT: nothing without the key is let in, and nothing panics.
func FuzzJWT(f *testing.F) {
	j := newJWT(f, auth.JWTOptions{Secret: secret})
	valid := sign(f, "HS256", secret, "", standard(nil))
	for _, seed := range []string{
		valid, valid[:len(valid)-1], "..", "ey.ey.ey", forge(`{"alg":"none"}`, `{}`, nil, nil),
		forge(`{"alg":"HS256","crit":[]}`, `{"sub":1}`, secret, nil),
		forge(`{"alg":"HS256"}`, `{"sub":"a","exp":1e400}`, secret, nil),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		p, err := j.Authenticate(t.Context(), &auth.Credentials{Token: token})
		if err == nil && token != valid {
			t.Fatalf("token %q let %v in", token, p)
		}
	})
}

// FuzzSubject: what an authority has signed does not panic, and no name holds a control character.
func FuzzSubject(f *testing.F) {
	for _, s := range subjects {
		raw, err := hex.DecodeString(s.der)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, name := range []auth.CertificateName{auth.CommonName, auth.Subject} {
			a, err := auth.Certificates(&auth.CertificateOptions{Name: name})
			if err != nil {
				t.Fatal(err)
			}
			p, err := a.Authenticate(t.Context(), &auth.Credentials{Certificates: []*x509.Certificate{{RawSubject: raw}}})
			if err == nil && (p.Username == "" || strings.ContainsAny(p.Username, "\x00\n\r")) {
				t.Fatalf("got the name %q", p.Username)
			}
		}
	})
}
