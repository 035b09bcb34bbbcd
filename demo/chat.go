package main

import (
	"encoding/json"
	"errors"
	"slices"
	"sync"

	"go.uber.org/zap"

	"siomq/adapter/broker"
	"siomq/rooms"
	"siomq/server"
)

// lobby is the room of whoever names none.
const lobby = "lobby"

// maxJoined bounds the rooms of one socket.
const maxJoined = 30

// chat is what the browsers of the demo talk to. They emit
//
//	name     (nickname)                   {name} or {error}
//	join     (room)                       {room: roomState} or {error}
//	leave    (room)
//	message  (text, room?, nonce?)        {id, time} or {error}; to the room as message
//	private  ({person|device, text})      {id, time} or {error}; to them as private
//	tell     ({device, event, value})     {} or {error}; to the device as that event
//	typing   ({room|person})
//
// with the acknowledgement in the second column, and receive welcome, message, private, here,
// rooms and typing. Whatever a device publishes reaches them as message or deviceEvent.
type chat struct {
	// Fixed after openChat.
	io      *server.Server
	clients broker.Clients
	log     *zap.Logger
	remove  func()        // ends the observation of MQTT clients
	changed chan struct{} // of capacity 1: somebody came or left; never closed

	mu     sync.Mutex // for the fields below; nothing is emitted while it is held
	people map[string]*person
	seats  map[rooms.SocketID]*seat
	rooms  map[string]*room
}

// openChat sets the chat up on the main namespace. run shows who is here, until its context
// ends; close follows after.
func openChat(io *server.Server, clients broker.Clients, log *zap.Logger) (*chat, error) {
	c := &chat{
		io: io, clients: clients, log: log, changed: make(chan struct{}, 1),
		people: make(map[string]*person), seats: make(map[rooms.SocketID]*seat), rooms: make(map[string]*room),
	}
	remove, err := io.OnMQTTClient(func(broker.ClientEvent) { c.touch() })
	if err != nil {
		return nil, err
	}
	c.remove = remove
	c.rooms[lobby] = newRoom()
	io.UsePublish(c.published)
	io.OnConnection(c.connected)
	return c, nil
}

func (c *chat) close() { c.remove() }

// touch asks run to look who is here.
func (c *chat) touch() {
	select {
	case c.changed <- struct{}{}:
	default: // it is going to look anyway
	}
}

// credentials are what a page gives as auth, on each connection anew: so it has its name
// and its rooms again after a lost connection, without asking.
type credentials struct {
	Key   string   `json:"key"`   // the browser's own secret; makes its sockets one person
	Name  string   `json:"name"`  // nickname, empty for who only reads
	Rooms []string `json:"rooms"` // rooms to join, the one that is open last
}

// welcome is the first event of a socket.
type welcome struct {
	SID       rooms.SocketID `json:"sid"`
	Me        party          `json:"me"`
	NameError string         `json:"nameError,omitempty"`
	Joined    []roomState    `json:"joined"`
	Rooms     directory      `json:"rooms"`
}

func (c *chat) connected(s *server.Socket) {
	var who credentials
	if err := s.Handshake().BindAuth(&who); err != nil {
		c.log.Debug("auth not understood", zap.Error(err))
	}
	seat := c.sit(s, who.Key)
	w := welcome{SID: s.ID(), Joined: []roomState{}}
	if who.Name != "" {
		if err := c.rename(seat, who.Name); err != nil {
			w.NameError = err.Error()
		}
	}
	wanted := who.Rooms[:min(len(who.Rooms), maxJoined)]
	for i, name := range slices.Concat(wanted, []string{lobby}) {
		if i == len(wanted) && len(w.Joined) > 0 {
			break // the lobby is for who is in no room
		}
		if state, err := c.join(seat, name); err == nil {
			w.Joined = append(w.Joined, state)
		}
	}
	w.Me = party{ID: seat.person.id, Name: c.nameOf(seat)}
	w.Rooms = c.look().directory
	if err := s.Emit("welcome", w); err != nil {
		c.log.Debug("no welcome", zap.Error(err))
	}
	s.OnDisconnect(func(string) { c.stand(seat) })
	c.listen(s, seat)
}

