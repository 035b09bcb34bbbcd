package main

import (
	"slices"
	"time"
)

// Bounds of what is remembered. Nothing outlives the process.
const (
	maxRooms    = 200
	maxMessages = 100 // of a room
	maxStreams  = 40  // of a room: a device and one of its events
	maxReadings = 30  // of a stream
)

// room is what the chat knows of a room: the sockets in it, which MQTT clients have published
// into it, and what was said last.
type room struct {
	members    map[*seat]struct{}
	publishers map[string]struct{} // client identifiers
	messages   []*message
	streams    []*stream // the one with the latest event last
	used       time.Time
}

// stream is the last events of one kind from one device.
type stream struct {
	from, event string
	last        []*deviceEvent
}

func newRoom() *room {
	return &room{members: make(map[*seat]struct{}), publishers: make(map[string]struct{}), used: time.Now()}
}

func (r *room) remember(m *message) {
	r.used = time.Now()
	r.messages = append(r.messages, m)
	if len(r.messages) > maxMessages {
		r.messages = r.messages[1:]
	}
}

// find finds a message of this person by its nonce.
func (r *room) find(person, nonce string) *message {
	for _, m := range r.messages {
		if nonce != "" && m.Nonce == nonce && m.By == person {
			return m
		}
	}
	return nil
}

func (r *room) record(e *deviceEvent) {
	r.used = time.Now()
	at := slices.IndexFunc(r.streams, func(s *stream) bool { return s.from == e.From && s.event == e.Event })
	s := &stream{from: e.From, event: e.Event}
	if at >= 0 {
		s = r.streams[at]
		r.streams = slices.Delete(r.streams, at, at+1)
	}
	s.last = append(s.last, e)
	if len(s.last) > maxReadings {
		s.last = s.last[1:]
	}
	r.streams = append(r.streams, s)
	if len(r.streams) > maxStreams {
		r.streams = r.streams[1:]
	}
}

// events are all remembered events in the order of their streams.
func (r *room) events() []*deviceEvent {
	list := []*deviceEvent{}
	for _, s := range r.streams {
		list = append(list, s.last...)
	}
	return list
}

// roomFor returns the room of this name, which is made if need be. It returns nil for no name, and when
// there are too many rooms: then the one unused for longest goes, if nobody is in it. c.mu is held.
func (c *chat) roomFor(name string) *room {
	if r := c.rooms[name]; r != nil || name == "" {
		return r
	}
	if len(c.rooms) >= maxRooms && !c.dropRoom() {
		return nil
	}
	r := newRoom()
	c.rooms[name] = r
	return r
}

func (c *chat) dropRoom() bool {
	oldest := ""
	for name, r := range c.rooms {
		if name != lobby && len(r.members) == 0 && (oldest == "" || r.used.Before(c.rooms[oldest].used)) {
			oldest = name
		}
	}
	delete(c.rooms, oldest)
	return oldest != ""
}

// join puts a socket into a room and returns what there is to see. It is in the room before
// anything is looked up, so that nothing said meanwhile is missed; what it gets twice it knows by its id.
func (c *chat) join(t *seat, name string) (roomState, error) {
	name, err := checkRoom(name)
	if err != nil {
		return roomState{}, err
	}
	// The id of a socket is a room too: of its private messages.
	if c.io.HasSocket(name) {
		return roomState{}, refusal("A room cannot have that name.")
	}
	c.mu.Lock()
	r := c.roomFor(name)
	known := slices.Contains(t.rooms, name)
	switch {
	case r == nil:
		err = refusal("There are too many rooms. Choose one from the list.")
	case !known && len(t.rooms) >= maxJoined:
		err = refusal("You are in " + thousands(maxJoined) + " rooms. Leave one first.")
	default:
		t.rooms = append(slices.DeleteFunc(t.rooms, func(other string) bool { return other == name }), name)
		r.members[t] = struct{}{}
	}
	c.mu.Unlock()
	if err == nil {
		err = t.socket.Join(name)
	}
	if err != nil {
		return roomState{}, err
	}
	c.touch()
	return c.stateOf(name), nil
}

func (c *chat) leave(t *seat, name string) {
	c.mu.Lock()
	at := slices.Index(t.rooms, name)
	if at >= 0 {
		t.rooms = slices.Delete(t.rooms, at, at+1)
		delete(c.rooms[name].members, t)
	}
	c.mu.Unlock()
	if at < 0 {
		return
	}
	t.socket.Leave(name)
	c.touch()
}

// currentRoom is the room that the socket joined last.
func (c *chat) currentRoom(t *seat) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(t.rooms) == 0 {
		return lobby
	}
	return t.rooms[len(t.rooms)-1]
}
