// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
)

// machine is what is booted, and what the last boot came to.
type machine struct {
	Options
	image Image
	root  string

	dir string // the boot's files

	answers answers
	reason  string // why QEMU says that the machine stopped
}

func (m *machine) path(name string) string { return filepath.Join(m.dir, name) }

// The files of a boot.
const (
	initramfsFile = "initramfs"
	payloadDisk   = "payload.ext4"
	resultsDisk   = "results.tar"
	controlSocket = "control"
	qmpSocket     = "qmp"
)

// payloadSpare is what run.sh may write in its folder, in bytes.
const payloadSpare = 1 << 30

func (m *machine) run(ctx context.Context) (r Result, err error) {
	if m.dir, err = os.MkdirTemp("", "fim-vm-"); err != nil {
		return Result{}, err
	}
	defer os.RemoveAll(m.dir)
	if err := m.prepare(ctx); err != nil {
		return Result{}, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, m.Timeout, ErrTimeout)
	defer cancel()
	out := &console{w: m.Console}
	if err := m.boot(ctx, out); err != nil {
		return Result{}, err
	}
	r = Result{ExitCode: m.answers.exit, Boot: m.answers.ready}
	if err := m.verdict(ctx); err != nil {
		return r, &Failure{Err: err, Tail: out.tail.String()}
	}
	return r, extractResults(m.path(resultsDisk), m.Out)
}

// prepare makes the files that QEMU is given.
func (m *machine) prepare(ctx context.Context) error {
	initramfs, err := m.image.initramfs()
	if err != nil {
		return err
	}
	if err := os.WriteFile(m.path(initramfsFile), initramfs, 0o600); err != nil {
		return err
	}
	if err := makeExt4(ctx, m.path(payloadDisk), m.Payload, payloadSpare); err != nil {
		return err
	}
	return makeBlank(m.path(resultsDisk), resultsSize)
}

// boot runs QEMU to its end and collects what the guest answered. An error is
// QEMU's own.
func (m *machine) boot(ctx context.Context, out *console) error {
	control, err := listen(m.path(controlSocket), func(c net.Conn) { m.answers.read(c) })
	if err != nil {
		return err
	}
	qmp, err := listen(m.path(qmpSocket), func(c net.Conn) { m.reason = watchShutdown(c) })
	if err != nil {
		control.close()
		return err
	}
	cmd := command(ctx, "qemu-system-x86_64", m.args()...)
	cmd.Stdout, cmd.Stderr = out, out
	// A guest ends with the process that wants its answer. The kernel ties that
	// to the thread, which therefore must not go before the guest does.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}

	err = cmd.Run()
	control.close()
	qmp.close()
	if _, ended := err.(*exec.ExitError); ended && ctx.Err() == nil {
		return fmt.Errorf("QEMU failed: %w\n%s", err, out.tail.String())
	}
	if ctx.Err() != nil {
		return nil // killed: the verdict says why
	}
	return err
}

// verdict is nil when the guest did everything that it should: answered, saved
// the results and switched itself off.
func (m *machine) verdict(ctx context.Context) error {
	a := m.answers
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%w: %s", context.Cause(ctx), m.progress())
	case m.reason == "guest-reset":
		return fmt.Errorf("%w: %s", ErrPanic, m.progress())
	case a.exit < 0 || a.saved < 0:
		return fmt.Errorf("%w: %s", ErrSilent, m.progress())
	case a.saved != 0:
		return fmt.Errorf("the guest could not save its results (tar ended with %d): at most %d MiB fit", a.saved, resultsSize>>20)
	}
	return nil
}

// progress says how far the guest came.
func (m *machine) progress() string {
	switch a := m.answers; {
	case a.ready < 0:
		return "before run.sh started"
	case a.exit < 0:
		return "while run.sh ran"
	default:
		return fmt.Sprintf("after run.sh ended with %d", a.exit)
	}
}

// args are QEMU's. The processor is the emulator's best without CMPXCHG16B,
// whose emulation in QEMU 7.2 crashes Linux 6.12 and later now and then, and without
// fast string instructions, which it emulates byte by byte: with them a third of the
// time of loading programs goes into clearing and moving memory.
func (m *machine) args() []string {
	accel := []string{"-accel", "tcg,thread=multi"}
	if m.ICount {
		accel = []string{"-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off"}
	}
	args := append(accel,
		"-cpu", "max,-cx16,-erms,-fsrm", "-smp", strconv.Itoa(m.SMP), "-m", m.Memory,
		"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
		"-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console",
		"-chardev", "socket,id=control,path="+m.path(controlSocket), "-serial", "chardev:control",
		"-chardev", "socket,id=qmp,path="+m.path(qmpSocket), "-mon", "chardev=qmp,mode=control",
		"-kernel", m.image.path(kernelFile), "-initrd", m.path(initramfsFile),
		// panic=-1: reboot at once, which -no-reboot turns into an end.
		"-append", "console=ttyS0 quiet panic=-1 oops=panic "+m.Append)
	args = append(args, disk("root", m.root, "snapshot=on")...)
	args = append(args, disk("modules", m.image.path(modulesFile), "readonly=on")...)
	args = append(args, disk("payload", m.path(payloadDisk), "cache=unsafe")...)
	return append(args, disk("results", m.path(resultsDisk), "cache=unsafe")...)
}

// disk attaches a file as a disk that the guest finds by its serial number.
func disk(serial, file, option string) []string {
	return []string{
		"-drive", "if=none,format=raw,id=" + serial + ",file=" + file + "," + option,
		"-device", "virtio-blk-pci,drive=" + serial + ",serial=" + serial,
	}
}
