package topic

import (
	"fmt"
	"strings"
)

// The topics between servers are sio-servers/{level}/...: the prefix with
// "-servers" at its last level, so that no filter for people's topics with
// the prefix written out matches them, then one or more levels encoded as the
// parts of every other topic.

// AppendServers appends the topic name between servers with these levels, one
// at least. It allocates only to grow dst. With an error, dst is returned as
// it was.
func (c Codec) AppendServers(dst []byte, levels ...string) ([]byte, error) {
	if len(levels) == 0 {
		return dst, ErrAddress
	}
	out := append(append(dst, c.Prefix()...), serversSuffix...)
	var err error
	for i := 0; i < len(levels) && err == nil; i++ {
		if len(levels[i]) > c.limit() {
			err = ErrTooLong
		} else if out, err = appendLevel(append(out, '/'), levels[i]); len(out)-len(dst) > c.limit() {
			err = ErrTooLong
		}
	}
	if err != nil {
		return out[:len(dst)], fmt.Errorf("encode topic between servers: %w", err)
	}
	return out, nil
}

// ServersName returns the topic name between servers with these levels.
func (c Codec) ServersName(levels ...string) (Name, error) {
	b, err := c.AppendServers(nil, levels...)
	return Name(b), err
}

// ServersFilter returns the filter of what is beneath these levels, of
// everything between servers when there are none: sio-servers/#.
func (c Codec) ServersFilter(levels ...string) (Filter, error) {
	b := []byte(c.Prefix() + serversSuffix)
	if len(levels) > 0 {
		var err error
		if b, err = c.AppendServers(nil, levels...); err != nil {
			return "", err
		}
	}
	if len(b)+len("/#") > c.limit() {
		return "", ErrTooLong
	}
	return Filter(append(b, "/#"...)), nil
}

// IsServers reports whether n is a topic between servers.
func (c Codec) IsServers(n Name) bool {
	_, ok := c.cutServers(string(n))
	return ok
}

// ServersPrefix returns the levels that the topics between servers begin with.
func (c Codec) ServersPrefix() string { return c.Prefix() + serversSuffix }

// cutServers returns what follows the levels of ServersPrefix: nothing, or a slash and more.
func (c Codec) cutServers(s string) (rest string, ok bool) {
	if rest, ok = strings.CutPrefix(s, c.Prefix()); ok {
		rest, ok = strings.CutPrefix(rest, serversSuffix)
	}
	if !ok || rest != "" && rest[0] != '/' {
		return "", false
	}
	return rest, true
}

// ParseServers appends the levels of a topic between servers to dst. It takes
// canonical names alone, and returns ErrForeign for what is no topic between servers.
func (c Codec) ParseServers(dst []string, n Name) ([]string, error) {
	rest, ok := c.cutServers(string(n))
	if !ok {
		return dst, ErrForeign
	}
	if rest == "" {
		return dst, parseError(n, ErrMalformed)
	}
	if len(n) > c.limit() {
		return dst, parseError(n, ErrTooLong)
	}
	out := dst
	rest = rest[1:]
	for more := true; more; {
		var raw string
		raw, rest, more = cut(rest)
		s, err := parseLevel(raw)
		if err == nil && !isCanonical(raw, s) {
			err = ErrNotCanonical
		}
		if err != nil {
			return dst, parseError(n, err)
		}
		out = append(out, s)
	}
	return out, nil
}

// isCanonical reports whether raw is how s is written as a level.
func isCanonical(raw, s string) bool {
	if len(raw) == len(s) {
		return plainPrefix(s) == len(s)
	}
	b, err := appendLevel(make([]byte, 0, len(raw)), s)
	return err == nil && string(b) == raw
}
