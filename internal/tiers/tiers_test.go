// Package tiers_test holds the table of what may import what. Imports point one
// way: cmd and demo, server, its parts, adapter, broker, rooms, topic. What the
// table does not allow is refused, so that a new package is placed on purpose.
package tiers_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	zap       = "go.uber.org/zap"
	msgpack   = "github.com/vmihailenco/msgpack/v5"
	klauspost = "github.com/klauspost/compress"
	mochi     = "github.com/mochi-mqtt/server/v2"
	jose      = "github.com/go-jose/go-jose/v4"
	quicGo    = "github.com/quic-go"
)

// tier says what the packages under path may import besides the standard
// library. An import is allowed when it is one of allowed or lies below one
// that ends in "/...". The tier with the longest path decides.
type tier struct {
	path    string
	allowed []string
	reason  string
}

var tiers = []tier{
	{"siomq/rooms/topic", nil,
		"the topic codec is pure functions, strings in, strings out"},
	{"siomq/rooms", []string{"siomq/rooms/..."},
		"the vocabulary of both doors stands on the standard library alone"},
	{"siomq/internal/ws", []string{klauspost + "/flate"},
		"WebSocket knows nothing of what it carries; klauspost/compress is faster than compress/flate and inflates without allocating"},
	{"siomq/internal/siotest", []string{"siomq/rooms/...", "siomq/server/packet", "github.com/coder/websocket"},
		"a client for tests: of the server it knows the codec alone"},
	{"siomq/internal/tiers", nil,
		"nothing but this test"},

	{"siomq/adapter/broker", []string{"siomq/rooms/topic"},
		"what an adapter needs of a broker, without an implementation"},
	{"siomq/adapter/broker/embedded", []string{"siomq/adapter/broker", "siomq/rooms/topic", mochi + "/...", zap + "/..."},
		"the only place that knows mochi-mqtt; it is told of authentication and access by functions"},
	{"siomq/adapter/broker/brokertest", []string{"siomq/adapter/broker"},
		"the suite that every broker passes knows none of them"},
	{"siomq/adapter/payload", []string{"siomq/rooms/...", msgpack},
		"a codec of arguments and payloads, independent of servers and brokers"},
	{"siomq/adapter/bridge", []string{"siomq/adapter/broker", "siomq/adapter/payload", "siomq/rooms/...", zap},
		"maps topics to rooms for any server and over any broker; it declares the emitter that it needs"},
	{"siomq/adapter", []string{"siomq/adapter/broker", "siomq/adapter/payload", "siomq/rooms/...", zap + "/..."},
		"the seam carries messages for any server and over any broker"},

	{"siomq/server/engine", []string{"siomq/internal/ws", klauspost + "/gzip", klauspost + "/zlib", zap + "/..."},
		"Engine.IO knows nothing of Socket.IO, rooms or MQTT"},
	{"siomq/server/engine/webtransport", []string{"siomq/server/engine", quicGo + "/quic-go/...", quicGo + "/webtransport-go", zap},
		"the only place that knows QUIC; whoever does not import it has none of it"},
	{"siomq/server/packet", []string{"siomq/rooms", "siomq/rooms/args"},
		"a codec: it knows no connection"},
	{"siomq/server/auth", []string{jose + "/..."},
		"who it is: it knows neither door, nor what a principal may do"},
	{"siomq/server", []string{
		"siomq/server/auth", "siomq/server/engine", "siomq/server/packet", "siomq/adapter", "siomq/adapter/bridge", "siomq/adapter/broker", "siomq/adapter/payload",
		"siomq/rooms/...", "siomq/internal/ws", zap + "/..."},
		"all parts meet here, but brokers come as a broker.Broker"},

	{"siomq/demo", []string{"siomq/demo/...", "siomq/server", "siomq/rooms", "siomq/adapter/broker/...", mqttClient, zap + "/..."},
		"a user of the public API like any other"},
	{"siomq/demo/examples", []string{"siomq/server", "siomq/server/engine", "siomq/adapter/broker/embedded", zap},
		"the library as it is learned: the server, its options and the broker"},
	{"siomq/cmd", []string{"siomq/cmd/...", "siomq/server", "siomq/server/auth", "siomq/server/config", "golang.org/x/term", "siomq/rooms", "siomq/adapter/broker/...", zap + "/..."},
		"a thin user of the public API"},
	{"siomq/e2e", []string{"siomq/server", "siomq/server/engine", "siomq/server/engine/webtransport", "siomq/adapter/broker/embedded", zap + "/..."},
		"the test server is written as a user would write it"},
	{"siomq/e2e/featureserver", []string{"siomq/server", "siomq/server/engine", "siomq/server/packet", "siomq/rooms", "siomq/rooms/args", zap + "/..."},
		"every option of the server, the parsers included"},
	{"siomq/e2e/bench", []string{"golang.org/x/sys/unix"},
		"the load generator knows the servers by what goes over the wire"},
	{"siomq/e2e/bench/server", []string{"siomq/server", "siomq/rooms", "siomq/adapter/broker/embedded"},
		"the measured server is written as a user would write it"},
	{"siomq/e2e/doorserver", []string{"siomq/server", "siomq/server/auth", "siomq/adapter/broker/embedded", zap + "/..."},
		"every way in for MQTT clients, with users"},
	{"siomq/e2e/aclserver", []string{"siomq/adapter/broker", "siomq/adapter/broker/embedded", "siomq/rooms/acl", "siomq/rooms/topic", "siomq/server/auth"},
		"the broker with users and access rules, beside Mosquitto with the same files"},
}

