package topic

import (
	"errors"
	"strconv"
)

// Errors of this package, to be compared with errors.Is.
var (
	// ErrForeign: the topic name is not beneath the prefix. It is an ordinary
	// MQTT topic, no emit, and no fault.
	ErrForeign = errors.New("outside the topic prefix")
	// ErrMalformed: the name is beneath the prefix and says nothing there.
	ErrMalformed = errors.New("not an address of the namespace")
	// ErrNotCanonical: the name means something, but is not how Codec.Name writes it.
	ErrNotCanonical = errors.New("not the canonical form")
	// ErrReservedEvent: the event belongs to Socket.IO itself.
	ErrReservedEvent = errors.New("reserved event")
	// ErrAddress: the Address cannot be written as a topic.
	ErrAddress = errors.New("invalid address")
	// ErrUTF8: a part is not valid UTF-8.
	ErrUTF8 = errors.New("not valid UTF-8")
	// ErrTooLong: the topic is over 65,535 bytes or a configured length.
	ErrTooLong = errors.New("topic too long")
	// ErrTooManyLevels: the topic has more levels than the limit.
	ErrTooManyLevels = errors.New("too many topic levels")
	// ErrInvalidName: a topic name breaks MQTT 5 section 4.7.
	ErrInvalidName = errors.New("invalid topic name")
	// ErrInvalidFilter: a topic filter breaks MQTT 5 section 4.7 or 4.8.2.
	ErrInvalidFilter = errors.New("invalid topic filter")
)

// maxQuoted is how much of a topic an error text repeats, in bytes.
const maxQuoted = 80

// quote quotes s for an error text and cuts what is too long to read.
func quote(s string) string {
	if len(s) > maxQuoted {
		return strconv.Quote(s[:maxQuoted]) + "..."
	}
	return strconv.Quote(s)
}
