package main

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"io/fs"
	"net"
	"net/http"
	"path"
	"strings"
	"time"
)

//go:embed web
var content embed.FS

// vendored are the browser libraries that `make pages` puts into web/vendor.
var vendored = [...]string{"socket.io.esm.min.js", "mqtt.esm.js"}

// policy lets a page load and connect to nothing but this server, and makes nothing of
// text but text.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"

// types of what the pages consist of. The system's own table differs between systems.
var types = map[string]string{
	".css":  "text/css; charset=utf-8",
	".html": "text/html; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
}

// pages serves the embedded pages. Nothing in it changes after newPages.
type pages struct {
	files   map[string]page
	missing []string // of vendored, what the build was made without
}

type page struct {
	body []byte
	kind string
	tag  string
}

// facts are what a page is told about its server.
type facts struct {
	Prefix string `json:"prefix"`
	MQTT   door   `json:"mqtt"`
	Path   string `json:"mqttPath"`
	Limits limits `json:"limits"`
}

type door struct {
	Host string `json:"host"` // as the broker listens: "127.0.0.1", "::"
	Port int    `json:"port"`
}

type limits struct {
	Text int `json:"text"` // characters of a message
}

// newPages prepares the pages in the folder web of source, of a server whose broker listens on mqtt.
func newPages(source fs.FS, mqtt net.Addr) (*pages, error) {
	p := &pages{files: make(map[string]page)}
	err := fs.WalkDir(source, "web", func(name string, entry fs.DirEntry, err error) error {
		kind, known := types[path.Ext(name)]
		if err != nil || entry.IsDir() || !known {
			return err
		}
		body, err := fs.ReadFile(source, name)
		if err == nil && path.Ext(name) == ".html" {
			body, err = render(source, body, mqtt)
		}
		if err != nil {
			return fmt.Errorf("page %s: %w", name, err)
		}
		sum := sha256.Sum256(body)
		p.files[strings.TrimPrefix(name, "web")] = page{body: body, kind: kind, tag: `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`}
		return nil
	})
	for _, name := range vendored {
		if _, ok := p.files["/vendor/"+name]; !ok {
			p.missing = append(p.missing, name)
		}
	}
	return p, err
}

// render puts the texts of the language into a page: {{t "key"}}, and all of them as JSON for its scripts.
func render(source fs.FS, body []byte, mqtt net.Addr) ([]byte, error) {
	const lang = "en"
	text, err := fs.ReadFile(source, "web/lang/"+lang+".json")
	if err != nil {
		return nil, err
	}
	var texts map[string]any
	if err := json.Unmarshal(text, &texts); err != nil {
		return nil, fmt.Errorf("texts of %q: %w", lang, err)
	}
	t := template.New("page").Funcs(template.FuncMap{"t": func(key string) (string, error) {
		if s, ok := texts[key].(string); ok {
			return s, nil
		}
		return "", fmt.Errorf("no text %q in %q", key, lang)
	}})
	if _, err := t.Parse(string(body)); err != nil {
		return nil, err
	}
	f := facts{Prefix: "sio", Path: "/mqtt", Limits: limits{Text: maxText}}
	if tcp, ok := mqtt.(*net.TCPAddr); ok {
		f.MQTT = door{Host: tcp.IP.String(), Port: tcp.Port}
	}
	var out bytes.Buffer
	err = t.Execute(&out, map[string]any{"Lang": lang, "Strings": texts, "Facts": f})
	return out.Bytes(), err
}

func (p *pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	name := r.URL.Path
	if name == "/" {
		name = "/index.html"
	}
	file, ok := p.files[name]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h.Set("Content-Type", file.kind)
	h.Set("ETag", file.tag)
	h.Set("Cache-Control", "no-cache") // asked for each time, sent again only when it changed
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(file.body))
}
