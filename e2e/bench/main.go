//go:build linux

package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// settings are the flags.
type settings struct {
	rows, peers []string
	quick       bool
	repeat      int
	plan        plan
	profile     string
}

func parse(args []string) (settings, error) {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	var s settings
	rowNames := flags.String("rows", "", "rows to measure, with commas; empty: all")
	peerNames := flags.String("peers", "", "servers to measure, with commas; empty: all")
	flags.BoolVar(&s.quick, "quick", false, "a short version: fewer rows and connections, one repetition")
	flags.IntVar(&s.repeat, "repeat", 0, "repetitions, of which the median counts (default 3, quick 1)")
	flags.DurationVar(&s.plan.measure, "duration", 0, "measured time of each figure (default 4s, quick 1s)")
	flags.DurationVar(&s.plan.warm, "warm", 0, "time before it (default 2s, quick 500ms)")
	flags.Float64Var(&s.plan.rate, "rate", 0, "broadcasts a second in every row, open loop; 0: closed loop, and 50 in row open500")
	flags.StringVar(&s.profile, "profile", "", "folder for CPU profiles of siomq, one for each row")
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	defaults := plan{warm: 2 * time.Second, measure: 4 * time.Second}
	repeat := 3
	if s.quick {
		defaults, repeat = plan{warm: 500 * time.Millisecond, measure: time.Second}, 1
	}
	if s.plan.measure == 0 {
		s.plan.measure = defaults.measure
	}
	if s.plan.warm == 0 {
		s.plan.warm = defaults.warm
	}
	if s.repeat == 0 {
		s.repeat = repeat
	}
	if *rowNames != "" {
		s.rows = strings.Split(*rowNames, ",")
	}
	if *peerNames != "" {
		s.peers = strings.Split(*peerNames, ",")
	}
	return s, s.check()
}

func (s *settings) check() error {
	for _, name := range s.rows {
		if !slices.ContainsFunc(rows, func(r *row) bool { return r.name == name }) {
			return fmt.Errorf("-rows %q: %w", name, errNoRow)
		}
	}
	for _, name := range s.peers {
		if !slices.ContainsFunc(allPeers(""), func(p *peer) bool { return p.name == name }) {
			return fmt.Errorf("-peers %q: no such server", name)
		}
	}
	return nil
}

func run(args []string, out io.Writer) error {
	s, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := moreFiles(); err != nil {
		return err
	}
	temp, err := os.MkdirTemp("", "siomq-bench")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(temp) }()
	peers := slices.DeleteFunc(allPeers(temp), func(p *peer) bool { return len(s.peers) > 0 && !slices.Contains(s.peers, p.name) })
	s.all(peers).table(out, peers)
	return nil
}

// moreFiles raises the limit of open files, for the servers too.
func moreFiles() error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	limit.Cur = limit.Max
	return unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)
}

// all measures each row with each peer, one repetition after the other so that
// a change of the machine meets all alike.
func (s *settings) all(peers []*peer) results {
	missing := map[*peer]error{}
	for _, p := range peers {
		fmt.Fprintln(os.Stderr, "preparing", p.label)
		missing[p] = p.prepare()
	}
	rs := results{}
	for range s.repeat {
		for _, r := range rows {
			if len(s.rows) > 0 && !slices.Contains(s.rows, r.name) || len(s.rows) == 0 && s.quick && r.full {
				continue
			}
			if rs[r.name] == nil {
				rs[r.name] = map[string][]result{}
			}
			for _, p := range peers {
				if r.suits(p) {
					rs[r.name][p.name] = append(rs[r.name][p.name], s.one(r, p, missing[p]))
				}
			}
		}
	}
	return rs
}

// one measures one row with one peer. What fails becomes a result that says so.
func (s *settings) one(r *row, p *peer, err error) result {
	var res result
	if err == nil {
		pl := s.plan
		var extra []string
		if s.profile != "" && p.name == "siomq" {
			extra, err = profile(&pl, filepath.Join(s.profile, r.name+".pprof"))
		}
		if err == nil {
			res, err = r.measure(p, pl, s.quick, extra...)
		}
	}
	if err != nil {
		res = result{missing: strings.ReplaceAll(err.Error(), "\n", "; ")}
	}
	fmt.Fprintf(os.Stderr, "%-10s %-18s %s\n", r.name, p.label, res)
	return res
}

func (r result) String() string {
	switch {
	case r.missing != "":
		return r.missing
	case r.rate == 0:
		return fmt.Sprintf("%.1f KiB, %.0f/s, lost %d", r.memory/1024, r.accepted, r.lost)
	}
	return fmt.Sprintf("%.2f µs, %.0f/s, p99 %s, lost %d, out of order %d", r.cpu, r.rate, r.p99, r.lost, r.disorder)
}

// profile makes pl take a CPU profile while it measures.
func profile(pl *plan, file string) (extra []string, err error) {
	ports, err := freePorts(1)
	if err != nil {
		return nil, err
	}
	done := make(chan error, 1)
	pl.measured = func() {
		go func() { done <- fetchProfile(ports[0], pl.measure, file) }()
	}
	pl.finished = func() error { return <-done }
	return []string{"-pprof", ports[0]}, nil
}

func fetchProfile(addr string, d time.Duration, file string) error {
	seconds := strconv.Itoa(max(1, int(d.Seconds())))
	res, err := http.Get("http://" + addr + "/debug/pprof/profile?seconds=" + seconds)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, res.Body)
	return errors.Join(err, f.Close())
}
