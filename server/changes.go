package server

import (
	"runtime/debug"
	"slices"

	"go.uber.org/zap"

	"siomq/rooms"
)

// RoomChange is something that happened to a room here.
type RoomChange = rooms.Change

// The kinds of a RoomChange: the adapter's events create-room, join-room, leave-room
// and delete-room in Socket.IO.
const (
	RoomCreated = rooms.RoomCreated
	RoomJoined  = rooms.RoomJoined
	RoomLeft    = rooms.RoomLeft
	RoomDeleted = rooms.RoomDeleted
)

// OnRoomChange adds a function that is called when a room comes into being, is joined,
// left, or goes; the rooms that sockets have by their ids included. Changes come one at a
// time, in the order in which they happened. fn must not block; it may join and leave.
func (n *Namespace) OnRoomChange(fn func(RoomChange)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.changes = append(slices.Clip(n.changes), fn)
	n.index.Observe(n.roomChanged)
}

// roomChanged is called by Index.Tell.
func (n *Namespace) roomChanged(c rooms.Change) {
	name, ok := roomOf(c.Room)
	if !ok {
		return // a person is no room
	}
	c.Room = name
	n.mu.Lock()
	listeners := n.changes
	n.mu.Unlock()
	defer func() {
		if r := recover(); r != nil {
			n.server.log.Error("panic in a room listener", zap.Any("panic", r),
				zap.String("room", c.Room), zap.ByteString("stack", debug.Stack()))
		}
	}()
	for _, fn := range listeners {
		fn(c)
	}
}
