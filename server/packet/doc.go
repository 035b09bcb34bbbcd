// Package packet is the codec of Socket.IO packets, protocol revision 5
// (https://socket.io/docs/v4/socket-io-protocol/): pure functions and a small
// state machine, no input or output.
//
// [AppendText] writes a packet, a [Decoder] reads packets from the messages of
// one connection. Arguments stay raw JSON ([rooms.Args]); package rooms/args
// encodes and decodes them. Malformed input is an error and never a panic.
//
// A [Codec] is a parser in the words of Socket.IO: [JSON] is the default one, [MessagePack]
// that of npm socket.io-msgpack-parser, and any other type with its methods will do.
// [Revision4] makes of one the parser for Socket.IO 2.x clients.
package packet
