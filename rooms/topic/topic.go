package topic

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Name is a topic name: what a publish goes to. It has no wildcards.
type Name string

// Filter is a topic filter: what a subscription asks for, without the
// $share/{group}/ of a shared subscription.
type Filter string

// Bounds of topic names and filters.
const (
	// MaxBytes is the longest topic, in bytes of UTF-8: MQTT writes the length
	// in two bytes (MQTT 5 section 1.5.4).
	MaxBytes = 65535
	// DefaultMaxLevels is the level limit of the zero Limits, the one of Mosquitto.
	DefaultMaxLevels = 200
)

// Limits checks topic names and filters that come from outside. The zero value
// has the default limits.
type Limits struct {
	// MaxBytes bounds the length in bytes of UTF-8. Zero and what is over
	// 65,535 mean 65,535.
	MaxBytes int
	// MaxLevels bounds the number of levels, so that nobody makes matching slow.
	// Zero means 200, negative no limit.
	MaxLevels int
}

// Name checks s as MQTT 5 section 4.7 asks for a topic name: one byte at least,
// valid UTF-8 without U+0000, no wildcard.
func (l Limits) Name(s string) (Name, error) {
	if err := l.check(s, ErrInvalidName); err != nil {
		return "", fmt.Errorf("topic name %s: %w", quote(s), err)
	}
	if strings.ContainsAny(s, "+#") {
		return "", fmt.Errorf("topic name %s: %w: wildcard", quote(s), ErrInvalidName)
	}
	return Name(s), nil
}

// Filter checks s as MQTT 5 section 4.7.1 asks for a topic filter: as a name,
// and a wildcard fills its level; # is the last. A shared subscription is refused:
// [Limits.Subscription] takes both.
func (l Limits) Filter(s string) (Filter, error) {
	if strings.HasPrefix(s, sharePrefix) {
		return "", fmt.Errorf("topic filter %s: %w: shared", quote(s), ErrInvalidFilter)
	}
	if err := l.filter(s); err != nil {
		return "", fmt.Errorf("topic filter %s: %w", quote(s), err)
	}
	return Filter(s), nil
}

// sharePrefix begins a shared subscription, MQTT 5 section 4.8.2.
const sharePrefix = "$share/"

// Subscription is a topic filter as SUBSCRIBE carries it.
type Subscription struct {
	Group  string // the share name of a shared subscription, else empty
	Filter Filter // without $share/{group}/
}

// String returns s as SUBSCRIBE carries it.
func (s Subscription) String() string {
	if s.Group == "" {
		return string(s.Filter)
	}
	return sharePrefix + s.Group + "/" + string(s.Filter)
}

// Subscription checks s, a filter or $share/{group}/{filter}, as MQTT 5
// sections 4.7.1 and 4.8.2 ask. The group has one character at least and neither
// /, + nor #. The limits count the whole of s. A shared subscription to a shared
// subscription is refused.
func (l Limits) Subscription(s string) (Subscription, error) {
	rest, shared := strings.CutPrefix(s, sharePrefix)
	if !shared {
		f, err := l.Filter(s)
		return Subscription{Filter: f}, err
	}
	fail := func(err error, why string) (Subscription, error) {
		return Subscription{}, fmt.Errorf("topic filter %s: %w%s", quote(s), err, why)
	}
	if err := l.check(s, ErrInvalidFilter); err != nil {
		return fail(err, "")
	}
	group, filter, ok := cut(rest)
	if !ok || group == "" || strings.ContainsAny(group, "+#") {
		return fail(ErrInvalidFilter, ": share name")
	}
	if strings.HasPrefix(filter, sharePrefix) {
		return fail(ErrInvalidFilter, ": shared twice")
	}
	if err := l.filter(filter); err != nil {
		return fail(err, "")
	}
	return Subscription{Group: group, Filter: Filter(filter)}, nil
}

// filter checks a filter that is not shared.
func (l Limits) filter(s string) error {
	if err := l.check(s, ErrInvalidFilter); err != nil {
		return err
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c != '+' && c != '#' {
			continue
		}
		// Sections 4.7.1.2 and 4.7.1.3: a wildcard fills its level, and # is last.
		if i > 0 && s[i-1] != '/' || i+1 < len(s) && (c == '#' || s[i+1] != '/') {
			return fmt.Errorf("%w: misplaced wildcard", ErrInvalidFilter)
		}
	}
	return nil
}

// check tests what names and filters have in common, section 4.7.3.
func (l Limits) check(s string, invalid error) error {
	limit := l.MaxBytes
	if limit <= 0 || limit > MaxBytes {
		limit = MaxBytes
	}
	switch {
	case s == "":
		return fmt.Errorf("%w: empty", invalid)
	case len(s) > limit:
		return ErrTooLong
	case strings.IndexByte(s, 0) >= 0:
		return fmt.Errorf("%w: U+0000", invalid)
	case !utf8.ValidString(s):
		return ErrUTF8
	}
	levels := l.MaxLevels
	if levels == 0 {
		levels = DefaultMaxLevels
	}
	if levels > 0 && strings.Count(s, "/") >= levels {
		return ErrTooManyLevels
	}
	return nil
}
