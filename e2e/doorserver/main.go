// Command doorserver is a server with every way in for MQTT clients, where who
// comes must say who it is: e2e/real/doors.test.mjs goes through each. It prints its
// addresses as one line of JSON and ends when its standard input does.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"siomq/adapter/broker/embedded"
	"siomq/server"
	"siomq/server/auth"
)

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "doorserver:", err)
		os.Exit(1)
	}
}

const timeout = 10 * time.Second

func run(args []string, stdin io.Reader, stdout io.Writer) error {
	flags := flag.NewFlagSet("doorserver", flag.ContinueOnError)
	var files embedded.TLSFiles
	flags.StringVar(&files.Cert, "cert", "", "certificate `file`")
	flags.StringVar(&files.Key, "key", "", "key `file`")
	flags.StringVar(&files.ClientCA, "ca", "", "`file` with the authority of client certificates")
	passwords := flags.String("passwords", "", "password `file`")
	unix := flags.String("unix", "", "`path` of the socket")
	if err := flags.Parse(args); err != nil {
		return err
	}
	certificates, err := auth.Certificates(nil)
	if err != nil {
		return err
	}
	users, err := auth.OpenUsers(*passwords, nil)
	if err != nil {
		return err
	}
	broker, err := embedded.New(&embedded.Options{
		Addr: "127.0.0.1:0",
		Listeners: []embedded.Listener{
			{Addr: "127.0.0.1:0", TLSFiles: &files},
			{Network: "unix", Addr: *unix, Mode: 0o600},
		},
	})
	if err != nil {
		return err
	}
	err = serve(broker, auth.Any(certificates, users), stdin, stdout)
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return errors.Join(err, broker.Close(ctx))
}

// serve runs the server on top of broker until stdin ends.
func serve(broker *embedded.Broker, who auth.Authenticator, stdin io.Reader, stdout io.Writer) error {
	srv, err := server.New(&server.Options{Broker: broker, Authenticator: who})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(listener) }()
	addrs := broker.Addrs()
	err = json.NewEncoder(stdout).Encode(map[string]string{
		"http": "http://" + listener.Addr().String(),
		"mqtt": "mqtt://" + addrs[0].String(),
		"tls":  "mqtts://" + addrs[1].String(),
		"unix": addrs[2].String(),
	})
	if err == nil {
		_, err = io.Copy(io.Discard, stdin)
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	err = errors.Join(err, srv.Shutdown(ctx))
	if serveErr := <-served; !errors.Is(serveErr, server.ErrServerClosed) {
		err = errors.Join(err, serveErr)
	}
	return err
}
