// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// hostPath is where programs are sought: root's folders are missing from the
// PATH of many shells, and mke2fs, debootstrap and modprobe live there.
const hostPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// command prepares a host program. A missing one is an error of its own, from
// Run or Start, that says how to get it.
func command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "PATH="+hostPath, "LC_ALL=C")
	cmd.Path, cmd.Err = lookHost(name)
	return cmd
}

func lookHost(name string) (string, error) {
	for dir := range strings.SplitSeq(hostPath, ":") {
		path := dir + "/" + name
		if s, err := os.Stat(path); err == nil && s.Mode().IsRegular() && s.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	return name, fmt.Errorf("%s: %w: run test/vm/setup.sh", name, exec.ErrNotFound)
}

// output runs a host program and returns its standard output. The error quotes
// the end of what the program said.
func output(cmd *exec.Cmd) (string, error) {
	var out, diag bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &diag
	err := cmd.Run()
	switch {
	case err == nil:
		return out.String(), nil
	case errors.Is(err, exec.ErrNotFound):
		return "", err
	}
	return "", fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, lastLines(out.String()+diag.String(), 12))
}

func run(cmd *exec.Cmd) error {
	_, err := output(cmd)
	return err
}

// lastLines returns the last n lines of s without blank ends.
func lastLines(s string, n int) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
