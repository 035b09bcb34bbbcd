// Command siomq is the program of the project: a table of commands, each a thin
// user of the public packages. `siomq help` lists them.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(report(os.Stderr, err))
}

// report writes an error for its reader and returns the exit status: 0 without
// one, 2 for a command line that cannot be understood, else 1.
func report(w io.Writer, err error) int {
	if err == nil {
		return 0
	}
	say(w, "siomq %v\n", err)
	var misuse *usageError
	if errors.As(err, &misuse) {
		say(w, "Run 'siomq %s -h' for help.\n", misuse.command)
		return 2
	}
	return 1
}

// say writes for a reader. When nobody can read it any more, nobody can be told either.
func say(w io.Writer, format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) }

// usageError is a command line that cannot be understood.
type usageError struct {
	command string
	problem string
}

func (e *usageError) Error() string { return e.command + ": " + e.problem }

// streams are where a command reads and writes.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// command is one of the program's. run gets the arguments after the name; -h is among
// them. It returns soon after the context has ended.
type command struct {
	name    string
	summary string // one line, lower case, for the list
	run     func(ctx context.Context, args []string, std streams) error
}

func commands() []command {
	return []command{
		{"passwd", "set, check or delete a user in a password file", passwd},
	}
}

// run is the program without its process, so that tests can call it.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	if len(args) == 0 {
		printCommands(stderr)
		return &usageError{"help", "which command?"}
	}
	switch args[0] {
	case "help", "-h", "-help", "--help":
		printCommands(stdout)
		return nil
	}
	for _, c := range commands() {
		if c.name != args[0] {
			continue
		}
		err := c.run(ctx, args[1:], streams{stdin, stdout, stderr})
		var misuse *usageError
		if err != nil && !errors.As(err, &misuse) {
			err = fmt.Errorf("%s: %w", c.name, err)
		}
		return err
	}
	return &usageError{"help", fmt.Sprintf("there is no command %q", args[0])}
}

func printCommands(w io.Writer) {
	say(w, "siomq: Socket.IO and MQTT as one\n\nUsage: siomq command [arguments]\n\n")
	for _, c := range commands() {
		say(w, "  %-8s %s\n", c.name, c.summary)
	}
	say(w, "\n'siomq command -h' shows what a command takes.\n")
}
