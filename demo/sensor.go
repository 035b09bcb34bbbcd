package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"net"
	"strings"
	"time"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"
	"go.uber.org/zap"
)

// The simulated sensor: its client identifier, its room, and its topics as docs/TOPICS.md has them.
const (
	sensorID         = "sensor-1"
	sensorReading    = "sio/main/room/" + lobby + "/temperature" // {"value": 21.4, "unit": "°C"}
	sensorStatus     = "sio/main/room/" + lobby + "/status"      // {"interval": 3, "running": true, "simulated": true}
	sensorManagement = "sio/main/socket/" + sensorID + "/"       // its private topic, and so where it is managed
)

// Bounds of the interval between two readings, in seconds.
const (
	firstInterval = 3
	minInterval   = 0.2
	maxInterval   = 3600
)

const (
	sensorKeepAlive = 30               // s
	sensorTimeout   = 10 * time.Second // of one operation
	sensorPause     = 2 * time.Second  // before it connects again
)

// sensor is a device like any other, but that it measures nothing: it connects to the
// broker by TCP, publishes a temperature into the lobby, and listens on its private topic:
//
//	…/interval  a number of seconds
//	…/power     true or false
//
// After each order it publishes its status. Only run and what it calls use it.
type sensor struct {
	addr    string
	log     *zap.Logger
	status  sensorState
	orders  chan *paho.Publish // from the connection to run; never closed
	started time.Time
}

type sensorState struct {
	Interval  float64 `json:"interval"` // s
	Running   bool    `json:"running"`
	Simulated bool    `json:"simulated"`
	Error     string  `json:"error,omitempty"` // what was wrong with the last order
}

func newSensor(addr string, log *zap.Logger) *sensor {
	return &sensor{
		addr: addr, log: log, orders: make(chan *paho.Publish, 16), started: time.Now(),
		status: sensorState{Interval: firstInterval, Running: true, Simulated: true},
	}
}

// run keeps the sensor connected until ctx ends.
func (s *sensor) run(ctx context.Context) {
	for ctx.Err() == nil {
		if err := s.session(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("simulated sensor lost its connection", zap.Error(err))
		}
		select {
		case <-ctx.Done():
		case <-time.After(sensorPause):
		}
	}
}

// session is one connection, from CONNECT to its end.
func (s *sensor) session(ctx context.Context) error {
	dialer := net.Dialer{Timeout: sensorTimeout}
	conn, err := dialer.DialContext(ctx, "tcp", s.addr)
	if err != nil {
		return err
	}
	client := paho.NewClient(paho.ClientConfig{
		Conn:          packets.NewThreadSafeConn(conn),
		PacketTimeout: sensorTimeout,
		OnPublishReceived: []func(paho.PublishReceived) (bool, error){func(p paho.PublishReceived) (bool, error) {
			select {
			case s.orders <- p.Packet:
			default: // more orders than anybody clicks: the oldest are carried out
			}
			return true, nil
		}},
	})
	// The connection outlives ctx by its DISCONNECT packet.
	if _, err := client.Connect(context.WithoutCancel(ctx), &paho.Connect{ClientID: sensorID, CleanStart: true, KeepAlive: sensorKeepAlive}); err != nil {
		_ = conn.Close()
		return fmt.Errorf("connect: %w", err)
	}
	defer func() { _ = client.Disconnect(&paho.Disconnect{ReasonCode: 0}) }() // the broker may have been first
	if _, err := client.Subscribe(ctx, &paho.Subscribe{Subscriptions: []paho.SubscribeOptions{{Topic: sensorManagement + "+", QoS: 1}}}); err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	if err := s.publish(ctx, client, sensorStatus, 1, s.status); err != nil {
		return err
	}
	return s.measure(ctx, client)
}

// measure publishes and obeys until the connection or ctx ends.
func (s *sensor) measure(ctx context.Context, client *paho.Client) error {
	next := time.NewTimer(0)
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-client.Done():
			return fmt.Errorf("connection to %s closed", s.addr)
		case order := <-s.orders:
			if err := s.obey(ctx, client, order); err != nil {
				return err
			}
			next.Reset(0)
		case <-next.C:
			next.Reset(time.Duration(s.status.Interval * float64(time.Second)))
			if !s.status.Running {
				continue
			}
			reading := map[string]any{"value": s.temperature(time.Since(s.started)), "unit": "°C"}
			if err := s.publish(ctx, client, sensorReading, 0, reading); err != nil {
				return err
			}
		}
	}
}

// obey carries out an order and publishes the status, or answers a private message.
func (s *sensor) obey(ctx context.Context, client *paho.Client, order *paho.Publish) error {
	verb := strings.TrimPrefix(order.Topic, sensorManagement)
	if verb == "private" {
		return s.answer(ctx, client, order.Payload)
	}
	s.carryOut(verb, order)
	return s.publish(ctx, client, sensorStatus, 1, s.status)
}

// answer tells who writes to the sensor what it understands.
func (s *sensor) answer(ctx context.Context, client *paho.Client, payload []byte) error {
	var m message
	_ = json.Unmarshal(payload, &m) // anything else has no topic to answer on either
	if !strings.HasPrefix(m.Reply, "sio/main/socket/") {
		return nil
	}
	return s.publish(ctx, client, m.Reply, 1, fmt.Sprintf("I measure every %g s. Publish a number of seconds on %sinterval, or true or false on %spower.",
		s.status.Interval, sensorManagement, sensorManagement))
}

// carryOut changes the status as the order says, or notes there what is wrong with it.
func (s *sensor) carryOut(verb string, order *paho.Publish) {
	s.status.Error = ""
	switch verb {
	case "interval":
		var seconds float64
		if err := json.Unmarshal(order.Payload, &seconds); err != nil || seconds < minInterval || seconds > maxInterval {
			s.status.Error = fmt.Sprintf("interval %s: must be a number of seconds from %g to %d", cut(string(order.Payload), 20), minInterval, maxInterval)
			return
		}
		s.status.Interval = seconds
	case "power":
		var on bool
		if err := json.Unmarshal(order.Payload, &on); err != nil {
			s.status.Error = fmt.Sprintf("power %s: must be true or false", cut(string(order.Payload), 20))
			return
		}
		s.status.Running = on
	default:
		s.status.Error = fmt.Sprintf("%s: listens to interval and power only", cut(verb, 20))
	}
}

func (s *sensor) publish(ctx context.Context, client *paho.Client, topic string, qos byte, value any) error {
	payload, err := json.Marshal(value)
	if err != nil {
		return err
	}
	_, err = client.Publish(ctx, &paho.Publish{
		Topic: topic, QoS: qos, Payload: payload,
		Properties: &paho.PublishProperties{ContentType: "application/json"},
	})
	if err != nil {
		return fmt.Errorf("publish %q: %w", topic, err)
	}
	return nil
}

// temperature is that of a room where somebody opens the window now and then.
func (s *sensor) temperature(t time.Duration) float64 {
	slow := math.Sin(t.Seconds()/97) + 0.6*math.Sin(t.Seconds()/23)
	return math.Round((21.5+slow+0.2*rand.NormFloat64())*10) / 10
}
