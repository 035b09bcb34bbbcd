//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ticks a second in /proc/PID/stat: USER_HZ, 100 on every Linux.
const ticks = 100

// process is a server under test.
type process struct {
	cmd    *exec.Cmd
	stderr bytes.Buffer
	done   chan struct{} // closed when it has ended
}

// start runs a command and waits until it listens on addrs.
func start(name string, args []string, dir string, addrs ...string) (*process, error) {
	p := &process{cmd: exec.Command(name, args...), done: make(chan struct{})}
	p.cmd.Dir, p.cmd.Stderr = dir, &p.stderr
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // it does not outlive the benchmark
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = p.cmd.Wait() // it is killed in the end; if it ends before, stderr says why
		close(p.done)
	}()
	for _, addr := range addrs {
		if err := p.listening(addr); err != nil {
			p.stop()
			return nil, err
		}
	}
	return p, nil
}

const startTimeout = 20 * time.Second

func (p *process) listening(addr string) error {
	for deadline := time.Now().Add(startTimeout); time.Now().Before(deadline); {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			return c.Close()
		}
		select {
		case <-p.done:
			return fmt.Errorf("ended at once: %s", lastLine(p.stderr.String()))
		case <-time.After(20 * time.Millisecond):
		}
	}
	return errors.New("does not listen")
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return lines[len(lines)-1]
}

func (p *process) stop() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// cpu returns the time the process has used, user and system, to 10 ms.
func (p *process) cpu() time.Duration {
	stat, _ := os.ReadFile("/proc/" + strconv.Itoa(p.cmd.Process.Pid) + "/stat")
	// The name, field 2, is in parentheses and may have blanks. utime and
	// stime are fields 14 and 15.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(string(fields[11]))
	system, _ := strconv.Atoi(string(fields[12]))
	return time.Duration(user+system) * time.Second / ticks
}

// memory returns the resident memory in bytes, shared pages by their share.
func (p *process) memory() (float64, error) {
	rollup, err := os.ReadFile("/proc/" + strconv.Itoa(p.cmd.Process.Pid) + "/smaps_rollup")
	if err != nil {
		return 0, err
	}
	_, pss, _ := bytes.Cut(rollup, []byte("\nPss:"))
	fields := bytes.Fields(pss)
	if len(fields) == 0 {
		return 0, errors.New("smaps_rollup: no Pss")
	}
	kib, err := strconv.Atoi(string(fields[0]))
	return float64(kib) * 1024, err
}

// freePorts returns addresses on which nobody listens.
func freePorts(n int) ([]string, error) {
	addrs := make([]string, n)
	for i := range addrs {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		addrs[i] = l.Addr().String()
	}
	return addrs, nil
}
