// SPDX-License-Identifier: Apache-2.0

package oracle

import "math/rand/v2"

// names are few, so that steps meet what others left. Patterns tell f… and k… from
// the rest, and s is excluded.
var names = []string{"f0", "f1", "g0", "d0", "d1", "s", "k new\nline \"q\" \\", "\xff\xfe"}

// weights are how often each kind of step comes.
var weights = []struct {
	do     string
	weight int
}{
	{"create", 22}, {"write", 12}, {"truncate", 4}, {"ftruncate", 4}, {"read", 2},
	{"unlink", 9}, {"rename", 14}, {"mkdir", 8}, {"rmdir", 4}, {"link", 4}, {"visit", 4}, {"symlink", 3}, {"mknod", 3}, {"tmpfile", 2},
	{"chmod", 4}, {"chown", 3}, {"utimes", 3}, {"setxattr", 4}, {"removexattr", 3},
	{"hold", 4}, {"held-write", 6}, {"held-truncate", 2}, {"drop", 3},
	{moveHub, 3}, {moveNest, 3}, {swapHubs, 1},
	{bindPart, 2}, {coverArea, 2}, {unmount, 4},
}

// Generate returns the plan of a seed.
func Generate(seed uint64, steps, workers int) Steps {
	g := rand.New(rand.NewPCG(seed, 1))
	total := 0
	for _, w := range weights {
		total += w.weight
	}
	plan := make(Steps, steps)
	for i := range plan {
		plan[i] = Step{
			Worker: g.IntN(workers), Do: choose(g.IntN(total)), A: name(g), B: name(g),
			N: g.IntN(1 << 12), View: g.IntN(12), Nobody: g.IntN(10) == 0,
		}
	}
	return plan
}

func choose(n int) string {
	for _, w := range weights {
		if n -= w.weight; n < 0 {
			return w.do
		}
	}
	panic("beyond the weights")
}

// name is a name in a nest, or in one of two directories there. The first of names come
// most often, so that what is made is also used.
func name(g *rand.Rand) Name {
	rel := names[min(g.IntN(len(names)), g.IntN(len(names)))]
	for depth := 0; depth < 2 && g.IntN(5) == 0; depth++ {
		rel = []string{"d0", "d1"}[g.IntN(2)] + "/" + rel
	}
	return Name{g.IntN(2), rel}
}
