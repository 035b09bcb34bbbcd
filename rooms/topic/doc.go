// Package topic is the topic namespace of siomq, version 1, and the MQTT rules
// beneath it: how a namespace, a target and an event become a topic name and
// back, which filter matches which name, and an index of subscriptions.
// docs/TOPICS.md is the normative text; this package is its code.
//
// Use [Codec] to encode and parse, [Filter.Match] and [Overlaps] to compare,
// [Limits] to check what comes from a network, and [Tree] to ask whether
// anybody wants a name.
//
//	var codec topic.Codec // prefix "sio"
//	name, err := codec.Name(topic.Address{
//		Kind: topic.Room, Namespace: "/", Name: "lobby", Event: "message",
//	}) // sio/main/room/lobby/message
//	addr, err := codec.Parse(name)
//
// # Rules of the encoding
//
//   - Every part is written as ECMAScript encodeURIComponent writes it: the
//     bytes of its UTF-8 form, with all but A-Z a-z 0-9 - _ . ! ~ * ' ( ) as
//     %XX in capitals. The empty string is an empty level.
//   - The leading slash of a namespace is left out; the namespace "/" is the
//     word main, and a namespace really named "/main" is %6Dain.
//   - What is encoded decodes to itself. Two addresses never share a topic name, and no
//     address gives a wildcard, U+0000 or a leading $.
//   - A part that is not valid UTF-8 is an error ([ErrUTF8]), as it is in
//     encodeURIComponent: replacing the bad bytes would let two names share a topic.
//   - A topic over 65,535 bytes, or over Options.MaxBytes, is an error, never
//     a truncation.
//
// # Rules of parsing
//
// [Codec.Parse] is for what MQTT clients publish. It takes every legal level,
// canonical or not: raw characters, small hex digits, a % that starts no
// escape. [Codec.Decode] takes canonical names alone, for topics that only
// servers write.
//
// Everything here is a pure function of its arguments and may be called by
// many goroutines at once; [Tree] says its own rules. The package uses the standard
// library alone.
package topic
