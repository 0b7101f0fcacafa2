// SPDX-License-Identifier: Apache-2.0

package host

import (
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"
)

// TestWhatIsWrongIsAClearErrorAndNoCrash, in either host.
func TestWhatIsWrongIsAClearErrorAndNoCrash(t *testing.T) {
	for name, c := range map[string]struct{ config, open, want string }{
		"a relative pattern":      {`{"watch":["etc"]}`, "", `"etc"`},
		"an unknown key":          {`{"wacht":["/etc"]}`, "", `wacht`},
		"a wrong type":            {`{"watch":7}`, "", `watch`},
		"an unknown operation":    {`{"events":["creat"]}`, "", `["events"][0]`},
		"no JSON":                 {`{`, "", "json"},
		"a replay that is absent": {"", "file:///nonexistent/events.jsonl", "/nonexistent/events.jsonl"},
		"a source that is none":   {"", "nonsense", "nonsense"},
	} {
		_, stderr, err := sysdig(t, "-H", plugged(t, c.config), "-I", "fim:"+c.open, "-n", "1")
		checkError(t, "sysdig: "+name, stderr, err, c.want)
		_, err = Replay(t, Options{Rules: []Rule{}, Init: c.config, Open: c.open})
		checkError(t, "fim-host: "+name, fmt.Sprint(err), err, c.want)
	}
}

// checkError wants exit code 1 and a message that names what is wrong.
func checkError(t testing.TB, name, message string, err error, want string) {
	t.Helper()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("%s: ended with %v: %s", name, err, message)
	}
	if !strings.Contains(message, want) {
		t.Errorf("%s: does not name %s: %s", name, want, message)
	}
	for _, crash := range []string{"panic", "goroutine", "SIG", "core dumped"} {
		if strings.Contains(message, crash) {
			t.Errorf("%s: crashed: %s", name, message)
		}
	}
}

func TestTheHostRefusesACommandLineThatCannotBeMeant(t *testing.T) {
	for _, args := range [][]string{
		{}, {"fields"}, {"run", "x"}, {"walk", "x", "y"}, {"run", "x", "y", "--max"}, {"run", "x", "y", "--max", "1x"},
		{"run", "x", "y", "--nope", "1"}, {"run", "x", "y", "--open", "a", "--capture", "b"},
	} {
		err := exec.Command(Binary(t), args...).Run()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 2 {
			t.Errorf("%q: %v", args, err)
		}
	}
}
