// SPDX-License-Identifier: Apache-2.0

package host

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"testing"
	"time"
)

// Rule is one rule with its macros and lists expanded.
type Rule struct {
	Name      string `json:"name"`
	Condition string `json:"condition"`
	Output    string `json:"output"`
}

// Line is one line that fim-host prints; which members are set depends on what
// it tells.
type Line struct {
	Ready  bool `json:"ready"`  // the source is open
	Events *int `json:"events"` // at the end: how many there were

	Rule   string         `json:"rule"`
	Source string         `json:"source"` // a match: the event's source
	Text   string         `json:"text"`   // a match: the output as text
	Fields map[string]any `json:"fields"` // a match: the output's fields

	Error   string `json:"error"`   // of compiling a rule
	Warning string `json:"warning"` // of compiling a rule
	Part    string `json:"part"`    // where: "condition" or "output"

	Field string `json:"field"` // a declared field
	Type  string `json:"type"`
	List  bool   `json:"list"`
}

// limit ends a host that hangs. It is no expectation: nothing takes a fraction
// of it.
const limit = 3 * time.Minute

// Options say how fim-host runs the plugin.
type Options struct {
	Rules   []Rule
	Init    string // init_config
	Open    string // open_params
	Capture string // a capture file to read instead
	All     bool   // report every rule that matches an event, not the first alone
	// In is put before the command line, to run it somewhere else.
	In []string
}

// program returns what begins a command line of fim-host.
func program(t testing.TB) []string {
	if packed != "" {
		return packedHost(packed)
	}
	return []string{Binary(t)}
}

// command returns the command that does what o says.
func (o *Options) command(t testing.TB, verb string) *exec.Cmd {
	rules, err := json.Marshal(o.Rules)
	if err != nil {
		t.Fatal(err)
	}
	args := slices.Concat(o.In, program(t), []string{verb, Plugin(t), "-"})
	for flag, value := range map[string]string{"--init": o.Init, "--open": o.Open, "--capture": o.Capture} {
		if value != "" {
			args = append(args, flag, value)
		}
	}
	if o.All {
		args = append(args, "--all")
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin = bytes.NewReader(rules)
	return cmd
}

// Fields returns the fields that the plugin declares to its host.
func Fields(t testing.TB) []Line {
	t.Helper()
	lines, err := finish(exec.Command(Binary(t), "fields", Plugin(t)))
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

// Compile compiles rules and returns what the compiler finds in them, errors
// and warnings.
func Compile(t testing.TB, rules []Rule) []Line {
	t.Helper()
	o := Options{Rules: rules}
	lines, err := finish(o.command(t, "compile"))
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 3) {
		t.Fatal(err)
	}
	return lines
}

// Replay runs a source that ends by itself, a replay or a capture, and returns
// its matches, or the error with what the host said of it.
func Replay(t testing.TB, o Options) ([]Line, error) {
	t.Helper()
	lines, err := finish(o.command(t, "run"))
	var matches []Line
	for _, line := range lines {
		if line.Source != "" {
			matches = append(matches, line)
		}
	}
	return matches, err
}

// finish runs a command to its end and returns its lines. The error holds what
// it wrote to standard error.
func finish(cmd *exec.Cmd) ([]Line, error) {
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	defer expire(cmd)()
	err := cmd.Wait()
	var lines []Line
	for d := json.NewDecoder(&stdout); ; {
		var line Line
		if e := d.Decode(&line); e == io.EOF {
			break
		} else if e != nil {
			return lines, fmt.Errorf("fim-host printed no JSON: %w", e)
		}
		lines = append(lines, line)
	}
	if err != nil {
		err = fmt.Errorf("fim-host: %w: %s", err, stderr.Bytes())
	}
	return lines, err
}

// Live is a fim-host that watches live.
type Live struct {
	cmd    *exec.Cmd
	lines  *json.Decoder
	stderr bytes.Buffer
}

// Start runs the plugin live until the test ends and returns when the source is
// open: whatever happens from then on is reported.
func Start(t testing.TB, o Options) *Live {
	t.Helper()
	l := &Live{cmd: o.command(t, "run")}
	l.cmd.Stderr = &l.stderr
	stdout, err := l.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	l.lines = json.NewDecoder(bufio.NewReader(stdout))
	if err := l.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.stop(t) })
	for !l.Next(t).Ready {
	}
	return l
}

// Next waits for the next line.
func (l *Live) Next(t testing.TB) Line {
	t.Helper()
	defer expire(l.cmd)()
	var line Line
	if err := l.lines.Decode(&line); err != nil {
		t.Fatalf("fim-host ended: %v: %s", err, l.stderr.Bytes())
	}
	return line
}

// Pause stops the host, as a machine under load would; Resume lets it go on.
func (l *Live) Pause() { syscall.Kill(worker(l.cmd), syscall.SIGSTOP) }

// Resume undoes Pause.
func (l *Live) Resume() {
	syscall.Kill(worker(l.cmd), syscall.SIGCONT)
	l.cmd.Process.Signal(syscall.SIGCONT) // nsenter stops itself with its child
}

// expire kills a host that has not ended within the limit, unless stop is called
// before.
func expire(cmd *exec.Cmd) (stop func()) {
	timer := time.AfterFunc(limit, func() { syscall.Kill(worker(cmd), syscall.SIGKILL) })
	return func() { timer.Stop() }
}

// worker returns the process id of a host: of the command itself, or of its child
// where it is nsenter, which would not pass a signal on.
func worker(cmd *exec.Cmd) int {
	pid := cmd.Process.Pid
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err == nil {
		fmt.Sscan(string(children), &pid)
	}
	return pid
}

// stop ends the host in order, which must leave no error.
func (l *Live) stop(t testing.TB) {
	syscall.Kill(worker(l.cmd), syscall.SIGTERM)
	defer expire(l.cmd)()
	for {
		var line Line
		if l.lines.Decode(&line) != nil {
			break
		}
	}
	if err := l.cmd.Wait(); err != nil {
		t.Errorf("fim-host did not end in order: %v: %s", err, l.stderr.Bytes())
	}
}
