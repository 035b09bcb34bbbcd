package acl

import (
	"siomq/rooms"
)

// RoomRules are the rules for rooms of docs/ACL.md. The first rule that matches
// a request decides it; when none does, it is allowed. The zero RoomRules
// allow everything. RoomRules are not modified once they are read.
type RoomRules struct {
	rules []roomRule
}

// action is a set of what a rule is about, and of what a request is: a
// subscription is a join at the MQTT door, so it is both.
type action uint8

const (
	actionJoin action = 1 << iota
	actionEmit
	actionSubscribe
	actionPublish

	joins = actionJoin | actionSubscribe // what has no event and no single recipient
)

// targets is a set of target kinds.
type targets uint8

const (
	toAll targets = 1 << iota
	toRoom
	toSocket
	toUser
	toServer

	anyTarget = toAll | toRoom | toSocket | toUser | toServer
)

func targetsOf(k rooms.TargetKind) targets {
	if k == ToServer {
		return toServer
	}
	if k <= rooms.ToUser {
		return 1 << k
	}
	return 0
}

// roomRule is one line. All that it says must hold; of a list, one. An empty
// list holds always.
type roomRule struct {
	allow   bool
	actions action
	to      targets

	namespaces []glob
	rooms      []glob
	events     []glob

	roles     []glob
	users     []glob
	anonymous bool // is for nobody in particular
}

// roomRequest is what is asked.
type roomRequest struct {
	actions   action
	to        targets
	namespace string
	room      string // with toRoom
	event     string // with actionEmit
}

// allows decides a request of p.
func (r *RoomRules) allows(p *Principal, q *roomRequest) bool {
	for i := range r.rules {
		if rule := &r.rules[i]; rule.isAbout(p, q) && rule.isFor(p) {
			return rule.allow
		}
	}
	return true
}

// allowsEveryone reports that allows is true for every principal. It looks no
// further than the first rule that could tell principals apart.
func (r *RoomRules) allowsEveryone(q *roomRequest) bool {
	for i := range r.rules {
		rule := &r.rules[i]
		if rule.actions&q.actions == 0 || rule.to&q.to == 0 {
			continue
		}
		if !rule.isForAll() {
			return false
		}
		if rule.isAbout(&Principal{}, q) {
			return rule.allow
		}
	}
	return true
}

// isAbout reports whether the rule speaks of what is asked.
func (r *roomRule) isAbout(p *Principal, q *roomRequest) bool {
	return r.actions&q.actions != 0 && r.to&q.to != 0 &&
		(r.rooms == nil || matchAny(r.rooms, p, q.room)) &&
		(r.namespaces == nil || matchAny(r.namespaces, p, q.namespace)) &&
		(r.events == nil || matchAny(r.events, p, q.event))
}

// isFor reports whether the rule speaks of who asks.
func (r *roomRule) isFor(p *Principal) bool {
	if r.anonymous && p.Username != "" {
		return false
	}
	if len(r.users) > 0 && (p.Username == "" || !matchAny(r.users, p, p.Username)) {
		return false
	}
	if len(r.roles) == 0 {
		return true
	}
	for _, role := range p.Roles {
		if matchAny(r.roles, p, role) {
			return true
		}
	}
	return false
}

// isForAll reports that isAbout and isFor do not depend on who asks.
func (r *roomRule) isForAll() bool {
	if r.anonymous || len(r.users) > 0 || len(r.roles) > 0 {
		return false
	}
	for _, list := range [...][]glob{r.namespaces, r.rooms, r.events} {
		for _, g := range list {
			if g.isPersonal() {
				return false
			}
		}
	}
	return true
}

func matchAny(list []glob, p *Principal, name string) bool {
	for _, g := range list {
		// The text that a name begins with tells most rules apart.
		if head := &g[0]; head.kind == globText && (len(name) < len(head.text) || name[:len(head.text)] != head.text) {
			continue
		}
		if g.match(p, name) {
			return true
		}
	}
	return len(list) == 0
}

// glob is a name of a rule: text, * for any run of characters, and {user} and
// {id} for what the principal is called, which is never read as a wildcard.
// Two texts never follow each other.
type glob []globPart

type globPart struct {
	kind globKind
	text string // of globText
}

type globKind uint8

const (
	globText globKind = iota
	globStar
	globUser
	globID
)

func (g glob) isPersonal() bool {
	for i := range g {
		if g[i].kind == globUser || g[i].kind == globID {
			return true
		}
	}
	return false
}

// match reports whether g stands for the name. It goes back to the last star
// only, so its time is at most the product of the lengths.
func (g glob) match(p *Principal, name string) bool {
	if len(g) == 1 && g[0].kind == globText { // the most common
		return g[0].text == name
	}
	i := 0
	star, retry := -1, "" // the last star, and the name to try after it next
	for {
		switch {
		case i < len(g) && g[i].kind == globStar:
			if i == len(g)-1 {
				return true
			}
			star, retry = i, name
			i++
			continue
		case i < len(g):
			text, ok := g[i].of(p)
			if !ok {
				return false
			}
			if len(name) >= len(text) && name[:len(text)] == text {
				name = name[len(text):]
				i++
				continue
			}
		case name == "":
			return true
		}
		if star < 0 || retry == "" {
			return false
		}
		retry = retry[1:]
		i, name = star+1, retry
	}
}

func (t *globPart) of(p *Principal) (text string, ok bool) {
	switch t.kind {
	case globUser:
		return p.Username, p.Username != ""
	case globID:
		return p.ID, p.ID != ""
	}
	return t.text, true
}
