package topic_test

import (
	"fmt"

	"siomq/rooms/topic"
)

func ExampleCodec() {
	var codec topic.Codec // prefix "sio"
	name, err := codec.Name(topic.Address{Kind: topic.Room, Namespace: "/", Name: "a/b", Event: "new message"})
	fmt.Println(name, err)
	addr, err := codec.Parse("sio/main/room/kitchen")
	fmt.Println(addr.Name, addr.Event, err)
	// Output:
	// sio/main/room/a%2Fb/new%20message <nil>
	// kitchen message <nil>
}

func ExampleTree() {
	var tree topic.Tree[string]
	tree.Add("sio/main/room/+/message", "display")
	tree.Match("sio/main/room/lobby/message", func(who string) bool {
		fmt.Println(who)
		return true
	})
	fmt.Println(tree.Any("sio/main/room/lobby/typing"))
	// Output:
	// display
	// false
}
