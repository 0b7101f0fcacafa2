// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"testing"

	"github.com/falco-fim/fim/test/vm/gotest"
)

// overlaid gives the guest a root directory like that of an image which is booted and
// cannot be written: an overlay, of which no mount shows the layers any more. Scripts lie
// on it.
const overlaid = `modprobe overlay
mount -t tmpfs layers /mnt && mkdir /mnt/upper /mnt/work /mnt/root &&
mount -t overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work root /mnt/root || exit
for dir in dev proc sys run payload lib/modules; do mount --rbind /$dir /mnt/root/$dir || exit; done
cd /mnt/root && pivot_root . mnt && cd /payload && umount -l /mnt || exit
[ "$(stat -f -c %T /)" = overlayfs ] || exit
export TMPDIR=/var/tmp
`

// rooted is what is done to files of the root directory.
const rooted = `attributes-mode|create-write-close|exec|identity-inode-reused|link-(alias-.*|inside)|mount-bind-view|names-every-operation|` +
	`rename-(exchange|inside|out)|rmtree|tree-moved-(in|out)|unlink-open-file|write-(mmap|open-truncate)`

// Linux 5.10 does not tell the device of files whose layers are on two filesystems, which
// scripts ask for throughout.
func TestScriptsOnAHostWhoseRootIsAnOverlay(t *testing.T) {
	t.Parallel()
	plan, scripts, dir := prepare(t, "")
	for _, k := range plan {
		if k.kernel == "5.10" || asked() == each && k.kernel != "6.12" {
			continue
		}
		t.Run(k.kernel, func(t *testing.T) {
			t.Parallel()
			g := ended{guest: guest{k.kernel, []run{{"root", rooted}}}}
			text, r, err := boot(t.Context(), g.kernel, 1, dir, overlaid+g.script())
			g.results = gotest.Leaves(gotest.Parse(text), prefix)
			gotest.Tell(t, g.results, r, err, text)
			for _, name := range g.missing(scripts) {
				t.Errorf("%s did not run", name)
			}
		})
	}
}
