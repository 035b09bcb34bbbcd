package auth_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"siomq/server/auth"
)

// cheap keeps the tests fast.
var cheap = auth.SetOptions{Iterations: 1}

func TestSetPassword(t *testing.T) {
	const comment = "# alice: not this one\n"
	tests := []struct {
		name, before, user string
		want               string // $ stands for the new line
	}{
		{"empty file", "", "alice", "$"},
		{"at the end", bobLine + "\n", "alice", bobLine + "\n$"},
		{"last line without its end", bobLine, "alice", bobLine + "\n$"},
		{"in its place", aliceLine + "\n" + bobLine + "\n", "alice", "$" + bobLine + "\n"},
		{"comments and blank lines stay", comment + "\n" + aliceLine + "\n\n# end", "alice", comment + "\n$\n# end"},
		{"faulty lines stay", "junk\nx:plain\n", "alice", "junk\nx:plain\n$"},
		{"a plain-text line is mended", "alice:secret\n", "alice", "$"},
		{"blanks around the name", " alice :x\n", "alice", "$"},
		{"two lines become one", "alice:1\n" + bobLine + "\nalice:2\n", "alice", "$" + bobLine + "\n"},
		{"a longer name is another", "alice2:x\nmalice:y\n", "alice", "alice2:x\nmalice:y\n$"},
		{"line ends of Windows stay", "bob:x\r\n", "alice", "bob:x\r\n$"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := write(t, "passwd", tt.before)
			if err := auth.SetPassword(path, tt.user, []byte("secret"), &cheap); err != nil {
				t.Fatal(err)
			}
			got, n := read(t, path), 0
			for line := range strings.Lines(got) {
				if strings.HasPrefix(line, tt.user+":$7$1$") {
					got, n = strings.Replace(got, line, "$", 1), n+1
				}
			}
			if n != 1 || got != tt.want {
				t.Errorf("got %d new lines in %q, want one in %q", n, got, tt.want)
			}
		})
	}
}

func TestSetPasswordIsRead(t *testing.T) {
	path := write(t, "passwd", "")
	for name, password := range map[string]string{
		"alice": "secret", "bob": "b", "ünï cödé #": "p:$\x00\n", "$7$": "x", "-c": "y", strings.Repeat("n", 65535): strings.Repeat("p", 65535),
	} {
		if err := auth.SetPassword(path, name, []byte(password), &cheap); err != nil {
			t.Fatalf("user %.20q: %v", name, err)
		}
		u, err := auth.OpenUsers(path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := u.Authenticate(t.Context(), login(name, password)); err != nil {
			t.Errorf("user %.20q: %v", name, err)
		}
	}
}

func TestSetPasswordErrors(t *testing.T) {
	tests := []struct {
		name, user, password string
		iterations           int
		want                 error // nil: any
	}{
		{"colon", "a:b", "x", 1, auth.ErrInvalidName},
		{"empty name", "", "x", 1, auth.ErrInvalidName},
		{"comment", "#a", "x", 1, auth.ErrInvalidName},
		{"blank before", " a", "x", 1, auth.ErrInvalidName},
		{"blank after", "a\t", "x", 1, auth.ErrInvalidName},
		{"line end", "a\nb", "x", 1, auth.ErrInvalidName},
		{"not UTF-8", "\xff", "x", 1, auth.ErrInvalidName},
		{"byte order mark", "\ufeffa", "x", 1, auth.ErrInvalidName},
		{"long name", strings.Repeat("a", 65536), "x", 1, auth.ErrInvalidName},
		{"long password", "a", strings.Repeat("x", 65536), 1, nil},
		{"iterations negative", "a", "x", -1, nil},
		{"iterations over the limit", "a", "x", auth.MaxIterations + 1, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := write(t, "passwd", bobLine)
			err := auth.SetPassword(path, tt.user, []byte(tt.password), &auth.SetOptions{Iterations: tt.iterations})
			if err == nil || tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			if got := read(t, path); got != bobLine {
				t.Errorf("the file became %q, want it unchanged", got)
			}
		})
	}
}

func TestDeleteUser(t *testing.T) {
	path := write(t, "passwd", "# all\n"+aliceLine+"\n"+bobLine+"\nalice:again\n")
	if err := auth.DeleteUser(path, "carol"); !errors.Is(err, auth.ErrUnknownUser) {
		t.Errorf("carol: got %v, want ErrUnknownUser", err)
	}
	if err := auth.DeleteUser(path, "# all\nalice"); !errors.Is(err, auth.ErrUnknownUser) {
		t.Errorf("a name over two lines: got %v, want ErrUnknownUser", err)
	}
	if err := auth.DeleteUser(path, "alice"); err != nil {
		t.Fatal(err)
	}
	if got, want := read(t, path), "# all\n"+bobLine+"\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if err := auth.DeleteUser(path+"x", "alice"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: got %v, want ErrNotExist", err)
	}
}

func TestFilesThatAreWritten(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes and links are different there")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "passwd")
	mode := func() fs.FileMode {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Mode()
	}
	if err := auth.SetPassword(path, "alice", nil, &cheap); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file, no Create: got %v, want ErrNotExist", err)
	}
	if err := auth.SetPassword(path, "alice", nil, &auth.SetOptions{Create: true, Iterations: 1}); err != nil {
		t.Fatal(err)
	}
	if got := mode(); got != 0o600 {
		t.Errorf("a new file has mode %v, want 0600", got)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if err := auth.SetPassword(link, "bob", nil, &cheap); err != nil {
		t.Fatal(err)
	}
	if got := mode(); got != 0o640 {
		t.Errorf("a file of mode 0644 became %v, want 0640", got)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&fs.ModeSymlink == 0 || strings.Count(read(t, path), "\n") != 2 {
		t.Errorf("the link or the file behind it is gone: %v, %v", info, err)
	}
	if err := auth.SetPassword(dir, "bob", nil, &auth.SetOptions{Create: true}); err == nil {
		t.Error("a directory: got no error")
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("got %v, %v, want passwd and nothing left over", entries, err)
	}
}

// Whoever reads meanwhile sees a whole file, and no change is lost.
func TestWritersAtOnce(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no lock there")
	}
	path := write(t, "passwd", "")
	u, err := auth.OpenUsers(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	var writers sync.WaitGroup
	for i := range 20 {
		writers.Go(func() {
			if err := auth.SetPassword(path, fmt.Sprint("user", i), []byte("x"), &cheap); err != nil {
				t.Error(err)
			}
			if err := u.Reload(); err != nil {
				t.Error(err)
			}
		})
	}
	writers.Wait()
	if err := u.Reload(); err != nil || u.Stats().Users != 20 {
		t.Errorf("got %d users, %v, want 20", u.Stats().Users, err)
	}
}
