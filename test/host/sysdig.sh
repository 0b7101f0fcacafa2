#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Runs the sysdig that fetch.sh unpacked, with its own C library and loader, so
# that it works on releases older than its own. Arguments are sysdig's.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)/.cache/host/root
[ -x "$root/usr/bin/sysdig" ] || { echo "sysdig.sh: run test/host/fetch.sh first" >&2; exit 1; }
lib=$(echo "$root"/usr/lib/*-linux-gnu*)
loader=$(echo "$lib"/ld-linux*.so.*)
# One process from here on: a signal meant for sysdig reaches it.
exec "$loader" --library-path "$lib" "$root/usr/bin/sysdig" "$@"
