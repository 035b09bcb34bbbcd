package engine

// Pure functions of revision 3 and JSONP, for tables and fuzz targets.

var (
	EachPacket3       = eachPacket3
	EachPacketBinary3 = eachPacketBinary3
	FormPayload       = formPayload
	ErrPacket         = errPacket
	ErrUTF8           = errUTF8
)

// Payload3 returns messages as a payload of revision 3.
func Payload3(b64 bool, messages ...*Message) (payload []byte, binary bool) {
	forms := make([]*Message, len(messages))
	for i, m := range messages {
		forms[i] = m.revision3(b64)
	}
	return appendPayload3(nil, forms, b64)
}

// Frames3 returns the WebSocket form of a message in revision 3.
func Frames3(m *Message, b64 bool) []byte { return m.revision3(b64).ws }

// Script returns a payload as a script of JSONP.
func Script(j, payload string) string {
	return string(appendScript(nil, jsonpCall(j), []byte(payload)))
}
