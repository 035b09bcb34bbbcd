package auth

import (
	"errors"
	"fmt"
	"strconv"
)

// Errors that authenticators return, to be compared with errors.Is.
var (
	// ErrNotAuthorized: the credentials are refused. MQTT 5 reason code 0x87 or
	// 0x86, MQTT 3 return code 5 or 4; at the other door a connect_error.
	ErrNotAuthorized = errors.New("not authorized")
	// ErrNoCredentials is an ErrNotAuthorized: nothing was given that this
	// authenticator looks at, so that another one may answer.
	ErrNoCredentials = fmt.Errorf("%w: no credentials", ErrNotAuthorized)
	// ErrExpired is an ErrNotAuthorized: the token was good once, and its owner
	// should get another.
	ErrExpired = fmt.Errorf("%w: token expired", ErrNotAuthorized)
	// ErrBusy: too many passwords are being computed; the client may try
	// again later (MQTT 5 reason code 0x89, Server busy).
	ErrBusy = errors.New("too many logins at once")

	// ErrUnknownUser: the user to delete is not in the file.
	ErrUnknownUser = errors.New("unknown user")
	// ErrInvalidName: no user can have this name.
	ErrInvalidName = errors.New("invalid user name")
)

// FileError says what is wrong with a file, and where. Its text never holds
// what stands in the file, which may be a password.
type FileError struct {
	Path string
	Line int // from 1; 0 when the fault has no line
	Err  error
}

func (e *FileError) Error() string {
	at := "file " + strconv.Quote(e.Path)
	if e.Line > 0 {
		at += ", line " + strconv.Itoa(e.Line)
	}
	return at + ": " + e.Err.Error()
}

func (e *FileError) Unwrap() error { return e.Err }

// refuse returns an ErrNotAuthorized with its reason, for the log.
func refuse(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrNotAuthorized, fmt.Errorf(format, args...))
}
