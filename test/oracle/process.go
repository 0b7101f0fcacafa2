// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// asWorker in the environment makes this program a worker's process: so many threads,
// each with a pipe to read calls from and one to write answers to.
const asWorker = "FIM_ORACLE_WORKER"

// bindings in the environment are the bind mounts that a worker's process makes for
// itself, from and to.
const bindings = "FIM_ORACLE_BINDINGS"

// workIfAsked serves as a worker's process and tells whether this is one.
func workIfAsked() (bool, error) {
	text := os.Getenv(asWorker)
	if text == "" {
		return false, nil
	}
	threads, err := strconv.Atoi(text)
	if err != nil {
		return true, err
	}
	unix.Umask(0o022)
	var own [][2]string
	if err := json.Unmarshal([]byte(os.Getenv(bindings)), &own); err != nil {
		return true, err
	}
	for _, b := range own {
		if err := bind(b[0], b[1]); err != nil {
			return true, err
		}
	}
	return true, serveAll(threads)
}

// serveAll serves on descriptors 3 and 4, 5 and 6, and so on.
func serveAll(threads int) error {
	errs := make([]error, threads)
	var wg sync.WaitGroup
	for i := range threads {
		wg.Go(func() {
			errs[i] = serve(os.NewFile(uintptr(3+2*i), "calls"), os.NewFile(uintptr(4+2*i), "answers"))
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func bind(from, to string) error {
	if err := unix.Mount(from, to, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("bind %s at %s: %w", from, to, err)
	}
	return nil
}

// process is one with worker threads.
type process struct {
	cmd   *exec.Cmd
	lines []*line
}

// line is how one of its threads is spoken to.
type line struct {
	out *gob.Encoder
	in  *gob.Decoder
	end func() error
}

// startProcess starts one, in a mount namespace of its own where own has mounts.
func startProcess(threads int, own [][2]string) (*process, error) {
	text, err := json.Marshal(own)
	if err != nil {
		return nil, err
	}
	p := &process{cmd: exec.Command("/proc/self/exe")}
	p.cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d", asWorker, threads), bindings+"="+string(text))
	p.cmd.Stderr = os.Stderr
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if len(own) > 0 {
		p.cmd.SysProcAttr.Unshareflags = unix.CLONE_NEWNS
	}
	for range threads {
		if err := p.addLine(); err != nil {
			return nil, err
		}
	}
	err = p.cmd.Start()
	for _, f := range p.cmd.ExtraFiles { // the other side's
		f.Close()
	}
	return p, err
}

func (p *process) addLine() error {
	calls, out, err := os.Pipe()
	if err != nil {
		return err
	}
	in, answers, err := os.Pipe()
	if err != nil {
		return err
	}
	p.cmd.ExtraFiles = append(p.cmd.ExtraFiles, calls, answers)
	p.lines = append(p.lines, &line{gob.NewEncoder(out), gob.NewDecoder(in), out.Close})
	return nil
}

// do has the thread do one call and returns what came of it.
func (l *line) do(c Call) (Answer, error) {
	var a Answer
	if err := l.out.Encode(c); err != nil {
		return a, err
	}
	if err := l.in.Decode(&a); err != nil {
		return a, err
	}
	if a.Trouble != "" {
		return a, fmt.Errorf("%v: %s", c, a.Trouble)
	}
	return a, nil
}

// stop ends the process by having nothing more to ask.
func (p *process) stop() error {
	var errs []error
	for _, l := range p.lines {
		errs = append(errs, l.end())
	}
	return errors.Join(append(errs, p.cmd.Wait())...)
}
