package server

import (
	"fmt"
	"slices"

	"siomq/adapter"
	"siomq/adapter/broker"
	"siomq/rooms"
	"siomq/rooms/args"
)

// Publish is what an MQTT client published into a namespace, on its way through
// the functions given to [Namespace.UsePublish].
type Publish struct {
	message rooms.Message
}

// UsePublish adds a middleware for what MQTT clients publish into the namespace. They run in the
// order in which they were added, before anybody receives the message and before it
// is acknowledged, for one MQTT client one after another. An error refuses the
// publish: nobody receives it, and an MQTT 5 client that asked for an
// acknowledgement is told so.
func (n *Namespace) UsePublish(fn func(*Publish) error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.publish = append(slices.Clip(n.publish), fn)
}

// ClientID returns the client identifier of the MQTT client that published.
func (p *Publish) ClientID() string { return p.message.ClientID }

// Event returns the event, the last level of the topic.
func (p *Publish) Event() string { return p.message.Event }

// Target returns whom it is for.
func (p *Publish) Target() rooms.Target { return p.message.Targets[0] }

// Room returns the room it is for; ok is false when it is for everyone or for one socket.
func (p *Publish) Room() (name rooms.Room, ok bool) {
	t := p.Target()
	return t.Name, t.Kind == rooms.ToRoom
}

// Retained reports whether the publish is also the last value of its topic.
func (p *Publish) Retained() bool { return p.message.Retain }

// Args returns the arguments that local sockets receive. They are valid until the middleware
// returns; Bind copies what it decodes.
func (p *Publish) Args() Args { return p.message.Args }

// Bind decodes the arguments, like [Event.Bind].
func (p *Publish) Bind(ptrs ...any) error { return args.Bind(p.message.Args, ptrs...) }

// SetArgs replaces the arguments that local sockets receive. MQTT subscribers receive what was
// published.
func (p *Publish) SetArgs(values ...any) error {
	a, err := args.Encode(values...)
	if err != nil {
		return fmt.Errorf("arguments for %q: %w", p.message.Event, err)
	}
	p.message.Args = a
	return nil
}

// Receive implements adapter.Local: middleware, then the sockets here. What a server
// published, and the broker retained, has been through no middleware.
func (n *Namespace) Receive(m *rooms.Message, c *adapter.Call) error {
	m, err := n.admitPublish(m)
	if err != nil {
		return err
	}
	if c == nil {
		err = n.Deliver(m)
	} else {
		c.Message = m
		err = n.Call(c)
	}
	n.bridgeReceived(m)
	return err
}

// admitPublish lets the middleware look at what an MQTT client published, and returns what they made of it.
func (n *Namespace) admitPublish(m *rooms.Message) (*rooms.Message, error) {
	if m.ClientID != "" && (m.Event == TopicEvent || isTopicRoom(m.Targets[0].Name) && m.Targets[0].Kind == rooms.ToRoom) {
		return nil, fmt.Errorf("event %q of room %q: %w: only the server says what was published", m.Event, m.Targets[0].Name, broker.ErrRefused)
	}
	n.mu.Lock()
	middleware := n.publish
	n.mu.Unlock()
	if len(middleware) > 0 && m.ClientID != "" {
		p := &Publish{message: *m}
		for _, fn := range middleware {
			if err := n.contain(p, fn); err != nil {
				return nil, err
			}
		}
		m = &p.message
	}
	return m, nil
}
