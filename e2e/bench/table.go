//go:build linux

package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// line is one figure of a row.
type line struct {
	row   string
	title string
	value func(result) float64
	unit  string
	more  bool // more is better
	goal  goal
}

// goal is how much of another figure ours may be, or must be. It compares with
// a peer, or with another row of ours.
type goal struct {
	factor float64
	peer   string
	row    string
}

func cpu(r result) float64 { return r.cpu }
func ms99(r result) float64 {
	return float64(r.p99) / float64(time.Millisecond)
}

const perDelivery = "µs CPU/delivery"

var lines = []line{
	{row: "room500", title: "500 sockets in a room, 4 broadcasts in flight", value: cpu, unit: perDelivery, goal: goal{1.5 / 1.2, "limit", ""}},
	{row: "room500w1", title: "the same, 1 in flight", value: cpu, unit: perDelivery, goal: goal{2.8 / 2.4, "limit", ""}},
	{row: "room500p4", title: "the same, 4 publishers with 1 each", value: cpu, unit: perDelivery, goal: goal{1.5 / 1.2, "limit", ""}},
	{row: "ack", title: "event with acknowledgement, 50 clients, 50 in flight", value: cpu, unit: "µs CPU/event", goal: goal{6.5 / 5.5, "limit", ""}},
	{row: "mqttroom", title: "MQTT publish to 500 sockets, 4 in flight", value: cpu, unit: perDelivery, goal: goal{1.6 / 1.2, "limit", ""}},
	{row: "idle", title: "memory of an idle WebSocket connection", value: func(r result) float64 { return r.memory / 1024 }, unit: "KiB", goal: goal{7 / 4.8, "limit", ""}},
	{row: "idle", title: "connections accepted", value: func(r result) float64 { return r.accepted }, unit: "/s", more: true, goal: goal{10.0 / 11.5, "limit", ""}},
	{row: "idle", title: "the same", value: func(r result) float64 { return r.acceptCPU }, unit: "µs CPU/connection"},
	{row: "room500", title: "99th percentile latency of the first row", value: ms99, unit: "ms", goal: goal{7 / 5.0, "limit", ""}},
	{row: "open500", title: "500 sockets in a room, broadcasts at a fixed rate: 99th percentile", value: ms99, unit: "ms"},
	{row: "open500", title: "the same", value: cpu, unit: perDelivery},
	{row: "room100", title: "100 sockets in a room, 4 in flight", value: cpu, unit: perDelivery},
	{row: "room10000", title: "10,000 sockets in a room, 4 in flight", value: cpu, unit: perDelivery, goal: goal{1.2, "siomq", "room100"}},
	{row: "rooms100k", title: "500 sockets in a room, and in 100,000 others", value: cpu, unit: perDelivery, goal: goal{1.05, "siomq", "room500"}},
	{row: "rooms100k", title: "the same: join with acknowledgement", value: func(r result) float64 { return r.joinCPU }, unit: "µs CPU/join"},
	{row: "mixed", title: "250 sockets and 100 MQTT clients, broadcasts and publishes", value: cpu, unit: perDelivery},
	{row: "mqtt0", title: "publish to 200 MQTT clients, QoS 0", value: cpu, unit: perDelivery, goal: goal{2.0 / 3.1, "mosquitto", ""}},
	{row: "mqtt1", title: "publish to 200 MQTT clients, QoS 1", value: cpu, unit: perDelivery, goal: goal{4.5 / 4.7, "mosquitto", ""}},
	{row: "emit", title: "socket emit to 200 MQTT clients, QoS 0 (a broker alone: publish)", value: cpu, unit: perDelivery, goal: goal{1.1, "mochi", ""}},
}

// results by row and peer, one for each repetition.
type results map[string]map[string][]result

// median of a figure; ok is false when there is none.
func (rs results) median(row, peer string, value func(result) float64) (median float64, ok bool) {
	var values []float64
	for _, r := range rs[row][peer] {
		if r.missing == "" {
			values = append(values, value(r))
		}
	}
	if len(values) == 0 {
		return 0, false
	}
	slices.Sort(values)
	return values[len(values)/2], true
}

const header = `| workload | server | figure | siomq is better by | deliveries/s | p50 | p99 | lost | out of order |
|---|---|---|---|---|---|---|---|---|
`

// table writes one Markdown table.
func (rs results) table(w io.Writer, peers []*peer) {
	var b strings.Builder
	b.WriteString(header)
	for i := range lines {
		ln := &lines[i]
		title := ln.title
		for _, p := range peers {
			all := rs[ln.row][p.name]
			if len(all) == 0 {
				continue
			}
			fmt.Fprintf(&b, "| %s | %s | %s\n", title, p.label, rs.cells(ln, p, all))
			title = ""
		}
		if text := rs.goal(ln); text != "" && title == "" {
			fmt.Fprintf(&b, "| | *to reach* | %s | | | | | | |\n", text)
		}
	}
	_, _ = io.WriteString(w, b.String())
}

func (rs results) cells(ln *line, p *peer, all []result) string {
	v, ok := rs.median(ln.row, p.name, ln.value)
	if !ok {
		return all[0].missing + " | | | | | | |"
	}
	ratio := ""
	if ours, ok := rs.median(ln.row, "siomq", ln.value); ok && p.name != "siomq" && ours > 0 && v > 0 {
		if ln.more {
			ratio = fmt.Sprintf("%.2f", ours/v)
		} else {
			ratio = fmt.Sprintf("%.2f", v/ours)
		}
	}
	text := fmt.Sprintf("%s %s | %s |", number(v), ln.unit, ratio)
	lost, expected, disorder := 0, 0, 0
	for _, r := range all {
		lost, expected, disorder = lost+r.lost, expected+r.expected, disorder+r.disorder
	}
	if all[0].rate == 0 {
		return fmt.Sprintf("%s | | | %s | |", text, share(lost, expected))
	}
	rate, _ := rs.median(ln.row, p.name, func(r result) float64 { return r.rate })
	p50, _ := rs.median(ln.row, p.name, func(r result) float64 { return float64(r.p50) })
	p99, _ := rs.median(ln.row, p.name, func(r result) float64 { return float64(r.p99) })
	return fmt.Sprintf("%s %.0f | %s | %s | %s | %d |", text, rate, millis(p50), millis(p99), share(lost, expected), disorder)
}

func share(lost, expected int) string {
	if lost == 0 {
		return "0"
	}
	return fmt.Sprintf("**%d of %d**", lost, expected)
}

func number(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

func millis(ns float64) string { return number(ns/1e6) + " ms" }

// goal says what is to be reached and whether it was.
func (rs results) goal(ln *line) string {
	ours, ok := rs.median(ln.row, "siomq", ln.value)
	if ln.goal.peer == "" || !ok {
		return ""
	}
	row, whose := ln.row, "that of "+ln.goal.peer
	if ln.goal.row != "" {
		row, whose = ln.goal.row, ln.goal.row
	}
	other, ok := rs.median(row, ln.goal.peer, ln.value)
	if !ok || other == 0 {
		return ""
	}
	got, word := ours/other, "at most"
	reached := got <= ln.goal.factor
	if ln.more {
		word, reached = "at least", got >= ln.goal.factor
	}
	verdict := "**missed**"
	if reached {
		verdict = "reached"
	}
	return fmt.Sprintf("%s %.2f of %s: %.2f, %s", word, ln.goal.factor, whose, got, verdict)
}
