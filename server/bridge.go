package server

import (
	"context"
	"errors"
	"fmt"

	"go.uber.org/zap"

	"siomq/adapter"
	"siomq/adapter/bridge"
	"siomq/adapter/broker"
	"siomq/rooms"
	"siomq/rooms/topic"
)

// BridgeOptions are the mapping rules of [Options.Bridge]; see [bridge.Parse].
type BridgeOptions = bridge.Options

// openBridge compiles the mapping rules; nil without any.
func openBridge(srv *Server) (*bridge.Bridge, error) {
	if srv.opts.Bridge == nil || len(srv.opts.Bridge.Rules) == 0 {
		return nil, nil
	}
	if srv.mqtt == nil {
		return nil, errors.New("option Bridge: there is no Broker")
	}
	o := *srv.opts.Bridge
	o.Topics = srv.mqtt.topics
	if o.Logger == nil {
		o.Logger = srv.log
	}
	b, err := bridge.New(srv.mqtt.broker, bridgeDoor{srv}, &o)
	if err != nil {
		return nil, fmt.Errorf("option Bridge: %w", err)
	}
	return b, nil
}

// startBridge makes the namespaces of the rules and begins to receive.
func (srv *Server) startBridge() error {
	if srv.bridge == nil {
		return nil
	}
	for _, r := range srv.opts.Bridge.Rules {
		if r.Namespace != "" && srv.Of(r.Namespace) == nil {
			return fmt.Errorf("option Bridge: no namespace can have the name %q", r.Namespace)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	return srv.bridge.Start(ctx)
}

// BridgeStats returns the counters of the mapping rules.
func (srv *Server) BridgeStats() bridge.Stats {
	if srv.bridge == nil {
		return bridge.Stats{}
	}
	return srv.bridge.Stats()
}

// bridgeAdapter lets the rules see what is emitted through an adapter.
func (srv *Server) bridgeAdapter(a adapter.Adapter) adapter.Adapter {
	if srv.bridge == nil {
		return a
	}
	return &bridgedAdapter{a, srv.bridge}
}

type bridgedAdapter struct {
	adapter.Adapter
	bridge *bridge.Bridge
}

func (a *bridgedAdapter) Broadcast(m *rooms.Message) error {
	err := a.Adapter.Broadcast(m)
	return errors.Join(err, a.bridge.Broadcast(m))
}

func (a *bridgedAdapter) Call(c *adapter.Call) error {
	err := a.Adapter.Call(c)
	return errors.Join(err, a.bridge.Broadcast(c.Message))
}

// bridgeReceived lets the rules see what an MQTT client published into the namespace. What fails
// there is no fault of the client; the bridge counts and logs it.
func (n *Namespace) bridgeReceived(m *rooms.Message) {
	if n.server.bridge != nil {
		_ = n.server.bridge.Broadcast(m)
	}
}

// bridgeDoor is the server as its bridge sees it.
type bridgeDoor struct{ server *Server }

// EmitBridged implements bridge.Emitter.
func (d bridgeDoor) EmitBridged(m *rooms.Message) (*rooms.Message, error) {
	n := d.server.lookup(m.Namespace)
	if n == nil {
		return nil, fmt.Errorf("namespace %q: %w", m.Namespace, broker.ErrRefused)
	}
	deletion := m.Retain && m.Args.N == 0
	m, err := n.admitPublish(m)
	if err != nil {
		return nil, err
	}
	if deletion {
		return m, d.forget(m)
	}
	if a, ok := n.adapter.(*bridgedAdapter); ok {
		return m, a.Adapter.Broadcast(m)
	}
	return m, n.adapter.Broadcast(m)
}

// forget deletes the last value of the topic of m.
func (d bridgeDoor) forget(m *rooms.Message) error {
	door := d.server.mqtt
	t := m.Targets[0]
	name, err := door.topics.Name(topic.Address{Kind: topic.Kind(t.Kind), Namespace: m.Namespace, Name: t.Name, Event: m.Event})
	if err != nil {
		return err
	}
	d.server.log.Debug("last value deleted", zap.String("topic", string(name)), zap.String("client", m.ClientID))
	return door.broker.Publish(context.Background(), &broker.Message{Topic: string(name), Retain: true, QoS: m.QoS})
}

// HasSocket implements bridge.Emitter.
func (d bridgeDoor) HasSocket(namespace string, id rooms.SocketID) bool {
	n := d.server.lookup(namespace)
	return n != nil && n.HasSocket(id)
}
