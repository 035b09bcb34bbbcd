package server

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"go.uber.org/zap"

	"siomq/adapter"
	"siomq/adapter/broker"
	"siomq/adapter/payload"
	"siomq/rooms"
	"siomq/rooms/acl"
	"siomq/rooms/args"
	"siomq/rooms/topic"
	"siomq/server/packet"
)

// A room whose name is "topic:" and a topic filter is that subscription: a
// socket in it receives every publish that matches as the event "mqtt", with the topic, the
// payload and an object of properties. What it may see is decided by the topic of each publish.

// TopicEvent is the event by which the sockets of a topic room receive publishes.
const TopicEvent = "mqtt"

func isTopicRoom(name rooms.Room) bool { return strings.HasPrefix(name, acl.TopicRoom) }

// topicRooms are the subscriptions of the topic rooms of one namespace.
type topicRooms struct {
	nsp     *Namespace
	watcher adapter.TopicWatcher // nil without MQTT

	mu    sync.Mutex // held while a socket joins or leaves a topic room
	rooms map[rooms.Room]*topicRoom
}

type topicRoom struct {
	sockets int
	stop    func()
}

// join puts a socket into a topic room, and subscribes for the first.
func (t *topicRooms) join(s *Socket, name rooms.Room) error {
	if t.watcher == nil {
		return fmt.Errorf("join %q: %w", name, ErrNoMQTT)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if s.nsp.index.Has(s.id, name) {
		return nil
	}
	if err := t.enterLocked(name); err != nil {
		return fmt.Errorf("join %q: %w", name, err)
	}
	if !s.nsp.index.Join(s.id, name) {
		t.exitLocked(name)
		return fmt.Errorf("join %q: %w", name, ErrDisconnected)
	}
	return nil
}

func (t *topicRooms) leave(s *Socket, name rooms.Room) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s.nsp.index.Leave(s.id, name) {
		t.exitLocked(name)
	}
}

// left is told of the rooms that a socket was in when it went.
func (t *topicRooms) left(keys []string) {
	if !slices.ContainsFunc(keys, isTopicRoom) {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, key := range keys {
		if isTopicRoom(key) {
			t.exitLocked(key)
		}
	}
}

func (t *topicRooms) enterLocked(name rooms.Room) error {
	r := t.rooms[name]
	if r == nil {
		filter, err := (topic.Limits{}).Filter(strings.TrimPrefix(name, acl.TopicRoom))
		if err != nil {
			return err
		}
		stop, err := t.watcher.Watch(string(filter), func(m *broker.Message) { t.deliver(name, m) })
		if err != nil {
			return err
		}
		r = &topicRoom{stop: stop}
		if t.rooms == nil {
			t.rooms = make(map[rooms.Room]*topicRoom)
		}
		t.rooms[name] = r
	}
	r.sockets++
	return nil
}

func (t *topicRooms) exitLocked(name rooms.Room) {
	r := t.rooms[name]
	if r == nil {
		return
	}
	if r.sockets--; r.sockets == 0 {
		delete(t.rooms, name)
		go r.stop() // it waits for a delivery that is under way, which may wait for us
	}
}

// deliver gives a publish to the sockets of a topic room that may see it.
func (t *topicRooms) deliver(name rooms.Room, m *broker.Message) {
	a, err := topicArgs(m)
	if err != nil {
		t.nsp.server.log.Debug("publish for a topic room", zap.String("topic", m.Topic), zap.Error(err))
		return
	}
	everyone := t.nsp.server.access.everyone(topic.Name(m.Topic))
	msg := &rooms.Message{
		Namespace: t.nsp.name, Event: TopicEvent, Args: a, Transient: true,
		Targets: []rooms.Target{{Kind: rooms.ToRoom, Name: name}},
	}
	p := &packet.Packet{Type: packet.Event, Namespace: t.nsp.name, Event: TopicEvent, Args: a}
	err = t.nsp.deliver(msg, p, func(s *Socket) bool { return everyone || s.mayReceive(topic.Name(m.Topic)) })
	if err != nil {
		t.nsp.server.log.Debug("publish for a topic room", zap.String("topic", m.Topic), zap.Error(err))
	}
}

// topicProperties are the third argument of the event "mqtt".
type topicProperties struct {
	QoS            byte              `json:"qos"`
	Retain         bool              `json:"retain"`
	ClientID       string            `json:"clientId,omitempty"`
	ContentType    string            `json:"contentType,omitempty"`
	ResponseTopic  string            `json:"responseTopic,omitempty"`
	MessageExpiry  uint32            `json:"messageExpiry,omitempty"`
	UserProperties []broker.Property `json:"userProperties,omitempty"`
}

// topicArgs are the arguments of the event "mqtt". A payload of several arguments is an array
// of them, and an empty one is null.
func topicArgs(m *broker.Message) (Args, error) {
	value, err := payload.Decode(m.Payload, m.ContentType)
	if err != nil {
		return Args{}, err
	}
	switch {
	case value.N == 0:
		value = Args{Raw: []byte("null"), N: 1}
	case value.N > 1:
		value.Raw = append(append([]byte{'['}, value.Raw...), ']')
		value.N = 1
	}
	return args.Encode(m.Topic, value, topicProperties{
		QoS: m.QoS, Retain: m.Retain, ClientID: m.ClientID, ContentType: m.ContentType,
		ResponseTopic: m.ResponseTopic, MessageExpiry: m.MessageExpiry, UserProperties: m.UserProperties,
	})
}
