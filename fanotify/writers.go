// SPDX-License-Identifier: Apache-2.0

package fanotify

import "slices"

// writers are the processes that modified a file and have not closed it yet.
// The kernel tells each closing of a file that was open for writing; only those
// of files that were modified are events.
type writers struct{ files *recent[[]writer] }

type writer struct {
	pid int32
	// again is set when the modification and a closing were merged into one
	// event: the process may have written once more after it, so its next
	// closing counts too.
	again bool
	// told says that another process closed the file and that was taken for
	// the closing of this one's descriptor, handed over.
	told bool
}

// maxWriters bounds how many processes are kept for one file.
const maxWriters = 16

// modified notes that pid changed the file and says whether another file had to
// be forgotten for it.
func (w *writers) modified(file ref, pid int32) (forgot bool) {
	list, _ := w.files.get(file)
	if i := indexWriter(list, pid); i >= 0 {
		list[i] = writer{pid: pid}
		return false
	}
	if len(list) >= maxWriters {
		list = slices.Delete(list, 0, 1)
		forgot = true
	}
	old := w.files.put(file, append(list, writer{pid: pid}))
	return forgot || slices.ContainsFunc(old, func(w writer) bool { return !w.again })
}

// closed says whether closing the file, by pid, closes a file that was modified.
// With merged, the modification was in the same event.
func (w *writers) closed(file ref, pid int32, merged bool) bool {
	list, _ := w.files.get(file)
	i := indexWriter(list, pid)
	switch {
	case i >= 0 && merged:
		list[i].again = true
		return true
	case i >= 0:
		if list = slices.Delete(list, i, i+1); len(list) == 0 {
			w.files.remove(file)
		} else {
			w.files.put(file, list)
		}
		return true
	}
	i = slices.IndexFunc(list, func(w writer) bool { return !w.told && !w.again })
	if i < 0 {
		return false
	}
	list[i].told = true
	return true
}

func indexWriter(list []writer, pid int32) int {
	return slices.IndexFunc(list, func(w writer) bool { return w.pid == pid })
}
