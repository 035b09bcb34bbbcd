package auth

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// SetOptions say how SetPassword writes.
type SetOptions struct {
	// Create begins a new file with this user alone. One of that name is replaced.
	Create bool
	// Iterations of PBKDF2, 1 to MaxIterations; 0 means DefaultIterations. Mosquitto
	// computes them within its only thread, at each CONNECT.
	Iterations int
}

// SetPassword sets the password of a user in a password file, for this server
// and for Mosquitto. Options may be nil. Without Create the file must exist, and every other line,
// comments and faulty ones included, stays as it is.
//
// The file is replaced as a whole or not at all, so that a server which reads it
// meanwhile sees one or the other. A new file has mode 0600; an existing
// one keeps owner, group and mode, but others lose all access.
// An empty password locks the user out: nobody can log in without one.
// Names that could not be read back, or would be read as something else, are an ErrInvalidName.
func SetPassword(path, name string, password []byte, o *SetOptions) error {
	if o == nil {
		o = &SetOptions{}
	}
	if err := checkFileName(name); err != nil {
		return err
	}
	if len(password) > maxName {
		return fmt.Errorf("password: %d bytes, over the %d that MQTT can carry", len(password), maxName)
	}
	iterations := o.Iterations
	if iterations == 0 {
		iterations = DefaultIterations
	}
	h, err := newHash(password, iterations)
	if err != nil {
		return fmt.Errorf("password of %q: %w", name, err)
	}
	line := name + ":" + h.String() + "\n"
	if o.Create {
		return rewrite(path, true, func([]byte) ([]byte, error) { return []byte(line), nil })
	}
	return rewrite(path, false, func(old []byte) ([]byte, error) {
		kept, _ := replaceUser(old, name, line)
		return kept, nil
	})
}

// DeleteUser takes a user out of a password file. A user who is not there is an
// ErrUnknownUser, and leaves the file alone. The rest is as with SetPassword.
func DeleteUser(path, name string) error {
	return rewrite(path, false, func(old []byte) ([]byte, error) {
		kept, found := replaceUser(old, name, "")
		if !found {
			return nil, fmt.Errorf("%w: %q", ErrUnknownUser, name)
		}
		return kept, nil
	})
}

// checkFileName is checkName, and what Mosquitto's format cannot hold.
func checkFileName(name string) error {
	switch err := checkName(name); {
	case err != nil:
		return err
	case strings.Contains(name, ":"):
		return fmt.Errorf("%w: %.100q has a colon, which ends a name in the file", ErrInvalidName, name)
	case strings.HasPrefix(name, "#"):
		return fmt.Errorf("%w: %.100q begins with #, which makes the line a comment", ErrInvalidName, name)
	case strings.HasPrefix(name, "\ufeff"):
		return fmt.Errorf("%w: %.100q begins with a byte order mark", ErrInvalidName, name)
	case strings.Trim(name, blanks) != name:
		return fmt.Errorf("%w: %.100q has blanks around it, which the file does not keep", ErrInvalidName, name)
	}
	return nil
}

// replaceUser puts line in the place of the first line of the user, or at the
// end, and takes further lines of the user out.
func replaceUser(old []byte, name, line string) (kept []byte, found bool) {
	kept = make([]byte, 0, len(old)+len(line)+1)
	for l := range bytes.Lines(old) {
		before, _, ok := bytes.Cut(l, []byte(":"))
		if !ok || l[0] == '#' || string(bytes.Trim(before, blanks)) != name {
			kept = append(kept, l...)
			continue
		}
		if !found {
			kept = append(kept, line...)
		}
		found = true
	}
	if found || line == "" {
		return kept, found
	}
	if n := len(kept); n > 0 && kept[n-1] != '\n' {
		kept = append(kept, '\n')
	}
	return append(kept, line...), false
}

// rewrite replaces a file by what change makes of it. Two at once, of this
// process or another, take turns where the system can do that.
func rewrite(path string, create bool, change func(old []byte) ([]byte, error)) (err error) {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real // the link stays, the file behind it is replaced
	}
	dir := filepath.Dir(path)
	unlock, err := lockDir(dir)
	if err != nil {
		return fmt.Errorf("lock %q: %w", dir, err)
	}
	defer unlock()

	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && create:
		info = nil
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%q is not a regular file", path)
	}
	var old []byte
	if !create {
		if old, err = readFile(path); err != nil {
			return err
		}
	}
	content, err := change(old)
	if err != nil {
		return err
	}
	return replaceFile(path, info, content)
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(b) > maxFile {
		err = &FileError{Path: path, Err: fmt.Errorf("over %d bytes", maxFile)}
	}
	return b, err
}

// replaceFile writes beside the file and renames, so that there is never half a file.
// was is nil when there was none.
func replaceFile(path string, was fs.FileInfo, content []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name())
			err = fmt.Errorf("write %q: %w", path, err)
		}
	}()
	if was != nil {
		// The server that reads the file may be another user than the one who writes it.
		if err := keepOwner(f, was); err != nil {
			return fmt.Errorf("keep its owner: %w", err)
		}
		if err := f.Chmod(was.Mode().Perm() &^ 0o007); err != nil {
			return err
		}
	}
	if _, err := f.Write(content); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	syncDir(filepath.Dir(path))
	return nil
}

// syncDir makes the rename durable where directories can be synchronised; where
// they cannot, the file is whole all the same.
func syncDir(dir string) {
	d, err := os.Open(dir)
	if err != nil {
		return
	}
	defer func() { _ = d.Close() }()
	_ = d.Sync()
}
