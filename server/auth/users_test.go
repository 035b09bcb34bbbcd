package auth_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"siomq/server/auth"
)

// Lines as mosquitto_passwd 2.0.11 wrote them.
const (
	aliceLine = "alice:$7$101$X31FDKjA2ScFFCS4$DIA3x/+xGtgtoRxh2WdiQx+zIwr0mXYwv40ci1J8b3566TVcbZ1hCCWAVA5v2jtnVMiiGqq5DE9O3f77xVWxOw=="
	bobLine   = "bob:$6$00Im+EbzTNQtJItG$Fxru5eIAEiNav+5sk4fdLfgOjEED1CEKbYxqcWVSKs0mPEli0SbUM7ZJycc2lxv8we2K6LEkcG4zIn9Dd2tgQw=="
	emptyLine = "empty:$7$101$z10s6JzSLaeQCW7v$z877ERoo7Ft9DapGdjAQkjUtKvWvDAFOIdvrknC0bQqIxNPZO2b5au7aFUavYHBEZlmkc5qDxIoCVwc05zM8lw=="
	umlauts   = "ünï cödé #:$7$101$YHfGKXhSpP5+jayc$1VHl2KRrtUyJjnoqT5+G0lDqH3cPGvZQUUXjYP3By8ylm3eNMkY9IkaElGDGLruqqbYcIW6xvcoS1b4pMMphQA=="
)

func users(t testing.TB, content string, o *auth.UsersOptions) (*auth.Users, string) {
	t.Helper()
	path := write(t, "passwd", content)
	u, err := auth.OpenUsers(path, o)
	if err != nil {
		t.Fatal(err)
	}
	return u, path
}

func login(name, password string) *auth.Credentials {
	return &auth.Credentials{Username: name, Password: []byte(password), Via: auth.MQTT}
}

func TestUsers(t *testing.T) {
	u, _ := users(t, "# the devices\n\n"+aliceLine+"\r\n  "+bobLine+" \t\n"+emptyLine+"\n"+umlauts, nil)
	tests := []struct {
		name        string
		credentials *auth.Credentials
		want        error
	}{
		{"PBKDF2", login("alice", "secret"), nil},
		{"PBKDF2 again, remembered", login("alice", "secret"), nil},
		{"SHA-512", login("bob", "pa ss"), nil},
		{"empty password, though the file has its hash", login("empty", ""), auth.ErrNotAuthorized},
		{"name with blanks and letters of all kinds", login("ünï cödé #", "z"), nil},
		{"wrong password", login("alice", "Secret"), auth.ErrNotAuthorized},
		{"password of somebody else", login("alice", "pa ss"), auth.ErrNotAuthorized},
		{"longer password", login("alice", "secret "), auth.ErrNotAuthorized},
		{"a zero byte ends nothing", login("alice", "secret\x00more"), auth.ErrNotAuthorized},
		{"empty instead of a password", login("alice", ""), auth.ErrNotAuthorized},
		{"something instead of the empty password", login("empty", "x"), auth.ErrNotAuthorized},
		{"wrong password, SHA-512", login("bob", "pa  ss"), auth.ErrNotAuthorized},
		{"no password", &auth.Credentials{Username: "empty"}, auth.ErrNotAuthorized},
		{"unknown", login("carol", "secret"), auth.ErrNotAuthorized},
		{"name in other case", login("Alice", "secret"), auth.ErrNotAuthorized},
		{"name with a blank more", login("alice ", "secret"), auth.ErrNotAuthorized},
		{"64 KiB of password", login("alice", strings.Repeat("x", 65535)), auth.ErrNotAuthorized},
		{"64 KiB of name", login(strings.Repeat("x", 65535), "secret"), auth.ErrNotAuthorized},
		{"the hash as password", login("alice", aliceLine[6:]), auth.ErrNotAuthorized},
		{"no name", login("", "secret"), auth.ErrNoCredentials},
		{"nothing", &auth.Credentials{}, auth.ErrNoCredentials},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := u.Authenticate(t.Context(), tt.credentials)
			if tt.want != nil {
				if p != nil || !errors.Is(err, tt.want) {
					t.Fatalf("got %v, %v, want %v", p, err, tt.want)
				}
				if s := string(tt.credentials.Password); len(s) > 3 && strings.Contains(err.Error(), s) {
					t.Errorf("error %q shows the password", err)
				}
				return
			}
			if err != nil || p.Username != tt.credentials.Username || p.Method != "password" {
				t.Errorf("got %v, %v, want %q", p, err, tt.credentials.Username)
			}
		})
	}
	want := auth.UsersStats{Users: 4, Accepted: 4, Cached: 1, Refused: 15}
	if got := u.Stats(); got != want {
		t.Errorf("Stats: got %+v, want %+v", got, want)
	}
}

