package rooms_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"siomq/rooms"
)

// visited returns whom a walk visits, sorted, and fails when it visits one twice.
func visited(t testing.TB, x *rooms.Index[string], s rooms.Selection) []string {
	t.Helper()
	var ids []string
	x.Each(s, func(id string) bool {
		ids = append(ids, id)
		return true
	})
	slices.Sort(ids)
	if n := len(ids); n != len(slices.Compact(slices.Clone(ids))) {
		t.Fatalf("Each(%+v) visited somebody twice: %q", s, ids)
	}
	return ids
}

func TestEach(t *testing.T) {
	x := rooms.NewIndex[string]()
	for _, id := range []string{"a", "b", "c", "d"} {
		x.Add(id, id)
	}
	x.Join("a", "red", "blue")
	x.Join("b", "red")
	x.Join("c", "blue", "")
	x.Join("d", "a") // a room named as somebody's id

	tests := []struct {
		name string
		s    rooms.Selection
		want []string
	}{
		{"everyone", rooms.Selection{}, []string{"a", "b", "c", "d"}},
		{"one room", rooms.Selection{Rooms: []string{"red"}}, []string{"a", "b"}},
		{"two rooms, once each", rooms.Selection{Rooms: []string{"red", "blue"}}, []string{"a", "b", "c"}},
		{"the room without a name", rooms.Selection{Rooms: []string{""}}, []string{"c"}},
		{"a room nobody is in", rooms.Selection{Rooms: []string{"green"}}, nil},
		{"one's own room", rooms.Selection{Rooms: []string{"b"}}, []string{"b"}},
		{"own room that others joined", rooms.Selection{Rooms: []string{"a"}}, []string{"a", "d"}},
		{"own room and another", rooms.Selection{Rooms: []string{"a", "red"}}, []string{"a", "b", "d"}},
		{"all but one", rooms.Selection{Except: []string{"b"}}, []string{"a", "c", "d"}},
		{"all but nobody", rooms.Selection{Except: []string{"nobody"}}, []string{"a", "b", "c", "d"}},
		{"all but a room", rooms.Selection{ExceptRooms: []string{"red"}}, []string{"c", "d"}},
		{"all but an id given as a room", rooms.Selection{ExceptRooms: []string{"c"}}, []string{"a", "b", "d"}},
		{"a room but another", rooms.Selection{Rooms: []string{"red"}, ExceptRooms: []string{"blue", "green"}}, []string{"b"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := visited(t, x, tt.s); !slices.Equal(got, tt.want) {
				t.Errorf("Each(%+v) = %q, want %q", tt.s, got, tt.want)
			}
		})
	}
}

func TestOwnRoomCanBeLeft(t *testing.T) {
	x := rooms.NewIndex[string]()
	x.Add("a", "a")
	if !x.Leave("a", "a") || x.Has("a", "a") || x.Size("a") != 0 {
		t.Fatal("a socket that left its own room is still in it")
	}
	if got := visited(t, x, rooms.Selection{}); len(got) != 1 {
		t.Fatalf("it is not in the namespace any more: %q", got)
	}
	if !x.Join("a", "a") || !x.Has("a", "a") {
		t.Fatal("it can not come back")
	}
}

func TestNothingIsLeftBehind(t *testing.T) {
	x := rooms.NewIndex[string]()
	x.Add("a", "a")
	if x.Add("a", "other") {
		t.Fatal("Add took an id that was taken")
	}
	x.Join("a", "red", "blue")
	if got, want := x.Remove("a"), []string{"a", "red", "blue"}; !slices.Equal(got, want) {
		t.Fatalf("Remove = %q, want %q", got, want)
	}
	if x.Join("a", "green") {
		t.Fatal("a join after the removal succeeded")
	}
	if x.Remove("a") != nil || x.Leave("a", "red") || x.Len() != 0 || len(x.AllRooms()) != 0 || x.Rooms("a") != nil {
		t.Fatalf("left behind: %d members, rooms %q", x.Len(), x.AllRooms())
	}
}

