package auth_test

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"errors"
	"math/big"
	"net/url"
	"strings"
	"testing"
	"time"

	"siomq/server/auth"
)

// Subjects as OpenSSL encoded them, with what `openssl x509 -nameopt RFC2253 -subject` prints.
var subjects = []struct{ name, der, rfc2253, cn string }{
	{"comma", "3034310b300906035504061302424531193017060355040a0c10486f776573742c204b6f727472696a6b310a3008060355040b0c0141",
		`OU=A,O=Howest\, Kortrijk,C=BE`, ""},
	{"letters outside ASCII", "3010310e300c06035504030c05c3bc6ec3af", `CN=\C3\BCn\C3\AF`, "ünï"},
	{"number sign, email", "3032310a3008060355040a0c0178310e300c06035504030c05236c6561643114301206092a864886f70d01090116056140622e63",
		`emailAddress=a@b.c,CN=\#lead,O=x`, "#lead"},
	{"domain, user id, escapes", "305831133011060a0992268993f22c64011916036f726731173015060a0992268993f22c64011916076578616d706c653111300f060a0992268993f22c6401010c01373115301306035504030c0c612f6222633b643c653e5c66",
		`CN=a/b\"c\;d\<e\>\\f,UID=7,DC=example,DC=org`, `a/b"c;d<e>\f`},
	{"two in one part", "3023310a3008060355040a0c016f3115300806035504030c01613009060355040513023132", "serialNumber=12+CN=a,O=o", "a"},
	{"blanks around", "301b310a3008060355040a0c016f310d300b06035504030c0420737020", `CN=\ sp\ ,O=o`, " sp "},
}

func TestCertificateSubjects(t *testing.T) {
	for _, tt := range subjects {
		t.Run(tt.name, func(t *testing.T) {
			raw, err := hex.DecodeString(tt.der)
			if err != nil {
				t.Fatal(err)
			}
			c := &auth.Credentials{Certificates: []*x509.Certificate{{RawSubject: raw}}}
			p, err := certificates(t, nil).Authenticate(t.Context(), c)
			if tt.cn == "" && !errors.Is(err, auth.ErrNotAuthorized) || tt.cn != "" && (err != nil || p.Username != tt.cn) {
				t.Errorf("CommonName: got %v, %v, want %q", p, err, tt.cn)
			}
			p, err = certificates(t, &auth.CertificateOptions{Name: auth.Subject}).Authenticate(t.Context(), c)
			if err != nil || p.Username != tt.rfc2253 {
				t.Errorf("Subject: got %v, %v, want %q", p, err, tt.rfc2253)
			}
		})
	}
}

