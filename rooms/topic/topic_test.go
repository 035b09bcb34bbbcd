package topic_test

import (
	"errors"
	"strings"
	"testing"

	"siomq/rooms/topic"
)

func TestLimitsName(t *testing.T) {
	for _, tt := range []struct {
		what   string
		limits topic.Limits
		name   string
		want   error
	}{
		{"plain", topic.Limits{}, "a/b", nil},
		{"slash", topic.Limits{}, "/", nil},
		{"dollar", topic.Limits{}, "$SYS/a", nil},
		{"space and é", topic.Limits{}, "a é", nil},
		{"byte order mark, section 1.5.4", topic.Limits{}, "\ufeffa", nil},
		{"empty", topic.Limits{}, "", topic.ErrInvalidName},
		{"NUL", topic.Limits{}, "a\x00", topic.ErrInvalidName},
		{"plus", topic.Limits{}, "a+b", topic.ErrInvalidName},
		{"hash", topic.Limits{}, "a/#", topic.ErrInvalidName},
		{"bad UTF-8", topic.Limits{}, "\xff", topic.ErrUTF8},
		{"surrogate", topic.Limits{}, "\xed\xa0\x80", topic.ErrUTF8},
		{"65,535 bytes", topic.Limits{}, strings.Repeat("a", 65535), nil},
		{"65,536 bytes", topic.Limits{}, strings.Repeat("a", 65536), topic.ErrTooLong},
		{"limit above MQTT", topic.Limits{MaxBytes: 1 << 20}, strings.Repeat("a", 65536), topic.ErrTooLong},
		{"at the limit", topic.Limits{MaxBytes: 3}, "aaa", nil},
		{"over the limit", topic.Limits{MaxBytes: 3}, "aaaa", topic.ErrTooLong},
		{"200 levels", topic.Limits{}, strings.Repeat("/", 199), nil},
		{"201 levels", topic.Limits{}, strings.Repeat("/", 200), topic.ErrTooManyLevels},
		{"two of two levels", topic.Limits{MaxLevels: 2}, "a/b", nil},
		{"three of two levels", topic.Limits{MaxLevels: 2}, "a/b/c", topic.ErrTooManyLevels},
		{"no level limit", topic.Limits{MaxLevels: -1}, strings.Repeat("/", 60000), nil},
	} {
		if got, err := tt.limits.Name(tt.name); !errors.Is(err, tt.want) || err == nil && string(got) != tt.name {
			t.Errorf("%s: Name(%.40q) = %.40q, %v; want %v", tt.what, tt.name, got, err, tt.want)
		}
	}
}

func TestLimitsSubscription(t *testing.T) {
	for _, tt := range []struct {
		in            string
		group, filter string
		want          error
	}{
		{in: "a", filter: "a"},
		{in: "#", filter: "#"},
		{in: "+", filter: "+"},
		{in: "/", filter: "/"},
		{in: "+/+/#", filter: "+/+/#"},
		{in: "a/+/b", filter: "a/+/b"},
		{in: "$SYS/#", filter: "$SYS/#"},
		{in: "$share", filter: "$share"},
		{in: "$sharex/a", filter: "$sharex/a"},
		{in: "$share/g/a/#", group: "g", filter: "a/#"},
		{in: "$share/g//", group: "g", filter: "/"},
		{in: "$share/$g/$SYS/#", group: "$g", filter: "$SYS/#"},
		{in: "$share/é/+", group: "é", filter: "+"},
		{in: "", want: topic.ErrInvalidFilter},
		{in: "a+", want: topic.ErrInvalidFilter},
		{in: "+a", want: topic.ErrInvalidFilter},
		{in: "a+/b", want: topic.ErrInvalidFilter},
		{in: "a/+b/c", want: topic.ErrInvalidFilter},
		{in: "abc#", want: topic.ErrInvalidFilter},
		{in: "a/b#", want: topic.ErrInvalidFilter},
		{in: "#/a", want: topic.ErrInvalidFilter},
		{in: "#/", want: topic.ErrInvalidFilter},
		{in: "##", want: topic.ErrInvalidFilter},
		{in: "+#", want: topic.ErrInvalidFilter},
		{in: "++", want: topic.ErrInvalidFilter},
		{in: "a/#/b", want: topic.ErrInvalidFilter},
		{in: "a\x00", want: topic.ErrInvalidFilter},
		{in: "\xff", want: topic.ErrUTF8},
		{in: "$share/", want: topic.ErrInvalidFilter},
		{in: "$share//t", want: topic.ErrInvalidFilter},
		{in: "$share/g", want: topic.ErrInvalidFilter},
		{in: "$share/g/", want: topic.ErrInvalidFilter},
		{in: "$share/g+/t", want: topic.ErrInvalidFilter},
		{in: "$share/#/t", want: topic.ErrInvalidFilter},
		{in: "$share/+/t", want: topic.ErrInvalidFilter},
		{in: "$share/g/a#", want: topic.ErrInvalidFilter},
		{in: "$share/g/$share/h/t", want: topic.ErrInvalidFilter},
		{in: "$share/g\x00/t", want: topic.ErrInvalidFilter},
		{in: "$share/\xff/t", want: topic.ErrUTF8},
		{in: "$share/g/" + strings.Repeat("a", 65535), want: topic.ErrTooLong},
		{in: "$share/g" + strings.Repeat("/", 300), want: topic.ErrTooManyLevels},
	} {
		got, err := topic.Limits{}.Subscription(tt.in)
		if !errors.Is(err, tt.want) || got.Group != tt.group || string(got.Filter) != tt.filter {
			t.Errorf("Subscription(%.40q) = %+v, %v; want group %q, filter %q, %v", tt.in, got, err, tt.group, tt.filter, tt.want)
		}
		if err == nil && got.String() != tt.in {
			t.Errorf("Subscription(%q).String() = %q", tt.in, got)
		}
	}
	if _, err := (topic.Limits{}).Filter("$share/g/t"); !errors.Is(err, topic.ErrInvalidFilter) {
		t.Errorf("Filter of a shared subscription: %v; want %v", err, topic.ErrInvalidFilter)
	}
}

func FuzzSubscription(f *testing.F) {
	for _, s := range []string{"a/+/#", "$share/g/a", "$share//a", "a#", "\x00", "$share/g/$share/h/t"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		sub, err := topic.Limits{}.Subscription(s)
		if err != nil {
			return
		}
		if sub.String() != s {
			t.Errorf("Subscription(%q).String() = %q", s, sub)
		}
		if _, err := (topic.Limits{}).Filter(string(sub.Filter)); err != nil {
			t.Errorf("Subscription(%q) has the filter %q: %v", s, sub.Filter, err)
		}
	})
}
