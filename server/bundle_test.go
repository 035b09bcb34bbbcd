package server_test

import (
	"io"
	"net/http"
	"testing"
	"testing/fstest"

	"siomq/server"
)

func TestBrowserClientIsServed(t *testing.T) {
	files := fstest.MapFS{
		"socket.io.js":         {Data: []byte("code")},
		"socket.io.min.js.map": {Data: []byte("{}")},
		"secret.txt":           {Data: []byte("no")},
	}
	_, url := start(t, &server.Options{Client: files})
	get := func(method, path, etag string) (*http.Response, string) {
		req, err := http.NewRequest(method, url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if etag != "" {
			req.Header.Set("If-None-Match", etag)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res, string(body)
	}
	t.Cleanup(http.DefaultClient.CloseIdleConnections)

	res, body := get("GET", "/socket.io/socket.io.js", "")
	tag := res.Header.Get("ETag")
	if res.StatusCode != 200 || body != "code" || tag == "" || res.Header.Get("Access-Control-Allow-Origin") != "*" ||
		res.Header.Get("Content-Type") != "application/javascript; charset=utf-8" {
		t.Errorf("got %d %q, headers %v", res.StatusCode, body, res.Header)
	}
	if res, _ := get("GET", "/socket.io/socket.io.js", tag); res.StatusCode != 304 {
		t.Errorf("with its ETag: %d, want 304", res.StatusCode)
	}
	if res, _ := get("GET", "/socket.io/socket.io.min.js.map", tag); res.StatusCode != 200 || res.Header.Get("ETag") == tag {
		t.Errorf("another file: %d, ETag %s", res.StatusCode, res.Header.Get("ETag"))
	}
	if res, _ := get("POST", "/socket.io/socket.io.js", ""); res.StatusCode != 405 {
		t.Errorf("POST: %d, want 405", res.StatusCode)
	}
	if res, _ := get("GET", "/socket.io/socket.io.esm.min.js", ""); res.StatusCode != 404 {
		t.Errorf("a bundle that is not there: %d, want 404", res.StatusCode)
	}
	if res, _ := get("GET", "/socket.io/secret.txt", ""); res.StatusCode != 400 {
		t.Errorf("another file of the folder: %d, want the engine's 400", res.StatusCode)
	}
}
