package packet

import (
	"strings"

	"siomq/rooms/args"
)

// Revision4 returns c as clients of protocol revision 4 use it, Socket.IO 2.x
// over Engine.IO 3. A nil c is JSON. What is different
// (https://github.com/socketio/socket.io-protocol, section "History"):
//
//   - CONNECT has no payload. The server sends one for "/" without being
//     asked, and in it no socket id: the client takes the id of the Engine.IO
//     session, with the namespace and # before it outside "/".
//   - The CONNECT of a client carries the query of the namespace behind its name,
//     "/admin?token=1". The decoder cuts it off and makes it the packet's Data,
//     an object of strings, as the auth of later clients; that is where
//     Socket.IO 4 has it too. Limits.MaxNamespace is for the name alone.
//   - CONNECT_ERROR is called ERROR. Its Data may be any JSON value and is
//     written as it is: the text of the error, or its data.
//
// Events, acknowledgements and DISCONNECT are the same bytes in both revisions, so
// one message serves clients of both.
func Revision4(c Codec) Codec {
	if c == nil {
		c = JSON{}
	}
	return revision4{c}
}

type revision4 struct{ Codec }

// Append implements Codec.
func (c revision4) Append(dst []byte, p *Packet) ([]byte, error) {
	if p.Type == Connect && len(p.Data) > 0 {
		bare := *p
		bare.Data = nil
		p = &bare
	}
	return c.Codec.Append(dst, p)
}

// NewDecoder implements Codec.
func (c revision4) NewDecoder(l Limits) MessageDecoder {
	l = l.withDefaults()
	d := &decoder4{maxNamespace: l.MaxNamespace}
	l.MaxNamespace = l.MaxPacket
	d.MessageDecoder = c.Codec.NewDecoder(l)
	return d
}

// decoder4 takes the query off the namespaces.
type decoder4 struct {
	MessageDecoder
	maxNamespace int
}

// Add implements MessageDecoder.
func (d *decoder4) Add(data []byte, binary bool) (*Packet, error) {
	p, err := d.MessageDecoder.Add(data, binary)
	if p == nil || err != nil {
		return p, err
	}
	name, query := CutQuery(p.Namespace)
	if len(name) > d.maxNamespace {
		return nil, limitError(ErrNamespaceSize, data)
	}
	if len(name) < len(p.Namespace) {
		p.Namespace = strings.Clone(name) // it lives longer than the query
	}
	if p.Type != Connect {
		return p, nil
	}
	if strings.Count(query, "&") >= maxParameters {
		return nil, limitError(ErrTooManyParameters, data)
	}
	p.Data = appendQuery(nil, query)
	return p, nil
}

// maxParameters bounds what one CONNECT may make the decoder remember.
const maxParameters = 1000

// appendQuery appends a query string as a JSON object of strings, nothing if it
// has no parameters. It reads it as URLSearchParams does
// (https://url.spec.whatwg.org/#concept-urlencoded-parser), which fails on nothing; of
// parameters with the same name the last counts.
func appendQuery(dst []byte, query string) []byte {
	last := make(map[string]int) // where the parameter stands that counts
	n := 0
	for name := range parameters(query) {
		last[name] = n
		n++
	}
	if n == 0 {
		return dst
	}
	dst = append(dst, '{')
	n = 0
	for name, value := range parameters(query) {
		if last[name] == n {
			if dst[len(dst)-1] != '{' {
				dst = append(dst, ',')
			}
			dst = args.AppendString(dst, name)
			dst = append(dst, ':')
			dst = args.AppendString(dst, value)
		}
		n++
	}
	return append(dst, '}')
}

// parameters yields each name and value of a query string.
func parameters(query string) func(yield func(name, value string) bool) {
	return func(yield func(name, value string) bool) {
		for part := range strings.SplitSeq(query, "&") {
			if part == "" {
				continue
			}
			name, value, _ := strings.Cut(part, "=")
			if !yield(unescape(name), unescape(value)) {
				return
			}
		}
	}
}

// unescape decodes plus signs and percent escapes; a percent sign that begins no escape
// stays, and what is not UTF-8 becomes U+FFFD.
func unescape(s string) string {
	if !strings.ContainsAny(s, "%+") {
		return strings.ToValidUTF8(s, "\uFFFD")
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '+':
			b = append(b, ' ')
		case s[i] == '%' && i+2 < len(s) && unhex(s[i+1]) < 16 && unhex(s[i+2]) < 16:
			b = append(b, unhex(s[i+1])<<4|unhex(s[i+2]))
			i += 2
		default:
			b = append(b, s[i])
		}
	}
	return strings.ToValidUTF8(string(b), "\uFFFD")
}

// unhex returns the value of a hexadecimal digit, 16 for anything else.
func unhex(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return (c | 0x20) - 'a' + 10
	}
	return 16
}
