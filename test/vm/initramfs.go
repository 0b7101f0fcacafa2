// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"bytes"
	_ "embed"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

//go:embed guest/init
var guestInit []byte

//go:embed guest/main
var guestMain []byte

// busyboxPath is Debian's static build: it needs no library in the initramfs,
// and runs on every kernel here.
const busyboxPath = "/bin/busybox"

// initramfs is the guest's first root: busybox, the early modules and the two
// scripts. It is not compressed; the guest would be slow at undoing that.
func (i Image) initramfs() ([]byte, error) {
	busybox, err := os.ReadFile(busyboxPath)
	if err != nil {
		return nil, fmt.Errorf("%w: run test/vm/setup.sh", err)
	}
	var a cpio
	a.dir("bin")
	a.dir("modules")
	a.file("bin/busybox", busybox)
	a.file("init", guestInit)
	a.file("main", guestMain)
	modules, err := os.ReadDir(i.path(earlyDir))
	if err != nil {
		return nil, err
	}
	for _, m := range modules {
		code, err := os.ReadFile(filepath.Join(i.path(earlyDir), m.Name()))
		if err != nil {
			return nil, err
		}
		a.file("modules/"+m.Name(), code)
	}
	return a.end(), nil
}

// cpio writes an archive in the "newc" format, which the kernel unpacks
// (Documentation/driver-api/early-userspace/buffer-format.rst).
type cpio struct {
	buf bytes.Buffer
	ino int
}

const (
	cpioDir  = 0o040755
	cpioFile = 0o100755 // everything here is a program, or does not mind
)

func (a *cpio) dir(name string)                  { a.entry(name, cpioDir, nil) }
func (a *cpio) file(name string, content []byte) { a.entry(name, cpioFile, content) }

func (a *cpio) entry(name string, mode int, content []byte) {
	a.ino++ // numbers tell hard links apart, and there are none
	fmt.Fprintf(&a.buf, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s\x00",
		a.ino, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name)+1, 0, name)
	a.pad()
	a.buf.Write(content)
	a.pad()
}

// pad aligns to 4 bytes, as names and contents are.
func (a *cpio) pad() {
	io.WriteString(&a.buf, "\x00\x00\x00"[:-a.buf.Len()&3])
}

func (a *cpio) end() []byte {
	a.entry("TRAILER!!!", 0, nil)
	return a.buf.Bytes()
}
