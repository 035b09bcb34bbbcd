package acl_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"siomq/rooms"
	"siomq/rooms/acl"
	"siomq/rooms/topic"
)

func TestReload(t *testing.T) {
	dir := t.TempDir()
	files := acl.Files{Mosquitto: filepath.Join(dir, "mosquitto.acl"), Rooms: filepath.Join(dir, "rooms.acl")}
	write := func(file, text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	load := func() (acl.Policy, error) { return acl.Load(topic.Codec{}, files) }
	if _, err := acl.NewReloadable(load); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without files: %v", err)
	}
	write(files.Mosquitto, "pattern readwrite #\n")
	if _, err := acl.NewReloadable(load); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), files.Rooms) {
		t.Errorf("without the file of rooms: %v", err)
	}
	write(files.Rooms, "deny join room a\n")
	policy, err := acl.NewReloadable(load)
	if err != nil {
		t.Fatal(err)
	}
	if policy.CanJoin(me, "/", "a") || !policy.CanJoin(me, "/", "b") {
		t.Error("the first files are not in force")
	}

	write(files.Rooms, "deny join room b\n")
	if err := policy.Reload(); err != nil {
		t.Fatal(err)
	}
	if !policy.CanJoin(me, "/", "a") || policy.CanJoin(me, "/", "b") {
		t.Error("the second files are not in force")
	}

	for _, broken := range []struct{ file, text, word string }{
		{files.Rooms, "deny join room c\ndeny jion room d\n", "jion"},
		{files.Mosquitto, "pattern readwrite #\ntopic raed x\n", "raed"},
	} {
		good, err := os.ReadFile(broken.file)
		if err != nil {
			t.Fatal(err)
		}
		write(broken.file, broken.text)
		var parse *acl.ParseError
		if err := policy.Reload(); !errors.As(err, &parse) || parse.File != broken.file || parse.Line != 2 || parse.Word != broken.word {
			t.Errorf("a broken file: %v", err)
		}
		if !policy.CanJoin(me, "/", "c") || policy.CanJoin(me, "/", "b") {
			t.Error("a broken file is in force")
		}
		write(broken.file, string(good))
	}
	if err := policy.Reload(); err != nil {
		t.Errorf("a mended file: %v", err)
	}
}

// While it is used, for the race detector, and everything is passed on.
func TestReloadableInUse(t *testing.T) {
	policies := []acl.Policy{
		acl.NewRules(topic.Codec{}, nil, nil),
		acl.NewRules(topic.Codec{}, nil, parseRooms(t, "deny join,emit")),
	}
	i := 0
	policy, err := acl.NewReloadable(func() (acl.Policy, error) { i++; return policies[i%2], nil })
	if err != nil {
		t.Fatal(err)
	}
	answers := func() [6]bool {
		return [6]bool{
			policy.CanPublish(me, "sio/main/all/x"),
			policy.CanSubscribe(me, "sio/main/all/x"),
			policy.CanReceive(me, "sio/main/all/x"),
			policy.CanConnect(me, "/"),
			policy.CanJoin(me, "/", "a"),
			policy.CanEmit(me, "/", rooms.Target{}, "x"),
		}
	}
	if got := answers(); got != [6]bool{} || policy.EveryoneReceives("sio/main/all/x") {
		t.Errorf("the second policy answers %v", got)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 500 {
				answers()
			}
		})
		wg.Go(func() {
			for range 100 {
				if err := policy.Reload(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if err := policy.Reload(); err != nil {
		t.Fatal(err)
	}
	if got := answers(); got != [6]bool{true, true, true, true, true, true} || !policy.EveryoneReceives("sio/main/all/x") {
		t.Errorf("the first policy answers %v", got)
	}
}
