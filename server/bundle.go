package server

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
)

// bundles serves the files of the browser client under the path of the server:
// socket.io.js and its variants, with their source maps.
type bundles struct {
	files fs.FS // nil: none were given
	log   *zap.Logger

	mu    sync.Mutex
	etags map[string]string // by file, of what was read once
}

// bundleNames are the files that npm's socket.io-client has in its folder dist.
var bundleNames = map[string]bool{
	"socket.io.js": true, "socket.io.js.map": true,
	"socket.io.min.js": true, "socket.io.min.js.map": true,
	"socket.io.esm.min.js": true, "socket.io.esm.min.js.map": true,
	"socket.io.msgpack.min.js": true, "socket.io.msgpack.min.js.map": true,
}

// serve answers with the file: with an ETag, and 304 to who has it. Pages of
// every origin may load it, as from any content delivery network.
func (b *bundles) serve(w http.ResponseWriter, r *http.Request, name string) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	if b.files == nil {
		http.Error(w, "this server was built without the browser client: see server.Options.Client", http.StatusNotFound)
		return
	}
	data, err := fs.ReadFile(b.files, name)
	if err != nil {
		b.log.Warn("browser client not found", zap.String("file", name), zap.Error(err))
		http.Error(w, "the browser client "+name+" is not here", http.StatusNotFound)
		return
	}
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Cache-Control", "public, max-age=0")
	h.Set("ETag", b.etag(name, data))
	h.Set("X-Content-Type-Options", "nosniff")
	if path.Ext(name) == ".map" {
		h.Set("Content-Type", "application/json; charset=utf-8")
	} else {
		h.Set("Content-Type", "application/javascript; charset=utf-8")
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data)) // answers 304 by the ETag
}

func (b *bundles) etag(name string, data []byte) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if tag, ok := b.etags[name]; ok {
		return tag
	}
	sum := sha256.Sum256(data)
	tag := `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
	if b.etags == nil {
		b.etags = make(map[string]string)
	}
	b.etags[name] = tag
	return tag
}

// bundle returns the name of the file that a path asks for, "" for none.
func (srv *Server) bundle(urlPath string) string {
	name, ok := strings.CutPrefix(urlPath, srv.opts.Path)
	if !ok || !bundleNames[name] {
		return ""
	}
	return name
}
