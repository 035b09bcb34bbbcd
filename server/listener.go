package server

import (
	"slices"
	"sync"
)

// Listener is the handle that adding a listener gives.
type Listener struct {
	fn     func(*Event)
	remove func(*Listener)
	once   sync.Once
}

// Remove takes the listener away. An event that is being handled is handled to its end;
// later ones do not reach the listener. It may be called more than once, and from
// the listener itself.
func (l *Listener) Remove() { l.once.Do(func() { l.remove(l) }) }

// listeners are a socket's or a namespace's listeners. Slices are replaced, never
// changed, so that they can be called without the lock that guards the fields.
type listeners struct {
	byEvent map[string][]*Listener
	any     []*Listener
}

func (ls *listeners) add(event string, l *Listener) {
	if ls.byEvent == nil {
		ls.byEvent = make(map[string][]*Listener)
	}
	ls.byEvent[event] = append(slices.Clip(ls.byEvent[event]), l)
}

func (ls *listeners) removeFrom(event string, l *Listener) {
	left := without(ls.byEvent[event], l)
	if len(left) == 0 {
		delete(ls.byEvent, event)
		return
	}
	ls.byEvent[event] = left
}

// without returns a copy of all that lacks l.
func without[T comparable](all []T, l T) []T {
	i := slices.Index(all, l)
	if i < 0 {
		return all
	}
	return slices.Delete(slices.Clone(all), i, i+1)
}
