package auth

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
)

// UsersOptions are the limits of Users. The zero value is good for a server that
// does other things too.
type UsersOptions struct {
	// Concurrency is how many PBKDF2 passwords are computed at once. 0 means half
	// of the processors, at least one: a flood of wrong passwords leaves the others to
	// those who are inside.
	Concurrency int
	// MaxWaiting is how many more may wait for that; the next gets ErrBusy. 0 means
	// 1,024; negative means that nobody waits.
	MaxWaiting int
	// CacheSize is how many right passwords are remembered, so that clients which
	// come back need not be computed again: 64 to 100 bytes each, and never the
	// password itself. 0 means 10,000; negative means none.
	CacheSize int
}

const (
	defaultMaxWaiting = 1024
	defaultCacheSize  = 10_000
)

// Users knows users by name and password, from a file in the format of
// Mosquitto's password_file. SetPassword and DeleteUser, or mosquitto_passwd, write it.
// Its principals have no roles; WithRoles gives them some.
//
// A right password that was seen before is answered at once. Everything else is
// computed, a few at a time, a bounded number waiting: see UsersOptions. A name that
// is not in the file takes as long as a wrong password of the user with the most iterations.
type Users struct {
	path   string // fixed
	gate   gate
	proven *proven

	file atomic.Pointer[passwords]

	accepted, cached, refused, busy atomic.Uint64
}

// UsersStats counts what Users has answered.
type UsersStats struct {
	Users    int    // in the file as it was read last
	Accepted uint64 // right passwords, cached ones included
	Cached   uint64 // right passwords that were remembered
	Refused  uint64 // wrong passwords and unknown names
	Busy     uint64 // neither: over MaxWaiting, or the context ended
}

// OpenUsers reads a password file. Options may be nil; they are copied. A file
// that cannot be read or understood is an error, a *FileError with the line.
func OpenUsers(path string, o *UsersOptions) (*Users, error) {
	if o == nil {
		o = &UsersOptions{}
	}
	concurrency, waiting, size := o.Concurrency, o.MaxWaiting, o.CacheSize
	if concurrency < 0 {
		return nil, fmt.Errorf("option Concurrency: %d is negative", concurrency)
	}
	if concurrency == 0 {
		concurrency = max(1, runtime.GOMAXPROCS(0)/2)
	}
	if waiting == 0 {
		waiting = defaultMaxWaiting
	}
	if size == 0 {
		size = defaultCacheSize
	}
	u := &Users{
		path:   path,
		gate:   gate{slots: make(chan struct{}, concurrency), most: int64(max(0, waiting))},
		proven: newProven(max(0, size)),
	}
	if err := u.Reload(); err != nil {
		return nil, err
	}
	return u, nil
}

// Reload reads the file again. With an error, a *FileError that says why and
// on which line, the users stay as they were. Connections that are open are not touched.
func (u *Users) Reload() error {
	f, err := os.Open(u.path)
	if err != nil {
		return fmt.Errorf("password file: %w", err)
	}
	defer func() { _ = f.Close() }() // only read
	p, err := parsePasswords(f)
	if err != nil {
		var fault *FileError
		if errors.As(err, &fault) {
			fault.Path = u.path
		}
		return fmt.Errorf("password %w", err)
	}
	u.file.Store(p)
	return nil
}

// Stats returns the counters as they are now.
func (u *Users) Stats() UsersStats {
	s := UsersStats{
		Accepted: u.accepted.Load(), Cached: u.cached.Load(), Refused: u.refused.Load(), Busy: u.busy.Load(),
	}
	if p := u.file.Load(); p != nil {
		s.Users = len(p.users)
	}
	return s
}

// Authenticate implements [Authenticator]. No user name is ErrNoCredentials, a
// user name without a password a refusal, as with Mosquitto, even where the
// file has the hash of the empty one.
func (u *Users) Authenticate(ctx context.Context, c *Credentials) (*Principal, error) {
	if c.Username == "" {
		return nil, ErrNoCredentials
	}
	err := u.check(ctx, c)
	switch {
	case err == nil:
		u.accepted.Add(1)
		return &Principal{Username: c.Username, Method: "password"}, nil
	case errors.Is(err, ErrNotAuthorized):
		u.refused.Add(1)
	default:
		u.busy.Add(1)
	}
	return nil, err
}

func (u *Users) check(ctx context.Context, c *Credentials) error {
	if len(c.Password) == 0 {
		return refuse("user %.100q: no password", c.Username)
	}
	p := u.file.Load()
	h, known := p.users[c.Username]
	if !known {
		h = p.decoy
	}
	if h == nil {
		return refuse("user %.100q: unknown", c.Username)
	}
	right, err := u.compare(ctx, h, c.Password)
	switch {
	case err != nil:
		return err
	case !known:
		return refuse("user %.100q: unknown", c.Username)
	case !right:
		return refuse("user %.100q: wrong password", c.Username)
	}
	return nil
}

func (u *Users) compare(ctx context.Context, h *hash, password []byte) (bool, error) {
	if h.iterations == 0 {
		return h.matches(password), nil // microseconds, less than remembering it
	}
	mac := u.proven.mac(h, password)
	if u.proven.contains(mac) {
		u.cached.Add(1)
		return true, nil
	}
	if err := u.gate.enter(ctx); err != nil {
		return false, err
	}
	defer u.gate.leave()
	if u.proven.contains(mac) { // many devices with one password, while this one waited
		u.cached.Add(1)
		return true, nil
	}
	if !h.matches(password) {
		return false, nil
	}
	u.proven.add(mac)
	return true, nil
}
