package main

import "sync"

// journal is what the server saw, for tests to ask for.
type journal struct {
	mu      sync.Mutex // for the field below
	entries map[string][][]any
}

func (j *journal) note(kind string, values ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.entries == nil {
		j.entries = make(map[string][][]any)
	}
	j.entries[kind] = append(j.entries[kind], values)
}

// of returns the entries of a kind, oldest first.
func (j *journal) of(kind string) [][]any {
	j.mu.Lock()
	defer j.mu.Unlock()
	return append([][]any{}, j.entries[kind]...)
}