func TestUsersOfAnEmptyFile(t *testing.T) {
	u, _ := users(t, "", nil)
	if _, err := u.Authenticate(t.Context(), login("alice", "secret")); !errors.Is(err, auth.ErrNotAuthorized) {
		t.Errorf("got %v, want ErrNotAuthorized", err)
	}
}

func TestFaultyFiles(t *testing.T) {
	salt64 := "$7$1000$" + strings.Repeat("A", 85) + "A==$" + strings.Repeat("A", 85) + "A=="
	tests := []struct {
		name, content string
		line          int    // 0: no error
		want          string // in the error
	}{
		{"salt of 64 bytes, as Mosquitto 2.1 writes", "a:" + salt64, 0, ""},
		{"only comments", "#a:b\n#\n\n \t\n", 0, ""},
		{"plain text", "# all\n" + aliceLine + "\nbob:hunter2\n", 3, "not hashed"},
		{"empty password field", "bob:\n", 1, "not hashed"},
		{"no colon", aliceLine + "\nhunter2\n", 2, "no colon"},
		{"no name", aliceLine[5:], 1, "empty"},
		{"blank name", "  " + aliceLine[5:], 1, "empty"},
		{"name twice", aliceLine + "\n" + bobLine + "\n" + aliceLine, 3, "line 1"},
		{"control character", "a\tb\x01" + aliceLine, 1, "control character"},
		{"not UTF-8", "a\xff" + aliceLine, 1, "not UTF-8"},
		{"byte order mark", "\ufeff" + aliceLine, 1, "byte order mark"},
		{"name too long", strings.Repeat("x", 65536) + aliceLine, 1, "65541 bytes"},
		{"line too long", bobLine + "\n" + strings.Repeat("x", 200<<10), 2, "bytes"},
		{"unknown kind", "a:$5$AAAA$AAAA", 1, "unknown kind"},
		{"no kind", "a:$", 1, "unknown kind"},
		{"argon2id", "a:$argon2id$v=19$m=47104,t=1,p=1$AAAA$AAAA", 1, "argon2id"},
		{"crypt's SHA-512", "a:$6$rounds=5000$saltsalt$hashhash", 1, "fields"},
		{"no hash", "a:$6$AAAAAAAAAAAAAAAA", 1, "fields"},
		{"no iterations", strings.Replace(aliceLine, "$101", "", 1), 1, "fields"},
		{"iterations zero", strings.Replace(aliceLine, "101", "0", 1), 1, "iterations"},
		{"iterations negative", strings.Replace(aliceLine, "101", "-1", 1), 1, "iterations"},
		{"iterations no number", strings.Replace(aliceLine, "101", "x", 1), 1, "iterations"},
		{"iterations over the limit", strings.Replace(aliceLine, "101", "10000001", 1), 1, "iterations"},
		{"iterations over all limits", strings.Replace(aliceLine, "101", strings.Repeat("9", 99), 1), 1, "iterations"},
		{"salt not base64", strings.Replace(aliceLine, "X31F", "X3!F", 1), 1, "salt"},
		{"salt short", strings.Replace(aliceLine, "X31F", "", 1), 1, "9 bytes"},
		{"hash not base64", strings.Replace(aliceLine, "DIA3", "DI.3", 1), 1, "not base64"},
		{"hash short", strings.Replace(aliceLine, "DIA3", "", 1), 1, "61 bytes"},
		{"hash cut", aliceLine[:len(aliceLine)-3], 1, "not base64"},
		{"hash not in its one spelling", strings.Replace(aliceLine, "xOw==", "xOx==", 1), 1, "not base64"},
		{"a field more", aliceLine + "$x", 1, "fields"},
		{"a colon more", aliceLine + ":x", 1, "not base64"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := write(t, "passwd", tt.content)
			u, err := auth.OpenUsers(path, nil)
			if tt.line == 0 {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			var fault *auth.FileError
			if u != nil || !errors.As(err, &fault) {
				t.Fatalf("got %v, %v, want a FileError", u, err)
			}
			if fault.Line != tt.line || fault.Path != path || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %q with line %d, want %q and line %d", err, fault.Line, tt.want, tt.line)
			}
			if strings.Contains(err.Error(), "hunter2") || len(err.Error()) > 600 {
				t.Errorf("error %q shows a password or the whole line", err)
			}
		})
	}
}

