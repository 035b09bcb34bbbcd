package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"siomq/server/auth"
)

const passwdUsage = `Usage: siomq passwd [-c] [-I iterations] file user
       siomq passwd -b [-c] [-I iterations] file user password
       siomq passwd -D file user
       siomq passwd -v [-b] file user [password]

Sets the password of a user in a password file, which siomq and Mosquitto
read. It is asked for on a terminal, else read from the first line of the standard
input. A running server sees the change when it reloads its files (SIGHUP).

`

// passwdFlags are the settings of passwd, as in mosquitto_passwd where it has them.
type passwdFlags struct {
	create, remove, batch, verify bool
	iterations                    int

	file, user string
	password   *string // with -b
}

func passwd(ctx context.Context, args []string, std streams) error {
	f, err := parsePasswd(args, std)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return nil
	case err != nil:
		return err
	case f.remove:
		return auth.DeleteUser(f.file, f.user)
	case !f.create: // before anybody types a password
		if _, err := os.Stat(f.file); errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("%w (-c creates it)", err)
		} else if err != nil {
			return err
		}
	}
	var password string
	if f.password != nil {
		password = *f.password
	} else if password, err = readPassword(ctx, std, !f.verify); err != nil {
		return err
	}
	if f.verify {
		return verify(ctx, f.file, f.user, password)
	}
	return auth.SetPassword(f.file, f.user, []byte(password), &auth.SetOptions{Create: f.create, Iterations: f.iterations})
}

func parsePasswd(args []string, std streams) (*passwdFlags, error) {
	f := &passwdFlags{}
	set := flag.NewFlagSet("siomq passwd", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	set.BoolVar(&f.create, "c", false, "create the file, with this user alone; an existing one is replaced")
	set.BoolVar(&f.remove, "D", false, "delete the user")
	set.BoolVar(&f.batch, "b", false, "take the password from the command line, where other users of the\nmachine may see it")
	set.BoolVar(&f.verify, "v", false, "check the password instead of setting it; the exit status tells")
	set.IntVar(&f.iterations, "I", auth.DefaultIterations, "iterations of PBKDF2; Mosquitto computes them at each CONNECT")
	err := set.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		say(std.out, passwdUsage)
		set.SetOutput(std.out)
		set.PrintDefaults()
		return nil, err
	}
	if err != nil {
		return nil, &usageError{"passwd", err.Error()}
	}
	problem := f.take(set.Args())
	if problem != "" {
		return nil, &usageError{"passwd", problem}
	}
	return f, nil
}

// take takes the arguments after the flags, and says what does not fit.
func (f *passwdFlags) take(args []string) (problem string) {
	exclusive := 0
	for _, set := range []bool{f.create, f.remove, f.verify} {
		if set {
			exclusive++
		}
	}
	switch {
	case exclusive > 1:
		return "-c, -D and -v exclude each other"
	case f.remove && f.batch:
		return "-D needs no password, so no -b"
	case f.iterations < 1 || f.iterations > auth.MaxIterations:
		return fmt.Sprintf("-I %d: want 1 to %d", f.iterations, auth.MaxIterations)
	case f.batch && len(args) != 3:
		return "with -b: want file, user and password"
	case !f.batch && len(args) == 3:
		return "a password on the command line needs -b"
	case !f.batch && len(args) != 2:
		return "want file and user"
	}
	f.file, f.user = args[0], args[1]
	if f.batch {
		f.password = &args[2]
	}
	return ""
}

// verify asks what a server would answer.
func verify(ctx context.Context, file, user, password string) error {
	users, err := auth.OpenUsers(file, nil)
	if err != nil {
		return err
	}
	_, err = users.Authenticate(ctx, &auth.Credentials{Username: user, Password: []byte(password)})
	return err
}

var (
	errEmptyPassword = errors.New("empty password")
	errMismatch      = errors.New("the passwords do not match")
)

// maxPassword is what MQTT can carry, in bytes.
const maxPassword = 65535

// readPassword reads a password without showing it, twice when it is to be set.
func readPassword(ctx context.Context, std streams, twice bool) (string, error) {
	var first, second string
	var err error
	f, ok := std.in.(*os.File)
	if ok && term.IsTerminal(int(f.Fd())) {
		first, err = ask(ctx, f, std.err, "Password: ")
		if err == nil && twice && first != "" {
			second, err = ask(ctx, f, std.err, "Again: ")
		} else {
			second = first
		}
	} else {
		first, second, err = readLines(std.in)
	}
	switch {
	case err != nil:
		return "", fmt.Errorf("read the password: %w", err)
	case first == "":
		return "", errEmptyPassword
	case first != second:
		return "", errMismatch
	}
	return first, nil
}

// ask reads a line from a terminal that does not show it.
func ask(ctx context.Context, terminal *os.File, prompt io.Writer, text string) (string, error) {
	fd := int(terminal.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return "", err
	}
	say(prompt, "%s", text)
	defer say(prompt, "\n")
	type answer struct {
		line []byte
		err  error
	}
	answers := make(chan answer, 1) // one, then nothing; not closed
	// A read from a terminal cannot be ended from here: when the context ends first, the
	// goroutine goes with the process, and the terminal shows what is typed again.
	go func() {
		line, err := term.ReadPassword(fd)
		answers <- answer{line, err}
	}()
	select {
	case a := <-answers:
		return string(a.line), a.err
	case <-ctx.Done():
		_ = term.Restore(fd, before)
		return "", context.Cause(ctx)
	}
}

// readLines reads the password from what is no terminal. A second line is the same again,
// as scripts for mosquitto_passwd send it.
func readLines(r io.Reader) (first, second string, err error) {
	in := bufio.NewReader(io.LimitReader(r, 2*(maxPassword+2)))
	line := func() (string, error) {
		s, err := in.ReadString('\n')
		s = strings.TrimSuffix(strings.TrimSuffix(s, "\n"), "\r")
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return s, err
	}
	if first, err = line(); err != nil {
		return "", "", err
	}
	if second, err = line(); err != nil {
		return "", "", err
	}
	if second == "" {
		second = first
	}
	return first, second, nil
}
