package server

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"siomq/rooms"
	"siomq/rooms/args"
	"siomq/server/engine"
	"siomq/server/packet"
)

// RecoveryOptions turn on connection state recovery: a client that comes back
// within MaxDisconnection gets its id, rooms and data again, and the events it
// missed (https://socket.io/docs/v4/connection-state-recovery).
type RecoveryOptions struct {
	// MaxDisconnection is how long a client may be away. Default 2 minutes.
	MaxDisconnection time.Duration
	// MaxLog bounds the events kept for those who are away, in bytes for each
	// namespace. When it is reached the oldest go; a client that missed one of
	// these comes back as a new one. Default 64 MiB.
	MaxLog int
	// RunMiddleware runs the namespace middleware for a client that comes back
	// too, as it does for a new one.
	RunMiddleware bool
}

const (
	defaultMaxDisconnection = 2 * time.Minute
	defaultMaxLog           = 64 << 20
)

// recovery is the memory of one namespace. Sending under it is serialised, so that every
// socket's queue and the log have the events in the same order: then the last
// offset that a client saw says exactly what it missed.
type recovery struct {
	opts RecoveryOptions
	boot string // begins every offset: those of another run of the server are no offsets here

	mu    sync.Mutex // held while an event is logged and queued, not while it is written
	last  uint64     // sequence number of the newest event
	log   []logged   // oldest first, sequence numbers without gaps
	bytes int        // of log
	away  map[string]*session
	here  map[string]*Socket // by private id
	kept  sync.Cond          // signals that somebody went from here to away
}

// logged is one event in the log.
type logged struct {
	at      time.Time
	frame   *engine.Message
	message *rooms.Message // whom it was for, without arguments
}

// session is what is kept of a socket that is away.
type session struct {
	id    rooms.SocketID
	rooms []string // keys of rooms and persons
	data  any
	since time.Time
	start uint64 // newest event when it connected first
}

func newRecovery(o *RecoveryOptions, boot string) *recovery {
	r := &recovery{opts: *o, boot: boot, away: make(map[string]*session), here: make(map[string]*Socket)}
	r.kept.L = &r.mu
	if r.opts.MaxDisconnection <= 0 {
		r.opts.MaxDisconnection = defaultMaxDisconnection
	}
	if r.opts.MaxLog <= 0 {
		r.opts.MaxLog = defaultMaxLog
	}
	return r
}

// numberedLocked returns p with the next offset as an additional last argument, as the
// reference implementation does it: the official clients remember it, and leave it to their
// listeners too. The caller holds r.mu.
func (r *recovery) numberedLocked(p *packet.Packet) (*packet.Packet, error) {
	c := *p
	c.Args = Args{Raw: slices.Clip(p.Args.Raw), N: p.Args.N, Attachments: slices.Clip(p.Args.Attachments)}
	err := args.Append(&c.Args, r.boot+strconv.FormatUint(r.last+1, 36))
	return &c, err
}

// recordLocked appends an event to the log and drops what is too old or too much.
func (r *recovery) recordLocked(frame *engine.Message, m *rooms.Message) {
	now := time.Now()
	r.last++
	whom := &rooms.Message{Targets: m.Targets, ExceptRooms: m.ExceptRooms, ExceptSockets: m.ExceptSockets}
	if m.Only != "" {
		whom.Targets = []rooms.Target{{Kind: rooms.ToSocket, Name: m.Only}}
	}
	r.log = append(r.log, logged{at: now, frame: frame, message: whom}) // the arguments are in the frame, and may not be kept
	r.bytes += frame.Len()
	drop := 0
	for drop < len(r.log)-1 && (r.bytes > r.opts.MaxLog || now.Sub(r.log[drop].at) > r.opts.MaxDisconnection) {
		r.bytes -= r.log[drop].frame.Len()
		r.log[drop] = logged{}
		drop++
	}
	if r.log = r.log[drop:]; drop > 0 && cap(r.log) > 4*len(r.log) {
		r.log = slices.Clone(r.log) // let the beginning of the array go
	}
}

// recoverable reports whether a client that left for this reason may come back.
func recoverable(reason string) bool {
	switch reason {
	case string(engine.TransportClose), string(engine.TransportError), string(engine.PingTimeout),
		string(engine.ForcedClose), reasonShuttingDown, reasonForcedClose:
		return true
	}
	return false
}

// keep remembers a socket that is gone.
func (r *recovery) keep(s *Socket, reason string, in []string, data any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.here, s.privateID)
	r.kept.Broadcast()
	now := time.Now()
	for pid, old := range r.away {
		if now.Sub(old.since) > r.opts.MaxDisconnection {
			delete(r.away, pid)
		}
	}
	if recoverable(reason) {
		r.away[s.privateID] = &session{id: s.id, rooms: in, data: data, since: now, start: s.startOffset}
	}
}

// comeback is what a client says in CONNECT when it was here before.
type comeback struct {
	PID    string `json:"pid"`
	Offset string `json:"offset"`
}

// claim finds the session that a CONNECT asks for, and ends the socket that still
// has it: the client has noticed the loss of that connection first.
func (r *recovery) claim(auth json.RawMessage) (pid string, found *session, seen uint64) {
	var c comeback
	if len(auth) == 0 || json.Unmarshal(auth, &c) != nil || c.PID == "" {
		return "", nil, 0
	}
	r.mu.Lock()
	old := r.here[c.PID]
	r.mu.Unlock()
	if old != nil {
		old.client.conn.Close(engine.TransportClose)
		old.client.forget(old, leftByClient)
		old.close(string(engine.TransportClose), false)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for old != nil && r.here[c.PID] == old {
		r.kept.Wait() // its close, by us or by its connection, is about to keep it
	}
	k := r.away[c.PID]
	if k == nil || time.Since(k.since) > r.opts.MaxDisconnection {
		return "", nil, 0
	}
	seen = k.start
	if c.Offset != "" {
		n, err := strconv.ParseUint(strings.TrimPrefix(c.Offset, r.boot), 36, 64)
		if err != nil || !strings.HasPrefix(c.Offset, r.boot) || n > r.last {
			return "", nil, 0
		}
		seen = n
	}
	if r.last-seen > uint64(len(r.log)) {
		return "", nil, 0 // some of what it missed is not there any more
	}
	delete(r.away, c.PID)
	return c.PID, k, seen
}

// missedLocked returns the events after seen that were for the session. None
// are returned, and ok is false, when the log does not reach back to seen.
func (r *recovery) missedLocked(k *session, seen uint64) (frames []*engine.Message, ok bool) {
	if r.last-seen > uint64(len(r.log)) {
		return nil, false
	}
	for _, l := range r.log[uint64(len(r.log))-(r.last-seen):] {
		if k.wants(l.message) {
			frames = append(frames, l.frame)
		}
	}
	return frames, true
}

// wants reports whether m was for the socket of this session.
func (k *session) wants(m *rooms.Message) bool {
	in := func(key string) bool { return slices.Contains(k.rooms, key) }
	if slices.Contains(m.ExceptSockets, k.id) || slices.ContainsFunc(roomKeys(m.ExceptRooms), in) {
		return false
	}
	return len(m.Targets) == 0 || slices.ContainsFunc(m.Targets, func(t rooms.Target) bool {
		return t.Kind == rooms.ToAll || in(targetKey(t))
	})
}
