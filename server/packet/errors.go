package packet

import "errors"

// Errors of decoders and of a Codec's Append, to be compared with errors.Is. Errors
// of package rooms/args (ErrSyntax, ErrUTF8, ErrDepth, ErrPlaceholder, ErrMsgpack) are
// wrapped beside them.
var (
	// ErrType: the first character is not a packet type.
	ErrType = errors.New("unknown packet type")
	// ErrAttachments: the number of attachments is not a number from 1 on
	// followed by a hyphen.
	ErrAttachments = errors.New("illegal attachments")
	// ErrNamespace: the namespace is not valid.
	ErrNamespace = errors.New("invalid namespace")
	// ErrID: the acknowledgement id is over 64 bits, or stands where none may.
	ErrID = errors.New("invalid acknowledgement id")
	// ErrPayload: the payload is missing, does not fit the packet's type or is
	// not valid JSON.
	ErrPayload = errors.New("invalid payload")
	// ErrReserved: the name of the event is a reserved one.
	ErrReserved = errors.New("reserved event name")
	// ErrUnexpectedText: text came while attachments were missing.
	ErrUnexpectedText = errors.New("got plaintext data when reconstructing a packet")
	// ErrUnexpectedBinary: binary data came while no attachment was missing.
	ErrUnexpectedBinary = errors.New("got binary data when not reconstructing a packet")

	// ErrNotBinary: text came to a parser whose packets are binary.
	ErrNotBinary = errors.New("got plaintext data for a binary parser")

	// ErrLimit: any of the limits, each of which has its own error too.
	ErrLimit = errors.New("limit exceeded")
	// ErrTooManyAttachments: over Limits.MaxAttachments.
	ErrTooManyAttachments = errors.New("too many attachments")
	// ErrPacketSize: over Limits.MaxPacket.
	ErrPacketSize = errors.New("packet too large")
	// ErrNamespaceSize: over Limits.MaxNamespace.
	ErrNamespaceSize = errors.New("namespace too long")
	// ErrEventSize: over Limits.MaxEvent.
	ErrEventSize = errors.New("event name too long")
	// ErrTooManyParameters: over 1,000 in the query of a namespace, see Revision4.
	ErrTooManyParameters = errors.New("too many query parameters")
)
