package topic_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"siomq/rooms/topic"
)

// subscription is what the brute force keeps in a list.
type subscription struct {
	filter topic.Filter
	value  int
}

// matching returns the values of the subscriptions whose filter matches, sorted.
func matching(subs map[subscription]bool, n topic.Name) []int {
	var vs []int
	for s := range subs {
		if s.filter.Match(n) {
			vs = append(vs, s.value)
		}
	}
	slices.Sort(vs)
	return vs
}

func collect(tree *topic.Tree[int], n topic.Name) []int {
	var vs []int
	tree.Match(n, func(v int) bool { vs = append(vs, v); return true })
	slices.Sort(vs)
	return vs
}

func TestTree(t *testing.T) {
	var tree topic.Tree[string]
	if tree.Any("a") || tree.Remove("a", "x") || tree.Len() != 0 {
		t.Fatal("the zero tree is not empty")
	}
	for _, f := range []topic.Filter{"#", "+/b", "a/#", "a/b", "$SYS/#", "/", "+/+"} {
		if !tree.Add(f, string(f)) {
			t.Errorf("Add(%q) = false; want true", f)
		}
		if tree.Add(f, string(f)) {
			t.Errorf("second Add(%q) = true; want false", f)
		}
	}
	for _, tt := range []struct {
		name topic.Name
		want []string
	}{
		{"a", []string{"#", "a/#"}},
		{"a/b", []string{"#", "+/+", "+/b", "a/#", "a/b"}},
		{"a/b/c", []string{"#", "a/#"}},
		{"$SYS", []string{"$SYS/#"}},
		{"$SYS/b", []string{"$SYS/#"}},
		{"$other/b", nil},
		{"/", []string{"#", "+/+", "/"}},
		{"z", []string{"#"}},
	} {
		var got []string
		tree.Match(tt.name, func(v string) bool { got = append(got, v); return true })
		slices.Sort(got)
		if !slices.Equal(got, tt.want) {
			t.Errorf("Match(%q) = %q; want %q", tt.name, got, tt.want)
		}
		if tree.Any(tt.name) != (len(tt.want) > 0) {
			t.Errorf("Any(%q) = %v; want %v", tt.name, tree.Any(tt.name), len(tt.want) > 0)
		}
	}
	if tree.Len() != 7 {
		t.Errorf("Len() = %d; want 7", tree.Len())
	}
}

func TestTreeMatchStops(t *testing.T) {
	var tree topic.Tree[int]
	for i := range 100 {
		tree.Add("a/+", i)
		tree.Add("a/#", i)
		tree.Add("a/b", i)
	}
	for stop := 1; stop <= 300; stop += 37 {
		n := 0
		tree.Match("a/b", func(int) bool { n++; return n < stop })
		if n != stop {
			t.Errorf("stopping after %d: %d calls", stop, n)
		}
	}
}

func TestTreeAgainstBruteForce(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	filters := enumerate([]string{"a", "b", "", "+", "#", "$s"}, 3, validFilter)
	names := enumerate([]string{"a", "b", "", "c", "$s"}, 4, validName)
	var tree topic.Tree[int]
	subs := map[subscription]bool{}
	for step := range 20000 {
		s := subscription{topic.Filter(filters[r.IntN(len(filters))]), r.IntN(3)}
		if r.IntN(5) < 2+step/10000 {
			if got := tree.Remove(s.filter, s.value); got != subs[s] {
				t.Fatalf("Remove(%q, %d) = %v; want %v", s.filter, s.value, got, subs[s])
			}
			delete(subs, s)
		} else {
			if got := tree.Add(s.filter, s.value); got == subs[s] {
				t.Fatalf("Add(%q, %d) = %v; want %v", s.filter, s.value, got, !subs[s])
			}
			subs[s] = true
		}
		if step%20 != 0 {
			continue
		}
		n := topic.Name(names[r.IntN(len(names))])
		want := matching(subs, n)
		if got := collect(&tree, n); !slices.Equal(got, want) {
			t.Fatalf("Match(%q) = %v; want %v of %v", n, got, want, subs)
		}
		if tree.Any(n) != (len(want) > 0) || tree.Len() != len(subs) {
			t.Fatalf("Any(%q) = %v, Len() = %d; want %v, %d", n, tree.Any(n), tree.Len(), len(want) > 0, len(subs))
		}
	}
	for s := range subs {
		tree.Remove(s.filter, s.value)
	}
	if tree.Len() != 0 || tree.Any("a") || tree.Any("$s/a") {
		t.Error("something is left after everything was removed")
	}
}

