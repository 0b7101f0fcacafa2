#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs the Debian packages that booting kernels in a VM needs and this
# machine lacks. Everything else in the project does without them.
set -eu

# qemu emulates the machine; debootstrap and e2fsprogs make its disks; busybox
# is its first program; kmod orders the kernel's modules, xz unpacks them; the
# keyring proves what the mirror sends.
packages="qemu-system-x86 debootstrap debian-archive-keyring e2fsprogs busybox-static kmod xz-utils"

missing=""
for p in $packages; do
	dpkg-query -W -f '${Status}\n' "$p" 2>/dev/null | grep -q '^install ok installed' || missing="$missing $p"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
	echo "test/vm/setup.sh: as root, install:$missing" >&2
	exit 1
fi
echo "installing:$missing"
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
# shellcheck disable=SC2086 # one word a package
apt-get install -q -y --no-install-recommends $missing
