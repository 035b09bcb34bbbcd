// Package args works on the arguments of events in the form in which they
// travel, [rooms.Args]: raw JSON values with the binary attachments they refer
// to. It turns Go values into arguments and back, and it checks, splits and
// joins arguments without decoding them.
//
// Use [Encode] to make arguments of Go values, [Decode] and [Bind] to get Go
// values out of them, [All] and [At] to take them apart, and [Scan] or
// [ScanArray] to check JSON that came from outside. [AppendMsgpack] and
// [ReadMsgpack] are the other form in which arguments travel. All functions are pure and
// may be called by many goroutines at once.
//
// # Binary data
//
// A []byte at any depth is an attachment, and {"_placeholder":true,"num":N}
// stands for it in the JSON text, as Socket.IO protocol revision 5 has it.
// Arguments hold this promise: when Attachments is not empty, each object with
// "_placeholder":true in Raw has exactly the members _placeholder and num, num
// counts into Attachments, and no two have the same num. When Attachments is
// empty, such an object is plain data. Joining plain data of this look with
// attachments would make it a reference, therefore it is an error
// ([ErrPlaceholder]), never a silent change of meaning.
//
// # Limits
//
// Values nest at most [MaxDepth] deep. Numbers keep every digit as long as they
// are not decoded. A JSON text must be valid UTF-8, unlike in encoding/json,
// since WebSocket and MQTT text is; apart from that and the depth, validity is
// that of encoding/json.
package args
