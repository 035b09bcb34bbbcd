// Command bench measures siomq and its peers with the same load and prints one
// table.
//
//	make bench                                 everything, medians of three
//	make bench QUICK=1                         a short version, about two minutes
//	go run ./e2e/bench -rows room500,ack -peers siomq,node,limit
//
// It starts each peer anew for each figure, drives it over real connections on
// loopback, and reads what the server process used: user and system time from
// /proc/PID/stat, memory from /proc/PID/smaps_rollup. CPU per message does not
// depend on what else the machine does as much as wall time does; still, only
// ratios within one run mean something.
//
// # The load
//
// One thread and one epoll for all connections ([loop]), so that the generator
// takes as little as possible from the server. Nothing is decoded: a receiver
// looks at a fixed place in the payload for the number of the stream and the
// number of the message in it, by which losses and disorder are counted for
// every receiver.
//
// Closed loop: a publisher keeps a window of messages in flight; a message is
// in flight until every receiver has it. Open loop: messages are sent at fixed
// times, whatever came of those before; latency is counted from the time at
// which a message should have been sent, so that a server that stalls is
// charged for all that waited (no coordinated omission).
//
// It runs on Linux only.
package main
