package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPasswd plays one story on one file, step by step.
func TestPasswd(t *testing.T) {
	file := filepath.Join(t.TempDir(), "passwd")
	steps := []struct {
		name, stdin string
		args        string // % stands for the file
		code        int
		stderr      string // part
	}{
		{"no file", "secret\n", "% alice", 1, "-c creates it"},
		{"create", "secret\n", "-c -I 1 % alice", 0, ""},
		{"check", "secret\n", "-v % alice", 0, ""},
		{"check a wrong one", "Secret\n", "-v % alice", 1, "wrong password"},
		{"check nobody", "secret\n", "-v % bob", 1, "unknown"},
		{"add, with a line end of Windows", "secret\r\n", "-I 1 % bob", 0, ""},
		{"add, without a line end", "secret", "-I 1 % carol", 0, ""},
		{"add, the same again", "secret\nsecret\n", "-I 1 % dave", 0, ""},
		{"check the line end", "", "-v -b % bob secret", 0, ""},
		{"check without", "", "-v -b % carol secret", 0, ""},
		{"something else again", "secret\nSecret\n", "-I 1 % dave", 1, "do not match"},
		{"nothing", "", "% alice", 1, "empty password"},
		{"an empty line", "\n", "% alice", 1, "empty password"},
		{"on the command line", "", "-b -I 1 % alice new", 0, ""},
		{"the new one", "new\n", "-v % alice", 0, ""},
		{"the old one", "secret\n", "-v % alice", 1, "wrong"},
		{"delete", "", "-D % alice", 0, ""},
		{"delete again", "", "-D % alice", 1, "unknown user"},
		{"the deleted one", "new\n", "-v % alice", 1, "unknown"},
		{"the others are there", "", "-v -b % dave secret", 0, ""},
		{"a name that cannot be", "", "-b % a:b x", 1, "colon"},
		{"create anew", "", "-c -b -I 1 % erin x", 0, ""},
		{"the others are gone", "", "-v -b % dave secret", 1, "unknown"},
		{"default iterations", "", "-b % erin x", 0, ""},
		{"a long password", strings.Repeat("x", 65535) + "\n", "-I 1 % alice", 0, ""},
		{"too long a password", strings.Repeat("x", 1<<20) + "\n", "-I 1 % alice", 1, "password"},

		{"no arguments", "", "", 2, "want file and user"},
		{"only a file", "", "%", 2, "want file and user"},
		{"a password without -b", "", "% alice x", 2, "needs -b"},
		{"-b without a password", "", "-b % alice", 2, "with -b"},
		{"too much", "", "-b % alice x y", 2, "with -b"},
		{"-c and -D", "", "-c -D % alice", 2, "exclude"},
		{"-D and -b", "", "-D -b % alice x", 2, "-D needs no password"},
		{"no iterations", "", "-I 0 % alice", 2, "-I 0"},
		{"too many iterations", "", "-I 10000001 % alice", 2, "-I 10000001"},
		{"unknown flag", "", "-U %", 2, "-U"},
	}
	for _, tt := range steps {
		t.Run(tt.name, func(t *testing.T) {
			args := []string{"passwd"}
			for _, a := range strings.Fields(tt.args) {
				args = append(args, strings.ReplaceAll(a, "%", file))
			}
			got := siomq(t, tt.stdin, args...)
			if got.code != tt.code || !strings.Contains(got.stderr, tt.stderr) || tt.code == 0 && got.stderr != "" || got.stdout != "" {
				t.Errorf("got %+v, want %d and %q", got, tt.code, tt.stderr)
			}
		})
	}
	content, err := os.ReadFile(file)
	if err != nil || !strings.HasPrefix(string(content), "erin:$7$10000$") {
		t.Errorf("got %.100q, %v, want erin with 10,000 iterations first", content, err)
	}
}

// An empty password can be set, as with mosquitto_passwd, and locks the user out.
func TestPasswdEmptyPassword(t *testing.T) {
	file := filepath.Join(t.TempDir(), "passwd")
	if got := siomq(t, "", "passwd", "-c", "-b", file, "alice", ""); got.code != 0 {
		t.Errorf("set: got %+v, want success", got)
	}
	if got := siomq(t, "", "passwd", "-v", "-b", file, "alice", ""); got.code != 1 {
		t.Errorf("check: got %+v, want a refusal", got)
	}
}
