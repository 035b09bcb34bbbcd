package auth_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"siomq/server/auth"
)

// Users of a password file, and everybody else as nobody.
func Example() {
	dir, err := os.MkdirTemp("", "auth")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "passwd")
	if err := auth.SetPassword(file, "alice", []byte("secret"), &auth.SetOptions{Create: true}); err != nil {
		fmt.Println(err)
		return
	}
	users, err := auth.OpenUsers(file, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	who := auth.Any(auth.WithRoles(users, map[string][]string{"alice": {"teacher"}}), auth.Anonymous())
	for _, c := range []*auth.Credentials{
		{Username: "alice", Password: []byte("secret")},
		{Username: "alice", Password: []byte("guess")},
		{},
	} {
		p, err := who.Authenticate(context.Background(), c)
		if errors.Is(err, auth.ErrNotAuthorized) {
			fmt.Println("refused")
			continue
		}
		fmt.Printf("%q %v by %s\n", p.Username, p.Roles, p.Method)
	}
	// Output:
	// "alice" [teacher] by password
	// refused
	// "" [] by anonymous
}
