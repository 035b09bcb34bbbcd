package acl

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"

	"siomq/rooms"
	"siomq/rooms/topic"
)

// Files are the files of a policy. An empty name is no file.
type Files struct {
	// Mosquitto is an ACL file as Mosquitto 2.0 reads it. An empty file allows
	// nothing; no file is another thing.
	Mosquitto string
	// Rooms has rules for rooms, as docs/ACL.md says.
	Rooms string
}

// Load reads the files and returns the policy for the prefix of codec. The
// error names the file, and the line and word when it is a [*ParseError].
func Load(codec topic.Codec, files Files) (*Rules, error) {
	file, err := parseFile(files.Mosquitto, ParseMosquitto)
	if err != nil {
		return nil, err
	}
	roomRules, err := parseFile(files.Rooms, ParseRoomRules)
	if err != nil {
		return nil, err
	}
	return NewRules(codec, file, roomRules), nil
}

// parseFile returns nil without a file name.
func parseFile[T any](name string, parse func(string, io.Reader) (*T, error)) (*T, error) {
	if name == "" {
		return nil, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("access rules: %w", err)
	}
	v, err := parse(name, f)
	return v, errors.Join(err, f.Close())
}

// Reloadable is a Policy that can be replaced while it is in use. Each decision
// is made by one policy, the old or the new one. What was granted before, a room
// that a socket is in, is not taken back by it.
type Reloadable struct {
	load    func() (Policy, error) // fixed after NewReloadable
	current atomic.Pointer[Policy]

	mu sync.Mutex // held while loading, so that the last to load wins
}

var (
	_ Policy  = (*Reloadable)(nil)
	_ Uniform = (*Reloadable)(nil)
)

// NewReloadable calls load for the first policy; its error is returned.
//
//	policy, err := acl.NewReloadable(func() (acl.Policy, error) { return acl.Load(codec, files) })
func NewReloadable(load func() (Policy, error)) (*Reloadable, error) {
	r := &Reloadable{load: load}
	if err := r.Reload(); err != nil {
		return nil, err
	}
	return r, nil
}

// Reload replaces the policy. With an error the old one stays in force. It
// blocks as long as load does.
func (r *Reloadable) Reload() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	p, err := r.load()
	if err != nil {
		return err
	}
	r.current.Store(&p)
	return nil
}

// Policy returns the policy that is in force now.
func (r *Reloadable) Policy() Policy { return *r.current.Load() }

// CanPublish implements [Policy].
func (r *Reloadable) CanPublish(p *Principal, n topic.Name) bool {
	return r.Policy().CanPublish(p, n)
}

// CanSubscribe implements [Policy].
func (r *Reloadable) CanSubscribe(p *Principal, f topic.Filter) bool {
	return r.Policy().CanSubscribe(p, f)
}

// CanReceive implements [Policy].
func (r *Reloadable) CanReceive(p *Principal, n topic.Name) bool {
	return r.Policy().CanReceive(p, n)
}

// EveryoneReceives implements [Uniform].
func (r *Reloadable) EveryoneReceives(n topic.Name) bool {
	u, ok := r.Policy().(Uniform)
	return ok && u.EveryoneReceives(n)
}

// CanConnect implements [Policy].
func (r *Reloadable) CanConnect(p *Principal, namespace string) bool {
	return r.Policy().CanConnect(p, namespace)
}

// CanJoin implements [Policy].
func (r *Reloadable) CanJoin(p *Principal, namespace string, room rooms.Room) bool {
	return r.Policy().CanJoin(p, namespace, room)
}

// CanEmit implements [Policy].
func (r *Reloadable) CanEmit(p *Principal, namespace string, to rooms.Target, event string) bool {
	return r.Policy().CanEmit(p, namespace, to, event)
}
