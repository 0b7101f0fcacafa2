// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/falco-fim/fim/watch"
)

// Mount is one mount of the host, as /proc/…/mountinfo has it.
type Mount struct {
	Dev   uint64 // as st_dev
	Root  string // directory of the filesystem that is mounted
	Point string // where, on the host
	// FSType is the filesystem's name, "ext4".
	FSType string
}

// seed is a directory that a host mount shows where something is watched. The
// kernel knows it by the address of its inode, which the mount itself keeps in
// memory. Anything more to pin it would harm: an open file keeps the mount busy,
// an inotify watch makes every operation of its filesystem dearer.
type seed struct {
	inode uint64
	state uint32
	bind  bool // not the filesystem's root
}

// seeder keeps the kernel's seeds like the host's mounts.
type seeder struct {
	objects *objects
	dfa     *watch.DFA
	root    string // where the host's root is mounted
	seeds   map[uint64]*seed
	shipped uint32 // states up to here are in the kernel
	pairs   map[trampolinesPair]bool
}

// refresh makes seeds of the mounts that can matter, drops those that are gone,
// and voids the tags if anything changed. Mounts that cannot be opened are
// reported, and do not keep the others from being watched.
func (s *seeder) refresh(mounts []Mount) error {
	var errs []error
	wanted := map[uint64]uint32{}
	for _, m := range mounts {
		state := s.stateAt(m.Point)
		if state == watch.Dead && m.Point != "/" {
			continue
		}
		d, err := s.take(m, state)
		if err != nil {
			errs = append(errs, err)
		} else if d != nil {
			wanted[d.inode] = s.dfa.Join(wanted[d.inode], state)
		}
	}
	changed, err := s.apply(wanted)
	if err == nil && changed {
		err = s.bump()
	}
	return errors.Join(append(errs, err)...)
}

// stateAt walks a host path through the automaton.
func (s *seeder) stateAt(path string) uint32 {
	state := s.dfa.Start()
	for name := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		if name != "" {
			state = s.dfa.Step(state, []byte(name))
		}
	}
	return state
}

// take opens the root of a mount, so that the kernel takes it as a seed. It
// returns nil for a mount that another one hides.
func (s *seeder) take(m Mount, state uint32) (*seed, error) {
	path := filepath.Join(s.root, m.Point)
	look, err := unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOTDIR) || errors.Is(err, fs.ErrNotExist) {
		return nil, nil // a single file, or gone meanwhile
	}
	if err != nil {
		return nil, fmt.Errorf("open mount %s: %w", path, err)
	}
	defer unix.Close(look)
	fd, inode, err := s.open(look, state)
	if err != nil {
		return nil, fmt.Errorf("make the mount %s known to the kernel: %w", path, err)
	}
	defer unix.Close(fd)
	d := s.seeds[inode]
	if d == nil {
		d = &seed{inode: inode}
		s.seeds[inode] = d
	}
	d.bind = m.Root != "/"
	return d, nil
}

// open opens the directory behind an O_PATH descriptor with the kernel armed to
// take it. An O_PATH open itself does not reach security_file_open.
func (s *seeder) open(look int, state uint32) (int, uint64, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before, err := s.control()
	if err != nil {
		return -1, 0, err
	}
	if err := run(s.objects, armSeed, state); err != nil {
		return -1, 0, err
	}
	fd, err := unix.Openat(unix.AT_FDCWD, fmt.Sprintf("/proc/thread-self/fd/%d", look), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, 0, errors.Join(err, run(s.objects, armOwn, 0))
	}
	after, err := s.control()
	if err == nil && after.Seeded == before.Seeded {
		err = errors.New("the hook on security_file_open did not see the open; is another program holding it back?")
	}
	if err != nil {
		unix.Close(fd)
		return -1, 0, err
	}
	return fd, after.SeedInode, nil
}

// What the program "arm" is asked to do.
const (
	armOwn  = 0 // learn who we are, nothing else
	armSeed = 1 // take this thread's next open as a seed
	armBump = 2 // void all tags
)

// run runs the program "arm" in this thread.
func run(o *objects, what uint64, state uint32) error {
	if _, err := o.program("arm").Run(&ebpf.RunOptions{Context: [2]uint64{what, uint64(state)}}); err != nil {
		return fmt.Errorf("run a BPF program (needs kernel 5.10): %w", err)
	}
	return nil
}

func (s *seeder) control() (c trampolinesSettings, err error) {
	err = s.objects.variable("control").Get(&c)
	return c, err
}

// apply writes the states that were worked out and drops seeds not wanted.
func (s *seeder) apply(wanted map[uint64]uint32) (changed bool, err error) {
	if err := s.ship(wanted); err != nil {
		return false, err
	}
	for inode, d := range s.seeds {
		state, ok := wanted[inode]
		if !ok {
			err = errors.Join(err, s.objects.table("seeds").Delete(inode))
			delete(s.seeds, inode)
			changed = true
			continue
		}
		changed = changed || d.state != state
		d.state = state
		err = errors.Join(err, s.restate(inode, state))
	}
	return changed, err
}

// restate gives a seed the join of all mounts that show it.
func (s *seeder) restate(inode uint64, state uint32) error {
	var row trampolinesSeed
	table := s.objects.table("seeds")
	if err := table.Lookup(inode, &row); err != nil {
		return fmt.Errorf("read back a seed: %w", err)
	}
	if row.State == state {
		return nil
	}
	row.State = state
	return table.Put(inode, row)
}

// ship sends the kernel what joining added, and the join of each state with
// each seed inside a filesystem, where a path has a state of its own. Where that
// would be too many the kernel answers "unknown" and Go decides.
func (s *seeder) ship(wanted map[uint64]uint32) error {
	var pairs []trampolinesPair
	var states []uint32
	for inode, seed := range wanted {
		if !s.seeds[inode].bind {
			continue
		}
		end := s.dfa.First() + uint32(s.dfa.Len())
		for n := s.dfa.First(); n < end; n++ {
			p := trampolinesPair{A: min(n, seed), B: max(n, seed)}
			if p.A == p.B || p.A == watch.Dead || s.pairs[p] || len(s.pairs) >= maxJoins {
				continue
			}
			s.pairs[p] = true
			pairs, states = append(pairs, p), append(states, s.dfa.Join(p.A, p.B))
		}
	}
	if err := ship(s.objects, s.dfa, s.shipped); err != nil {
		return err
	}
	s.shipped = s.dfa.First() + uint32(s.dfa.Len())
	if err := update(s.objects.table("joins"), pairs, states); err != nil {
		return fmt.Errorf("write the automaton's joins: %w", err)
	}
	return nil
}

// bump voids all tags. A program does it, so that it is one atomic step among
// those of renames.
func (s *seeder) bump() error { return run(s.objects, armBump, 0) }
