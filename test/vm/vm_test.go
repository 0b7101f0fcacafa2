// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestAPayloadWithoutAScriptIsAnError(t *testing.T) {
	_, err := (&Cache{Dir: t.TempDir()}).Run(context.Background(), Options{Kernel: "6.12", Payload: t.TempDir()})
	if !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "run.sh") {
		t.Errorf("%v", err)
	}
}

func TestAMissingProgramSaysHowToGetIt(t *testing.T) {
	err := run(command(context.Background(), "no-such-program"))
	if !errors.Is(err, exec.ErrNotFound) || !strings.Contains(err.Error(), "test/vm/setup.sh") {
		t.Errorf("%v", err)
	}
}

func TestAFailedBuildLeavesNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	failure := errors.New("halfway")
	err := build(context.Background(), dir, func(_ context.Context, tmp string) error {
		return errors.Join(os.WriteFile(filepath.Join(tmp, "half"), nil, 0o644), failure)
	})
	left, _ := filepath.Glob(dir + "*")
	if !errors.Is(err, failure) || len(left) != 0 {
		t.Errorf("error %v, left %q", err, left)
	}
}

func TestWaitingForTheCacheCanBeGivenUp(t *testing.T) {
	c := &Cache{Dir: t.TempDir()}
	ctx, cancel := context.WithCancel(context.Background())
	err := c.locked(ctx, func() error {
		cancel()
		return c.locked(ctx, func() error { return errors.New("both have the lock") })
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
