package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"siomq/server"
	"siomq/server/engine"
	"siomq/server/packet"
)

// milliseconds is a duration in the settings.
type milliseconds int

func (m milliseconds) duration() time.Duration { return time.Duration(m) * time.Millisecond }

// settings are the options of the server as a test gives them. Times are in
// milliseconds; what is left out has its default.
type settings struct {
	Path           string       `json:"path"`
	ConnectTimeout milliseconds `json:"connectTimeout"`
	CleanUp        bool         `json:"cleanUp"` // empty child namespaces
	Msgpack        bool         `json:"msgpack"`
	Bundles        string       `json:"bundles"` // folder of the client bundles
	Recovery       *struct {
		MaxDisconnection milliseconds `json:"maxDisconnection"`
		MaxLog           int          `json:"maxLog"`
		RunMiddleware    bool         `json:"runMiddleware"`
	} `json:"recovery"`

	PingInterval milliseconds              `json:"pingInterval"`
	PingTimeout  milliseconds              `json:"pingTimeout"`
	MaxPayload   int                       `json:"maxPayload"`
	MaxQueue     int                       `json:"maxQueue"`
	Transports   []string                  `json:"transports"`
	NoUpgrades   bool                      `json:"noUpgrades"`
	Deflate      *engine.PerMessageDeflate `json:"deflate"`
	Compression  *engine.HTTPCompression   `json:"compression"`
	CORS         *engine.CORS              `json:"cors"`
	Cookie       *engine.Cookie            `json:"cookie"`
	IDs          string                    `json:"ids"`     // prefix of the ids of connections, which are then numbered
	BadIDs       bool                      `json:"badIDs"`  // no id can be made
	Token        string                    `json:"token"`   // that a request must have in its query
	Hooks        bool                      `json:"headers"` // add headers to responses
}

// parseSettings returns the options that text describes.
func parseSettings(text string, j *journal) (*server.Options, error) {
	var s settings
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		return nil, fmt.Errorf("-options: %w", err)
	}
	o := &server.Options{
		Path: s.Path, ConnectTimeout: s.ConnectTimeout.duration(), CleanupEmptyChildNamespaces: s.CleanUp,
		Engine: s.engine(j),
	}
	if s.Msgpack {
		o.Parser = packet.MessagePack{}
	}
	if s.Bundles != "" {
		o.Client = os.DirFS(s.Bundles)
	}
	if r := s.Recovery; r != nil {
		o.Recovery = &server.RecoveryOptions{
			MaxDisconnection: r.MaxDisconnection.duration(), MaxLog: r.MaxLog, RunMiddleware: r.RunMiddleware,
		}
	}
	return o, nil
}

func (s *settings) engine(j *journal) engine.Options {
	o := engine.Options{
		PingInterval: s.PingInterval.duration(), PingTimeout: s.PingTimeout.duration(),
		MaxPayload: s.MaxPayload, MaxQueue: s.MaxQueue, Transports: s.Transports, DisableUpgrades: s.NoUpgrades,
		PerMessageDeflate: s.Deflate, HTTPCompression: s.Compression, CORS: s.CORS, Cookie: s.Cookie,
		OnConnectionError: func(e *engine.ConnectionError) {
			j.note("connection error", e.Code, e.Message, e.Context, e.Request.Method)
		},
	}
	var made atomic.Int64
	switch {
	case s.BadIDs:
		o.NewID = func(*http.Request) (string, error) { return "", errors.New("no more ids") }
	case s.IDs != "":
		o.NewID = func(*http.Request) (string, error) { return fmt.Sprintf("%s%d", s.IDs, made.Add(1)), nil }
	}
	if s.Token != "" {
		o.AllowRequest = func(r *http.Request) error {
			if r.URL.Query().Get("token") != s.Token {
				return errors.New("no token, no service")
			}
			return nil
		}
	}
	if s.Hooks {
		o.InitialHeaders = func(h http.Header, r *http.Request) {
			h.Set("X-First", r.URL.Query().Get("transport"))
			h.Add("Set-Cookie", "mine=1; Path=/")
		}
		o.Headers = func(h http.Header, r *http.Request) { h.Set("X-Each", r.Method) }
	}
	return o
}
