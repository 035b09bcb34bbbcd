package main

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"time"
	"unicode/utf8"

	"siomq/server"
)

// message is the one argument of the events message and private, as browsers and devices
// receive it, and what a room remembers.
type message struct {
	From    string `json:"from"`              // nickname, or client identifier
	Text    string `json:"text"`              //
	Room    string `json:"room,omitempty"`    // where it was written; none when private
	Time    int64  `json:"time"`              // ms since 1970
	ID      string `json:"id"`                //
	By      string `json:"by,omitempty"`      // the person's id; none for a device
	Device  bool   `json:"device,omitempty"`  // published by an MQTT client
	Binary  int    `json:"binary,omitempty"`  // bytes of a payload that is no text
	Private bool   `json:"private,omitempty"` // came on the private topic of the socket
	To      *party `json:"to,omitempty"`      // of a private message
	Reply   string `json:"reply,omitempty"`   // the topic on which a device answers
	Nonce   string `json:"nonce,omitempty"`   // the writer's own mark, so that nothing is written twice
}

// party is one end of a private conversation.
type party struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Device bool   `json:"device,omitempty"`
}

// deviceEvent is what browsers receive when an MQTT client publishes any other event.
type deviceEvent struct {
	From    string          `json:"from"`
	Event   string          `json:"event"`
	Value   json.RawMessage `json:"value"`
	Room    string          `json:"room,omitempty"`
	Time    int64           `json:"time"`
	ID      string          `json:"id"`
	Device  bool            `json:"device"` // always true
	Private bool            `json:"private,omitempty"`
}

func newMessage(from, text string) *message {
	return &message{From: from, Text: text, Time: time.Now().UnixMilli(), ID: newID()}
}

// newID is unguessable enough to be unique, and short enough to be read in a terminal.
func newID() string { return rand.Text()[:13] }

// fromDevice makes the message that browsers see of what a device published: text as it is,
// {"text": "…"} as its text, and any other JSON as JSON.
func fromDevice(p *server.Publish) *message {
	m := newMessage(p.ClientID(), "")
	m.Device = true
	a := p.Args()
	var text string
	var object struct{ Text *string }
	switch {
	case len(a.Attachments) > 0:
		for _, part := range a.Attachments {
			m.Binary += len(part)
		}
	case a.N == 1 && json.Unmarshal(a.Raw, &text) == nil:
		m.Text = text
	case a.N == 1 && json.Unmarshal(a.Raw, &object) == nil && object.Text != nil:
		m.Text = *object.Text
	default:
		m.Text = string(a.Raw)
	}
	m.Text = cut(m.Text, maxText)
	return m
}

// maxValue bounds what browsers are shown of one value, in bytes.
const maxValue = 4096

func eventOf(p *server.Publish) *deviceEvent {
	e := &deviceEvent{From: p.ClientID(), Event: p.Event(), Device: true, Time: time.Now().UnixMilli(), ID: newID()}
	a := p.Args()
	switch {
	case len(a.Attachments) > 0:
		n := 0
		for _, part := range a.Attachments {
			n += len(part)
		}
		e.Value, _ = json.Marshal(map[string]int{"binary": n}) // cannot fail
	case a.N == 0:
		e.Value = json.RawMessage("null")
	case len(a.Raw) > maxValue:
		e.Value, _ = json.Marshal(cut(string(a.Raw), maxValue/4)) // cannot fail
	case a.N == 1:
		e.Value = bytes.Clone(a.Raw)
	default:
		e.Value = json.RawMessage("[" + string(a.Raw) + "]")
	}
	return e
}

// cut shortens text to n characters, the last of them an ellipsis.
func cut(text string, n int) string {
	if len(text) <= n || utf8.RuneCountInString(text) <= n {
		return text
	}
	runes := []rune(text)
	return string(runes[:n-1]) + "…"
}
