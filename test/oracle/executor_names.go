// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

func (*executor) unlink(c Call) ([]Fact, error) { return removed("unlink", c, unix.Unlink) }

func (*executor) rmdir(c Call) ([]Fact, error) { return removed("rmdir", c, unix.Rmdir) }

func (*executor) mkdir(c Call) ([]Fact, error) { return changed("mkdir", c, unix.Mkdir(c.A, 0o755)) }

// symlink points to where nothing ever is: no step goes through a link.
func (*executor) symlink(c Call) ([]Fact, error) {
	return changed("symlink", c, unix.Symlink(fmt.Sprintf("no/where/%d", c.N), c.A))
}

func (*executor) mknod(c Call) ([]Fact, error) {
	kinds := []uint32{unix.S_IFIFO, unix.S_IFREG, unix.S_IFSOCK, unix.S_IFCHR}
	kind := kinds[c.N%len(kinds)]
	op := "mknod"
	if kind == unix.S_IFREG {
		op = "create"
	}
	return changed(op, c, unix.Mknod(c.A, kind|0o644, int(unix.Mkdev(1, 3))))
}

func (*executor) link(c Call) ([]Fact, error) {
	if err := unix.Link(c.A, c.B); err != nil {
		return nil, err
	}
	st, _ := lstat(c.B)
	return []Fact{{Op: "link", At: atB, From: atA, File: st, Size: unsized, Old: unsized}}, nil
}

// visit changes a file through a name that it has for that alone.
func (e *executor) visit(c Call) ([]Fact, error) {
	facts, err := e.link(c)
	if err != nil {
		return nil, err
	}
	changes := []func(*executor, Call) ([]Fact, error){
		(*executor).chmod, (*executor).chown, (*executor).utimes, (*executor).truncate, (*executor).setxattr,
	}
	for _, do := range []func(*executor, Call) ([]Fact, error){changes[c.N%len(changes)], (*executor).unlink} {
		more, err := do(e, Call{A: c.B, N: c.N})
		var errno unix.Errno
		if err != nil && !errors.As(err, &errno) {
			return nil, err
		}
		for _, fact := range more { // none where it was refused
			fact.At = atB
			facts = append(facts, fact)
		}
	}
	return facts, nil
}

// rename may replace, not replace, or exchange. Of two names of one file it does
// nothing and succeeds; see rename(2).
func (*executor) rename(c Call) ([]Fact, error) {
	a, _ := lstat(c.A)
	b, existed := lstat(c.B)
	flags := []uint{0, 0, unix.RENAME_NOREPLACE, unix.RENAME_EXCHANGE}[c.N%4]
	if c.Do == "exchange" {
		flags = unix.RENAME_EXCHANGE
	}
	if err := unix.Renameat2(unix.AT_FDCWD, c.A, unix.AT_FDCWD, c.B, flags); err != nil {
		return nil, err
	}
	if existed && a.same(b) {
		return nil, nil
	}
	there := Fact{Op: "rename", At: atB, From: atA, File: a, Size: unsized, Old: unsized}
	if flags == unix.RENAME_EXCHANGE {
		return []Fact{there, {Op: "rename", At: atA, From: atB, File: b, Size: unsized, Old: unsized}}, nil
	}
	if existed {
		there.Replaced = b.Ino
	}
	return []Fact{there}, nil
}