func TestOpenUsersErrors(t *testing.T) {
	if _, err := auth.OpenUsers(t.TempDir()+"/none", nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: got %v, want ErrNotExist", err)
	}
	if _, err := auth.OpenUsers(t.TempDir(), nil); err == nil {
		t.Error("a directory: got no error")
	}
	_, err := auth.OpenUsers(write(t, "p", ""), &auth.UsersOptions{Concurrency: -1})
	if err == nil || !strings.Contains(err.Error(), "Concurrency") {
		t.Errorf("Concurrency -1: got %v, want an error that names it", err)
	}
}

func TestReload(t *testing.T) {
	u, path := users(t, aliceLine+"\n", nil)
	may := func(name, password string) bool {
		_, err := u.Authenticate(t.Context(), login(name, password))
		return err == nil
	}
	replace := func(content string) error {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return u.Reload()
	}
	if !may("alice", "secret") || may("bob", "pa ss") {
		t.Error("at first: want alice alone")
	}
	if err := replace(bobLine + "\nalice:secret\n"); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("broken file: got %v, want an error with its line", err)
	}
	if !may("alice", "secret") || may("bob", "pa ss") {
		t.Error("after the broken file: want alice alone, as before")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := u.Reload(); !errors.Is(err, os.ErrNotExist) || !may("alice", "secret") {
		t.Errorf("without the file: got %v, want ErrNotExist and alice", err)
	}
	if err := replace(bobLine); err != nil {
		t.Fatal(err)
	}
	if may("alice", "secret") || !may("bob", "pa ss") {
		t.Error("after the new file: want bob alone; a remembered password is no user")
	}
}