// mqttClient is what the simulated sensor of the demo connects with: it comes
// in by the MQTT door like any other device.
const mqttClient = "github.com/eclipse/paho.golang/..."

type listed struct {
	ImportPath string
	Imports    []string
	Standard   bool
}

// watch looks at every Go file of the module. The go command keeps the result of
// a test until a file that the test looked at changes, and of those that go list
// reads it knows nothing.
func watch(t *testing.T) {
	t.Helper()
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "node_modules" || d.Name() == ".git"):
			return fs.SkipDir
		case filepath.Ext(path) == ".go":
			_, err = os.Stat(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// list returns every package of the module with all that it depends on.
func list(t *testing.T) []listed {
	t.Helper()
	watch(t)
	var stderr bytes.Buffer
	cmd := exec.Command("go", "list", "-e", "-deps", "-json=ImportPath,Imports,Standard", "siomq/...")
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.Bytes())
	}
	var packages []listed
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatalf("go list: %v", err)
		}
		packages = append(packages, p)
	}
}

func TestImportsPointDown(t *testing.T) {
	packages := list(t)
	standard := map[string]bool{"C": true, "unsafe": true}
	for _, p := range packages {
		standard[p.ImportPath] = p.Standard || standard[p.ImportPath]
	}
	checked := 0
	for _, p := range packages {
		if p.ImportPath != "siomq" && !strings.HasPrefix(p.ImportPath, "siomq/") {
			continue
		}
		checked++
		of, ok := tierOf(p.ImportPath)
		if !ok {
			t.Errorf("%s has no tier: give it a place in the table of this test", p.ImportPath)
			continue
		}
		for _, imported := range p.Imports {
			if !standard[imported] && !of.allows(imported) {
				t.Errorf("%s imports %s: %s", p.ImportPath, imported, of.reason)
			}
		}
	}
	if checked < 5 {
		t.Errorf("go list found %d packages of this module, want the whole of it", checked)
	}
}

// tierOf returns the tier with the longest path that path lies in.
func tierOf(path string) (of tier, ok bool) {
	for _, t := range tiers {
		if within(path, t.path) && (!ok || len(t.path) > len(of.path)) {
			of, ok = t, true
		}
	}
	return of, ok
}

func (t tier) allows(imported string) bool {
	return slices.ContainsFunc(t.allowed, func(pattern string) bool {
		if root, below := strings.CutSuffix(pattern, "/..."); below {
			return within(imported, root)
		}
		return imported == pattern
	})
}

func within(path, root string) bool {
	return path == root || strings.HasPrefix(path, root+"/")
}

func TestTierTable(t *testing.T) {
	tests := []struct {
		name, importer, imported string
		want                     bool
	}{
		{"rooms keeps to the standard library", "siomq/rooms", zap, false},
		{"topic does not even know rooms", "siomq/rooms/topic", "siomq/rooms", false},
		{"engine does not know rooms", "siomq/server/engine", "siomq/rooms", false},
		{"engine does not know packets", "siomq/server/engine", "siomq/server/packet", false},
		{"mochi-mqtt is known to embedded", "siomq/adapter/broker/embedded", mochi + "/packets", true},
		{"mochi-mqtt is known to nobody else", "siomq/adapter", mochi, false},
		{"server has no QUIC of its own", "siomq/server", "siomq/server/engine/webtransport", false},
		{"server does not choose a broker", "siomq/server", "siomq/adapter/broker/embedded", false},
		{"adapter does not know server", "siomq/adapter", "siomq/server", false},
		{"demo keeps to the public API", "siomq/demo", "siomq/server/engine", false},
		{"auth does not know what a principal may do", "siomq/server/auth", "siomq/rooms/acl", false},
		{"a prefix of a name is not its folder", "siomq/adapter", "siomq/adapter/brokerx", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			of, ok := tierOf(tt.importer)
			if !ok {
				t.Fatalf("%s has no tier", tt.importer)
			}
			if got := of.allows(tt.imported); got != tt.want {
				t.Errorf("%s importing %s: got allowed %t, want %t", tt.importer, tt.imported, got, tt.want)
			}
		})
	}
}
