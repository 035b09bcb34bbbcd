// The commands are called as main calls them; package main, since it has no other
// door than run.
package main

import (
	"bytes"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// result is what a call of the program leaves.
type result struct {
	code           int
	stdout, stderr string
}

func siomq(t *testing.T, stdin string, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	err := run(t.Context(), args, strings.NewReader(stdin), &stdout, &stderr)
	code := report(&stderr, err)
	return result{code, stdout.String(), stderr.String()}
}

func TestCommands(t *testing.T) {
	tests := []struct {
		name           string
		args           []string
		code           int
		stdout, stderr string // parts
	}{
		{"nothing", nil, 2, "", "Usage: siomq command"},
		{"help", []string{"help"}, 0, "passwd ", ""},
		{"-h", []string{"-h"}, 0, "Usage: siomq command", ""},
		{"unknown", []string{"brew"}, 2, "", `there is no command "brew"`},
		{"help of a command", []string{"passwd", "-h"}, 0, "Usage: siomq passwd", ""},
		{"settings of a command", []string{"passwd", "--help"}, 0, "default 10000", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := siomq(t, "", tt.args...)
			if got.code != tt.code || !strings.Contains(got.stdout, tt.stdout) || !strings.Contains(got.stderr, tt.stderr) {
				t.Errorf("got %+v, want %d, %q, %q", got, tt.code, tt.stdout, tt.stderr)
			}
			if tt.code == 0 && got.stderr != "" || tt.code != 0 && got.stdout != "" {
				t.Errorf("got %+v, want only one of the outputs used", got)
			}
		})
	}
}
