package server

import (
	"slices"

	"siomq/rooms"
)

// Rooms and persons share the index of a namespace. A room's key is its name; a
// person's begins with U+0000 and "u", and a room whose name begins with U+0000 gets one
// more, so that no application can join a room that is somebody else's mail.

const keyMark = "\x00"

func roomKey(name rooms.Room) string {
	if len(name) > 0 && name[:1] == keyMark {
		return keyMark + name
	}
	return name
}

func userKey(user string) string { return keyMark + "u" + user }

// roomOf returns the name of the room that a key stands for; ok is false for a person.
func roomOf(key string) (name rooms.Room, ok bool) {
	switch {
	case len(key) == 0 || key[:1] != keyMark:
		return key, true
	case len(key) > 1 && key[1:2] == keyMark:
		return key[1:], true
	}
	return "", false
}

// roomKeys returns the keys of names, which it does not modify.
func roomKeys(names []rooms.Room) []string {
	for i, name := range names {
		if len(name) > 0 && name[:1] == keyMark {
			names = slices.Clone(names)
			for j := i; j < len(names); j++ {
				names[j] = roomKey(names[j])
			}
			break
		}
	}
	return names
}

// roomsOf returns the names of the rooms among keys.
func roomsOf(keys []string) []rooms.Room {
	names := make([]rooms.Room, 0, len(keys))
	for _, key := range keys {
		if name, ok := roomOf(key); ok {
			names = append(names, name)
		}
	}
	return names
}

// targetKey returns the key of a target other than ToAll.
func targetKey(t rooms.Target) string {
	if t.Kind == rooms.ToUser {
		return userKey(t.Name)
	}
	return roomKey(t.Name)
}
