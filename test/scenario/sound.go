// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"fmt"
	"strconv"
	"time"
)

// slack is how far the clock of the events may be from ours: fim measures the
// offset between two clocks of the kernel now and then.
const slack = time.Second

// Sound returns what is wrong with an event in itself, whatever the script
// expects, or "": every event of a change has its pattern, its file and a time
// within the watch, but not what limits says that it cannot have. A refused
// attempt may have been to make the file, and no pattern says anything of a file
// whose path is not known. One of a loss has no file.
func Sound(r Record, limits Limits, began, now time.Time) string {
	op, _ := r.Text("op")
	_, placed := r.Text("host_path")
	for _, key := range []string{"v", "op", "ts", "watch", "inode", "dev", "res"} {
		_, limited := limits[key]
		_, may := limits[op+":"+key]
		may = may || op == "lost" && key != "v" && key != "ts" || r.Refused() && (key == "inode" || key == "dev") || !placed && key == "watch"
		switch _, ok := r.Text(key); {
		case !ok && !limited && !may:
			return key + " is absent"
		case ok && limited:
			return key + " is there, which this backend cannot know"
		}
	}
	if res, ok := r.Text("res"); ok && r.Refused() == (res == "SUCCESS") {
		return fmt.Sprintf("failed is %v and res is %s", r.Refused(), res)
	}
	text, _ := r.Text("ts")
	ns, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return fmt.Sprintf("ts: %v", err)
	}
	if at := time.Unix(0, ns); at.Before(began.Add(-slack)) || at.After(now.Add(slack)) {
		return fmt.Sprintf("ts says %s, but the watch ran from %s to %s", at, began, now)
	}
	return ""
}