func certificates(t *testing.T, o *auth.CertificateOptions) auth.Authenticator {
	t.Helper()
	a, err := auth.Certificates(o)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// issue makes a certificate; parent nil makes it an authority.
func issue(t *testing.T, template x509.Certificate, parent *x509.Certificate) *x509.Certificate {
	t.Helper()
	key := keyPairs().p256
	template.SerialNumber = big.NewInt(1)
	template.NotBefore, template.NotAfter = noon.Add(-time.Hour), noon.Add(time.Hour)
	if parent == nil {
		template.IsCA, template.BasicConstraintsValid, parent = true, true, &template
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, parent, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func TestCertificates(t *testing.T) {
	client := []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	ca := issue(t, x509.Certificate{Subject: pkix.Name{CommonName: "authority"}}, nil)
	roots := x509.NewCertPool()
	roots.AddCert(ca)
	uri, _ := url.Parse("spiffe://howest/sensor")
	sensor := issue(t, x509.Certificate{
		Subject: pkix.Name{CommonName: "sensor", Organization: []string{"Howest"}}, ExtKeyUsage: client,
		DNSNames: []string{"sensor.local"}, EmailAddresses: []string{"a@b.c", "d@e.f"}, URIs: []*url.URL{uri},
	}, ca)
	server := issue(t, x509.Certificate{Subject: pkix.Name{CommonName: "server"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}, ca)
	stranger := issue(t, x509.Certificate{Subject: pkix.Name{CommonName: "stranger"}, ExtKeyUsage: client}, nil)
	zero := issue(t, x509.Certificate{Subject: pkix.Name{CommonName: "admin\x00.evil"}}, ca)
	nameless := issue(t, x509.Certificate{Subject: pkix.Name{Organization: []string{"Howest"}}}, ca)
	at := func(d time.Duration) func() time.Time { return func() time.Time { return noon.Add(d) } }

	tests := []struct {
		name  string
		o     auth.CertificateOptions
		chain []*x509.Certificate
		want  string // "" for a refusal
	}{
		{"common name", auth.CertificateOptions{}, []*x509.Certificate{sensor, ca}, "sensor"},
		{"subject", auth.CertificateOptions{Name: auth.Subject}, []*x509.Certificate{sensor}, "CN=sensor,O=Howest"},
		{"DNS name", auth.CertificateOptions{Name: auth.DNSName}, []*x509.Certificate{sensor}, "sensor.local"},
		{"URI", auth.CertificateOptions{Name: auth.URI}, []*x509.Certificate{sensor}, "spiffe://howest/sensor"},
		{"two email addresses", auth.CertificateOptions{Name: auth.EmailAddress}, []*x509.Certificate{sensor}, ""},
		{"no URI", auth.CertificateOptions{Name: auth.URI}, []*x509.Certificate{server}, ""},
		{"no common name", auth.CertificateOptions{}, []*x509.Certificate{nameless}, ""},
		{"zero byte", auth.CertificateOptions{}, []*x509.Certificate{zero}, ""},
		{"verified", auth.CertificateOptions{Roots: roots, Now: at(0)}, []*x509.Certificate{sensor, ca}, "sensor"},
		{"another authority", auth.CertificateOptions{Roots: roots, Now: at(0)}, []*x509.Certificate{stranger}, ""},
		{"its authority comes along", auth.CertificateOptions{Roots: x509.NewCertPool(), Now: at(0)}, []*x509.Certificate{sensor, ca}, ""},
		{"not for clients", auth.CertificateOptions{Roots: roots, Now: at(0)}, []*x509.Certificate{server, ca}, ""},
		{"run out", auth.CertificateOptions{Roots: roots, Now: at(2 * time.Hour)}, []*x509.Certificate{sensor, ca}, ""},
		{"run out by the clock of the system", auth.CertificateOptions{Roots: roots}, []*x509.Certificate{sensor, ca}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := &auth.Credentials{Username: "admin", Password: []byte("x"), Certificates: tt.chain}
			p, err := certificates(t, &tt.o).Authenticate(t.Context(), c)
			if tt.want == "" {
				if p != nil || !errors.Is(err, auth.ErrNotAuthorized) || errors.Is(err, auth.ErrNoCredentials) {
					t.Errorf("got %v, %v, want a refusal", p, err)
				}
				return
			}
			if err != nil || p.Username != tt.want || p.Method != "certificate" {
				t.Errorf("got %v, %v, want %q", p, err, tt.want)
			}
		})
	}
	for _, chain := range [][]*x509.Certificate{nil, {nil}} {
		if _, err := certificates(t, nil).Authenticate(t.Context(), &auth.Credentials{Certificates: chain}); !errors.Is(err, auth.ErrNoCredentials) {
			t.Errorf("no certificate: got %v, want ErrNoCredentials", err)
		}
	}
	if _, err := auth.Certificates(&auth.CertificateOptions{Name: 99}); err == nil || !strings.Contains(err.Error(), "Name") {
		t.Errorf("Name 99: got %v, want an error that names it", err)
	}
}

func TestVerifiedCertificates(t *testing.T) {
	leaf := &x509.Certificate{}
	for name, tt := range map[string]struct {
		state *tls.ConnectionState
		want  int
	}{
		"no TLS":             {nil, 0},
		"only presented":     {&tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf}}, 0},
		"verified":           {&tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{leaf, leaf}}}, 2},
		"nothing, by client": {&tls.ConnectionState{}, 0},
	} {
		if got := len(auth.VerifiedCertificates(tt.state)); got != tt.want {
			t.Errorf("%s: got %d certificates, want %d", name, got, tt.want)
		}
	}
}
