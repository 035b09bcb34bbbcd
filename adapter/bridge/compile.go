package bridge

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"siomq/adapter/payload"
	"siomq/rooms"
	"siomq/rooms/topic"
)

// fault is what is wrong with a rule.
type fault struct {
	key  string // of the part at fault: topic, room, event and so on
	word string // as it was written
	err  error
}

func (f *fault) Error() string { return fmt.Sprintf("%s %q: %v", f.key, f.word, f.err) }
func (f *fault) Unwrap() error { return f.err }

// compiled is a rule that is ready.
type compiled struct {
	Rule
	variables []variable
	topic     template
	name      template
	event     template
	filter    topic.Filter // matches at least what topic matches
	handler   int          // which of the distinct filters it is
	keys      [][]byte     // of the variables in the object passed, with colon and comma
}

func (r Rule) compile() (*compiled, error) {
	c := &compiled{Rule: r}
	if c.Namespace == "" {
		c.Namespace = "/"
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	if err := c.parseTopic(); err != nil {
		return nil, &fault{"topic", r.Topic, err}
	}
	var err error
	if c.name, err = parseTemplate(r.Target.Name, c.use); err != nil {
		return nil, &fault{r.Target.Kind.String(), r.Target.Name, err}
	}
	if c.event, err = parseTemplate(r.Event, c.use); err != nil {
		return nil, &fault{"event", r.Event, err}
	}
	if len(c.event.parts) == 0 && topic.IsReservedEvent(c.event.head) {
		return nil, &fault{"event", r.Event, topic.ErrReservedEvent}
	}
	if err := c.checkWays(); err != nil {
		return nil, err
	}
	c.keys = keysOf(c.variables)
	return c, nil
}

// check looks at what can be wrong without variables.
func (c *compiled) check() error {
	switch {
	case c.Direction > Both:
		return &fault{"direction", c.Direction.String(), errors.New("must be in (->), out (<-) or both (<->)")}
	case !strings.HasPrefix(c.Namespace, "/"):
		return &fault{"namespace", c.Namespace, errors.New("must begin with a slash")}
	case !utf8.ValidString(c.Namespace):
		return &fault{"namespace", c.Namespace, topic.ErrUTF8}
	case c.Target.Kind > rooms.ToUser:
		return &fault{"to", c.Target.Kind.String(), errors.New("must be a room, a socket, a user or all")}
	case c.Target.Kind == rooms.ToAll && c.Target.Name != "":
		return &fault{"to", c.Target.Name, errors.New("all has no name")}
	case !utf8.ValidString(c.Target.Name):
		return &fault{c.Target.Kind.String(), c.Target.Name, topic.ErrUTF8}
	case !utf8.ValidString(c.Event):
		return &fault{"event", c.Event, topic.ErrUTF8}
	case c.Payload > payload.ArgsMsgpack:
		return &fault{"payload", c.Payload.String(), errors.New("unknown kind")}
	case c.QoS > ExactlyOnce:
		return &fault{"qos", fmt.Sprint(c.QoS), errors.New("must be 0, 1 or 2")}
	case c.Retain > Never:
		return &fault{"retain", c.Retain.String(), errors.New("must be keep, always or never")}
	case c.PassVariables && c.Direction == Out:
		return &fault{"pass", "variables", errors.New("only what comes in has an argument for them")}
	}
	return nil
}

// parseTopic reads the topic, which declares the variables, and makes its filter.
func (c *compiled) parseTopic() error {
	if strings.HasPrefix(c.Topic, "$") {
		return errors.New("topics that begin with $ are the broker's own")
	}
	var err error
	c.topic, err = parseTemplate(c.Topic, func(inside string) (int, error) {
		v, err := declare(inside)
		if err != nil {
			return 0, err
		}
		for _, have := range c.variables {
			switch {
			case have.name == v.name:
				return 0, fmt.Errorf("variable {%s} is in the topic twice", v.name)
			case have.class == rest:
				return 0, fmt.Errorf("variable {%s...} %w", have.name, errRest)
			}
		}
		if len(c.variables) == maxVariables {
			return 0, fmt.Errorf("more than %d variables", maxVariables)
		}
		c.variables = append(c.variables, v)
		return len(c.variables) - 1, nil
	})
	if err != nil {
		return err
	}
	return c.makeFilter()
}

// makeFilter puts a wildcard for each level with a variable.
func (c *compiled) makeFilter() error {
	const mark = "\x00" // stands for a variable; no topic contains it
	shape := &strings.Builder{}
	shape.WriteString(c.topic.head)
	for _, p := range c.topic.parts {
		shape.WriteString(mark)
		shape.WriteString(p.literal)
	}
	if strings.ContainsAny(c.topic.literals(), "+#") {
		return errWildcard
	}
	if strings.Contains(c.topic.literals(), mark) {
		return topic.ErrInvalidName
	}
	levels := strings.Split(shape.String(), "/")
	n := len(c.variables)
	ending := n > 0 && c.variables[n-1].class == rest
	for i, l := range levels {
		switch {
		case ending && i == len(levels)-1:
			if l != mark {
				return fmt.Errorf("variable {%s...} %w", c.variables[n-1].name, errRest)
			}
			levels[i] = "#"
		case strings.Contains(l, mark):
			levels[i] = "+"
		}
	}
	if ending && levels[len(levels)-1] != "#" {
		return fmt.Errorf("variable {%s...} %w", c.variables[n-1].name, errRest)
	}
	var err error
	c.filter, err = topic.Limits{MaxLevels: -1}.Filter(strings.Join(levels, "/"))
	return err
}

func (t *template) literals() string {
	all := t.head
	for _, p := range t.parts {
		all += "\n" + p.literal
	}
	return all
}

// use finds a variable that is used outside the topic.
func (c *compiled) use(inside string) (int, error) {
	for i, v := range c.variables {
		if v.name == inside {
			return i, nil
		}
	}
	if strings.ContainsAny(inside, ":.") {
		return 0, fmt.Errorf("variable {%s}: what it may stand for is said in the topic alone", inside)
	}
	return 0, fmt.Errorf("variable {%s} is not in the topic", inside)
}

// checkWays checks that the rule can go the ways it says: that every template
// which is to be taken apart can be, and that every variable which is needed has a value then.
func (c *compiled) checkWays() error {
	sides := []struct {
		t    *template
		key  string
		word string
		read bool // is taken apart
	}{
		{&c.topic, "topic", c.Topic, c.Direction != Out},
		{&c.name, c.Target.Kind.String(), c.Target.Name, c.Direction != In},
		{&c.event, "event", c.Event, c.Direction != In},
	}
	for _, s := range sides {
		if !s.read {
			continue
		}
		if i := s.t.apart(); i >= 0 {
			return &fault{s.key, s.word, fmt.Errorf("nothing separates {%s} from {%s}", c.nameOf(s.t, i), c.nameOf(s.t, i+1))}
		}
		if i := s.t.ambiguous(c.classes()); c.Direction == Both && i >= 0 {
			return &fault{s.key, s.word, c.ambiguity(s.t, i)}
		}
	}
	if c.Direction == In {
		return nil
	}
	where := fmt.Sprintf("neither in the %s nor in the event", c.Target.Kind)
	if c.Target.Kind == rooms.ToAll {
		where = "not in the event"
	}
	for i, v := range c.variables {
		if !c.name.has(i) && !c.event.has(i) {
			return &fault{"topic", c.Topic, fmt.Errorf("variable {%s} is %s, so the topic cannot be made on the way out", v.name, where)}
		}
	}
	return nil
}

func (c *compiled) ambiguity(t *template, i int) error {
	return fmt.Errorf("not reversible: {%s} may contain the %q that separates it from {%s}; "+
		"separate them by / or say in the topic what it stands for, {%[1]s:word} or {%[1]s:number}",
		c.nameOf(t, i), t.parts[i].literal, c.nameOf(t, i+1))
}

func (c *compiled) nameOf(t *template, i int) string { return c.variables[t.parts[i].variable].name }

func (c *compiled) classes() []class {
	all := make([]class, len(c.variables))
	for i, v := range c.variables {
		all[i] = v.class
	}
	return all
}

// fit reports whether each value is one of its variable's class.
func (c *compiled) fit(v *values) bool {
	for i := range c.variables {
		if !c.variables[i].class.takes(v[i]) {
			return false
		}
	}
	return true
}
