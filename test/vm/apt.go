// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// keyring is what signs every Debian release; apt and debootstrap check what
// the mirror sends against it.
const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

// debianReleases name the archive where apt has no index of it yet, and so
// does not know its label.
var debianReleases = []string{
	"bullseye", "bookworm", "trixie", "forky", "sid",
	"oldstable", "stable", "testing", "unstable",
}

// archive is one suite of the Debian archive seen through an apt of its own:
// nothing of the machine's package state is read or changed. What the machine
// configures besides, such as a proxy, holds.
type archive struct {
	dir    string // index and state
	mirror string // URL
	suite  string
}

// mirror returns the URL of the Debian archive that this machine's apt uses.
func (c *Cache) mirror(ctx context.Context) (string, error) {
	if c.Mirror != "" {
		return c.Mirror, nil
	}
	targets, err := output(command(ctx, "apt-get", "indextargets", "--format", "$(RELEASE)|$(LABEL)|$(REPO_URI)", "Created-By: Packages"))
	if err != nil {
		return "", fmt.Errorf("vm: find the Debian mirror: %w", err)
	}
	if url := debianMirror(targets); url != "" {
		return url, nil
	}
	return "", fmt.Errorf("vm: this machine's apt knows no Debian archive: name one with --mirror")
}

// debianMirror picks the archive out of lines of "release|label|url", where a
// label that apt does not know stands as "$(LABEL)". The label tells the archive
// from its security updates and from third parties that say "stable" too.
func debianMirror(targets string) string {
	for line := range strings.Lines(targets) {
		f := strings.Split(strings.TrimSpace(line), "|")
		if len(f) != 3 {
			continue
		}
		unread := f[1] == "$(LABEL)" && slices.Contains(debianReleases, f[0])
		if f[1] == "Debian" || unread {
			return strings.TrimSuffix(f[2], "/")
		}
	}
	return ""
}

// open fetches the suite's index, or brings it up to date.
func (c *Cache) open(ctx context.Context, suite string) (*archive, error) {
	url, err := c.mirror(ctx)
	if err != nil {
		return nil, err
	}
	a := &archive{dir: filepath.Join(c.Dir, "apt", suite), mirror: url, suite: suite}
	if err := a.lay(); err != nil {
		return nil, fmt.Errorf("vm: %w", err)
	}
	c.logf("reading the index of Debian %s", suite)
	if _, err := a.apt(ctx, "apt-get", "update", "-q", "--error-on=any"); err != nil {
		return nil, fmt.Errorf("vm: read the index of Debian %s (a suite past its support moves to Debian's archive host: name that with --mirror): %w", suite, err)
	}
	return a, nil
}

// configuration makes an apt that sees this archive alone. Those checks of
// signatures that a machine may have loosened are set back.
const configuration = `
Dir::Etc::SourceList "%[1]s/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::State "%[1]s/state";
Dir::State::status "%[1]s/status";
Dir::Cache "%[1]s/cache";
APT::Architecture "amd64";
APT::Architectures { "amd64"; };
// The cache may lie where the user _apt cannot go.
APT::Sandbox::User "root";
APT::Get::AllowUnauthenticated "false";
Acquire::AllowInsecureRepositories "false";
Acquire::AllowWeakRepositories "false";
Acquire::AllowDowngradeToInsecureRepositories "false";
Acquire::Retries "3";
#clear Acquire::Languages;
Acquire::Languages { "none"; };
// Descriptions of desktop programs, which some machines ask for.
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
`

// lay makes the files and folders that apt expects.
func (a *archive) lay() error {
	for _, d := range []string{"state/lists/partial", "cache/archives/partial"} {
		if err := os.MkdirAll(filepath.Join(a.dir, d), 0o755); err != nil {
			return err
		}
	}
	for name, content := range map[string]string{
		"apt.conf":     fmt.Sprintf(configuration, a.dir),
		"sources.list": fmt.Sprintf("deb [signed-by=%s] %s %s main\n", keyring, a.mirror, a.suite),
		"status":       "", // no package is installed
	} {
		if err := os.WriteFile(filepath.Join(a.dir, name), []byte(content), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// command prepares a program of apt for this archive. A file named on the
// command line is read after the machine's own configuration and wins
// (apt.conf(5)).
func (a *archive) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	return command(ctx, program, append([]string{"-c", filepath.Join(a.dir, "apt.conf")}, args...)...)
}

// apt runs a program of apt on this archive and returns what it printed.
func (a *archive) apt(ctx context.Context, program string, args ...string) (string, error) {
	return output(a.command(ctx, program, args...))
}

// search returns the names of the suite's packages that match the regular
// expression.
func (a *archive) search(ctx context.Context, pattern string) ([]string, error) {
	out, err := a.apt(ctx, "apt-cache", "search", "--names-only", pattern)
	if err != nil {
		return nil, fmt.Errorf("vm: %w", err)
	}
	var names []string
	for line := range strings.Lines(out) {
		name, _, _ := strings.Cut(line, " ")
		names = append(names, name)
	}
	return names, nil
}

// pkg is what the index says of a package.
type pkg struct {
	Name, Version string
	Depends       []string // "name (= version)" and alternatives with |
}

// show reads a package's entry in the index.
func (a *archive) show(ctx context.Context, name string) (pkg, error) {
	out, err := a.apt(ctx, "apt-cache", "show", "--no-all-versions", name)
	if err != nil {
		return pkg{}, fmt.Errorf("vm: %w", err)
	}
	p := pkg{Name: name}
	for line := range strings.Lines(out) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch key {
		case "Version":
			p.Version = value
		case "Depends":
			p.Depends = strings.Split(value, ", ")
		}
	}
	if p.Version == "" {
		return pkg{}, fmt.Errorf("vm: the index of Debian %s has no version of %s", a.suite, name)
	}
	return p, nil
}

// download fetches packages of exactly these versions into dir. apt compares
// each with the hash in the signed index.
func (a *archive) download(ctx context.Context, dir string, pkgs []pkg) error {
	cmd := a.command(ctx, "apt-get", "download", "-q")
	cmd.Dir = dir // where apt-get download writes
	for _, p := range pkgs {
		cmd.Args = append(cmd.Args, p.Name+"="+p.Version)
	}
	if err := run(cmd); err != nil {
		return fmt.Errorf("vm: %w", err)
	}
	return nil
}
