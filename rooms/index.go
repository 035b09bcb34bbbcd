package rooms

import (
	"sync"
	"sync/atomic"
)

// Index records which members are in which rooms of one namespace. M is what a
// member stands for, a socket of the server as a rule.
//
// Join and Leave take the same time whatever the size of the room, and a walk
// through a room ([Index.Each]) takes neither lock nor copy: every room is an array of
// slots that are read atomically. A walk visits who was in the room when it
// began, nobody twice and nobody who joined later; of those who leave while it
// goes on, it may still visit some.
//
// Every member is also in a room of its own, named by its id, as in Socket.IO.
// All methods may be called by many goroutines at once. The zero value is not
// ready for use; call [NewIndex].
type Index[M any] struct {
	seq atomic.Uint64 // grows with each join, so that a walk can tell who came later

	mu      sync.RWMutex // held for single map operations; never while a walk calls out
	rooms   map[Room]*room[M]
	members map[SocketID]*member[M]

	// What happened and was not told yet, by whoever is telling, in order.
	observer func(Change) // nil: nothing is recorded
	changes  []Change
	telling  bool

	all room[M] // everyone
}

// ChangeKind says what happened to a room.
type ChangeKind uint8

// The changes there are.
const (
	RoomCreated ChangeKind = iota // somebody is about to be in it
	RoomJoined
	RoomLeft
	RoomDeleted // nobody is in it any more
)

// Change is one thing that happened to a room.
type Change struct {
	Kind ChangeKind
	Room Room
	ID   SocketID // who joined or left; of RoomCreated, who is about to join
}

// Observe has every change recorded from now on, the rooms that members have by their ids
// included, until [Index.Tell] gives it to fn. A later call replaces fn.
func (x *Index[M]) Observe(fn func(Change)) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.observer = fn
}

// Tell calls the observer for each change that was not told yet, one at a time
// and in the order in which they happened. Whoever changes an index that is observed calls
// it once it holds no lock. When another goroutine is telling, it leaves the rest to that
// one and returns.
func (x *Index[M]) Tell() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.telling || len(x.changes) == 0 {
		return
	}
	x.telling = true
	for len(x.changes) > 0 {
		changes, tell := x.changes, x.observer
		x.changes = nil
		x.mu.Unlock()
		for _, c := range changes {
			tell(c)
		}
		x.mu.Lock()
	}
	x.telling = false
}

// noteLocked records a change when somebody observes.
func (x *Index[M]) noteLocked(kind ChangeKind, name Room, id SocketID) {
	if x.observer != nil {
		x.changes = append(x.changes, Change{kind, name, id})
	}
}

// member is one member with its seats, one per room.
type member[M any] struct {
	id    SocketID
	value M

	// Guarded by Index.mu.
	own   bool // is in the room named by its id
	all   entry[M]
	seats []*entry[M]
	// byRoom is made when a member is in so many rooms that searching seats
	// would show; nil before.
	byRoom map[*room[M]]*entry[M]
}

// manySeats is how many rooms of one member are searched one by one.
const manySeats = 16

// entry is one seat of one member in one room.
type entry[M any] struct {
	member *member[M]
	room   *room[M]
	seq    uint64 // fixed before the entry is published in a slot
	slot   int    // guarded by Index.mu
	seat   int    // place in member.seats; guarded by Index.mu
}

// room is one room: slots that walks read without a lock.
type room[M any] struct {
	name  Room
	slots atomic.Pointer[[]atomic.Pointer[entry[M]]]
	n     atomic.Int64 // occupied slots

	free []int // vacant slots below the high-water mark; guarded by Index.mu
	used int   // high-water mark; guarded by Index.mu
}

// NewIndex returns an empty index.
func NewIndex[M any]() *Index[M] {
	return &Index[M]{
		rooms:   make(map[Room]*room[M]),
		members: make(map[SocketID]*member[M]),
	}
}

// Add makes value a member under id, in its own room. It reports false, and
// changes nothing, when the id is taken.
func (x *Index[M]) Add(id SocketID, value M) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if _, taken := x.members[id]; taken {
		return false
	}
	m := &member[M]{id: id, value: value, own: true}
	m.all.member = m
	x.members[id] = m
	x.seatLocked(&x.all, &m.all)
	x.noteLocked(RoomCreated, id, id)
	x.noteLocked(RoomJoined, id, id)
	return true
}

// Remove takes a member out of the index and out of all its rooms, which it
// returns, its own first. A join that comes later finds no member: nothing is left behind.
func (x *Index[M]) Remove(id SocketID) []Room {
	x.mu.Lock()
	defer x.mu.Unlock()
	m := x.members[id]
	if m == nil {
		return nil
	}
	left := x.roomsLocked(m)
	if m.own {
		x.leaveOwnLocked(m)
	}
	for _, e := range m.seats {
		x.vacateLocked(e)
	}
	m.seats, m.byRoom = nil, nil
	x.vacateLocked(&m.all)
	delete(x.members, id)
	return left
}

