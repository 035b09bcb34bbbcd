package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime/debug"
	"slices"
	"time"

	"go.uber.org/zap"

	"siomq/adapter"
	"siomq/adapter/broker"
	"siomq/internal/ws"
	"siomq/rooms"
	"siomq/rooms/acl"
	"siomq/rooms/topic"
)

// mqttDoor joins a broker to the server: its publishes, its access rules, and
// MQTT over WebSocket on the HTTP port.
type mqttDoor struct {
	server  *Server
	broker  broker.Broker
	topics  topic.Codec
	adapter *adapter.MQTT
	clients broker.Clients // nil when the broker does not show its clients
	conns   connServer     // nil when it takes no connections from elsewhere
}

// connServer is a broker that takes connections which came in elsewhere.
type connServer interface {
	// ServeConn serves one connection and closes it; it returns when it has ended.
	ServeConn(c net.Conn, listener string) error
}

// startTimeout bounds how long New waits for the broker.
const startTimeout = 10 * time.Second

func openMQTT(srv *Server, topics topic.Codec) *mqttDoor {
	b := srv.opts.Broker
	d := &mqttDoor{
		server: srv, broker: b, topics: topics,
	}
	d.clients, _ = b.(broker.Clients)
	d.adapter = adapter.NewMQTT(b, &adapter.MQTTOptions{
		Topics: topics, AckTimeout: srv.opts.AckTimeout, Logger: srv.log,
		MayRespond: func(clientID, name string) bool {
			return d.mayPublish(clientID, topic.Name(name))
		},
	})
	d.conns, _ = b.(connServer)
	return d
}

// mayPublish decides for an MQTT client by its identifier.
func (d *mqttDoor) mayPublish(clientID string, name topic.Name) bool {
	p := &acl.Principal{ID: clientID}
	if d.clients != nil {
		if c, ok := d.clients.Find(clientID); ok {
			if known, ok := c.Principal.(*acl.Principal); ok {
				p = known
			}
		}
	}
	return d.server.access.policy.CanPublish(p, name)
}

func (d *mqttDoor) start() error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	if err := d.adapter.Start(ctx); err != nil {
		return fmt.Errorf("broker: %w", err)
	}
	if g, ok := d.broker.(broker.Guarded); ok {
		g.SetAccess(d.server.access.mqtt(d.server.hasSocket))
	}
	return nil
}

func (d *mqttDoor) close() { d.adapter.Stop() }

func (srv *Server) hasSocket(id rooms.SocketID) bool {
	srv.mu.RLock()
	defer srv.mu.RUnlock()
	for _, n := range srv.namespaces {
		if n.HasSocket(id) {
			return true
		}
	}
	return false
}

// ServeHTTP takes MQTT over WebSocket (MQTT 5 section 6).
func (d *mqttDoor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if d.conns == nil {
		http.Error(w, "the MQTT broker is elsewhere", http.StatusNotFound)
		return
	}
	if d.server.closing.Load() {
		http.Error(w, "server shutting down", http.StatusServiceUnavailable)
		return
	}
	if !d.server.engine.OriginAllowed(r) {
		http.Error(w, "origin not allowed", http.StatusForbidden)
		return
	}
	conn, err := ws.Upgrade(w, r, &ws.UpgradeOptions{Subprotocols: []string{"mqtt", "mqttv3.1"}, RequireSubprotocol: true})
	if err != nil {
		d.server.log.Debug("MQTT over WebSocket refused", zap.Error(err), zap.String("address", r.RemoteAddr))
		return
	}
	// The connection is the broker's, whose Close ends it and waits for it. Shutdown must not
	// wait: the broker is closed after it.
	go func() {
		if err := d.conns.ServeConn(ws.NewStream(conn), "ws"); err != nil {
			d.server.log.Debug("MQTT over WebSocket ended", zap.Error(err))
		}
	}()
}

// MQTTClient is an MQTT client that is connected.
type MQTTClient struct {
	ID       string   // client identifier
	Username string   // as it gave it
	Address  string   // for people to read
	Filters  []string // what it is subscribed to
}

// MQTTClients returns the MQTT clients that are connected here and subscribed
// to something in one of the rooms; without rooms, to something in the
// namespace. It looks at every subscription of every client.
func (n *Namespace) MQTTClients(names ...rooms.Room) []MQTTClient {
	d := n.server.mqtt
	if d == nil || d.clients == nil {
		return nil
	}
	wanted, err := d.filters(n.name, names)
	if err != nil {
		return nil // no topic can have such a name, so nobody is subscribed to one
	}
	var found []MQTTClient
	d.clients.Connected(func(c broker.Client, filters []string) bool {
		if slices.ContainsFunc(filters, func(f string) bool {
			return slices.ContainsFunc(wanted, func(w topic.Filter) bool { return topic.Overlaps(topic.Filter(f), w) })
		}) {
			found = append(found, MQTTClient{ID: c.ID, Username: c.Username, Address: c.Addr, Filters: filters})
		}
		return true
	})
	return found
}

func (d *mqttDoor) filters(namespace string, names []rooms.Room) ([]topic.Filter, error) {
	if len(names) == 0 {
		f, err := d.topics.NamespaceFilter(namespace)
		return []topic.Filter{f}, err
	}
	filters := make([]topic.Filter, 0, len(names))
	for _, name := range names {
		f, err := d.topics.RoomFilter(namespace, name)
		if err != nil {
			return nil, err
		}
		filters = append(filters, f)
	}
	return filters, nil
}

// OnMQTTClient calls fn when an MQTT client connects, disconnects, subscribes
// or unsubscribes, until the returned function is called. fn must not block. The error is
// ErrNoMQTT when there is no broker that tells.
func (srv *Server) OnMQTTClient(fn func(broker.ClientEvent)) (remove func(), err error) {
	if srv.mqtt == nil || srv.mqtt.clients == nil {
		return nil, ErrNoMQTT
	}
	return srv.mqtt.clients.Observe(fn), nil
}

// Topic returns the MQTT topic of an event to a target in this namespace, as
// docs/TOPICS.md has it. The error says why there is none.
func (n *Namespace) Topic(to rooms.Target, event string) (string, error) {
	topics := topic.Codec{}
	if n.server.mqtt != nil {
		topics = n.server.mqtt.topics
	}
	name, err := topics.Name(topic.Address{Kind: topic.Kind(to.Kind), Namespace: n.name, Name: to.Name, Event: event})
	return string(name), err
}

var errPanic = errors.New("a publish middleware panicked")

// contain runs fn; a panic refuses the publish and is logged.
func (n *Namespace) contain(p *Publish, fn func(*Publish) error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			n.server.log.Error("panic in a publish middleware", zap.Any("panic", r),
				zap.String("client", p.ClientID()), zap.ByteString("stack", debug.Stack()))
			err = errPanic
		}
	}()
	return fn(p)
}
