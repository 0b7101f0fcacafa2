// SPDX-License-Identifier: Apache-2.0

package fanotify

import (
	"fmt"
	"testing"
)

// BenchmarkNext reads events that wait, of files ten directories deep: the time
// is per event that the kernel queued.
func BenchmarkNext(b *testing.B) {
	for _, where := range []string{"o", "w"} {
		b.Run(map[string]string{"o": "unwatched", "w": "watched"}[where], func(b *testing.B) {
			w := newWorld(b, mounters["tmpfs"])
			dir := where + "/1/2/3/4/5/6/7/8/9"
			w.do("mktree " + dir)
			w.watch()
			b.ReportAllocs()
			const batch = 4096
			for done := 0; done < b.N; done += batch {
				b.StopTimer()
				w.call("flood", dir+fmt.Sprintf("/f%d-", done), fmt.Sprint(min(batch, b.N-done)))
				b.StartTimer()
				w.drop()
			}
		})
	}
}
