package bridge_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"siomq/adapter/bridge"
	"siomq/adapter/broker"
	"siomq/rooms"
	"siomq/rooms/topic"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a broker and an emitter that keep what they are given. With echo, the
// broker gives its own publishes back, as no Broker does but a circle of bridges would.
type world struct {
	mu       sync.Mutex
	handlers []handler
	echo     func(broker.Message) *broker.Message

	published []broker.Message
	emitted   []*rooms.Message
	sockets   map[string]bool
	refuse    error
	fail      error
	rewrite   func(*rooms.Message)
}

type handler struct {
	filter topic.Filter
	call   broker.Handler
}

func (w *world) Handle(_ context.Context, filter string, h broker.Handler) (func(), error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if filter == "refused/+" {
		return nil, errors.New("no")
	}
	w.handlers = append(w.handlers, handler{topic.Filter(filter), h})
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		for i := range w.handlers {
			if string(w.handlers[i].filter) == filter {
				w.handlers = append(w.handlers[:i:i], w.handlers[i+1:]...)
				return
			}
		}
	}, nil
}

func (w *world) Publish(_ context.Context, m *broker.Message) error {
	if w.fail != nil {
		return w.fail
	}
	w.published = append(w.published, *m)
	if w.echo == nil || len(w.published) > 100 {
		return nil
	}
	if back := w.echo(*m); back != nil {
		return w.deliver(back)
	}
	return nil
}

func (w *world) Close(context.Context) error { return nil }

// deliver is a publish by a client. The handlers run in the wrong order on purpose.
func (w *world) deliver(m *broker.Message) error {
	w.mu.Lock()
	handlers := w.handlers
	w.mu.Unlock()
	for i := range handlers {
		h := handlers[len(handlers)-1-i]
		if h.filter.Match(topic.Name(m.Topic)) {
			if err := h.call(m); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *world) EmitBridged(m *rooms.Message) (*rooms.Message, error) {
	if w.refuse != nil {
		return nil, w.refuse
	}
	if w.rewrite != nil {
		w.rewrite(m)
	}
	w.emitted = append(w.emitted, m)
	return m, nil
}

func (w *world) HasSocket(_ string, id rooms.SocketID) bool { return w.sockets[id] }

// open starts a bridge with the rules of a text.
func (w *world) open(t testing.TB, o bridge.Options, lines string) *bridge.Bridge {
	t.Helper()
	o.Rules = rules(t, lines)
	b, err := bridge.New(w, w, &o)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Stop)
	return b
}
