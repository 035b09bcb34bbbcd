package auth

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

const (
	minSecret  = 32      // bytes, RFC 7518 section 3.2 for HS256
	minRSA     = 2048    // bits, RFC 7518 section 3.3
	maxKeys    = 100     // a token without a key id is tried with each that fits its algorithm
	maxKeyFile = 1 << 20 // bytes
)

// key verifies signatures. Which algorithms it serves follows from what it is, never
// from a token: a public key can be no HMAC secret.
type key struct {
	id   string // kid, "" when the key has none
	algs []jose.SignatureAlgorithm
	key  any // []byte, *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey
}

func (k *key) serves(alg string) bool { return slices.Contains(k.algs, jose.SignatureAlgorithm(alg)) }

// newKey finds the algorithms of a secret or public key. One that signs no tokens is
// a jose.ErrUnsupportedKeyType.
func newKey(id string, material any) (*key, error) {
	switch k := material.(type) {
	case []byte:
		if err := checkSecret(k); err != nil {
			return nil, err
		}
		return &key{id, []jose.SignatureAlgorithm{jose.HS256, jose.HS384, jose.HS512}, k}, nil
	case *rsa.PublicKey:
		if bits := k.N.BitLen(); bits < minRSA {
			return nil, fmt.Errorf("RSA key of %d bits, want at least %d", bits, minRSA)
		}
		return &key{id, []jose.SignatureAlgorithm{
			jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512,
		}, k}, nil
	case *ecdsa.PublicKey:
		alg, ok := map[string]jose.SignatureAlgorithm{
			"P-256": jose.ES256, "P-384": jose.ES384, "P-521": jose.ES512,
		}[k.Params().Name] // the curve decides, RFC 7518 section 3.4
		if !ok {
			return nil, fmt.Errorf("curve %s has no algorithm", k.Params().Name)
		}
		return &key{id, []jose.SignatureAlgorithm{alg}, k}, nil
	case ed25519.PublicKey:
		return &key{id, []jose.SignatureAlgorithm{jose.EdDSA}, k}, nil
	}
	return nil, fmt.Errorf("%w: %T", jose.ErrUnsupportedKeyType, material)
}

// checkSecret also refuses a public key in the place of the secret, which would let
// everybody sign who has the public key.
func checkSecret(secret []byte) error {
	if bytes.Contains(secret, []byte("-----BEGIN ")) {
		return errors.New("the secret is a PEM file: public keys go to PublicKeyFiles")
	}
	if len(secret) < minSecret {
		return fmt.Errorf("secret of %d bytes, want at least %d", len(secret), minSecret)
	}
	return nil
}

// readKeys reads all that the options name.
func readKeys(o *JWTOptions) ([]*key, error) {
	var keys []*key
	if o.Secret != nil {
		k, err := newKey("", bytes.Clone(o.Secret))
		if err != nil {
			return nil, fmt.Errorf("option Secret: %w", err)
		}
		keys = append(keys, k)
	}
	type source struct {
		option, path string
		parse        func([]byte) ([]*key, error)
	}
	sources := []source{{"SecretFile", o.SecretFile, secretKey}, {"JWKSFile", o.JWKSFile, jwksKeys}}
	for _, path := range o.PublicKeyFiles {
		sources = append(sources, source{"PublicKeyFiles", path, pemKeys})
	}
	for _, s := range sources {
		if s.path == "" {
			continue
		}
		content, err := readKeyFile(s.path)
		if err != nil {
			return nil, fmt.Errorf("option %s: %w", s.option, err)
		}
		more, err := s.parse(content)
		if err != nil {
			return nil, fmt.Errorf("option %s: %w", s.option, &FileError{Path: s.path, Err: err})
		}
		keys = append(keys, more...)
	}
	switch {
	case len(keys) == 0:
		return nil, errors.New("no key: one of the options Secret, SecretFile, PublicKeyFiles and JWKSFile is needed")
	case len(keys) > maxKeys:
		return nil, fmt.Errorf("%d keys, over %d", len(keys), maxKeys)
	}
	return keys, nil
}

func readKeyFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxKeyFile {
		return nil, &FileError{Path: path, Err: fmt.Errorf("over %d bytes", maxKeyFile)}
	}
	return os.ReadFile(path)
}

// secretKey leaves out the line end that editors and echo put after a secret.
func secretKey(content []byte) ([]*key, error) {
	k, err := newKey("", bytes.TrimRight(content, "\r\n"))
	if err != nil {
		return nil, err
	}
	return []*key{k}, nil
}

// pemKeys reads every block of a PEM file.
func pemKeys(content []byte) ([]*key, error) {
	var keys []*key
	for block, rest := pem.Decode(content); block != nil; block, rest = pem.Decode(rest) {
		material, err := parseBlock(block)
		if err == nil {
			var k *key
			if k, err = newKey("", material); err == nil {
				keys = append(keys, k)
				continue
			}
		}
		return nil, fmt.Errorf("PEM block %d, %q: %w", len(keys)+1, block.Type, err)
	}
	if len(keys) == 0 {
		return nil, errors.New("no PEM block")
	}
	return keys, nil
}

func parseBlock(block *pem.Block) (any, error) {
	switch {
	case strings.HasSuffix(block.Type, "PRIVATE KEY"):
		return nil, errors.New("a private key, which only who signs tokens should have: give the public key")
	case block.Type == "PUBLIC KEY":
		return x509.ParsePKIXPublicKey(block.Bytes)
	case block.Type == "RSA PUBLIC KEY":
		return x509.ParsePKCS1PublicKey(block.Bytes)
	case block.Type == "CERTIFICATE":
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		return cert.PublicKey, nil
	}
	return nil, errors.New("want PUBLIC KEY, RSA PUBLIC KEY or CERTIFICATE")
}

// jwksKeys reads a JWK Set (RFC 7517 section 5). Keys of unknown type and keys for
// encryption are left out, as that section advises; a broken key of a known type is an error.
func jwksKeys(content []byte) ([]*key, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(content, &set); err != nil {
		return nil, fmt.Errorf("JWK Set: %w", err)
	}
	var keys []*key
	for i, raw := range set.Keys {
		k, err := jwkKey(raw)
		if err != nil {
			return nil, fmt.Errorf("JWK Set: key %d: %w", i+1, err)
		}
		if k != nil {
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("JWK Set: no key that verifies signatures")
	}
	return keys, nil
}

// jwkKey returns nil for a key that is to be left out.
func jwkKey(raw []byte) (*key, error) {
	var more struct {
		Ops []string `json:"key_ops"`
	}
	if err := json.Unmarshal(raw, &more); err != nil {
		return nil, err
	}
	var jwk jose.JSONWebKey
	var k *key
	err := json.Unmarshal(raw, &jwk)
	if err == nil {
		material := jwk.Key
		if _, secret := material.([]byte); !secret {
			material = jwk.Public().Key // of a private key the public half
		}
		k, err = newKey(jwk.KeyID, material)
	}
	switch {
	case errors.Is(err, jose.ErrUnsupportedKeyType),
		jwk.Use != "" && jwk.Use != "sig",
		more.Ops != nil && !slices.Contains(more.Ops, "verify"):
		return nil, nil
	case err != nil:
		return nil, err
	case jwk.Algorithm == "":
		return k, nil
	case !k.serves(jwk.Algorithm):
		return nil, fmt.Errorf("alg %.20q does not fit the key", jwk.Algorithm)
	}
	k.algs = []jose.SignatureAlgorithm{jose.SignatureAlgorithm(jwk.Algorithm)}
	return k, nil
}
