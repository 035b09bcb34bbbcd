//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// peer is a server to measure.
type peer struct {
	name    string // for -peers
	label   string // in the table
	sockets bool   // has a Socket.IO door
	mqtt    bool   // has an MQTT door
	prepare func() error
	command func(sockets, mqtt string) (name string, args []string)
	dir     string
}

const (
	peersDir = "e2e/peers"
	binDir   = "bin/bench"
)

// allPeers in the order of the table. Paths are from the root of the repository.
func allPeers(temp string) []*peer {
	mosquitto := filepath.Join(temp, "mosquitto.conf")
	return []*peer{
		goPeer("siomq", "siomq", ".", "./e2e/bench/server", true, true),
		goPeer("limit", "bare Go sockets", peersDir, "./limit", true, true),
		scriptPeer("node", "socket.io on Node", "node.mjs", true, true),
		{name: "bun", label: "socket.io on Bun", sockets: true, dir: peersDir,
			prepare: func() error { return installed(bunProgram(), peersDir+"/node_modules/@socket.io/bun-engine") },
			command: func(sockets, _ string) (string, []string) {
				return bunProgram(), []string{"bun.mjs", "-addr", sockets}
			}},
		goPeer("zishang2", "zishang v2.5.0", peersDir+"/zishang2", ".", true, false),
		goPeer("zishang3", "zishang v3.0.5", peersDir, "./zishang3", true, false),
		{name: "mosquitto", label: "Mosquitto", mqtt: true, dir: ".",
			prepare: func() error { _, err := mosquittoProgram(); return err },
			command: func(_, mqtt string) (string, []string) {
				program, _ := mosquittoProgram()
				port := mqtt[strings.LastIndexByte(mqtt, ':')+1:]
				config := "listener " + port + " 127.0.0.1\nallow_anonymous true\npersistence false\nset_tcp_nodelay true\nlog_dest none\n"
				_ = os.WriteFile(mosquitto, []byte(config), 0o600) // mosquitto says so when it is not there
				return program, []string{"-c", mosquitto}
			}},
		goPeer("mochi", "mochi-mqtt", peersDir, "./mochi", false, true),
		scriptPeer("aedes", "aedes", "aedes.mjs", false, true),
	}
}

// goPeer is a Go program in the module at dir.
func goPeer(name, label, dir, pkg string, sockets, mqtt bool) *peer {
	program, err := filepath.Abs(filepath.Join(binDir, name))
	p := &peer{name: name, label: label, sockets: sockets, mqtt: mqtt, dir: dir}
	p.prepare = func() error {
		if err != nil {
			return err
		}
		build := exec.Command("go", "build", "-o", program, pkg)
		build.Dir = dir
		if out, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("does not build: %s", lastLine(string(out)))
		}
		return nil
	}
	p.command = func(s, m string) (string, []string) { return program, p.flags(s, m) }
	return p
}

func scriptPeer(name, label, script string, sockets, mqtt bool) *peer {
	p := &peer{name: name, label: label, sockets: sockets, mqtt: mqtt, dir: peersDir}
	p.prepare = func() error {
		if _, err := exec.LookPath("node"); err != nil {
			return errors.New("no node in PATH")
		}
		return installed(peersDir + "/node_modules/aedes")
	}
	p.command = func(s, m string) (string, []string) { return "node", append([]string{script}, p.flags(s, m)...) }
	return p
}

// flags are those that every peer of ours has; a door that a row does not use
// stays closed.
func (p *peer) flags(sockets, mqtt string) []string {
	var args []string
	if p.sockets {
		args = append(args, "-addr", sockets)
	}
	if mqtt != "" {
		args = append(args, "-mqtt", mqtt)
	}
	return args
}

func installed(paths ...string) error {
	for _, path := range paths {
		if _, err := os.Stat(path); err != nil {
			return fmt.Errorf("not installed: npm ci --ignore-scripts in %s", peersDir)
		}
	}
	return nil
}

// bunProgram is the binary of the package for this system: what npm package bun
// links to in a script of its own, which is not run.
func bunProgram() string {
	arch := map[string]string{"amd64": "x64", "arm64": "aarch64"}[runtime.GOARCH]
	found, _ := filepath.Glob(peersDir + "/node_modules/@oven/bun-linux-" + arch + "*/bin/bun")
	if len(found) == 0 {
		return peersDir + "/node_modules/@oven/bun"
	}
	program, err := filepath.Abs(found[0])
	if err != nil {
		return found[0]
	}
	return program
}

func mosquittoProgram() (string, error) {
	for _, name := range []string{"mosquitto", "/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("no mosquitto in PATH")
}
