package auth

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

const (
	// DefaultIterations is how often a new password is hashed: ten times what
	// Mosquitto 2.1 does (2.0: 101), some milliseconds for each first login. A
	// stronger file takes longer to log in to, after a restart when all come at once too.
	DefaultIterations = 10_000
	// MaxIterations bounds what a file may ask for: some seconds of one core.
	MaxIterations = 10_000_000

	saltSize = 12 // as mosquitto_passwd 2.0 writes it, and the only size that Mosquitto 2.0 reads
	hashSize = sha512.Size
)

// hash is a password as a file has it:
//
//	$6$salt$hash            SHA-512 of password and salt, one round
//	$7$iterations$salt$hash PBKDF2 with HMAC-SHA-512 (RFC 8018)
//
// Salt and hash are base64 with padding (RFC 4648 section 4).
type hash struct {
	iterations int // 0 for $6$
	salt       []byte
	sum        []byte
}

// newHash hashes a password for a file.
func newHash(password []byte, iterations int) (*hash, error) {
	if iterations < 1 || iterations > MaxIterations {
		return nil, fmt.Errorf("%d iterations: want 1 to %d", iterations, MaxIterations)
	}
	h := &hash{iterations: iterations, salt: make([]byte, saltSize)}
	_, _ = rand.Read(h.salt) // never fails, as its documentation says
	sum, err := h.compute(password)
	h.sum = sum
	return h, err
}

func (h *hash) String() string {
	b64 := base64.StdEncoding.EncodeToString
	if h.iterations == 0 {
		return "$6$" + b64(h.salt) + "$" + b64(h.sum)
	}
	return "$7$" + strconv.Itoa(h.iterations) + "$" + b64(h.salt) + "$" + b64(h.sum)
}

// compute takes time in proportion to iterations.
func (h *hash) compute(password []byte) ([]byte, error) {
	if h.iterations == 0 {
		d := sha512.New()
		d.Write(password)
		d.Write(h.salt)
		return d.Sum(nil), nil
	}
	return pbkdf2.Key(sha512.New, string(password), h.salt, h.iterations, hashSize)
}

// matches reports whether the password is the one, in a time that does not depend
// on how much of it is right.
func (h *hash) matches(password []byte) bool {
	sum, err := h.compute(password)
	return err == nil && subtle.ConstantTimeCompare(sum, h.sum) == 1
}

var errPlainText = errors.New("the password is not hashed: set it with siomq passwd, or hash the whole file with mosquitto_passwd -U")

// parseHash reads a hash. Its errors do not show what it read.
func parseHash(s string) (*hash, error) {
	if !strings.HasPrefix(s, "$") {
		return nil, errPlainText
	}
	h := &hash{}
	fields := strings.Split(s[1:], "$")
	switch kind := fields[0]; {
	case kind == "6" && len(fields) == 3:
	case kind == "7" && len(fields) == 4:
		n, err := strconv.Atoi(fields[1])
		if err != nil || n < 1 || n > MaxIterations {
			return nil, fmt.Errorf("iterations of the hash: want 1 to %d", MaxIterations)
		}
		h.iterations = n
	case kind == "6" || kind == "7":
		return nil, fmt.Errorf("a $%s$ hash with %d fields is incomplete or too long", kind, len(fields))
	case kind == "argon2id":
		return nil, errors.New("argon2id is not supported: set the password with siomq passwd or mosquitto_passwd -H sha512-pbkdf2")
	default:
		return nil, errors.New("unknown kind of hash: want $6$ or $7$")
	}
	var err error
	if h.salt, err = base64.StdEncoding.Strict().DecodeString(fields[len(fields)-2]); err != nil {
		return nil, errors.New("salt of the hash: not base64")
	}
	if n := len(h.salt); n != saltSize && n != hashSize { // 64 bytes since Mosquitto 2.1
		return nil, fmt.Errorf("salt of the hash: %d bytes, want %d or %d", n, saltSize, hashSize)
	}
	if h.sum, err = base64.StdEncoding.Strict().DecodeString(fields[len(fields)-1]); err != nil {
		return nil, errors.New("hash: not base64")
	}
	if n := len(h.sum); n != hashSize {
		return nil, fmt.Errorf("hash: %d bytes, want %d", n, hashSize)
	}
	return h, nil
}
