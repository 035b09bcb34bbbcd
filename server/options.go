package server

import (
	"fmt"
	"io/fs"
	"strings"
	"time"

	"go.uber.org/zap"

	"siomq/adapter"
	"siomq/adapter/broker"
	"siomq/rooms/acl"
	"siomq/server/auth"
	"siomq/server/engine"
	"siomq/server/packet"
)

// Options configure a [Server]. The zero value works: Socket.IO at
// /socket.io/, same origin only, no MQTT.
type Options struct {
	// Path of the Socket.IO door. Default "/socket.io/".
	Path string
	// ConnectTimeout is how long a connection may stay without a namespace.
	// Default 45 s; negative: for ever.
	ConnectTimeout time.Duration
	// CleanupEmptyChildNamespaces removes a namespace that came from OfPattern or OfFunc when
	// the last socket has left it.
	CleanupEmptyChildNamespaces bool
	// Recovery turns on connection state recovery, in memory. Nil: off.
	Recovery *RecoveryOptions
	// MaxNamespaces is how many namespaces one connection may be in at once. Default 100. A
	// client that asks for more loses its connection.
	MaxNamespaces int
	// EventQueue is how many received events may wait for one socket's handlers before its
	// transport is read no further. Default 1,000.
	EventQueue int
	// Parser says how packets stand in messages; clients must use the same one. Default
	// packet.JSON{}; packet.MessagePack{} is npm socket.io-msgpack-parser.
	Parser packet.Codec
	// Limits of received packets; see packet.Limits. Zero fields take their defaults.
	Limits packet.Limits

	// Engine configures transports, heartbeat, CORS and limits of connections.
	Engine EngineOptions

	// Client is the folder dist of the npm package socket.io-client, to be served under Path
	// (/socket.io/socket.io.js and so on); for example os.DirFS("node_modules/socket.io-client/dist"),
	// or an embedded folder. Nil: not served.
	Client fs.FS

	// Adapter makes the adapter of each namespace, in place of those that siomq has:
	// in memory, and with Broker over MQTT.
	Adapter adapter.Constructor

	// Broker is the MQTT side, for example from embedded.New; nil leaves Socket.IO alone.
	// The caller closes it, after Shutdown.
	Broker broker.Broker
	// MQTTPath of MQTT over WebSocket on the HTTP port, where the broker takes
	// connections from elsewhere. Default "/mqtt"; "-" turns it off. Which pages may use it is
	// decided by Engine.CheckOrigin and Engine.CORS, as for Socket.IO.
	MQTTPath string
	// Prefix is the first level, or levels, of the topic namespace. Default "sio".
	Prefix string

	// Authenticator says who connects, at both doors. A socket that it refuses gets connect_error "not
	// authorized", an MQTT client reason code 0x86. Nil: everybody is let in, and is nobody.
	Authenticator auth.Authenticator
	// Policy decides who may do what, at both doors. Nil: the policy of docs/TOPICS.md, by which
	// sockets may be in every room.
	Policy acl.Policy
	// AckTimeout is how long acknowledgements of sockets are waited for on behalf of an MQTT
	// client that gave a Response Topic. Default 60 s.
	AckTimeout time.Duration

	// Bridge maps other MQTT topics to rooms and back, see package bridge and docs/BRIDGE.md. Its
	// field Topics is set by the server. Nil: nothing is mapped. It needs Broker.
	Bridge *BridgeOptions

	// Logger receives what an operator should know. Default: silent.
	Logger *zap.Logger
}

// Defaults of Options.
const (
	defaultPath           = "/socket.io/"
	defaultConnectTimeout = 45 * time.Second
	defaultEventQueue     = 1000
	defaultMaxNamespaces  = 100
	defaultMQTTPath       = "/mqtt"
)

// withDefaults returns a checked copy.
func (o *Options) withDefaults() (Options, error) {
	var c Options
	if o != nil {
		c = *o
	}
	if c.Path == "" {
		c.Path = defaultPath
	}
	if !strings.HasPrefix(c.Path, "/") {
		return c, fmt.Errorf("option Path %q: must begin with a slash", c.Path)
	}
	if !strings.HasSuffix(c.Path, "/") {
		c.Path += "/"
	}
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = defaultConnectTimeout
	}
	if c.EventQueue == 0 {
		c.EventQueue = defaultEventQueue
	}
	if c.EventQueue < 0 {
		return c, fmt.Errorf("option EventQueue %d: must not be negative", c.EventQueue)
	}
	if c.MaxNamespaces == 0 {
		c.MaxNamespaces = defaultMaxNamespaces
	}
	if c.MaxNamespaces < 0 {
		return c, fmt.Errorf("option MaxNamespaces %d: must not be negative", c.MaxNamespaces)
	}
	if c.Parser == nil {
		c.Parser = packet.JSON{}
	}
	if c.MQTTPath == "" {
		c.MQTTPath = defaultMQTTPath
	}
	if c.MQTTPath != "-" && !strings.HasPrefix(c.MQTTPath, "/") {
		return c, fmt.Errorf("option MQTTPath %q: must begin with a slash, or be %q", c.MQTTPath, "-")
	}
	if c.Logger == nil {
		c.Logger = zap.NewNop()
	}
	if c.Engine.Logger == nil {
		c.Engine.Logger = c.Logger
	}
	return c, nil
}

// Names of package engine that Options need.
type (
	// EngineOptions configure transports, heartbeat, CORS and limits of connections.
	EngineOptions = engine.Options
	// CORS says which pages of other origins may use the server.
	CORS = engine.CORS
	// Cookie describes the cookie that carries the id of a connection.
	Cookie = engine.Cookie
)
