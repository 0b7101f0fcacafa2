// SPDX-License-Identifier: Apache-2.0

package watch

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func automaton(t testing.TB, o Options) *DFA {
	t.Helper()
	d, err := compile(t, o).DFA(FirstNumber)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// lead returns the state of a path below a state.
func lead(d *DFA, from uint32, path string) uint32 {
	for _, name := range naiveSplit(path) {
		from = d.Step(from, []byte(name))
	}
	return from
}

func TestTheAutomatonMissesNothingThatMatches(t *testing.T) {
	r := random(t)
	for range 1000 {
		o := randomOptions(r, slices.Concat(exactParts, globParts))
		s, d := compile(t, o), automaton(t, o)
		for range 50 {
			path := randomPath(r)
			if _, ok := s.Match([]byte(path)); !ok {
				continue
			}
			if !d.State(lead(d, d.Start(), path)).Accept {
				t.Fatalf("%+v: the automaton drops %q", o, path)
			}
			for _, dir := range ancestors(path) {
				if lead(d, d.Start(), dir) == Dead {
					t.Fatalf("%+v: dead at %q, above %q", o, dir, path)
				}
			}
		}
	}
}

func TestWithoutWildcardsInANameTheAutomatonIsExact(t *testing.T) {
	r := random(t)
	for range 1000 {
		o := randomOptions(r, exactParts)
		d := automaton(t, o)
		for range 50 {
			path := randomPath(r)
			state := d.State(lead(d, d.Start(), path))
			if want := naiveMatch(o, path); state.Accept != want {
				t.Fatalf("%+v: %q accepted = %t, want %t", o, path, state.Accept, want)
			}
		}
	}
}

// A dead state is a promise, an alive one should have a reason.
func TestStatesAreAliveOnlyWhereSomethingBelowCanMatch(t *testing.T) {
	d := automaton(t, Options{
		Include: patterns("/etc", "/home/*/.ssh", "/usr/bin/*", "/var/*.d/x", "/opt/one"),
		Exclude: patterns("/etc/ssh", "/etc/*.swp", "/home/bob/**", "/opt/one"),
	})
	for path, want := range map[string]struct{ alive, accept bool }{
		"/":               {true, false},
		"/etc":            {true, true},
		"/etc/a/b":        {true, true},
		"/etc/x.swp":      {true, true}, // decided by Match
		"/etc/ssh":        {false, false},
		"/etc/ssh/x":      {false, false},
		"/home":           {true, false},
		"/home/al":        {true, false},
		"/home/al/.ssh/x": {true, true},
		"/home/al/x":      {false, false},
		"/home/bob":       {false, false},
		"/usr/bin":        {true, false},
		"/usr/bin/ls":     {true, true},
		"/usr/bin/dir/x":  {false, false},
		"/var/whatever":   {true, false}, // may be a *.d
		"/var/whatever/x": {true, true},
		"/var/whatever/y": {false, false},
		"/opt/one":        {false, false},
		"/tmp":            {false, false},
	} {
		n := lead(d, d.Start(), path)
		if s := d.State(n); (n != Dead) != want.alive || s.Accept != want.accept {
			t.Errorf("%s: state %d, accept %t; want alive %t, accept %t", path, n, s.Accept, want.alive, want.accept)
		}
	}
}

func TestASingleFileDoesNotEmitItsDirectory(t *testing.T) {
	d := automaton(t, Options{Include: patterns("/etc/passwd", "/etc/{group,shadow}")})
	etc := d.State(lead(d, d.Start(), "/etc"))
	if etc.Accept || etc.Default != Dead || len(etc.Names) != 3 || !etc.Named {
		t.Errorf("/etc is %+v", etc)
	}
	for name, to := range etc.Names {
		if s := d.State(to); !s.Accept || s.Named {
			t.Errorf("/etc/%s is %+v", name, s)
		}
	}
}

func TestNoNameIsReadInsideAWatchedTree(t *testing.T) {
	d := automaton(t, Options{Include: patterns("/etc", "/etc/ssh", "/etc/ssh/x/*", "/etc/*.conf"), Exclude: patterns("/**/*.swp", "/etc/a*/b")})
	if n := lead(d, d.Start(), "/etc"); n != d.Everything() || d.State(n).Named || d.State(n).Default != n {
		t.Errorf("/etc is %d %+v", n, d.State(n))
	}
}

func TestAnExcludeIsFollowedOnlyWhereAnIncludeGoesOn(t *testing.T) {
	d := automaton(t, Options{Include: patterns("/etc", "/srv/*"), Exclude: patterns("/**/.git")})
	for dir, named := range map[string]bool{"/etc": true, "/etc/a/b": true, "/srv": true, "/srv/a": false} {
		if s := d.State(lead(d, d.Start(), dir)); s.Named != named {
			t.Errorf("%s is %+v", dir, s)
		}
	}
}

func TestThousandsOfDirectoriesShareTheirStates(t *testing.T) {
	var include []Pattern
	for i := range 5000 {
		include = append(include, Pattern{Glob: fmt.Sprintf("/srv/app%d", i)}, Pattern{Glob: fmt.Sprintf("/opt/app%d/*", i)})
	}
	d := automaton(t, Options{Include: include})
	if d.Len() > 10 { // "/", "/srv", "/opt", "/opt/app*", everything, one file
		t.Errorf("%d states", d.Len())
	}
}

func TestNamesWithOneKeyAreOneToTheKernel(t *testing.T) {
	stem := strings.Repeat("k", KeyLen)
	d := automaton(t, Options{
		Include: patterns("/in/"+stem+"A/x", "/in/"+stem+"B/y", "/in/"+stem[1:]+"/z", "/ex"),
		Exclude: patterns("/ex/"+stem+"A", "/ex/"+stem, "/ex/"+stem[1:]),
	})
	for path, accept := range map[string]bool{
		"/in/" + stem + "A/x": true, "/in/" + stem + "B/x": true, "/in/" + stem + "/y": true, "/in/" + stem + "C/z": false,
		"/in/" + stem[1:] + "/z": true, "/in/" + stem[1:] + "/x": false, "/in/" + stem[2:] + "/z": false,
		"/ex/" + stem + "A": true, "/ex/" + stem: true, // told apart in Go only
		"/ex/" + stem[1:]: false, "/ex/" + stem[2:]: true,
	} {
		if got := d.State(lead(d, d.Start(), path)).Accept; got != accept {
			t.Errorf("%s: accept = %t, want %t", path, got, accept)
		}
	}
	for n, s := range d.States(d.First()) {
		for key := range s.Names {
			if len(key) > KeyLen {
				t.Errorf("state %d has the key %q of %d bytes", n, key, len(key))
			}
		}
	}
}

func TestAJoinedDirectoryIsWatchedByEitherOfItsPaths(t *testing.T) {
	r := random(t)
	for range 500 {
		d := automaton(t, randomOptions(r, slices.Concat(exactParts, globParts)))
		for range 20 {
			a, b := lead(d, d.Start(), randomPath(r)), lead(d, d.Start(), randomPath(r))
			if r.IntN(3) == 0 {
				a = d.Join(a, b) // a join of joins
			}
			checkJoin(t, r, d, a, b)
		}
	}
}

func checkJoin(t *testing.T, r *rand.Rand, d *DFA, a, b uint32) {
	t.Helper()
	c := d.Join(a, b)
	if d.Join(b, a) != c || d.Join(c, a) != c || d.Join(a, a) != a || d.Join(a, Dead) != a {
		t.Fatalf("join of %d and %d is no union", a, b)
	}
	if d.Join(d.Everything(), a) != d.Everything() {
		t.Fatalf("%d adds to everything", a)
	}
	for range 20 {
		path := randomPath(r)
		at, bt, ct := lead(d, a, path), lead(d, b, path), lead(d, c, path)
		if got, want := d.State(ct).Accept, d.State(at).Accept || d.State(bt).Accept; got != want {
			t.Fatalf("join of %d and %d: %q accepted = %t, want %t", a, b, path, got, want)
		}
		if got, want := ct == Dead, at == Dead && bt == Dead; got != want {
			t.Fatalf("join of %d and %d: %q dead = %t, want %t", a, b, path, got, want)
		}
	}
}

func TestAnExcludeOfOnePathDoesNotHideTheOther(t *testing.T) {
	d := automaton(t, Options{Include: patterns("/etc", "/srv"), Exclude: patterns("/srv/copy", "/etc/private")})
	etc, copied := lead(d, d.Start(), "/etc"), lead(d, d.Start(), "/srv/copy")
	if both := d.Join(etc, copied); !d.State(both).Accept || !d.State(lead(d, both, "/passwd")).Accept {
		t.Error("/etc mounted at /srv/copy is not watched")
	}
	both := d.Join(etc, lead(d, d.Start(), "/srv"))
	if !d.State(lead(d, both, "/private")).Accept {
		t.Error("/etc/private is not watched as /srv/private")
	}
}

func TestJoinNeverChangesAState(t *testing.T) {
	d := automaton(t, Options{Include: patterns("/a/*/x", "/b/*/y", "/c/z")})
	var before []State
	for _, s := range d.States(d.First()) {
		before = append(before, s)
	}
	n := d.Join(lead(d, d.Start(), "/a"), lead(d, d.Start(), "/b"))
	if n != d.First()+uint32(len(before)) || d.Len() <= len(before) {
		t.Errorf("the join is %d, %d states before and %d after", n, len(before), d.Len())
	}
	for i, s := range before {
		if got := d.State(d.First() + uint32(i)); !reflect.DeepEqual(got, s) {
			t.Errorf("state %d was %+v and is %+v", i, s, got)
		}
	}
	for n, s := range d.States(d.First() + uint32(len(before))) {
		if s.Default == Dead && len(s.Names) == 0 && !s.Accept {
			t.Errorf("state %d was added and not filled", n)
		}
	}
}

func TestAJoinThatDoesNotFitLetsEverythingPass(t *testing.T) {
	s := compile(t, Options{Include: patterns("/a/*/x", "/b/*/y")})
	fits, err := s.DFA(FirstNumber)
	if err != nil {
		t.Fatal(err)
	}
	for _, most := range []limits{{fits.Len(), MaxNames}, {fits.Len() + 1, MaxNames}, {MaxStates, fits.names}} {
		d, err := s.automaton(FirstNumber, most)
		if err != nil {
			t.Fatal(err)
		}
		n := d.Join(lead(d, d.Start(), "/a"), lead(d, d.Start(), "/b"))
		if s := d.State(lead(d, n, "/any/x")); !s.Accept || s.Default != d.Everything() {
			t.Errorf("with room for %+v the join leads to %+v", most, s)
		}
		if d.Len() > most.states || d.names > most.names {
			t.Errorf("with room for %+v there are %d states and %d names", most, d.Len(), d.names)
		}
	}
}

func TestNumbersOfOneConfigurationAreNeverReused(t *testing.T) {
	s := compile(t, Options{Include: patterns("/a/b", "/*/c")})
	d1, err := s.DFA(FirstNumber)
	if err != nil {
		t.Fatal(err)
	}
	d2, err := s.DFA(d1.End())
	if err != nil {
		t.Fatal(err)
	}
	for n, state := range d2.States(0) {
		if n < d1.End() || state.Default != Dead && state.Default < d1.End() {
			t.Errorf("state %d %+v", n, state)
		}
		if d1.State(n).Accept || d1.Step(n, []byte("c")) != Dead {
			t.Errorf("the first automaton knows %d", n)
		}
	}
	for _, first := range []uint32{Dead, math.MaxUint32, math.MaxUint32 - MaxStates + 1} {
		if _, err := s.DFA(first); err == nil {
			t.Errorf("numbers from %d on are accepted", first)
		}
	}
}

// numbered returns n patterns with their number in two places.
func numbered(format string, n int) []Pattern {
	list := make([]Pattern, n)
	for i := range list {
		list[i].Glob = fmt.Sprintf(format, i, i)
	}
	return list
}

func TestAPatternThatBlowsTheAutomatonUpIsNamed(t *testing.T) {
	bad := "/**/x/*/*/*/*/*/*/*/*"
	for _, c := range []struct {
		o    Options
		most limits
		want []string
	}{
		{Options{Include: patterns("/etc", bad, "/usr/bin/*")}, limits{MaxStates, MaxNames}, []string{bad, "doubles"}},
		{Options{Include: patterns("/etc"), Exclude: patterns(bad)}, limits{MaxStates, MaxNames}, []string{bad}},
		{Options{Include: []Pattern{{bad, "/bin"}}}, limits{MaxStates, MaxNames}, []string{`"/bin"`, bad}},
		{Options{Include: append(numbered("/**/x%d/*/*/*/end%d", 12), patterns("/etc", "/**/y/*/*/*/*/*")...)},
			limits{5000, MaxNames}, []string{"/**/y/*/*/*/*/*", "and 12 more"}},
		{Options{Include: numbered("/x/%d/c%d", 600)}, limits{MaxStates, 1000}, []string{"the 600 patterns", "1000 names"}},
	} {
		_, err := compile(t, c.o).automaton(FirstNumber, c.most)
		for _, part := range c.want {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("error %v does not name %q", err, part)
			}
		}
	}
}

func TestPatternsThatPeopleWriteFit(t *testing.T) {
	deepest := strings.Repeat("/a", maxPattern/2)
	for _, o := range []Options{
		{Include: many(5000), Exclude: patterns("/**/*.swp", "/**/node_modules", "/**/.git")},
		{Include: patterns(deepest, "/**/node_modules/*/*/*", "/a/**/b/**/c/**/d", "/b/**"+strings.Repeat("/a", 1000), "/{a,b}/{c,d}/{e,f}/{g,h}/{i,j}/{k,l}/{m,n}")},
	} {
		d := automaton(t, o)
		t.Logf("%d patterns: %d states, %d names", len(o.Include), d.Len(), d.names)
	}
}
