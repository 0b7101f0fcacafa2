#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs the Debian packages that the tests need and this machine lacks.
# Building and running fim needs none of them.
set -eu

# g++ builds the libsinsp host; clang-14, llvm-14 and libbpf-dev the programs of
# the kernel side, to compare; e2fsprogs and util-linux make and mount the
# filesystems under test; attr and acl bring setfattr and setfacl; the editors
# and what follows them are run to see what they do to files.
packages="g++ clang-14 llvm-14 libbpf-dev e2fsprogs xfsprogs btrfs-progs util-linux mount attr acl xz-utils vim-tiny nano rsync git logrotate"

missing=""
for p in $packages; do
	dpkg-query -W -f '${Status}\n' "$p" 2>/dev/null | grep -q '^install ok installed' || missing="$missing $p"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
	echo "test/setup.sh: as root, install:$missing" >&2
	exit 1
fi
echo "installing:$missing"
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
# shellcheck disable=SC2086 # one word a package
apt-get install -q -y --no-install-recommends $missing
