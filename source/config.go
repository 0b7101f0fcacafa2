// SPDX-License-Identifier: Apache-2.0

package source

import (
	"cmp"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/falco-fim/fim/bpf"
	"github.com/falco-fim/fim/event"
	"github.com/falco-fim/fim/watch"
)

// What [Config.OnFailure] may be.
const (
	Exit = "exit"
	Idle = "idle"
)

// auto, as [Config.Backend], takes the first backend of the table that opens.
const auto = "auto"

// DefaultWatch is what is watched when the configuration does not say: what the
// shipped rules alert on, as in deploy/falco.yaml.
var DefaultWatch = []string{
	"/etc",
	"/root/.ssh",
	"/home/*/.ssh",
	"/root/.{bashrc,bash_profile,bash_login,bash_logout,profile,zshrc,zshenv,zprofile,zlogin}",
	"/home/*/.{bashrc,bash_profile,bash_login,bash_logout,profile,zshrc,zshenv,zprofile,zlogin}",
	"/root/.config/systemd",
	"/home/*/.config/systemd",
	"/usr/bin",
	"/usr/sbin",
	"/usr/local/bin",
	"/usr/local/sbin",
	"/usr/lib/systemd",
	"/usr/local/lib/systemd",
	"/usr/lib/udev/rules.d",
	"/usr/lib/modules",
	"/usr/lib/modules-load.d",
	"/usr/lib/modprobe.d",
	"/usr/lib/security",
	"/usr/lib/*/security",
	"/usr/lib64/security",
	"/usr/local/share/ca-certificates",
	"/usr/share/falco",
	"/var/spool/cron",
	"/var/spool/at",
	"/var/log/{auth.log,secure,syslog,messages,kern.log,wtmp,btmp,lastlog}*",
	"/var/log/audit",
	"/var/log/journal/*/*",
}

// Config is the plugin's init_config and the file of `fim watch --config`. Its
// tags are the schema; [Default] holds the defaults.
type Config struct {
	Watch         []string `json:"watch" jsonschema_description:"Patterns to watch: absolute paths on the host. /etc means the file or directory and everything below it, /etc/* its direct children, ** as a component any depth."`
	Exclude       []string `json:"exclude" jsonschema_description:"Patterns that win over watch. An exclude names host paths as they are and follows no symbolic link, so that nobody can hide a file by placing one."`
	Events        []string `json:"events" jsonschema_description:"Operations to report; replaces the default set, which is all but open and exec. attrib stands for every change of attributes: chmod, chown, utimes, setxattr, removexattr, setacl, chattr. Loss of events (lost) is always reported."`
	Failed        bool     `json:"failed" jsonschema_description:"Also report attempts that were refused, with fs.failed=true and the errno in fs.res. Only the eBPF backend sees them."`
	Containers    bool     `json:"containers" jsonschema_description:"Also watch these paths inside each container whose root is an overlay filesystem, as docker, containerd, cri-o and podman have it, with fs.reason=container. Only the eBPF backend can."`
	Follow        bool     `json:"follow" jsonschema_description:"Also report what happens to a watched file after it was moved out of the watched places, and to all in a directory that was, wherever it goes on its filesystem, with fs.reason=followed. What exclude names where it is now stays silent. Only the eBPF backend can."`
	Backend       string   `json:"backend" jsonschema_description:"Where events come from; auto takes the first that works on this kernel."`
	RingBufferKiB int      `json:"ring_buffer_kib" jsonschema_description:"Size in KiB of the ring buffer between the kernel and the eBPF backend, rounded up to a power of two. What does not fit while nobody reads is lost, counted and told as a lost event."`
	// HostRoot has its default from the environment, which is not the schema's
	// to say.
	HostRoot  string `json:"host_root" jsonschema_description:"Where the host's root directory is mounted, for a container; by default the environment variable HOST_ROOT, else /."`
	OnFailure string `json:"on_failure" jsonschema_description:"What a backend that cannot open, or stops, does: exit ends the source with the error (Falco then ends too), idle reports it as a lost event and tries again with growing pauses."`

	// Direct narrows each pattern to the path itself and its direct children.
	Direct bool `json:"-"`
	// Log takes the warnings; nil is standard error, which Falco captures.
	Log *log.Logger `json:"-"`
}

// Default returns the configuration of an empty init_config.
func Default() Config {
	return Config{
		Watch:         slices.Clone(DefaultWatch),
		Exclude:       []string{},
		Events:        defaultEvents(),
		Backend:       auto,
		RingBufferKiB: bpf.DefaultRingKiB,
		HostRoot:      cmp.Or(os.Getenv("HOST_ROOT"), "/"),
		OnFailure:     Exit,
	}
}

