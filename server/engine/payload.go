package engine

import (
	"bytes"
	"encoding/base64"
	"unicode/utf8"
)

// eachPacket calls f with each packet of a polling payload, in order, until one
// is refused. Section "Packet encoding, HTTP long-polling": packets are joined
// by a separator, so an empty payload is one empty packet.
func eachPacket(payload []byte, f func(packet []byte) error) error {
	if !utf8.Valid(payload) {
		return errUTF8
	}
	for {
		packet, rest, more := bytes.Cut(payload, []byte{separator})
		if err := f(packet); err != nil || !more {
			return err
		}
		payload = rest
	}
}

// decodeBase64 decodes the data of a binary packet. Padding may be missing.
func decodeBase64(data []byte) ([]byte, error) {
	data = bytes.TrimRight(data, "=")
	decoded := make([]byte, base64.RawStdEncoding.DecodedLen(len(data)))
	n, err := base64.RawStdEncoding.Decode(decoded, data)
	if err != nil {
		return nil, errBase64
	}
	return decoded[:n], nil
}
