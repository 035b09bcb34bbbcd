package ws

import "strings"

// The names of permessage-deflate and of its parameters, RFC 7692 section 7.1.
const (
	deflateName    = "permessage-deflate"
	paramServerNo  = "server_no_context_takeover"
	paramClientNo  = "client_no_context_takeover"
	paramServerMax = "server_max_window_bits"
	paramClientMax = "client_max_window_bits"
)

// maxWindow is the window of DEFLATE in bits when nobody asks for less.
const maxWindow = 15

// agreement is what was agreed on about compression. The zero value: none.
type agreement struct {
	window uint8 // bits of the window that the server may use, 8 to 15; 0: no compression
	asked  bool  // the client asked for that limit, so the response has to name it
}

// negotiate takes the first offer of permessage-deflate that can be taken, RFC 7692 section 5. Other extensions and
// offers with parameters that are unknown, repeated or out of range are declined (section 7.1). malformed tells that
// the header is no list of extensions, which has to fail the handshake (RFC 6455 section 9.1).
func negotiate(lines []string) (agreed agreement, malformed bool) {
	for _, line := range lines {
		p := extensionParser{rest: line}
		for p.more() {
			offered, ok := p.element()
			if p.bad {
				return agreement{}, true
			}
			if ok && agreed.window == 0 {
				agreed = offered
			}
		}
	}
	return agreed, false
}

// appendTo appends the header of the response. Neither side may keep its window between messages, whether the client has
// offered that or not (sections 7.1.1.1 and 7.1.1.2 allow to ask): so one compressed frame fits every connection, and an idle
// connection holds no window. Nothing is said about client_max_window_bits, since inflating takes any window.
func (a agreement) appendTo(dst []byte) []byte {
	if a.window == 0 {
		return dst
	}
	dst = append(dst, "\r\nSec-WebSocket-Extensions: "+deflateName+"; "+paramServerNo+"; "+paramClientNo...)
	if !a.asked {
		return dst
	}
	dst = append(dst, "; "+paramServerMax+"="...)
	if a.window >= 10 {
		dst = append(dst, '1')
	}
	return append(dst, '0'+a.window%10)
}

// extensionParser reads the value of a Sec-WebSocket-Extensions header, RFC 6455 section 9.1.
type extensionParser struct {
	rest string
	bad  bool // it does not follow the grammar
}

// more skips what separates elements, empty ones too (RFC 9110 section 5.6.1.2), and tells whether there is another.
func (p *extensionParser) more() bool {
	p.rest = strings.TrimLeft(p.rest, " \t,")
	return p.rest != "" && !p.bad
}

// element reads one extension with its parameters. ok tells that it is an offer that can be taken.
func (p *extensionParser) element() (offered agreement, ok bool) {
	ok = p.token() == deflateName
	offered.window = maxWindow
	var seen []string
	for !p.bad && p.take(';') {
		name, value, has := p.param()
		for _, s := range seen {
			ok = ok && s != name
		}
		seen = append(seen, name)
		ok = offered.param(name, value, has) && ok
	}
	if !p.bad && p.rest != "" && p.rest[0] != ',' {
		p.bad = true
	}
	return offered, ok && !p.bad
}

// param applies one parameter of an offer and tells whether it can be met.
func (a *agreement) param(name, value string, has bool) bool {
	switch name {
	case paramServerNo, paramClientNo:
		return !has
	case paramClientMax:
		return !has || windowBits(value) != 0
	case paramServerMax:
		a.window, a.asked = windowBits(value), true
		return a.window != 0
	}
	return false
}

// windowBits reads 8 to 15 in decimal without leading zeros, section 7.1.2. 0: it is something else.
func windowBits(s string) uint8 {
	switch {
	case len(s) == 1 && (s[0] == '8' || s[0] == '9'):
		return s[0] - '0'
	case len(s) == 2 && s[0] == '1' && s[1] >= '0' && s[1] <= '5':
		return 10 + s[1] - '0'
	}
	return 0
}

// param reads a parameter behind its semicolon. has tells whether it has a value.
func (p *extensionParser) param() (name, value string, has bool) {
	name = p.token()
	if p.bad || !p.take('=') {
		return name, "", false
	}
	p.rest = strings.TrimLeft(p.rest, " \t")
	if strings.HasPrefix(p.rest, `"`) {
		return name, p.quoted(), true
	}
	return name, p.token(), true
}

// take skips c, when it comes next, and white space before it.
func (p *extensionParser) take(c byte) bool {
	p.rest = strings.TrimLeft(p.rest, " \t")
	if p.rest == "" || p.rest[0] != c {
		return false
	}
	p.rest = p.rest[1:]
	return true
}

// token reads a token and the white space around it.
func (p *extensionParser) token() string {
	p.rest = strings.TrimLeft(p.rest, " \t")
	end := strings.IndexAny(p.rest, " \t,;=")
	if end < 0 {
		end = len(p.rest)
	}
	t := p.rest[:end]
	p.rest = strings.TrimLeft(p.rest[end:], " \t")
	p.bad = p.bad || !isToken(t)
	return t
}

// quoted reads a quoted string, the content of which has to be a token (RFC 6455 section 9.1).
func (p *extensionParser) quoted() string {
	var b []byte
	for i := 1; i < len(p.rest); i++ {
		switch c := p.rest[i]; c {
		case '"':
			p.rest = strings.TrimLeft(p.rest[i+1:], " \t")
			p.bad = p.bad || !isToken(string(b))
			return string(b)
		case '\\':
			if i++; i < len(p.rest) {
				b = append(b, p.rest[i])
			}
		default:
			b = append(b, c)
		}
	}
	p.bad, p.rest = true, ""
	return ""
}
