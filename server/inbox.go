package server

import "sync"

// inbox holds what waits for one socket's handlers and runs it in order, one at
// a time, in a goroutine that exists only while there is something to run. So a
// slow handler holds up its own socket and nothing else, and an idle socket costs no
// goroutine.
type inbox struct {
	limit int             // jobs that may wait before push blocks
	wg    *sync.WaitGroup // counts the running goroutines, of the Server

	mu      sync.Mutex
	jobs    []job
	running bool
	ended   bool          // nothing is accepted any more
	space   chan struct{} // closed when there is room again; nil when nobody waits
}

// job is one thing to do: a received packet, or a function.
type job struct {
	event *Event
	run   func()
}

// push appends a job. It blocks while limit jobs wait, which stops the reading of that
// transport, unless force is set or the inbox has ended. It reports whether the job was taken.
func (b *inbox) push(j job, handle func(job), force forcing) bool {
	b.mu.Lock()
	for !b.ended && force == mayWait && len(b.jobs) >= b.limit {
		if b.space == nil {
			b.space = make(chan struct{})
		}
		wait := b.space
		b.mu.Unlock()
		<-wait
		b.mu.Lock()
	}
	if b.ended {
		b.mu.Unlock()
		return false
	}
	b.jobs = append(b.jobs, j)
	if !b.running {
		b.running = true
		b.wg.Add(1)
		go b.work(handle)
	}
	b.mu.Unlock()
	return true
}

// forcing says whether push may wait for room.
type forcing bool

const (
	mayWait forcing = false
	atOnce  forcing = true
)

// end takes a last job, after which nothing is accepted. With discard, the
// jobs that wait are dropped; their number is returned.
func (b *inbox) end(last job, handle func(job), discard bool) (dropped int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended {
		return 0
	}
	if discard {
		dropped = len(b.jobs)
		b.jobs = nil
	}
	b.jobs = append(b.jobs, last)
	b.ended = true
	b.wakeLocked()
	if !b.running {
		b.running = true
		b.wg.Add(1)
		go b.work(handle)
	}
	return dropped
}

func (b *inbox) wakeLocked() {
	if b.space != nil {
		close(b.space)
		b.space = nil
	}
}

// work runs jobs until none is left. It takes them in batches, so that the lock
// is rarely touched under load.
func (b *inbox) work(handle func(job)) {
	defer b.wg.Done()
	var spare []job
	for {
		b.mu.Lock()
		batch := b.jobs
		if len(batch) == 0 {
			b.running = false
			b.jobs = nil
			b.mu.Unlock()
			return
		}
		b.jobs = spare
		b.wakeLocked()
		b.mu.Unlock()
		for i := range batch {
			handle(batch[i])
			batch[i] = job{}
		}
		spare = batch[:0]
	}
}
