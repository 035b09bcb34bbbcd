package auth

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// CertificateName says which part of a client certificate is the user name.
type CertificateName uint8

const (
	// CommonName is the CN of the subject, as Mosquitto's use_identity_as_username.
	CommonName CertificateName = iota
	// Subject is the whole subject as RFC 2253 writes it and OpenSSL does, as Mosquitto's
	// use_subject_as_username: "CN=sensor,O=Howest".
	Subject
	// DNSName, EmailAddress and URI are the one subject alternative name
	// of that kind. With several there is no telling which is meant.
	DNSName
	EmailAddress
	URI
)

// CertificateOptions say how Certificates reads a certificate.
type CertificateOptions struct {
	// Name is where the user name stands; zero is CommonName.
	Name CertificateName
	// Roots are the authorities whose client certificates count. nil means that
	// TLS has verified against the right ones: a listener whose ClientCAs
	// are trusted for something else too needs Roots.
	Roots *x509.CertPool
	// Now is the clock for Roots; nil means time.Now.
	Now func() time.Time
}

// Certificates takes the client certificate for the principal. User name and
// password are not looked at, as with Mosquitto. Its principals have no
// roles; WithRoles gives them some. The options are copied and may be nil.
func Certificates(o *CertificateOptions) (Authenticator, error) {
	if o == nil {
		o = &CertificateOptions{}
	}
	opts := *o
	if opts.Name > URI {
		return nil, fmt.Errorf("option Name: %d is unknown", opts.Name)
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	return Func(func(_ context.Context, c *Credentials) (*Principal, error) {
		if len(c.Certificates) == 0 || c.Certificates[0] == nil {
			return nil, ErrNoCredentials
		}
		return opts.principal(c.Certificates)
	}), nil
}

func (o *CertificateOptions) principal(chain []*x509.Certificate) (*Principal, error) {
	leaf := chain[0]
	if o.Roots != nil {
		between := x509.NewCertPool()
		for _, cert := range chain[1:] {
			between.AddCert(cert)
		}
		_, err := leaf.Verify(x509.VerifyOptions{
			Roots: o.Roots, Intermediates: between, CurrentTime: o.Now(),
			KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		})
		if err != nil {
			return nil, refuse("certificate: %w", err)
		}
	}
	name, err := certificateName(leaf, o.Name)
	if err == nil {
		err = checkName(name)
	}
	if err != nil {
		return nil, refuse("certificate of %.200q: %w", leaf.Subject, err)
	}
	return &Principal{Username: name, Method: "certificate", Expires: leaf.NotAfter}, nil
}

func certificateName(leaf *x509.Certificate, from CertificateName) (string, error) {
	switch from {
	case CommonName:
		return commonName(leaf.RawSubject)
	case Subject:
		return subjectRFC2253(leaf.RawSubject)
	case DNSName:
		return only(leaf.DNSNames)
	case EmailAddress:
		return only(leaf.EmailAddresses)
	}
	if len(leaf.URIs) != 1 {
		return "", fmt.Errorf("%d names of the wanted kind, want one", len(leaf.URIs))
	}
	return leaf.URIs[0].String(), nil
}

func only(names []string) (string, error) {
	if len(names) != 1 {
		return "", fmt.Errorf("%d names of the wanted kind, want one", len(names))
	}
	return names[0], nil
}

var errNoCommonName = errors.New("no common name")

// VerifiedCertificates returns what Credentials.Certificates wants of a TLS
// connection: a chain that was verified, nil when the client showed no certificate or
// the listener does not verify (tls.RequireAnyClientCert and tls.RequestClientCert do not).
func VerifiedCertificates(s *tls.ConnectionState) []*x509.Certificate {
	if s == nil || len(s.VerifiedChains) == 0 {
		return nil
	}
	return s.VerifiedChains[0]
}
