// Package broker states what an adapter needs of an MQTT broker. It holds no
// implementation: embedded runs one inside the process, external connects to
// one elsewhere, and brokertest is the suite that each of them passes.
package broker

import (
	"context"
	"crypto/x509"
	"errors"
)

// Errors that implementations return, to be compared with errors.Is.
var (
	// ErrClosed: the broker is closed or was never started.
	ErrClosed = errors.New("broker closed")
	// ErrInvalidTopic: the topic name or filter breaks MQTT 5 section 4.7.
	ErrInvalidTopic = errors.New("invalid topic")
	// ErrTooLarge: topic or payload is over a limit of the broker.
	ErrTooLarge = errors.New("message too large")
	// ErrRefused, from a Handler, refuses a publish: MQTT 5 clients get reason
	// code 0x87 (Not authorized), and nobody receives the message.
	ErrRefused = errors.New("publish refused")
)

// Property is an MQTT 5 user property.
type Property struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Message is one MQTT publish, in either direction. The receiver of a Message
// must not modify it, and must copy what it keeps beyond the call.
type Message struct {
	Topic   string // topic name, without wildcards
	Payload []byte
	QoS     byte
	Retain  bool

	// MQTT 5 properties; the zero value leaves one out.
	ContentType     string
	ResponseTopic   string
	CorrelationData []byte
	MessageExpiry   uint32 // seconds, section 3.3.2.3.3
	UserProperties  []Property

	// ClientID is the client identifier of the publisher, set on the way in.
	ClientID string
}

// Handler receives a publish. It is called in the order in which one client
// published, before the publish is acknowledged, and blocks that client only.
// An error means that the message was not taken: it goes to nobody, and an
// MQTT 5 client is told so.
type Handler func(*Message) error

// Broker is the part of an MQTT broker that an adapter uses. All methods may be
// called by many goroutines at once.
//
// A publish made through the Broker never comes back to a Handler of the same
// Broker, so that nothing echoes.
type Broker interface {
	// Publish hands m to the broker, which delivers it to every subscriber
	// whose filter matches. Publishes by one goroutine arrive in order. It does
	// not wait for subscribers, however slow they are. The broker copies what
	// it keeps.
	Publish(ctx context.Context, m *Message) error

	// Handle calls h for each publish by an MQTT client whose topic matches
	// the filter, until the returned function is called. That function waits for calls of
	// h that are under way, unless it is called from h itself.
	Handle(ctx context.Context, filter string, h Handler) (remove func(), err error)

	// Close ends the broker, with a DISCONNECT to every client, and waits until ctx
	// ends at most. It may be called more than once.
	Close(ctx context.Context) error
}

// Interest is a Broker that knows its subscribers: what nobody wants need not
// be encoded nor published.
type Interest interface {
	// Wants reports whether a session, connected or not, is subscribed to a
	// filter that matches the topic name. It is cheap and may be called for each emit.
	Wants(topic string) bool
	// Subscribed reports whether there is any subscription at all. It costs next to nothing.
	Subscribed() bool
}

// Retainer is a Broker that shows its retained messages.
type Retainer interface {
	// Retained calls yield for each retained message whose topic the filter
	// matches, in no order, until yield returns false. The messages have Retain
	// set, and the ClientID of their publisher, empty for publishes of the Broker itself.
	// yield may call the Broker.
	Retained(filter string, yield func(*Message) bool)
}

// Client is an MQTT client as the access functions and the membership see it.
type Client struct {
	ID       string // client identifier
	Username string
	Password []byte // only during Authenticate
	Addr     string // remote address, for people to read
	Listener string // where it came in: "tcp", "tls", "unix", "ws" or a name of its own
	Version  byte   // 3 (3.1), 4 (3.1.1) or 5

	// Certificates is the verified client certificate with its issuers; nil without one.
	Certificates []*x509.Certificate

	// Principal is what Access.Authenticate puts here, for the other functions of Access.
	Principal any
}

// Access decides what MQTT clients may do. A nil function allows. Authenticate
// may take its time, within the client's time to connect; the other functions must not
// block, since they run while a packet is processed.
type Access struct {
	// Authenticate decides a CONNECT. ErrClientID refuses the client
	// identifier (0x85), any other error the credentials (0x86).
	Authenticate func(*Client) error
	// Publish decides a publish, Will Messages included. A refused one is
	// acknowledged with 0x87 in MQTT 5.
	Publish func(c *Client, topic string) bool
	// Subscribe decides a subscription by its filter ($share/ prefix removed).
	Subscribe func(c *Client, filter string) bool
	// Receive decides each delivery by its real topic, retained messages
	// included, so that no wildcard reads what its client may not.
	Receive func(c *Client, topic string) bool
}

// ErrClientID refuses the client identifier: Access.Authenticate returns it.
var ErrClientID = errors.New("client identifier not valid")

// Guarded is a Broker whose clients' access somebody else decides.
type Guarded interface {
	// SetAccess installs the functions. It is called once, before clients connect
	// or shortly after; until then every CONNECT waits.
	SetAccess(Access)
}

// ClientEventKind says what happened to an MQTT client.
type ClientEventKind uint8

// What an observer of clients is told.
const (
	ClientConnected ClientEventKind = iota
	ClientDisconnected
	ClientSubscribed   // Filters were granted
	ClientUnsubscribed // Filters were removed
)

// ClientEvent is one change of one MQTT client.
type ClientEvent struct {
	Kind   ClientEventKind
	Client Client
	// Filters, $share/{group}/ prefix removed: those concerned, or with
	// ClientConnected those that the session kept from an earlier connection.
	Filters []string
}

// Clients is a Broker that shows its MQTT clients.
type Clients interface {
	// Connected calls yield for each connected client with its filters.
	Connected(yield func(c Client, filters []string) bool)
	// Find returns the MQTT client that connected last under this client identifier; ok is false
	// when there is no session of it.
	Find(clientID string) (c Client, ok bool)
	// Known reports whether a session with this client identifier exists,
	// connected or not.
	Known(clientID string) bool
	// Observe calls fn for each change, in order for each client, until the returned
	// function is called. fn must not block.
	Observe(fn func(ClientEvent)) (remove func())
}
