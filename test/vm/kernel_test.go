// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"context"
	"slices"
	"strings"
	"testing"
)

func TestAKernelInPartsIsFetchedWithItsParts(t *testing.T) {
	p := pkg{Name: "linux-image-7.2.13+deb14-cloud-amd64", Version: "7.2.13-1", Depends: []string{
		"linux-base-7.2.13+deb14-cloud-amd64 (= 7.2.13-1)", "linux-binary-7.2.13+deb14-cloud-amd64 (= 7.2.13-1)",
		"linux-modules-7.2.13+deb14-cloud-amd64 (= 7.2.13-1)", "kmod", "linux-base (>= 4.3~)", "dracut | linux-initramfs-tool",
	}}
	var got []string
	for _, part := range p.parts() {
		got = append(got, part.Name+"="+part.Version)
	}
	want := []string{
		"linux-image-7.2.13+deb14-cloud-amd64=7.2.13-1", "linux-base-7.2.13+deb14-cloud-amd64=7.2.13-1",
		"linux-binary-7.2.13+deb14-cloud-amd64=7.2.13-1", "linux-modules-7.2.13+deb14-cloud-amd64=7.2.13-1",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestAnUnknownKernelIsAnErrorThatNamesTheOthers(t *testing.T) {
	c := &Cache{Dir: t.TempDir()}
	for _, name := range []string{"", "4.4", "../6.12"} {
		_, err := c.Kernel(context.Background(), name)
		if err == nil || !strings.Contains(err.Error(), "6.12") {
			t.Errorf("%q: %v", name, err)
		}
	}
}
