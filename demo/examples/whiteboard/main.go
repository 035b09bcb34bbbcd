// Command whiteboard is the server of the official Socket.IO example
// "whiteboard": what one draws, all others see. The page is the official one, see
// the README in the folder above.
//
// It shows how an event is checked and then passed on as it came.
package main

import (
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"go.uber.org/zap"

	"siomq/server"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:3000", "`address` to listen on")
	public := flag.String("public", "public", "`folder` with the page, index.html and what it loads")
	client := flag.String("client", "node_modules/socket.io-client/dist", "`folder` with socket.io.js, the browser's side of Socket.IO")
	flag.Parse()

	io, err := server.New(&server.Options{
		Client: os.DirFS(*client), // so that the page can load /socket.io/socket.io.js
		Logger: zap.Must(zap.NewDevelopment(zap.AddStacktrace(zap.ErrorLevel))),
	})
	if err != nil {
		log.Fatal(err)
	}
	whiteboard(io)
	site, err := newSite(io, *public)
	if err != nil {
		log.Fatal(err)
	}
	l, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("open http://%s\n", l.Addr())
	web := &http.Server{Handler: site, ReadHeaderTimeout: 10 * time.Second}
	log.Fatal(web.Serve(l))
}

// newSite puts the Socket.IO server beside the files of the page: it is an
// http.Handler like any other.
func newSite(io http.Handler, public string) (http.Handler, error) {
	if _, err := os.Stat(filepath.Join(public, "index.html")); err != nil {
		return nil, fmt.Errorf("flag -public: there is no page: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("/socket.io/", io)
	mux.Handle("/", http.FileServer(http.Dir(public)))
	return mux, nil
}

// line is what the page sends for each movement of the mouse: from where to where, as
// parts of the width and height of the window, and in which colour.
type line struct {
	X0    float64 `json:"x0"`
	Y0    float64 `json:"y0"`
	X1    float64 `json:"x1"`
	Y1    float64 `json:"y1"`
	Color string  `json:"color"`
}

// whiteboard passes every line on to everybody but the one who drew it.
func whiteboard(io *server.Server) {
	io.OnConnection(func(s *server.Socket) {
		// Handle decodes the first argument, which shows that it is a line: anything else
		// is logged and goes no further. The pointer tells null, or no argument
		// at all, from a line of zeros.
		server.Handle(s, "drawing", func(e *server.Event, l *line) {
			if l == nil {
				return
			}
			// e.Arg(0) is the argument as it came. It is passed on without being
			// encoded again, with every digit of its numbers.
			_ = s.Broadcast().Emit("drawing", e.Arg(0)) // fails only for what cannot be encoded
		})
	})
}
