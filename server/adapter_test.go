package server_test

import (
	"context"
	"errors"
	"testing"

	"siomq/adapter"
	"siomq/internal/siotest"
	"siomq/rooms"
	"siomq/rooms/args"
	"siomq/server"
	"siomq/server/packet"
)

// wire is an adapter that joins servers in one process, without a codec between.
type wire struct {
	local  adapter.Local
	others *[]adapter.Local
}

func newWire() adapter.Constructor {
	var all []adapter.Local
	return func(l adapter.Local) adapter.Adapter {
		all = append(all, l)
		return &wire{l, &all}
	}
}

func (w *wire) Broadcast(m *rooms.Message) error {
	err := w.local.Deliver(m)
	for _, o := range w.remote() {
		err = errors.Join(err, o.Deliver(m))
	}
	return err
}

func (w *wire) Call(c *adapter.Call) error {
	err := w.local.Call(c)
	for _, o := range w.remote() {
		err = errors.Join(err, o.Call(c))
	}
	return err
}

func (w *wire) ServerSideEmit(ctx context.Context, event string, a rooms.Args, wantAcks bool) ([]rooms.Args, error) {
	got := make(chan rooms.Args, len(*w.others))
	var answer func(rooms.Args)
	if wantAcks {
		answer = func(a rooms.Args) { got <- a }
	}
	for _, o := range w.remote() {
		o.ServerSide(event, a, answer)
	}
	var all []rooms.Args
	for range w.remote() {
		if !wantAcks {
			break
		}
		select {
		case a := <-got:
			all = append(all, a)
		case <-ctx.Done():
			return all, ctx.Err()
		}
	}
	return all, nil
}

func (w *wire) remote() (others []adapter.Local) {
	for _, o := range *w.others {
		if o != w.local && o.Namespace() == w.local.Namespace() {
			others = append(others, o)
		}
	}
	return others
}

func (*wire) Close() {}

func TestAdapterBetweenServers(t *testing.T) {
	link := newWire()
	one, urlOne := start(t, &server.Options{Adapter: link})
	two, urlTwo := start(t, &server.Options{Adapter: link})
	a, b := siotest.Dial(t, urlOne), siotest.Dial(t, urlTwo)
	sid := a.Connect("/")
	b.Connect("/")

	t.Run("a broadcast reaches both", func(t *testing.T) {
		_ = one.Emit("news", 1)
		a.Expect("news", 1)
		b.Expect("news", 1)
	})
	t.Run("a socket is left out on its own server", func(t *testing.T) {
		_ = one.Socket(sid).Broadcast().Emit("news", 2)
		b.Expect("news", 2)
	})
	t.Run("acknowledgements come from both", func(t *testing.T) {
		for _, c := range []*siotest.Client{a, b} {
			go func() {
				p := c.Next()
				c.Send(&packet.Packet{Type: packet.Ack, Namespace: "/", HasID: true, ID: p.ID, Args: p.Args})
			}()
		}
		got, err := one.EmitWithAck(context.Background(), "question", 42)
		if err != nil || len(got) != 2 || string(got[0].Raw) != "42" || string(got[1].Raw) != "42" {
			t.Errorf("got %v, %v", got, err)
		}
	})
	t.Run("an event for servers", func(t *testing.T) {
		two.OnServerSide("sum", func(e *server.ServerEvent) {
			var x, y int
			_ = e.Bind(&x, &y)
			_ = e.Ack(x + y)
			if err := e.Ack(0); !errors.Is(err, server.ErrNoAck) {
				t.Errorf("second Ack: %v", err)
			}
		})
		got, err := one.ServerSideEmitWithAck(context.Background(), "sum", 1, 2)
		var sum int
		if err != nil || len(got) != 1 || args.Bind(got[0], &sum) != nil || sum != 3 {
			t.Errorf("got %v, %v", got, err)
		}
		if err := one.ServerSideEmit("disconnect"); !errors.Is(err, server.ErrReservedEvent) {
			t.Errorf("a reserved event: %v", err)
		}
	})
}

func TestServerSideEmitAlone(t *testing.T) {
	io, _ := start(t, nil)
	io.OnServerSide("x", func(*server.ServerEvent) { t.Error("the server itself got it") })
	got, err := io.ServerSideEmitWithAck(context.Background(), "x", 1)
	if len(got) != 0 || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
}