// listen adds the listeners of a socket.
func (c *chat) listen(s *server.Socket, seat *seat) {
	server.Handle(s, "name", func(e *server.Event, name string) {
		err := c.rename(seat, name)
		answer(e, map[string]string{"name": c.nameOf(seat)}, err)
	})
	server.Handle(s, "join", func(e *server.Event, name string) {
		state, err := c.join(seat, name)
		answer(e, map[string]any{"room": state}, err)
	})
	server.Handle(s, "leave", func(e *server.Event, name string) {
		c.leave(seat, name)
		answer(e, struct{}{}, nil)
	})
	s.On("message", func(e *server.Event) {
		var text, room, nonce string
		if err := e.Bind(&text, &room, &nonce); err != nil {
			answer(e, nil, refusal("A message is a text."))
			return
		}
		m, err := c.say(seat, text, room, nonce)
		answer(e, m, err)
	})
	server.Handle(s, "private", func(e *server.Event, p privateText) {
		m, err := c.whisper(seat, p)
		answer(e, m, err)
	})
	server.Handle(s, "tell", func(e *server.Event, o order) { answer(e, struct{}{}, c.tell(seat, o)) })
	server.Handle(s, "typing", func(_ *server.Event, p typing) { c.typing(seat, p) })
}

// answer acknowledges the event with value, or with {"error": why}.
func answer(e *server.Event, value any, err error) {
	if !e.WantsAck() {
		return
	}
	var said refusal
	switch {
	case errors.As(err, &said):
		value = map[string]string{"error": string(said)}
	case err != nil: // what went wrong inside is not for strangers
		value = map[string]string{"error": "That did not work. Please try again."}
	}
	_ = e.Ack(value) // who is gone needs no answer
}

// say writes into a room: to its browsers but the writer, and to its topic.
func (c *chat) say(seat *seat, text, roomName, nonce string) (*message, error) {
	if roomName == "" {
		roomName = c.currentRoom(seat)
	}
	if err := c.mayWrite(seat, text); err != nil {
		return nil, err
	}
	c.mu.Lock()
	r := c.rooms[roomName]
	if r == nil || !slices.Contains(seat.rooms, roomName) {
		c.mu.Unlock()
		return nil, refusal("Join the room before you write in it.")
	}
	if old := r.find(seat.person.id, nonce); old != nil {
		c.mu.Unlock()
		return old, nil // sent again by a page that did not get the acknowledgement
	}
	m := newMessage(seat.person.name, text)
	m.By, m.Room, m.Nonce = seat.person.id, roomName, nonce
	r.remember(m)
	c.mu.Unlock()

	others := *m
	others.Nonce = ""
	return m, c.report("message", seat.socket.To(roomName).Emit("message", &others))
}

// privateText is a message to one person, or to one device by its client identifier.
type privateText struct {
	Person string `json:"person"`
	Device string `json:"device"`
	Text   string `json:"text"`
	Nonce  string `json:"nonce"`
}

// whisper writes to one alone. A person may have several sockets, and the writer's other ones see
// it too.
func (c *chat) whisper(seat *seat, p privateText) (*message, error) {
	if err := c.mayWrite(seat, p.Text); err != nil {
		return nil, err
	}
	c.mu.Lock()
	if old := seat.person.sent(p.Nonce); old != nil {
		c.mu.Unlock()
		return old, nil
	}
	m := newMessage(seat.person.name, p.Text)
	m.By = seat.person.id
	targets := seat.person.others(seat)
	other := c.people[p.Person]
	switch {
	case p.Device != "":
		m.To = &party{ID: p.Device, Name: p.Device, Device: true}
	case other != nil && other.name != "":
		m.To = &party{ID: other.id, Name: other.name}
		targets = append(targets, other.sockets()...)
	default:
		c.mu.Unlock()
		return nil, refusal("That person is not connected now.")
	}
	seat.person.note(p.Nonce, m)
	c.mu.Unlock()

	if p.Device != "" {
		if err := c.toDevice(seat, p.Device, m); err != nil {
			return nil, err
		}
	}
	if len(targets) == 0 {
		return m, nil
	}
	return m, c.report("private", seat.socket.ToSocket(targets...).Emit("private", m))
}

