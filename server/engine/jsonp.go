package engine

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
)

// Polling by scripts (JSONP), for browsers that do not let a page make requests:
// a GET is the src of a script element and is answered with the call of a
// function, a POST is a form in a hidden frame. It is described for revision 3
// (https://github.com/socketio/engine.io-protocol/tree/v3, section "JSONP"), and
// the reference implementation has it for revision 4 too.

// maxIndex is the most digits of the j query parameter.
const maxIndex = 10

// jsonpCall returns the beginning of the script for a request with query parameter
// j, "" when j is no index. Only digits get into the script.
func jsonpCall(j string) string {
	if j == "" || len(j) > maxIndex || strings.Trim(j, "0123456789") != "" {
		return ""
	}
	return "___eio[" + j + "]("
}

// appendScript appends the script that hands payload to the client.
func appendScript(dst []byte, call string, payload []byte) []byte {
	// json.Marshal escapes U+2028 and U+2029, which a string in JSON may have and
	// one in old JavaScript may not, and the signs that HTML is made of.
	text, _ := json.Marshal(string(payload)) // a string always encodes
	dst = append(dst, call...)
	dst = append(dst, text...)
	return append(dst, ");"...)
}

// setScriptHeaders keeps browsers from taking a response for anything but what
// its type says, and old ones from taking it for an attack.
func setScriptHeaders(h http.Header) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-XSS-Protection", "0")
}

// formPayload returns the payload in the body of a form, its field d. The client
// writes a line feed as backslash and n, since browsers send line feeds of a form in ways of
// their own, and puts one more backslash before a backslash and n that the payload has.
func formPayload(body []byte) ([]byte, error) {
	for field := range bytes.SplitSeq(body, []byte{'&'}) {
		if value, ok := bytes.CutPrefix(field, []byte("d=")); ok {
			text, err := url.QueryUnescape(string(value))
			if err != nil {
				return nil, errPacket
			}
			return unescapeLines([]byte(text)), nil
		}
	}
	return nil, errPacket
}

// unescapeLines works in place.
func unescapeLines(text []byte) []byte {
	out := text[:0]
	for i := 0; i < len(text); i++ {
		rest := text[i:]
		switch {
		case bytes.HasPrefix(rest, []byte(`\\n`)):
			out = append(out, `\n`...)
			i += 2
		case bytes.HasPrefix(rest, []byte(`\n`)):
			out = append(out, '\n')
			i++
		default:
			out = append(out, text[i])
		}
	}
	return out
}

// scriptAllowed tells whether the page that makes a request by a script or a
// form may do so. Browsers do not apply CORS to these, so it is applied here: to the origin
// that the browser names, in Origin or Referer, and to a page that hides it (Fetch Metadata, section
// 2.3). A client that says nothing is no browser, or a very old one.
func (s *Server) scriptAllowed(r *http.Request) bool {
	site := r.Header.Get("Sec-Fetch-Site")
	if site == "same-origin" || site == "none" || s.opts.CORS != nil && s.opts.CORS.anyOrigin() {
		return true
	}
	from := r.Header.Get("Origin")
	if from == "" || from == "null" {
		from = r.Header.Get("Referer")
	}
	if from == "" {
		return site == ""
	}
	u, err := url.Parse(from)
	if err != nil || u.Host == "" {
		return false
	}
	return sameHost(u, r) || s.opts.CORS.allows(u.Scheme+"://"+u.Host)
}