func TestObserve(t *testing.T) {
	x := rooms.NewIndex[string]()
	var got []string
	kinds := map[rooms.ChangeKind]string{
		rooms.RoomCreated: "create", rooms.RoomJoined: "join", rooms.RoomLeft: "leave", rooms.RoomDeleted: "delete",
	}
	x.Observe(func(c rooms.Change) {
		got = append(got, kinds[c.Kind]+" "+c.Room+" "+c.ID)
		x.Size(c.Room) // no lock is held
	})
	x.Add("a", "a")
	x.Add("b", "b")
	x.Join("a", "red", "red")
	x.Join("b", "red", "a")
	x.Leave("a", "red")
	x.Leave("a", "a")
	x.Join("a", "a")
	x.Remove("a")
	x.Remove("b")
	if got != nil {
		t.Errorf("told before Tell: %q", got)
	}
	x.Tell()
	want := []string{
		"create a a", "join a a", "create b b", "join b b",
		"create red a", "join red a", "join red b", "join a b",
		"leave red a", "leave a a", "join a a", "leave a a",
		"leave b b", "delete b ", "leave red b", "delete red ", "leave a b", "delete a ",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestVisitorMayJoinAndLeave(t *testing.T) {
	x := rooms.NewIndex[string]()
	for i := range 100 {
		id := fmt.Sprint(i)
		x.Add(id, id)
		x.Join(id, "red")
	}
	visits := 0
	x.Each(rooms.Selection{Rooms: []string{"red"}}, func(id string) bool {
		visits++
		x.Leave(id, "red")
		x.Join(id, "red")
		x.Add("new"+id, "new"+id)
		x.Join("new"+id, "red")
		return true
	})
	if visits != 100 || x.Size("red") != 200 {
		t.Fatalf("visited %d of 100, and %d are in the room, want 200", visits, x.Size("red"))
	}
}

// TestAgainstModel compares the index with plain maps over random operations.
func TestAgainstModel(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	x := rooms.NewIndex[string]()
	model := map[string]map[string]bool{}
	name := func(n int) string { return fmt.Sprint(rng.IntN(n)) }
	for step := range 30_000 {
		id, r := "s"+name(300), "r"+name(40)
		switch op := rng.IntN(10); {
		case op < 2:
			if got, want := x.Add(id, id), model[id] == nil; got != want {
				t.Fatalf("step %d: Add(%q) = %v", step, id, got)
			}
			if model[id] == nil {
				model[id] = map[string]bool{id: true}
			}
		case op < 3:
			if got, want := len(x.Remove(id)), len(model[id]); got != want {
				t.Fatalf("step %d: Remove(%q) left %d rooms, want %d", step, id, got, want)
			}
			delete(model, id)
		case op < 7:
			if got, want := x.Join(id, r), model[id] != nil; got != want {
				t.Fatalf("step %d: Join(%q, %q) = %v", step, id, r, got)
			}
			if model[id] != nil {
				model[id][r] = true
			}
		default:
			if got, want := x.Leave(id, r), model[id][r]; got != want {
				t.Fatalf("step %d: Leave(%q, %q) = %v", step, id, r, got)
			}
			delete(model[id], r)
		}
		if step%100 != 0 {
			continue
		}
		var want []string
		for id, in := range model {
			if in[r] {
				want = append(want, id)
			}
		}
		slices.Sort(want)
		if got := visited(t, x, rooms.Selection{Rooms: []string{r}}); !slices.Equal(got, want) || x.Size(r) != len(want) {
			t.Fatalf("step %d: room %q has %q, size %d, want %q", step, r, got, x.Size(r), want)
		}
		if x.Len() != len(model) {
			t.Fatalf("step %d: Len = %d, want %d", step, x.Len(), len(model))
		}
	}
}

// TestWalkMissesNobody has members coming and going while walks go on: whoever
// stays all the time is visited by every walk, and nobody twice.
func TestWalkMissesNobody(t *testing.T) {
	x := rooms.NewIndex[string]()
	const stay = 50
	for i := range stay {
		id := fmt.Sprint("stay", i)
		x.Add(id, id)
		x.Join(id, "red", "blue")
	}
	done := make(chan struct{})
	var churn sync.WaitGroup
	for g := range 4 {
		churn.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-done:
					return
				default:
				}
				id := fmt.Sprint("churn", g, "-", i%200)
				if !x.Add(id, id) {
					x.Remove(id)
					continue
				}
				x.Join(id, "red")
			}
		})
	}
	for range 500 {
		for _, s := range []rooms.Selection{{}, {Rooms: []string{"red"}}, {Rooms: []string{"red", "blue"}}} {
			n := 0
			for _, id := range visited(t, x, s) {
				if len(id) > 4 && id[:4] == "stay" {
					n++
				}
			}
			if n != stay {
				t.Errorf("a walk of %+v visited %d of %d who stayed", s, n, stay)
			}
		}
	}
	close(done)
	churn.Wait()
}

func BenchmarkEach(b *testing.B) {
	for _, n := range []int{1, 100, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			x := rooms.NewIndex[int]()
			for i := range n {
				id := fmt.Sprint(i)
				x.Add(id, i)
				x.Join(id, "room")
			}
			b.ReportAllocs()
			sum := 0
			for b.Loop() {
				x.Each(rooms.Selection{Rooms: []string{"room"}}, func(v int) bool { sum += v; return true })
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/member")
		})
	}
}

func BenchmarkJoinLeave(b *testing.B) {
	for _, n := range []int{1, 100, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			x := rooms.NewIndex[int]()
			for i := range n {
				id := fmt.Sprint(i)
				x.Add(id, i)
				x.Join(id, "room")
			}
			x.Add("guest", -1)
			b.ReportAllocs()
			for b.Loop() {
				x.Join("guest", "room")
				x.Leave("guest", "room")
			}
		})
	}
}
