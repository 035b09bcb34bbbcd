package embedded

import (
	"fmt"
	"math"
	"time"

	"go.uber.org/zap"

	"siomq/rooms/topic"
)

// Options are the settings of a Broker. The zero value works: no listener,
// and limits that keep a stranger from using up the process.
type Options struct {
	// Addr is the TCP address to listen on, such as "127.0.0.1:1883". Empty:
	// not there, connections come by Listeners and ServeConn only.
	Addr string
	// Listeners beside Addr: TLS, Unix sockets, more addresses.
	Listeners []Listener
	// Logger; nil is silent.
	Logger *zap.Logger

	// MaxConnections open at once; a connection more is closed at once. Default
	// 100,000.
	MaxConnections int
	// ConnectTimeout from the start of a connection until its CONNECT is complete.
	// Default 10 s.
	ConnectTimeout time.Duration
	// MaxKeepAlive is the longest keep-alive; an MQTT 5 client that asks for
	// more, or for none, is told this one. 3.1.1 clients cannot be told. In
	// whole seconds up to 65,535; 0 leaves it to the client.
	MaxKeepAlive time.Duration
	// MaxSessionExpiry bounds how long the session of an absent client is kept. 0:
	// as long as the client asks, for ever included.
	MaxSessionExpiry time.Duration

	// MaxPacketSize in bytes, announced to MQTT 5 clients. Default 1 MiB. A
	// larger Publish is broker.ErrTooLarge.
	MaxPacketSize int
	// MaxQueue is how many bytes may wait to be written to a client, and apart from
	// these how many bytes of messages may wait for its acknowledgements or its
	// return. A connected client over it is closed; for an absent one the newest
	// message is dropped. Both are counted. Default 8 MiB, at least two packets.
	MaxQueue int
	// MaxInflight is how many QoS 1 and 2 messages a client may leave
	// unacknowledged before further ones wait, and the receive maximum that clients
	// are told. Default 1,024.
	MaxInflight int

	// MaxTopicLength of topic names and filters in bytes. Default 4,096.
	MaxTopicLength int
	// MaxTopicLevels of topic names and filters. Default 128.
	MaxTopicLevels int
	// MaxTopicAlias a client may set for its publishes, and is given for those it
	// receives when it takes so many. Default 32, negative none.
	MaxTopicAlias int
	// MaxSubscriptions of one client. Default 10,000.
	MaxSubscriptions int
	// MaxRetained messages kept. Default 1,000,000.
	MaxRetained int
}

// Defaults, and the bounds that the protocol sets.
const (
	defaultConnections    = 100_000
	defaultConnectTimeout = 10 * time.Second
	defaultPacketSize     = 1 << 20
	defaultQueue          = 8 << 20
	defaultInflight       = 1024
	defaultTopicLength    = 4096
	defaultTopicLevels    = 128
	defaultTopicAlias     = 32
	defaultSubscriptions  = 10_000
	defaultRetained       = 1_000_000

	maxRemaining = 268_435_455 // section 1.5.5
)

// withDefaults returns a copy of o with every default filled in, or an error
// that names the field.
func (o *Options) withDefaults() (Options, error) {
	var r Options
	if o != nil {
		r = *o
	}
	if r.Logger == nil {
		r.Logger = zap.NewNop()
	}
	if r.ConnectTimeout == 0 {
		r.ConnectTimeout = defaultConnectTimeout
	}
	if r.MaxPacketSize == 0 {
		r.MaxPacketSize = defaultPacketSize
	}
	if r.MaxQueue == 0 {
		r.MaxQueue = max(defaultQueue, 2*r.MaxPacketSize)
	}
	fields := []struct {
		name           string
		value          *int
		def, low, high int
	}{
		{"MaxConnections", &r.MaxConnections, defaultConnections, 1, math.MaxInt32},
		{"MaxPacketSize", &r.MaxPacketSize, defaultPacketSize, 64, maxRemaining},
		{"MaxQueue", &r.MaxQueue, defaultQueue, 2 * r.MaxPacketSize, math.MaxInt32},
		{"MaxInflight", &r.MaxInflight, defaultInflight, 1, math.MaxUint16},
		{"MaxTopicLength", &r.MaxTopicLength, defaultTopicLength, 1, topic.MaxBytes},
		{"MaxTopicLevels", &r.MaxTopicLevels, defaultTopicLevels, 1, topic.MaxBytes},
		{"MaxTopicAlias", &r.MaxTopicAlias, defaultTopicAlias, math.MinInt, math.MaxUint16},
		{"MaxSubscriptions", &r.MaxSubscriptions, defaultSubscriptions, 1, math.MaxInt32},
		{"MaxRetained", &r.MaxRetained, defaultRetained, 1, math.MaxInt32},
	}
	for _, f := range fields {
		if *f.value == 0 {
			*f.value = f.def
		}
		if *f.value < f.low || *f.value > f.high {
			return r, fmt.Errorf("option %s: %d is not between %d and %d", f.name, *f.value, f.low, f.high)
		}
	}
	r.MaxTopicAlias = max(r.MaxTopicAlias, 0)
	switch {
	case r.ConnectTimeout < 0:
		return r, fmt.Errorf("option ConnectTimeout: %v is negative", r.ConnectTimeout)
	case r.MaxKeepAlive < 0 || r.MaxKeepAlive > math.MaxUint16*time.Second || r.MaxKeepAlive%time.Second != 0:
		return r, fmt.Errorf("option MaxKeepAlive: %v is not in whole seconds up to 65,535", r.MaxKeepAlive)
	case r.MaxSessionExpiry < 0:
		return r, fmt.Errorf("option MaxSessionExpiry: %v is negative", r.MaxSessionExpiry)
	}
	return r, nil
}