// Join puts a member into rooms. It reports false, and changes nothing, when no
// such member exists: it was removed, or never added.
func (x *Index[M]) Join(id SocketID, names ...Room) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	m := x.members[id]
	if m == nil {
		return false
	}
	for _, name := range names {
		if name == id {
			if !m.own {
				m.own = true
				if x.rooms[id] == nil {
					x.noteLocked(RoomCreated, id, id)
				}
				x.noteLocked(RoomJoined, id, id)
			}
			continue
		}
		r := x.rooms[name]
		if r == nil {
			r = &room[M]{name: name}
			x.rooms[name] = r
			if owner := x.members[name]; owner == nil || !owner.own {
				x.noteLocked(RoomCreated, name, id)
			}
		} else if m.seatIn(r) != nil {
			continue
		}
		e := &entry[M]{member: m, seat: len(m.seats)}
		x.seatLocked(r, e)
		x.noteLocked(RoomJoined, name, id)
		m.seats = append(m.seats, e)
		if m.byRoom != nil {
			m.byRoom[r] = e
		} else if len(m.seats) > manySeats {
			m.byRoom = make(map[*room[M]]*entry[M], 2*len(m.seats))
			for _, s := range m.seats {
				m.byRoom[s.room] = s
			}
		}
	}
	return true
}

// Leave takes a member out of a room and reports whether it was in it.
func (x *Index[M]) Leave(id SocketID, name Room) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	m := x.members[id]
	if m == nil {
		return false
	}
	if name == id {
		was := m.own
		if was {
			x.leaveOwnLocked(m)
		}
		return was
	}
	r := x.rooms[name]
	if r == nil {
		return false
	}
	e := m.seatIn(r)
	if e == nil {
		return false
	}
	last := len(m.seats) - 1
	m.seats[e.seat] = m.seats[last]
	m.seats[e.seat].seat = e.seat
	m.seats[last] = nil
	m.seats = m.seats[:last]
	delete(m.byRoom, r)
	x.vacateLocked(e)
	return true
}

// Get returns the member with this id.
func (x *Index[M]) Get(id SocketID) (value M, ok bool) {
	x.mu.RLock()
	m := x.members[id]
	x.mu.RUnlock()
	if m == nil {
		return value, false
	}
	return m.value, true
}

// Len returns the number of members.
func (x *Index[M]) Len() int { return int(x.all.n.Load()) }

// Size returns the number of members in a room.
func (x *Index[M]) Size(name Room) int {
	r, own := x.lookup(name)
	n := 0
	if r != nil {
		n = int(r.n.Load())
	}
	if own != nil {
		n++
	}
	return n
}

// Rooms returns the rooms of a member, its own first.
func (x *Index[M]) Rooms(id SocketID) []Room {
	x.mu.RLock()
	defer x.mu.RUnlock()
	m := x.members[id]
	if m == nil {
		return nil
	}
	return x.roomsLocked(m)
}

// Has reports whether a member is in a room.
func (x *Index[M]) Has(id SocketID, name Room) bool {
	x.mu.RLock()
	defer x.mu.RUnlock()
	m := x.members[id]
	if m == nil {
		return false
	}
	if name == id {
		return m.own
	}
	r := x.rooms[name]
	return r != nil && m.seatIn(r) != nil
}

// AllRooms returns the names of all rooms that somebody joined, in no order, without
// the rooms that members have by their ids.
func (x *Index[M]) AllRooms() []Room {
	x.mu.RLock()
	defer x.mu.RUnlock()
	names := make([]Room, 0, len(x.rooms))
	for name := range x.rooms {
		names = append(names, name)
	}
	return names
}

// Selection says whom a walk visits.
type Selection struct {
	Rooms       []Room     // any of them; none means everyone
	ExceptRooms []Room     // whoever is in one of them is left out
	Except      []SocketID // as are these members
}

// Each calls visit for every member that s selects, once, until visit returns
// false. It holds no lock while it calls, so visit may join and leave; who
// joins during the walk is not visited.
func (x *Index[M]) Each(s Selection, visit func(M) bool) {
	w := walk[M]{limit: x.seq.Load(), visit: visit}
	if len(s.Except) > 0 {
		x.mu.RLock()
		for _, id := range s.Except {
			if m := x.members[id]; m != nil {
				w.except = append(w.except, m)
			}
		}
		x.mu.RUnlock()
	}
	for _, name := range s.ExceptRooms {
		r, own := x.lookup(name)
		if own != nil {
			w.except = append(w.except, own)
		}
		if r != nil && w.exceptSet == nil {
			w.exceptSet = make(map[*member[M]]struct{})
		}
		r.each(w.limit, func(m *member[M]) bool {
			w.exceptSet[m] = struct{}{}
			return true
		})
	}
	if len(s.Rooms) == 0 {
		x.all.each(w.limit, w.one)
		return
	}
	if len(s.Rooms) > 1 {
		w.seen = make(map[*member[M]]struct{})
	}
	for _, name := range s.Rooms {
		r, own := x.lookup(name)
		if own != nil && !w.one(own) {
			return
		}
		if !r.each(w.limit, w.one) {
			return
		}
	}
}

