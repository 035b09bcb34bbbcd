// Command aclserver is the embedded broker with the access rules and the users of
// files that Mosquitto reads too: e2e/real/acl.test.mjs asks both the same
// questions. It prints its address as one line of JSON, reads its files again on
// SIGHUP, and ends when its standard input does.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"siomq/adapter/broker"
	"siomq/adapter/broker/embedded"
	"siomq/rooms/acl"
	"siomq/rooms/topic"
	"siomq/server/auth"
)

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "aclserver:", err)
		os.Exit(1)
	}
}

func run(args []string, stdin io.Reader, stdout io.Writer) error {
	flags := flag.NewFlagSet("aclserver", flag.ContinueOnError)
	var files acl.Files
	flags.StringVar(&files.Mosquitto, "acl", "", "ACL `file` of Mosquitto")
	flags.StringVar(&files.Rooms, "rooms", "", "`file` with rules for rooms")
	passwords := flags.String("passwords", "", "password `file` of Mosquitto")
	if err := flags.Parse(args); err != nil {
		return err
	}
	policy, err := acl.NewReloadable(func() (acl.Policy, error) { return acl.Load(topic.Codec{}, files) })
	if err != nil {
		return err
	}
	who := auth.Anonymous()
	if *passwords != "" {
		users, err := auth.OpenUsers(*passwords, nil)
		if err != nil {
			return err
		}
		who = auth.Any(users, who)
	}
	b, err := embedded.New(&embedded.Options{Addr: "127.0.0.1:0"})
	if err != nil {
		return err
	}
	err = serve(b, who, policy, stdin, stdout)
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return errors.Join(err, b.Close(ctx))
}

const timeout = 10 * time.Second

// serve lets clients in until stdin ends.
func serve(b *embedded.Broker, who auth.Authenticator, policy *acl.Reloadable, stdin io.Reader, stdout io.Writer) error {
	b.SetAccess(access(who, policy))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	// Mosquitto has topics of its own there; one will do to see who may read them.
	version := &broker.Message{Topic: "$SYS/broker/version", Payload: []byte("siomq"), Retain: true}
	if err := b.Publish(ctx, version); err != nil {
		return err
	}
	if err := json.NewEncoder(stdout).Encode(map[string]string{"mqtt": "mqtt://" + b.Addr().String()}); err != nil {
		return err
	}
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	ended := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, stdin)
		ended <- err
	}()
	for {
		select {
		case <-hup:
			if err := policy.Reload(); err != nil {
				fmt.Fprintln(os.Stderr, "aclserver: the old rules stay:", err)
			} else {
				fmt.Fprintln(os.Stderr, "aclserver: new rules")
			}
		case err := <-ended:
			return err
		}
	}
}

// access joins authentication and policy. A client that was let in has the user
// name that it gave.
func access(who auth.Authenticator, policy acl.Policy) broker.Access {
	principal := func(c *broker.Client) *acl.Principal { return &acl.Principal{ID: c.ID, Username: c.Username} }
	return broker.Access{
		Authenticate: func(c *broker.Client) error {
			ctx, cancel := context.WithTimeout(context.Background(), timeout)
			defer cancel()
			_, err := who.Authenticate(ctx, &auth.Credentials{
				Username: c.Username, Password: c.Password, ClientID: c.ID, Address: c.Addr, Via: auth.MQTT,
			})
			return err
		},
		Publish:   func(c *broker.Client, n string) bool { return policy.CanPublish(principal(c), topic.Name(n)) },
		Subscribe: func(c *broker.Client, f string) bool { return policy.CanSubscribe(principal(c), topic.Filter(f)) },
		Receive:   func(c *broker.Client, n string) bool { return policy.CanReceive(principal(c), topic.Name(n)) },
	}
}
