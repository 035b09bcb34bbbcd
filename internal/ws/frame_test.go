package ws_test

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"siomq/internal/ws"
)

func TestAppendFrame(t *testing.T) {
	tests := []struct {
		name    string
		op      ws.Opcode
		payload string
		header  string
	}{
		{"RFC 6455 5.7, text", ws.Text, "Hello", "\x81\x05"},
		{"RFC 6455 5.7, ping", ws.Ping, "Hello", "\x89\x05"},
		{"RFC 6455 5.7, 256 bytes", ws.Binary, strings.Repeat("x", 256), "\x82\x7e\x01\x00"},
		{"RFC 6455 5.7, 64 KiB", ws.Binary, strings.Repeat("x", 65536), "\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00"},
		{"empty", ws.Text, "", "\x81\x00"},
		{"longest of 7 bits", ws.Binary, strings.Repeat("x", 125), "\x82\x7d"},
		{"shortest of 16 bits", ws.Binary, strings.Repeat("x", 126), "\x82\x7e\x00\x7e"},
		{"longest of 16 bits", ws.Binary, strings.Repeat("x", 65535), "\x82\x7e\xff\xff"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := tt.header + tt.payload
			if got := string(ws.AppendFrame([]byte("before"), tt.op, []byte(tt.payload))); got != "before"+want {
				t.Errorf("AppendFrame(%d bytes) = %q..., want %q...", len(tt.payload), got[:16], want[:10])
			}
			if got := ws.HeaderLen(len(tt.payload)); got != len(tt.header) {
				t.Errorf("HeaderLen(%d) = %d, want %d", len(tt.payload), got, len(tt.header))
			}
			room := append(make([]byte, ws.MaxHeader), tt.payload...)
			if got := string(ws.FrameInPlace(room, tt.op)); got != want {
				t.Errorf("FrameInPlace(%d bytes) differs from AppendFrame", len(tt.payload))
			}
		})
	}
}

func TestAppendFrameCutsControl(t *testing.T) {
	got := ws.AppendFrame(nil, ws.Ping, make([]byte, 200))
	if len(got) != 2+125 || got[1] != 125 {
		t.Errorf("ping with 200 bytes gives %d bytes with length %d, want 127 with 125", len(got), got[1])
	}
}

func TestAppendClose(t *testing.T) {
	tests := []struct {
		name   string
		code   ws.Code
		reason string
		want   string
	}{
		{"code only", ws.CodeNormal, "", "\x88\x02\x03\xe8"},
		{"reason", ws.CodeGoingAway, "bye", "\x88\x05\x03\xe9bye"},
		{"own code", 4001, "x", "\x88\x03\x0f\xa1x"},
		{"zero", 0, "ignored", "\x88\x00"},
		{"no status", ws.CodeNoStatus, "", "\x88\x00"},
		{"abnormal", ws.CodeAbnormal, "", "\x88\x00"},
		{"reserved", 1015, "", "\x88\x00"},
		{"over all", 5000, "", "\x88\x00"},
		{"long reason", 1000, strings.Repeat("a", 200), "\x88\x7d\x03\xe8" + strings.Repeat("a", 123)},
		{"long reason cut between characters", 1000, "a" + strings.Repeat("€", 60), "\x88\x7b\x03\xe8a" + strings.Repeat("€", 40)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := string(ws.AppendClose(nil, tt.code, tt.reason)); got != tt.want {
				t.Errorf("AppendClose(%d, %q) = %q, want %q", tt.code, tt.reason, got, tt.want)
			}
		})
	}
}

func TestMask(t *testing.T) {
	key := binary.LittleEndian.Uint32(testKey[:])
	for n := range 200 {
		for cut := 0; cut <= n; cut += 1 + n/16 {
			got := make([]byte, n)
			want := make([]byte, n)
			for i := range n {
				got[i], want[i] = byte(i), byte(i)^testKey[i%4]
			}
			ws.Mask(ws.Mask(key, got[:cut]), got[cut:])
			if !bytes.Equal(got, want) {
				t.Fatalf("mask of %d bytes in parts of %d and %d = %x, want %x", n, cut, n-cut, got, want)
			}
		}
	}
}