// toDevice publishes a private message on the device's own topic, with the topic to answer on.
func (c *chat) toDevice(seat *seat, device string, m *message) error {
	if !c.hasDevice(device) {
		return refusal("The device " + cut(device, maxRoom) + " is not connected now.")
	}
	reply, err := c.io.Topic(rooms.Target{Kind: rooms.ToSocket, Name: seat.socket.ID()}, "private")
	if err != nil {
		return err
	}
	published := *m
	published.To, published.Reply = nil, reply
	return c.report("private", c.io.ToSocket(device).Emit("private", &published))
}

// order is an event for a device, such as a new interval for a sensor.
type order struct {
	Device string          `json:"device"`
	Event  string          `json:"event"`
	Value  json.RawMessage `json:"value"`
}

func (c *chat) tell(seat *seat, o order) error {
	if err := c.mayEmit(seat); err != nil {
		return err
	}
	if !c.hasDevice(o.Device) {
		return refusal("The device " + cut(o.Device, maxRoom) + " is not connected now.")
	}
	if o.Event == "" || len(o.Value) == 0 {
		return refusal("An order needs an event and a value.")
	}
	return c.report(o.Event, c.io.ToSocket(o.Device).Emit(o.Event, o.Value))
}

// typing says who is typing where.
type typing struct {
	Room   string `json:"room,omitempty"`
	Person string `json:"person,omitempty"`
	ID     string `json:"id"`
	Name   string `json:"name"`
}

// typing stays among the browsers here and may be lost: it is worth nothing a moment later.
func (c *chat) typing(seat *seat, p typing) {
	c.mu.Lock()
	p.ID, p.Name = seat.person.id, seat.person.name
	var targets []rooms.SocketID
	if p.Room != "" && slices.Contains(seat.rooms, p.Room) {
		targets = []string{p.Room}
	} else if other := c.people[p.Person]; p.Person != "" && other != nil {
		targets = other.sockets()
	}
	c.mu.Unlock()
	p.Person = ""
	if p.Name == "" || len(targets) == 0 {
		return
	}
	_ = c.report("typing", seat.socket.To(targets...).Local().Volatile().Emit("typing", p))
}

// published sees what devices publish, before anybody receives it: it remembers what is for a room, and
// gives browsers one shape for it.
func (c *chat) published(p *server.Publish) error {
	target := p.Target()
	name, private := target.Name, target.Kind == rooms.ToSocket
	if target.Kind != rooms.ToRoom {
		name = ""
	}
	if p.Event() == "message" || (private && p.Event() == "private") {
		m := fromDevice(p)
		m.Room, m.Private = name, private
		c.mu.Lock()
		if r := c.roomFor(name); r != nil {
			r.remember(m)
			r.publishers[m.From] = struct{}{}
		}
		c.mu.Unlock()
		c.touch()
		return p.SetArgs(m)
	}
	e := eventOf(p)
	e.Room, e.Private = name, private
	c.mu.Lock()
	if r := c.roomFor(name); r != nil {
		r.record(e)
		r.publishers[e.From] = struct{}{}
	}
	c.mu.Unlock()
	c.touch()
	return p.SetArgs(e)
}

// report logs an emit that failed and passes the error on. What the browsers get they
// have all the same; it is the publish that failed.
func (c *chat) report(event string, err error) error {
	if err != nil {
		c.log.Warn("emit failed", zap.String("event", event), zap.Error(err))
	}
	return err
}
