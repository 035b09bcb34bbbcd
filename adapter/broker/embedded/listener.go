package embedded

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"go.uber.org/zap"
)

// Listener is a place where clients come in.
type Listener struct {
	// Network is "tcp", the default, or "unix".
	Network string
	// Addr is host and port, such as "127.0.0.1:8883", or the path of the socket.
	// The socket of a process that has ended is replaced; one that somebody
	// listens on, or another file, is an error. It is removed when the Broker closes.
	Addr string
	// Mode of the socket in the file system; 0 is what the umask leaves. Whoever
	// may write to it may connect.
	Mode fs.FileMode
	// Name is what Client.Listener says; empty: Network, or "tls".
	Name string

	// TLS is the configuration to use, and is copied. ClientAuth and ClientCAs
	// decide on client certificates.
	TLS *tls.Config
	// TLSFiles is TLS from files, read again by Broker.Reload. Not both.
	TLSFiles *TLSFiles
}

// TLSFiles are files in PEM form.
type TLSFiles struct {
	Cert string // the chain of the server, its own certificate first
	Key  string
	// ClientCA has the authorities of client certificates, which are verified.
	// Empty: none is asked for.
	ClientCA string
	// RequireClientCert refuses clients without one. It needs ClientCA.
	RequireClientCert bool
}

// listener is a Listener that is open.
type listener struct {
	net.Listener
	name   string
	addr   string                     // as configured, for errors
	files  *TLSFiles                  // nil: nothing to reload
	config atomic.Pointer[tls.Config] // nil: no TLS
}

// listen opens l. The error names its address.
func (l *Listener) listen() (*listener, error) {
	r := &listener{name: l.Name, addr: l.Addr, files: l.TLSFiles}
	network := l.Network
	if network == "" {
		network = "tcp"
	}
	fail := func(err error) (*listener, error) { return nil, fmt.Errorf("listen on %q: %w", l.Addr, err) }
	if r.name == "" {
		r.name = network
		if l.TLS != nil || l.TLSFiles != nil {
			r.name = "tls"
		}
	}
	config, err := l.tlsConfig()
	if err != nil {
		return fail(err)
	}
	r.config.Store(config)
	switch network {
	case "tcp":
		r.Listener, err = net.Listen("tcp", l.Addr)
	case "unix":
		r.Listener, err = listenUnix(l.Addr, l.Mode)
	default:
		err = fmt.Errorf("network %q is not tcp or unix", network)
	}
	if err != nil {
		return fail(err)
	}
	return r, nil
}

// listenUnix takes the place of a socket that nobody listens on.
func listenUnix(path string, mode fs.FileMode) (net.Listener, error) {
	if path == "" {
		return nil, errors.New("no path for the socket")
	}
	if !strings.HasPrefix(path, "@") { // Linux: not in the file system
		if err := removeStale(path); err != nil {
			return nil, err
		}
	}
	l, err := net.Listen("unix", path)
	if err != nil || mode == 0 {
		return l, err
	}
	if err := os.Chmod(path, mode); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// removeStale removes the socket that an earlier process left behind.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return errors.New("there is a file that is not a socket")
	}
	c, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		_ = c.Close()
		return errors.New("the socket is in use")
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("the socket may be in use: %w", err)
	}
	return os.Remove(path)
}

// listenAll opens all listeners or none.
func listenAll(o *Options) ([]*listener, error) {
	wanted := o.Listeners
	if o.Addr != "" {
		wanted = append([]Listener{{Addr: o.Addr}}, wanted...)
	}
	var open []*listener
	for i := range wanted {
		l, err := wanted[i].listen()
		if err != nil {
			closeAll(open)
			return nil, err
		}
		open = append(open, l)
	}
	return open, nil
}

func closeAll(ls []*listener) {
	for _, l := range ls {
		_ = l.Close()
	}
}

// Addr returns the address of Options.Addr, or else of the first listener; nil
// without one.
func (b *Broker) Addr() net.Addr {
	if len(b.listeners) == 0 {
		return nil
	}
	return b.listeners[0].Addr()
}

// Addrs returns the addresses listened on: that of Options.Addr, if set, and then
// those of Options.Listeners in their order.
func (b *Broker) Addrs() []net.Addr {
	addrs := make([]net.Addr, 0, len(b.listeners))
	for _, l := range b.listeners {
		addrs = append(addrs, l.Addr())
	}
	return addrs
}

// serve accepts connections until the listener is closed.
func (b *Broker) serve(l *listener) {
	for delay := time.Duration(0); ; {
		nc, err := l.Accept()
		if err == nil {
			delay = 0
			if !b.spawn(func() { _ = b.ServeConn(l.secure(nc), l.name) }) {
				_ = nc.Close()
			}
			continue
		}
		if errors.Is(err, net.ErrClosed) {
			return
		}
		// Out of file descriptors, most likely: wait for some to be given back.
		delay = min(max(2*delay, 5*time.Millisecond), time.Second)
		b.log.Warn("mqtt accept", zap.String("address", l.addr), zap.Error(err), zap.Duration("retry", delay))
		select {
		case <-time.After(delay):
		case <-b.closing:
			return
		}
	}
}

// secure puts TLS around a connection, with the certificates of now.
func (l *listener) secure(nc net.Conn) net.Conn {
	if config := l.config.Load(); config != nil {
		return tls.Server(nc, config)
	}
	return nc
}