// Readers see each subscription that stays, however others come and go.
func TestTreeConcurrent(t *testing.T) {
	var tree topic.Tree[int]
	tree.Add("sio/main/room/+/message", -1)
	var writers, readers sync.WaitGroup
	done := make(chan struct{})
	for w := range 2 {
		writers.Go(func() {
			for i := range 3000 {
				f := topic.Filter(fmt.Sprintf("sio/main/room/%d/#", i%50))
				tree.Add(f, w)
				if !tree.Any(topic.Name(fmt.Sprintf("sio/main/room/%d/x", i%50))) {
					t.Errorf("%q: what this goroutine added does not match", f)
				}
				tree.Remove(f, w)
			}
		})
	}
	for range 2 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				kept := 0
				tree.Match("sio/main/room/7/message", func(v int) bool {
					if v == -1 {
						kept++
					}
					return true
				})
				if kept != 1 {
					t.Errorf("the subscription that stays was seen %d times", kept)
				}
			}
		})
	}
	writers.Wait()
	close(done)
	readers.Wait()
	if tree.Len() != 1 {
		t.Errorf("Len() = %d; want 1", tree.Len())
	}
}

// tenThousand returns a tree with as many filters as a full server has.
func tenThousand() *topic.Tree[int] {
	var tree topic.Tree[int]
	for i := range 8000 {
		tree.Add(topic.Filter(fmt.Sprintf("sio/main/room/r%d/#", i)), i)
	}
	for i := range 1000 {
		tree.Add(topic.Filter(fmt.Sprintf("sio/main/socket/device-%d/#", i)), i)
		tree.Add(topic.Filter(fmt.Sprintf("building/+/floor%d/+/temperature", i)), i)
	}
	return &tree
}

func TestTreeReadsDoNotAllocate(t *testing.T) {
	tree := tenThousand()
	n := 0
	for _, name := range []topic.Name{"sio/main/room/r77/message", "building/b/floor7/r/temperature", "sio/x/all/y", "$SYS/a"} {
		if allocs := testing.AllocsPerRun(100, func() { tree.Any(name) }); allocs != 0 {
			t.Errorf("Any(%q) allocates %v times", name, allocs)
		}
		if allocs := testing.AllocsPerRun(100, func() {
			tree.Match(name, func(v int) bool { n += v; return true })
		}); allocs != 0 {
			t.Errorf("Match(%q) allocates %v times", name, allocs)
		}
	}
}

// What does "does anybody want this" cost a server with 10,000 filters?
func BenchmarkTreeAny(b *testing.B) {
	tree := tenThousand()
	for name, n := range map[string]topic.Name{
		"wanted":   "sio/main/room/r4711/message",
		"unwanted": "sio/main/room/lobby/message",
		"foreign":  "building/b/floor999/room/temperature",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					tree.Any(n)
				}
			})
		})
	}
}

// What does one SUBSCRIBE and UNSUBSCRIBE cost beside 10,000 others?
func BenchmarkTreeAddRemove(b *testing.B) {
	tree := tenThousand()
	b.ReportAllocs()
	for b.Loop() {
		tree.Add("sio/main/room/lobby/#", -1)
		tree.Remove("sio/main/room/lobby/#", -1)
	}
}
