package args_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"siomq/rooms"
	"siomq/rooms/args"
)

// TestHostileTextsAreLinear: a megabyte of anything is dealt with in time that
// grows with its length alone. What is quadratic takes minutes here.
func TestHostileTextsAreLinear(t *testing.T) {
	const size = 1 << 20
	fill := func(unit string) string { return strings.Repeat(unit, size/len(unit)) }
	nest := func(unit, end, inside string) string {
		return strings.Repeat(unit, 1000) + inside + strings.Repeat(end, 1000)
	}
	ph := `{"_placeholder":true,"num":0}`
	texts := map[string]string{
		"elements":           "[" + fill("1,") + ph + "]",
		"members":            "{" + fill(`"a":1,`) + `"b":` + ph + "}",
		"empty objects":      "[" + fill("{},") + ph + "]",
		"near placeholders":  "[" + fill(`{"_placeholder":false},`) + ph + "]",
		"quotes":             `["` + fill(`\"`) + `",` + ph + "]",
		"backslashes":        `["` + fill(`\\`) + `",` + ph + "]",
		"long key":           `{"` + fill("_") + `":` + ph + "}",
		"digits":             "[" + fill("9") + "," + ph + "]",
		"white space":        "[" + fill(" ") + ph + "]",
		"deep arrays":        nest("[", "]", `"`+fill("x")+`",`+ph),
		"deep objects":       nest(`{"a":`, "}", `{"x":"`+fill("x")+`","y":`+ph+"}"),
		"deep struct fields": nest(`{"sub":`, "}", `{"name":"`+fill("x")+`","data":`+ph+"}"),
	}
	for name, text := range texts {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			raw, bin := []byte(text), [][]byte{[]byte("x")}
			if err := args.Scan(raw, args.Rules{Attachments: 1}); err != nil {
				t.Fatal(err)
			}
			a := rooms.Args{Raw: raw, N: 1, Attachments: bin}
			var x any
			var u upload
			_ = args.Decode(raw, bin, &x) // 9e1000000 is out of range
			_ = args.Decode(raw, bin, &u)
			for _, value := range []any{x, u, a} {
				if _, err := args.Encode(bin[0], value); err != nil {
					t.Fatal(err)
				}
			}
			packed, err := args.AppendMsgpack(nil, a)
			if err != nil {
				t.Fatal(err)
			}
			var back rooms.Args
			if rest, err := args.ReadMsgpack(&back, packed); err != nil || len(rest) > 0 || !bytes.Equal(back.Attachments[0], bin[0]) {
				t.Fatalf("msgpack: %d bytes left, %v", len(rest), err)
			}
			// Many times what it takes, with the race detector and other load.
			if took := time.Since(start); took > 20*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}
