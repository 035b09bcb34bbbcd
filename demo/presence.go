package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"siomq/adapter/broker"
)

// calm is the least time between two looks at who is here, so that a class that comes in at
// once, or a mosquitto_pub that is gone again, costs one look.
const calm = 150 * time.Millisecond

// presence is the event here: who is in a room. A person with several sockets is there once.
type presence struct {
	Room     string   `json:"room"`
	People   []party  `json:"people"`
	Watching int      `json:"watching"` // sockets without a nickname
	Devices  []device `json:"devices"`
}

type device struct {
	ID      string `json:"id"`
	Listens bool   `json:"listens"` // is subscribed to the room; else has published into it
}

// roomState is what a socket gets on joining.
type roomState struct {
	presence
	Messages []*message     `json:"messages"`
	Events   []*deviceEvent `json:"events"`
}

// directory is the event rooms: what is there to join, and who is behind each door.
type directory struct {
	Rooms    []listing `json:"rooms"`
	Browsers int       `json:"browsers"`
	Devices  int       `json:"devices"`
}

type listing struct {
	Name    string `json:"name"`
	People  int    `json:"people"`
	Devices int    `json:"devices"`
}

// view is one look at everything.
type view struct {
	rooms     []presence
	directory directory
}

// run tells the browsers who is here whenever that changes, until ctx ends.
func (c *chat) run(ctx context.Context) {
	told := make(map[string][]byte) // room, "" for the directory -> what was told last
	wait := time.NewTimer(0)
	defer wait.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.changed:
		}
		wait.Reset(calm)
		select {
		case <-ctx.Done():
			return
		case <-wait.C:
		}
		v := c.look()
		next := make(map[string][]byte, len(v.rooms)+1)
		for _, p := range v.rooms {
			next[p.Room] = c.tellRoom(p, told[p.Room])
		}
		next[""] = c.tellAll(v.directory, told[""])
		told = next
	}
}

func (c *chat) tellRoom(p presence, last []byte) []byte {
	b, err := json.Marshal(p)
	if err == nil && !bytes.Equal(b, last) {
		err = c.io.Local().To(p.Room).Emit("here", json.RawMessage(b))
	}
	_ = c.report("here", err)
	return b
}

func (c *chat) tellAll(d directory, last []byte) []byte {
	b, err := json.Marshal(d)
	if err == nil && !bytes.Equal(b, last) {
		err = c.io.Local().Emit("rooms", json.RawMessage(b))
	}
	_ = c.report("rooms", err)
	return b
}

// look finds out who is in every room.
func (c *chat) look() view {
	connected := c.devices()
	var v view
	c.mu.Lock()
	names := slices.Sorted(maps.Keys(c.rooms))
	for _, name := range names {
		r := c.rooms[name]
		maps.DeleteFunc(r.publishers, func(id string, _ struct{}) bool { return !connected[id] })
		v.rooms = append(v.rooms, r.presence(name))
	}
	v.directory = directory{Browsers: len(c.seats), Devices: len(connected)}
	c.mu.Unlock()
	for i := range v.rooms {
		p := &v.rooms[i]
		p.Devices = c.withListeners(p.Room, p.Devices)
		v.directory.Rooms = append(v.directory.Rooms, listing{Name: p.Room, People: len(p.People), Devices: len(p.Devices)})
	}
	return v
}

// stateOf is what somebody who joins the room should see.
func (c *chat) stateOf(name string) roomState {
	connected := c.devices()
	c.mu.Lock()
	r := c.rooms[name]
	if r == nil { // dropped at this very moment
		r = newRoom()
	}
	maps.DeleteFunc(r.publishers, func(id string, _ struct{}) bool { return !connected[id] })
	s := roomState{presence: r.presence(name), Messages: append([]*message{}, r.messages...), Events: r.events()}
	c.mu.Unlock()
	s.Devices = c.withListeners(name, s.Devices)
	return s
}

// presence is who is in the room, without those who only listen by MQTT. c.mu is held.
func (r *room) presence(name string) presence {
	p := presence{Room: name, People: []party{}, Devices: []device{}}
	for t := range r.members {
		if t.person.name == "" {
			p.Watching++
		} else if one := (party{ID: t.person.id, Name: t.person.name}); !slices.Contains(p.People, one) {
			p.People = append(p.People, one)
		}
	}
	slices.SortFunc(p.People, func(a, b party) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	for id := range r.publishers {
		p.Devices = append(p.Devices, device{ID: id})
	}
	return p
}

// withListeners adds the MQTT clients that are subscribed to the room.
func (c *chat) withListeners(name string, devices []device) []device {
	for _, client := range c.io.MQTTClients(name) {
		at := slices.IndexFunc(devices, func(d device) bool { return d.ID == client.ID })
		if at < 0 {
			devices = append(devices, device{ID: client.ID, Listens: true})
		} else {
			devices[at].Listens = true
		}
	}
	slices.SortFunc(devices, func(a, b device) int { return cmp.Compare(a.ID, b.ID) })
	return devices
}

// devices are the MQTT clients that are connected now.
func (c *chat) devices() map[string]bool {
	ids := make(map[string]bool)
	c.clients.Connected(func(client broker.Client, _ []string) bool {
		ids[client.ID] = true
		return true
	})
	return ids
}

func (c *chat) hasDevice(id string) bool { return id != "" && c.devices()[id] }
