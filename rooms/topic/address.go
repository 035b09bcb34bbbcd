package topic

// Kind says which subtree of a namespace an [Address] is in. The first four
// have the values of rooms.TargetKind.
type Kind uint8

// The subtrees of the namespace. {ns} is beneath the prefix.
const (
	All            Kind = iota // {ns}/all/{event}: everyone in the namespace
	Room                       // {ns}/room/{room}/{event}: a room
	Socket                     // {ns}/socket/{sid}/{event}: a private message
	User                       // {ns}/user/{user}/{event}: a private message to a person
	From                       // {ns}/from/{sid}/{event}: what a socket emitted
	Call                       // {ns}/call/{sid}/{event}/{id}: the same, asking for an acknowledgement
	Ack                        // {ns}/ack/{sid}/{id}: that acknowledgement
	ControlSocket              // {ns}/control/socket/{sid}/{verb}
	ControlRoom                // {ns}/control/room/{room}/{verb}
	PresenceSocket             // {ns}/presence/socket/{sid}
	PresenceRoom               // {ns}/presence/room/{room}

	kinds // the number of kinds
)

// The verbs of control topics.
const (
	VerbJoin       = "join"
	VerbLeave      = "leave"
	VerbDisconnect = "disconnect"
)

// DefaultEvent is the event of a topic that ends before the event level, as
// socket.send() names it.
const DefaultEvent = "message"

// mainWord is the level of the namespace "/".
const mainWord = "main"

// String returns the levels that stand for k in a topic.
func (k Kind) String() string {
	if k >= kinds {
		return "unknown"
	}
	return k.shape().word
}

// Address is what a topic name says. Fields that a Kind does not use are empty.
type Address struct {
	Kind      Kind
	Namespace string // begins with a slash: "/", "/chat"
	Name      string // room, socket id or user; every kind but All
	Event     string // All, Room, Socket, User, From and Call
	Verb      string // the Control kinds: VerbJoin, VerbLeave, VerbDisconnect
	ID        string // Call and Ack: names one acknowledgement of one socket
}

// fields says which levels follow the word of a kind, in this order.
type fields uint8

const (
	hasName fields = 1 << iota
	hasEvent
	hasVerb
	hasID
	mayOmitEvent // on the way in, the event level may be missing
)

type shape struct {
	word   string // without slashes around it
	fields fields
	levels int // number of fields
}

// shape returns how the topics of k are built. k is less than kinds.
func (k Kind) shape() shape {
	switch k {
	case All:
		return shape{"all", hasEvent | mayOmitEvent, 1}
	case Room:
		return shape{"room", hasName | hasEvent | mayOmitEvent, 2}
	case Socket:
		return shape{"socket", hasName | hasEvent | mayOmitEvent, 2}
	case User:
		return shape{"user", hasName | hasEvent | mayOmitEvent, 2}
	case From:
		return shape{"from", hasName | hasEvent, 2}
	case Call:
		return shape{"call", hasName | hasEvent | hasID, 3}
	case Ack:
		return shape{"ack", hasName | hasID, 2}
	case ControlSocket:
		return shape{"control/socket", hasName | hasVerb, 2}
	case ControlRoom:
		return shape{"control/room", hasName | hasVerb, 2}
	case PresenceSocket:
		return shape{"presence/socket", hasName, 1}
	default: // PresenceRoom
		return shape{"presence/room", hasName, 1}
	}
}

// kindOf finds the kind at the start of s, the levels after the namespace. rest
// and more are as cut returns them.
func kindOf(s string) (k Kind, rest string, more, ok bool) {
	word, rest, more := cut(s)
	switch word {
	case "all":
		return All, rest, more, true
	case "room":
		return Room, rest, more, true
	case "socket":
		return Socket, rest, more, true
	case "user":
		return User, rest, more, true
	case "from":
		return From, rest, more, true
	case "call":
		return Call, rest, more, true
	case "ack":
		return Ack, rest, more, true
	case "control":
		return kindOfPair(ControlSocket, ControlRoom, rest)
	case "presence":
		return kindOfPair(PresenceSocket, PresenceRoom, rest)
	}
	return 0, "", false, false
}

// kindOfPair reads the second word of control and presence.
func kindOfPair(socket, room Kind, s string) (k Kind, rest string, more, ok bool) {
	word, rest, more := cut(s)
	switch word {
	case "socket":
		return socket, rest, more, true
	case "room":
		return room, rest, more, true
	}
	return 0, "", false, false
}

// IsReservedEvent reports whether the name belongs to Socket.IO itself and can
// be no event of an application.
func IsReservedEvent(event string) bool {
	switch event {
	case "connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener":
		return true
	}
	return false
}

func isVerb(s string) bool {
	return s == VerbJoin || s == VerbLeave || s == VerbDisconnect
}

// check returns why a cannot be a topic, its text apart.
func (a *Address) check() error {
	if a.Kind >= kinds {
		return ErrAddress
	}
	if a.Namespace == "" || a.Namespace[0] != '/' {
		return ErrAddress
	}
	f := a.Kind.shape().fields
	// A field that the topic cannot say would let two addresses share a topic.
	if f&hasName == 0 && a.Name != "" || f&hasEvent == 0 && a.Event != "" ||
		f&hasVerb == 0 && a.Verb != "" || f&hasID == 0 && a.ID != "" {
		return ErrAddress
	}
	if f&hasVerb != 0 && !isVerb(a.Verb) {
		return ErrAddress
	}
	if f&hasEvent != 0 && IsReservedEvent(a.Event) {
		return ErrReservedEvent
	}
	return nil
}