// A new password counts at once, although the old one was remembered.
func TestChangedPasswordIsForgotten(t *testing.T) {
	u, path := users(t, aliceLine, nil)
	for _, step := range []struct {
		set, password string
		want          bool
	}{{"", "secret", true}, {"new", "secret", false}, {"", "new", true}, {"secret", "new", false}, {"", "secret", true}} {
		if step.set != "" {
			if err := auth.SetPassword(path, "alice", []byte(step.set), &auth.SetOptions{Iterations: 101}); err != nil {
				t.Fatal(err)
			}
			if err := u.Reload(); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := u.Authenticate(t.Context(), login("alice", step.password)); (err == nil) != step.want {
			t.Errorf("after setting %q: password %q gives %v, want accepted %t", step.set, step.password, err, step.want)
		}
	}
}

// A flood of wrong passwords computes no more than one at a time, keeps a bounded
// number waiting, and neither keeps out nor slows down who was here before.
func TestFlood(t *testing.T) {
	path := write(t, "passwd", "")
	for name, iterations := range map[string]int{"alice": 1000, "slow": 300_000} {
		if err := auth.SetPassword(path, name, []byte("secret"), &auth.SetOptions{Iterations: iterations}); err != nil {
			t.Fatal(err)
		}
	}
	u, err := auth.OpenUsers(path, &auth.UsersOptions{Concurrency: 1, MaxWaiting: 3})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := u.Authenticate(t.Context(), login("alice", "secret")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	results := make(chan error, 50)
	var flood sync.WaitGroup
	for range cap(results) {
		flood.Go(func() {
			_, err := u.Authenticate(ctx, login("slow", "wrong"))
			results <- err
		})
	}
	refused := 0
	for range cap(results) - 4 { // one computes and three wait; the others are told at once
		if err := <-results; errors.Is(err, auth.ErrBusy) && !errors.Is(err, auth.ErrNotAuthorized) {
			refused++
		}
	}
	if _, err := u.Authenticate(ctx, login("alice", "secret")); err != nil {
		t.Errorf("in the flood alice got %v, want to be let in", err)
	}
	cancel()
	flood.Wait()
	close(results)
	busy := refused
	for err := range results {
		if errors.Is(err, auth.ErrBusy) {
			busy++
		} else if !errors.Is(err, auth.ErrNotAuthorized) {
			t.Errorf("got %v, want ErrBusy or ErrNotAuthorized", err)
		}
	}
	if refused < 40 || u.Stats().Busy != uint64(busy) {
		t.Errorf("%d of 46 were told at once that it is busy, Stats say %+v", refused, u.Stats())
	}
}

func TestWaitingEndsWithTheContext(t *testing.T) {
	path := write(t, "passwd", "")
	if err := auth.SetPassword(path, "slow", []byte("secret"), &auth.SetOptions{Iterations: 100_000}); err != nil {
		t.Fatal(err)
	}
	u, err := auth.OpenUsers(path, &auth.UsersOptions{Concurrency: 1})
	if err != nil {
		t.Fatal(err)
	}
	var first sync.WaitGroup
	first.Go(func() { _, _ = u.Authenticate(t.Context(), login("slow", "wrong")) })
	defer first.Wait()
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	for { // until the first one computes
		if _, err := u.Authenticate(ctx, login("nobody", "x")); errors.Is(err, auth.ErrBusy) {
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v, want the reason of the context", err)
			}
			return
		}
	}
}

// Devices that share one password and come at once are computed once, not each.
func TestSharedPasswordIsComputedOnce(t *testing.T) {
	path := write(t, "passwd", "")
	if err := auth.SetPassword(path, "devices", []byte("secret"), nil); err != nil {
		t.Fatal(err)
	}
	u, err := auth.OpenUsers(path, &auth.UsersOptions{Concurrency: 1})
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 200 {
		all.Go(func() {
			if _, err := u.Authenticate(t.Context(), login("devices", "secret")); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got := u.Stats(); got.Accepted != 200 || got.Cached != 199 {
		t.Errorf("got %+v, want 200 accepted and 199 of them cached", got)
	}
}

func TestCacheIsBounded(t *testing.T) {
	path := write(t, "passwd", "")
	for i := range 5 {
		if err := auth.SetPassword(path, fmt.Sprint("u", i), []byte("p"), &auth.SetOptions{Iterations: 1}); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		name   string
		size   int
		visits string // who comes, in order
		cached uint64
	}{
		{"room for all", 0, "0123401234", 5},
		{"off", -1, "0000", 0},
		{"the oldest goes", 2, "012" + "2" + "1" + "0", 2},
		{"one", 1, "00110", 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			u, err := auth.OpenUsers(path, &auth.UsersOptions{CacheSize: tt.size})
			if err != nil {
				t.Fatal(err)
			}
			for _, who := range tt.visits {
				if _, err := u.Authenticate(t.Context(), login("u"+string(who), "p")); err != nil {
					t.Fatal(err)
				}
			}
			if got := u.Stats().Cached; got != tt.cached {
				t.Errorf("visits %s: got %d cached, want %d", tt.visits, got, tt.cached)
			}
		})
	}
}

// BenchmarkReturningUser is what a reconnecting device costs.
func BenchmarkReturningUser(b *testing.B) {
	path := write(b, "passwd", "")
	if err := auth.SetPassword(path, "alice", []byte("secret"), nil); err != nil {
		b.Fatal(err)
	}
	for name, size := range map[string]int{"remembered": 0, "computed": -1} {
		b.Run(name, func(b *testing.B) {
			u, err := auth.OpenUsers(path, &auth.UsersOptions{CacheSize: size})
			if err != nil {
				b.Fatal(err)
			}
			c := login("alice", "secret")
			b.ReportAllocs()
			for b.Loop() {
				if _, err := u.Authenticate(b.Context(), c); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
