package embedded_test

import (
	"context"
	"net"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"siomq/adapter/broker"
	"siomq/adapter/broker/brokertest"
	"siomq/adapter/broker/embedded"
)

// open returns a broker on a free port, closed at the end of the test.
func open(t *testing.T, o embedded.Options) *embedded.Broker {
	t.Helper()
	if o.Addr == "" {
		o.Addr = "127.0.0.1:0"
	}
	if o.Logger == nil {
		o.Logger = zaptest.NewLogger(t, zaptest.Level(zap.WarnLevel))
	}
	b, err := embedded.New(&o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), brokertest.Patience)
		defer cancel()
		if err := b.Close(ctx); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return b
}

func dial(t testing.TB, b *embedded.Broker) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", b.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func connect(t testing.TB, b *embedded.Broker, o brokertest.Connect) *brokertest.Client {
	t.Helper()
	return brokertest.Dial(t, dial(t, b), o)
}

func TestBroker(t *testing.T) {
	brokertest.Run(t, func(t *testing.T) brokertest.Subject {
		b := open(t, embedded.Options{})
		return brokertest.Subject{Broker: b, Dial: func() (net.Conn, error) { return net.Dial("tcp", b.Addr().String()) }}
	}, brokertest.Abilities{HandlersDecide: true})
}

// TestBrokerOverServeConn connects through ServeConn with a net.Conn that is no
// plain socket, as a TLS or WebSocket connection is none.
func TestBrokerOverServeConn(t *testing.T) {
	brokertest.Run(t, func(t *testing.T) brokertest.Subject {
		b := open(t, embedded.Options{})
		dial := func() (net.Conn, error) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return nil, err
			}
			defer l.Close()
			client, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				return nil, err
			}
			server, err := l.Accept()
			if err != nil {
				return nil, err
			}
			go func() { _ = b.ServeConn(struct{ net.Conn }{server}, "ws") }()
			return client, nil
		}
		return brokertest.Subject{Broker: b, Dial: dial}
	}, brokertest.Abilities{HandlersDecide: true})
}

var _ broker.Broker = (*embedded.Broker)(nil)
