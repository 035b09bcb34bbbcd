// Command demo is a chat with two doors: browsers come in by Socket.IO, devices
// by MQTT, and both are members of the same rooms. It shows the public API of
// package server in use:
//
//   - main.go starts the broker, the server and the pages, and ends them in order
//   - chat.go and the files beside it are the chat: what browsers emit and devices publish
//   - sensor.go is a simulated device, an MQTT client like any other
//   - web holds the pages, which the build embeds
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"syscall"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"siomq/adapter/broker/embedded"
	"siomq/server"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// Bounds of starting and ending.
const (
	readHeaderTimeout = 10 * time.Second
	shutdownTimeout   = 5 * time.Second
)

// run starts the demo, prints its addresses, and returns when ctx has ended and everything is
// closed, or when it could not start.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	set, err := parse(args, stdout)
	if err != nil || set == nil {
		return err
	}
	log := newLogger(stderr, set.verbose)
	mqtt, err := embedded.New(&embedded.Options{Addr: set.mqtt, Logger: log})
	if err != nil {
		return fmt.Errorf("MQTT address %q: %w", set.mqtt, err)
	}
	return errors.Join(serve(ctx, set, mqtt, stdout, log), closeBroker(mqtt))
}

func closeBroker(mqtt *embedded.Broker) error {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	return mqtt.Close(ctx)
}

// serve runs everything on top of the broker until ctx ends.
func serve(ctx context.Context, set *settings, mqtt *embedded.Broker, stdout io.Writer, log *zap.Logger) error {
	siomq, err := server.New(&server.Options{Broker: mqtt, Logger: log})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", set.http)
	if err != nil {
		return errors.Join(fmt.Errorf("HTTP address %q: %w", set.http, err), shutdown(siomq, nil))
	}
	site, err := newPages(content, mqtt.Addr())
	if err != nil {
		return errors.Join(err, listener.Close(), shutdown(siomq, nil))
	}
	room, err := openChat(siomq, mqtt, log)
	if err != nil {
		return errors.Join(err, listener.Close(), shutdown(siomq, nil))
	}
	mux := http.NewServeMux()
	mux.Handle("/socket.io/", siomq)
	mux.Handle("/mqtt", siomq)
	mux.Handle("/", site)
	web := &http.Server{Handler: mux, ReadHeaderTimeout: readHeaderTimeout, ErrorLog: zap.NewStdLog(log)}

	background, end := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { room.run(background) })
	if set.sensor {
		running.Go(func() { newSensor(mqtt.Addr().String(), log).run(background) })
	}
	served := make(chan error, 1)
	running.Go(func() { served <- web.Serve(listener) })

	if err = printAddresses(stdout, listener.Addr(), mqtt.Addr(), site.missing); err == nil {
		select {
		case <-ctx.Done():
		case err = <-served:
		}
	}
	end()
	err = errors.Join(err, shutdown(siomq, web))
	running.Wait()
	room.close()
	return err
}

// shutdown ends the doors for browsers: first the sockets, so that they are told, then HTTP.
func shutdown(siomq *server.Server, web *http.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	err := siomq.Shutdown(ctx)
	if web != nil {
		err = errors.Join(err, web.Shutdown(ctx))
	}
	return err
}

// settings are what flags and environment say.
type settings struct {
	http, mqtt string
	sensor     bool
	verbose    bool
}

// parse reads the flags; a variable of the environment is the default of its flag. It returns
// nil settings when only help was asked for.
func parse(args []string, stdout io.Writer) (*settings, error) {
	set := &settings{http: ":3000", mqtt: "127.0.0.1:1883", sensor: true}
	if err := set.fromEnvironment(os.LookupEnv); err != nil {
		return nil, err
	}
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // an error is one line, printed by main
	flags.StringVar(&set.http, "http", set.http, "`address` of the pages, Socket.IO and MQTT over WebSocket (SIOMQ_HTTP)")
	flags.StringVar(&set.mqtt, "mqtt", set.mqtt, "`address` of MQTT over TCP; :1883 lets devices in from the network, without a password (SIOMQ_MQTT)")
	flags.BoolVar(&set.sensor, "sensor", set.sensor, "run the simulated sensor (SIOMQ_SENSOR)")
	flags.BoolVar(&set.verbose, "verbose", set.verbose, "log what happens, not only what goes wrong (SIOMQ_VERBOSE)")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		flags.SetOutput(stdout)
		_, err := fmt.Fprintln(stdout, "demo: a chat for browsers by Socket.IO and devices by MQTT")
		flags.PrintDefaults()
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("%w (see -h)", err)
	case flags.NArg() > 0:
		return nil, fmt.Errorf("unexpected argument %q (see -h)", flags.Arg(0))
	case set.mqtt == "":
		return nil, errors.New("flag -mqtt: the address is empty (see -h)")
	}
	return set, nil
}

func (set *settings) fromEnvironment(lookup func(string) (string, bool)) error {
	for name, field := range map[string]*string{"SIOMQ_HTTP": &set.http, "SIOMQ_MQTT": &set.mqtt} {
		if value, ok := lookup(name); ok {
			*field = value
		}
	}
	for name, field := range map[string]*bool{"SIOMQ_SENSOR": &set.sensor, "SIOMQ_VERBOSE": &set.verbose} {
		value, ok := lookup(name)
		if !ok {
			continue
		}
		on, err := strconv.ParseBool(value)
		if err != nil {
			return fmt.Errorf("environment %s=%q: must be true or false", name, value)
		}
		*field = on
	}
	return nil
}

// printAddresses says where everything is, for people to click and copy.
func printAddresses(w io.Writer, web, mqtt net.Addr, missing []string) error {
	text := fmt.Sprintf("pages and Socket.IO   http://%s\nMQTT over TCP         mqtt://%s\nMQTT over WebSocket   ws://%s/mqtt\n",
		readable(web), readable(mqtt), readable(web))
	if len(missing) > 0 {
		text += fmt.Sprintf("not in this build: %v; run \"make pages\" and build again\n", missing)
	}
	_, err := io.WriteString(w, text)
	return err
}

// readable is the address with localhost for what only this machine, or every interface, answers to.
func readable(addr net.Addr) string {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return addr.String()
	}
	if tcp.IP.IsUnspecified() || tcp.IP.IsLoopback() || tcp.IP == nil {
		return net.JoinHostPort("localhost", strconv.Itoa(tcp.Port))
	}
	return tcp.String()
}

func newLogger(w io.Writer, verbose bool) *zap.Logger {
	level := zapcore.WarnLevel
	if verbose {
		level = zapcore.DebugLevel
	}
	encoder := zap.NewDevelopmentEncoderConfig()
	return zap.New(zapcore.NewCore(zapcore.NewConsoleEncoder(encoder), zapcore.Lock(zapcore.AddSync(w)), level))
}