// walk is the state of one Each.
type walk[M any] struct {
	limit     uint64
	except    []*member[M]
	exceptSet map[*member[M]]struct{}
	seen      map[*member[M]]struct{} // nil for a single room
	visit     func(M) bool
}

func (w *walk[M]) one(m *member[M]) bool {
	for _, e := range w.except {
		if e == m {
			return true
		}
	}
	if w.exceptSet != nil {
		if _, out := w.exceptSet[m]; out {
			return true
		}
	}
	if w.seen != nil {
		if _, twice := w.seen[m]; twice {
			return true
		}
		w.seen[m] = struct{}{}
	}
	return w.visit(m.value)
}

// each visits the members seated up to limit. A nil room has none.
func (r *room[M]) each(limit uint64, visit func(*member[M]) bool) bool {
	if r == nil {
		return true
	}
	slots := r.slots.Load()
	if slots == nil {
		return true
	}
	for i := range *slots {
		if e := (*slots)[i].Load(); e != nil && e.seq <= limit && !visit(e.member) {
			return false
		}
	}
	return true
}

// lookup finds a room by name, and the member whose own room has that name.
func (x *Index[M]) lookup(name Room) (r *room[M], own *member[M]) {
	x.mu.RLock()
	r = x.rooms[name]
	if m := x.members[name]; m != nil && m.own {
		own = m
	}
	x.mu.RUnlock()
	return r, own
}

func (m *member[M]) seatIn(r *room[M]) *entry[M] {
	if m.byRoom != nil {
		return m.byRoom[r]
	}
	for _, e := range m.seats {
		if e.room == r {
			return e
		}
	}
	return nil
}

func (x *Index[M]) roomsLocked(m *member[M]) []Room {
	names := make([]Room, 0, len(m.seats)+1)
	if m.own {
		names = append(names, m.id)
	}
	for _, e := range m.seats {
		names = append(names, e.room.name)
	}
	return names
}

// seatLocked gives e a slot in r. The array doubles when it is full; walks on
// the old one go on undisturbed.
func (x *Index[M]) seatLocked(r *room[M], e *entry[M]) {
	e.room = r
	e.seq = x.seq.Load() + 1
	slots := r.slots.Load()
	switch {
	case len(r.free) > 0:
		e.slot = r.free[len(r.free)-1]
		r.free = r.free[:len(r.free)-1]
	case slots != nil && r.used < len(*slots):
		e.slot = r.used
		r.used++
	default:
		slots = r.resizeLocked(max(2*r.used, 1))
		e.slot = r.used
		r.used++
	}
	(*slots)[e.slot].Store(e)
	r.n.Add(1)
	// After the store: a walk that reads the new limit finds the entry.
	x.seq.Store(e.seq)
}

// leaveOwnLocked takes m out of the room named by its id.
func (x *Index[M]) leaveOwnLocked(m *member[M]) {
	m.own = false
	x.noteLocked(RoomLeft, m.id, m.id)
	if x.rooms[m.id] == nil {
		x.noteLocked(RoomDeleted, m.id, "")
	}
}

// vacateLocked takes e out of its room, shrinks an array that has become mostly
// empty, and forgets a room nobody is in.
func (x *Index[M]) vacateLocked(e *entry[M]) {
	r := e.room
	(*r.slots.Load())[e.slot].Store(nil)
	r.free = append(r.free, e.slot)
	n := int(r.n.Add(-1))
	if r != &x.all {
		x.noteLocked(RoomLeft, r.name, e.member.id)
	}
	switch {
	case n == 0 && r != &x.all:
		delete(x.rooms, r.name)
		if owner := x.members[r.name]; owner == nil || !owner.own {
			x.noteLocked(RoomDeleted, r.name, "")
		}
	case r.used >= 64 && n < r.used/4:
		r.resizeLocked(max(2*n, 1))
	}
}

// resizeLocked moves the room to an array of size slots without gaps.
func (r *room[M]) resizeLocked(size int) *[]atomic.Pointer[entry[M]] {
	next := make([]atomic.Pointer[entry[M]], size)
	at := 0
	if old := r.slots.Load(); old != nil {
		for i := range *old {
			if e := (*old)[i].Load(); e != nil {
				e.slot = at
				next[at].Store(e)
				at++
			}
		}
	}
	r.used, r.free = at, nil
	r.slots.Store(&next)
	return &next
}