// defaultEvents is every change: an open or an execution changes nothing and
// there are very many of them.
func defaultEvents() []string {
	return slices.DeleteFunc(operations(), func(name string) bool {
		return name == event.OpOpen.String() || name == event.OpExec.String()
	})
}

// operations names what `events` may hold.
func operations() []string {
	var names []string
	for _, op := range event.Ops() {
		if op != event.OpLost {
			names = append(names, op.String())
		}
	}
	return names
}

// ParseConfig reads an init_config: a JSON object, or nothing at all for the
// defaults. It is strict, since what is misspelled is not watched: an unknown
// key, a wrong type or a pattern that cannot be meant is an error that names
// the key, the value and what would be right. It touches neither files nor the
// kernel, so Falco may call it beside a live capture.
func ParseConfig(text []byte) (Config, error) {
	c := Default()
	if err := decodeStrict(text, &c); err != nil {
		return Config{}, fmt.Errorf("init_config: %w", err)
	}
	if err := c.Validate(); err != nil {
		return Config{}, fmt.Errorf("init_config: %w", err)
	}
	return c, nil
}

// Validate says what is wrong with the values of c, all of it at once.
func (c *Config) Validate() error {
	return errors.Join(
		c.validatePatterns(),
		validateEvents(c.Events),
		oneOf("backend", c.Backend, backendNames()),
		validateRing(c.RingBufferKiB),
		validateRoot(c.HostRoot),
		oneOf("on_failure", c.OnFailure, []string{Exit, Idle}),
	)
}

// validatePatterns compiles the patterns for their errors: watch first and by
// itself, so that an error is put down to the right key.
func (c *Config) validatePatterns() error {
	if len(c.Watch) == 0 {
		return errors.New("watch: the list is empty, so nothing would be watched: name a path, or leave the key out for the default")
	}
	o := watch.Options{Include: patterns(c.Watch), Direct: c.Direct}
	if _, err := watch.Compile(o); err != nil {
		return fmt.Errorf("watch: %w", err)
	}
	o.Exclude = patterns(c.Exclude)
	if _, err := watch.Compile(o); err != nil {
		return fmt.Errorf("exclude: %w", err)
	}
	return nil
}

// patterns turns configured patterns into those of watch, named as configured.
func patterns(globs []string) []watch.Pattern {
	list := make([]watch.Pattern, len(globs))
	for i, glob := range globs {
		list[i] = watch.Pattern{Glob: glob, Name: glob}
	}
	return list
}

func validateEvents(names []string) error {
	if len(names) == 0 {
		return errors.New("events: the list is empty, so nothing would be reported: name an operation, or leave the key out for the default")
	}
	for i, name := range names {
		if name == event.OpLost.String() {
			return fmt.Errorf("events[%d]: %q is always reported: leave it out", i, name)
		}
		if err := oneOf(fmt.Sprintf("events[%d]", i), name, operations()); err != nil {
			return err
		}
	}
	return nil
}

// The bounds of ring_buffer_kib. A record takes up to 20 KiB, and so the smallest
// ring holds a few of the longest; the largest is memory that the kernel cannot
// swap out.
const (
	minRingKiB = 64
	maxRingKiB = 1 << 20
)

func validateRing(kib int) error {
	if kib < minRingKiB || kib > maxRingKiB {
		return fmt.Errorf("ring_buffer_kib: %d is out of bounds: want %d to %d; %d is the default", kib, minRingKiB, maxRingKiB, bpf.DefaultRingKiB)
	}
	return nil
}

func validateRoot(root string) error {
	if !filepath.IsAbs(root) || strings.ContainsRune(root, 0) {
		return fmt.Errorf("host_root: %q is not an absolute path: use / or the directory where the host's root is mounted, such as /host", root)
	}
	return nil
}

// oneOf refuses a value that is not among the known ones, and offers the
// nearest.
func oneOf(key, value string, known []string) error {
	if slices.Contains(known, value) {
		return nil
	}
	return fmt.Errorf("%s: unknown value %q%s: want one of %s", key, value, didYouMean(value, known), strings.Join(known, ", "))
}

// ops returns the wanted operations, each once; Events is valid. attrib stands for
// every operation that a backend may have to report as attrib.
func (c *Config) ops() []event.Op {
	all := slices.Contains(c.Events, event.OpAttrib.String())
	return slices.DeleteFunc(event.Ops(), func(op event.Op) bool {
		return !slices.Contains(c.Events, op.String()) && !(all && op.Attribute())
	})
}

// logf writes one warning. Names in it are hostile, so the line is escaped
// whole.
func (c *Config) logf(format string, args ...any) {
	logger := c.Log
	if logger == nil {
		logger = log.New(os.Stderr, "fim: ", 0)
	}
	logger.Print(string(event.Escape(nil, fmt.Appendf(nil, format, args...))))
}
