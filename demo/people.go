package main

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"siomq/rooms"
	"siomq/server"
)

// Flood limits of one socket: so many at once, and so many in a second from then on.
const (
	burst = 40
	rate  = 10
)

// maxNonces bounds the private messages that are recognised when they are sent again.
const maxNonces = 20

// person is one browser with all its sockets. The nickname is taken as long as one of them is connected.
type person struct {
	id    string
	name  string // empty: only reads
	seats []*seat
	notes []*message // the last private messages that had a nonce
}

// seat is one socket.
type seat struct {
	socket *server.Socket
	person *person
	rooms  []string // joined, the current one last

	// allowance of emits, refilled as time passes; see mayEmit.
	allowance float64
	counted   time.Time
}

// sit seats a socket. The id that others see does not give away the key.
func (c *chat) sit(s *server.Socket, key string) *seat {
	if key == "" {
		key = s.ID()
	}
	sum := sha256.Sum256([]byte(key))
	id := hex.EncodeToString(sum[:6])
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.people[id]
	if p == nil {
		p = &person{id: id}
		c.people[id] = p
	}
	t := &seat{socket: s, person: p, allowance: burst, counted: time.Now()}
	p.seats = append(p.seats, t)
	c.seats[s.ID()] = t
	return t
}

// stand is the end of a socket.
func (c *chat) stand(t *seat) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.seats, t.socket.ID())
	for _, name := range t.rooms {
		delete(c.rooms[name].members, t)
	}
	t.rooms = nil
	t.person.seats = slices.DeleteFunc(t.person.seats, func(other *seat) bool { return other == t })
	if len(t.person.seats) == 0 {
		delete(c.people, t.person.id)
	}
	c.touch()
}

// rename gives the person a nickname that nobody else has.
func (c *chat) rename(t *seat, name string) error {
	name, err := checkName(name)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, other := range c.people {
		if other != t.person && strings.EqualFold(other.name, name) {
			return refusal("Somebody here is called " + other.name + " already. Please choose another nickname.")
		}
	}
	t.person.name = name
	c.touch()
	return nil
}

func (c *chat) nameOf(t *seat) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return t.person.name
}

// mayWrite refuses what nobody should have to read.
func (c *chat) mayWrite(t *seat, text string) error {
	switch n := len([]rune(text)); {
	case strings.TrimSpace(text) == "":
		return refusal("A message needs some text.")
	case n > maxText:
		return refusal("A message has at most " + thousands(maxText) + " characters; this one has " + thousands(n) + ".")
	}
	return c.mayEmit(t)
}

// mayEmit refuses who has no nickname, and who floods.
func (c *chat) mayEmit(t *seat) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t.person.name == "" {
		return refusal("Choose a nickname first.")
	}
	now := time.Now()
	t.allowance = min(burst, t.allowance+rate*now.Sub(t.counted).Seconds())
	t.counted = now
	if t.allowance < 1 {
		return refusal("That was a lot at once. Wait a moment.")
	}
	t.allowance--
	return nil
}

// sockets are the ids of the person's sockets.
func (p *person) sockets() []rooms.SocketID {
	ids := make([]rooms.SocketID, len(p.seats))
	for i, t := range p.seats {
		ids[i] = t.socket.ID()
	}
	return ids
}

// others are the person's sockets without this one.
func (p *person) others(t *seat) []rooms.SocketID {
	return slices.DeleteFunc(p.sockets(), func(id rooms.SocketID) bool { return id == t.socket.ID() })
}

// sent finds a private message by its nonce.
func (p *person) sent(nonce string) *message {
	for _, m := range p.notes {
		if nonce != "" && m.Nonce == nonce {
			return m
		}
	}
	return nil
}

func (p *person) note(nonce string, m *message) {
	if nonce == "" {
		return
	}
	kept := *m
	kept.Nonce, kept.Text = nonce, "" // the server keeps no private text
	p.notes = append(p.notes, &kept)
	if len(p.notes) > maxNonces {
		p.notes = p.notes[1:]
	}
}
