package topic

// Internal, since equal hashes cannot be brought about through Tree: its hash
// is keyed at random.

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

func TestPmapAgainstMap(t *testing.T) {
	for name, hash := range map[string]func(int) uint64{
		"spread":         func(k int) uint64 { return uint64(k) * 0x9E3779B97F4A7C15 },
		"all equal":      func(int) uint64 { return 42 },
		"high bits only": func(k int) uint64 { return uint64(k) << 58 },
		"low bit only":   func(k int) uint64 { return uint64(k & 1) },
	} {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 2))
			var m *pmap[int, string]
			want := map[int]string{}
			for step := range 4000 {
				k, v := r.IntN(100), fmt.Sprint(step)
				if r.IntN(2+step/1000) == 0 {
					m = m.with(entry[int, string]{key: k, hash: hash(k), value: v}, 0)
					want[k] = v
				} else {
					old := m
					m = m.without(hash(k), k, 0)
					if _, ok := want[k]; !ok && m != old {
						t.Fatalf("without(%d), which is not there, made a new map", k)
					}
					delete(want, k)
				}
				comparePmap(t, m, want, hash)
			}
			for k := range 100 {
				m = m.without(hash(k), k, 0)
			}
			if m != nil {
				t.Error("the empty map is not nil")
			}
		})
	}
}

func comparePmap(t *testing.T, m *pmap[int, string], want map[int]string, hash func(int) uint64) {
	t.Helper()
	for k := range 100 {
		v, ok := m.get(hash(k), k)
		if w, wok := want[k]; v != w || ok != wok {
			t.Fatalf("get(%d) = %q, %v; want %q, %v", k, v, ok, w, wok)
		}
	}
	n := 0
	m.keys(func(k int) bool {
		n++
		if _, ok := want[k]; !ok {
			t.Fatalf("keys gives %d, which is not there", k)
		}
		return true
	})
	if n != len(want) {
		t.Fatalf("keys gives %d; want %d", n, len(want))
	}
}

// An older map does not change with a newer one.
func TestPmapPersists(t *testing.T) {
	var maps []*pmap[int, string]
	var m *pmap[int, string]
	hash := func(k int) uint64 { return uint64(k) * 0x9E3779B97F4A7C15 }
	for k := range 100 {
		maps = append(maps, m)
		m = m.with(entry[int, string]{key: k, hash: hash(k), value: "v"}, 0)
	}
	for k := range 100 {
		m = m.without(hash(k), k, 0)
	}
	for n, m := range maps {
		want := map[int]string{}
		for k := range n {
			want[k] = "v"
		}
		comparePmap(t, m, want, hash)
	}
}
