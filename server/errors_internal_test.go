package server

// Internal: a payload for 2.x clients depends on the error alone, while a whole
// connection of that kind is a test of the engine too.

import (
	"errors"
	"fmt"
	"testing"
)

// TestErrorPayload4: err.data || err.message, as in Socket.IO 4.
func TestErrorPayload4(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want string
	}{
		{"text", errors.New("no <b>"), `"no \u003cb\u003e"`},
		{"text of an Error", &Error{Message: "no"}, `"no"`},
		{"wrapped", fmt.Errorf("outside: %w", &Error{Message: "no"}), `"no"`},
		{"data", &Error{Message: "no", Data: map[string]int{"code": 7}}, `{"code":7}`},
		{"text as data", &Error{Message: "no", Data: "other"}, `"other"`},
		{"empty text as data", &Error{Message: "no", Data: ""}, `"no"`},
		{"false", &Error{Message: "no", Data: false}, `"no"`},
		{"zero", &Error{Message: "no", Data: 0}, `"no"`},
		{"empty array", &Error{Message: "no", Data: []int{}}, `[]`},
		{"data without JSON", &Error{Message: "no", Data: func() {}}, `"no"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := string(errorPayload4(tt.err)); got != tt.want {
				t.Errorf("errorPayload4(%v) = %s, want %s", tt.err, got, tt.want)
			}
		})
	}
}
