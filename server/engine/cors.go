package engine

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

func (c *CORS) withDefaults() *CORS {
	if c == nil {
		return nil
	}
	d := *c
	d.Origins = slices.Clone(d.Origins)
	d.AllowedHeaders = slices.Clone(d.AllowedHeaders)
	d.ExposedHeaders = slices.Clone(d.ExposedHeaders)
	d.Methods = slices.Clone(d.Methods)
	if len(d.Methods) == 0 {
		d.Methods = []string{"GET", "HEAD", "PUT", "PATCH", "POST", "DELETE"}
	}
	return &d
}

// allows tells whether pages of origin may use the server.
func (c *CORS) allows(origin string) bool {
	if c == nil || origin == "" {
		return false
	}
	if c.AllowOrigin != nil {
		return c.AllowOrigin(origin)
	}
	return c.anyOrigin() || slices.Contains(c.Origins, origin)
}

func (c *CORS) anyOrigin() bool {
	return c.AllowOrigin == nil && slices.Contains(c.Origins, "*")
}

// handle adds the CORS headers of r to w. It answers a preflight itself and
// then returns true (Fetch standard, section 3.3).
func (c *CORS) handle(w http.ResponseWriter, r *http.Request) bool {
	if c == nil {
		return false
	}
	h := w.Header()
	origin := r.Header.Get("Origin")
	if c.anyOrigin() {
		h.Set("Access-Control-Allow-Origin", "*")
	} else {
		// The answer differs by origin, and caches must know it.
		h.Add("Vary", "Origin")
		if c.allows(origin) {
			h.Set("Access-Control-Allow-Origin", origin)
		}
	}
	if c.Credentials {
		h.Set("Access-Control-Allow-Credentials", "true")
	}
	if r.Method != http.MethodOptions {
		if len(c.ExposedHeaders) > 0 {
			h.Set("Access-Control-Expose-Headers", strings.Join(c.ExposedHeaders, ","))
		}
		return false
	}
	c.preflight(h, r)
	h.Set("Content-Length", "0")
	w.WriteHeader(http.StatusNoContent)
	return true
}

func (c *CORS) preflight(h http.Header, r *http.Request) {
	h.Set("Access-Control-Allow-Methods", strings.Join(c.Methods, ","))
	if len(c.AllowedHeaders) > 0 {
		h.Set("Access-Control-Allow-Headers", strings.Join(c.AllowedHeaders, ","))
	} else {
		h.Add("Vary", "Access-Control-Request-Headers")
		if asked := r.Header.Get("Access-Control-Request-Headers"); asked != "" {
			h.Set("Access-Control-Allow-Headers", asked)
		}
	}
	if c.MaxAge > 0 {
		h.Set("Access-Control-Max-Age", strconv.Itoa(int(c.MaxAge/time.Second)))
	}
}

// originAllowed applies Options.CheckOrigin, or its default, to a WebSocket
// handshake.
func (s *Server) originAllowed(r *http.Request) bool {
	if s.opts.CheckOrigin != nil {
		return s.opts.CheckOrigin(r)
	}
	origin := r.Header.Get("Origin")
	if origin == "" || s.opts.CORS.allows(origin) {
		return true // not a browser, or a page that may
	}
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" {
		return false
	}
	return sameHost(u, r)
}

// sameHost tells whether a page of origin u comes from the host of r. A browser does not let a
// page set X-Forwarded-Host on a WebSocket, a script or a form, so that header can only be a proxy's.
func sameHost(u *url.URL, r *http.Request) bool {
	return strings.EqualFold(u.Host, r.Host) || strings.EqualFold(u.Host, r.Header.Get("X-Forwarded-Host"))
}
