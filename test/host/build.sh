#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Compiles cpp/ into .cache/host/bin/fim-host against the packages that fetch.sh
# unpacked, which it calls first. Does nothing when neither has changed since.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
dest=$(cd "$here/../.." && pwd)/.cache/host

"$here/fetch.sh"
exec 9>"$dest.build.lock"
flock 9
key=$(cat "$here"/build.sh "$here"/cpp/* "$dest/stamp" | sha256sum)
[ "$(cat "$dest/bin/key" 2>/dev/null)" = "$key" ] && exit 0

root=$dest/root
lib=$(echo "$root"/usr/lib/*-linux-gnu*)
loader=$(echo "$lib"/ld-linux*.so.*)

# The machine's own C library headers come first, hence -idirafter.
compile() {
	g++ -std=c++17 -O1 -Wall -Wextra -include "$here/cpp/compat.h" \
		-isystem "$root/usr/include/falcosecurity" -isystem "$root/usr/include/jsoncpp" \
		-idirafter "$root/usr/include" -c "$1" -o "$dest/bin/$(basename "$1" .cpp).o"
}

# The binary names the unpacked loader and libraries, which are of a later
# release than the machine's. What those need of each other is not looked into.
link() {
	g++ "$dest"/bin/*.o -o "$dest/bin/fim-host" -L"$lib" -lsinsp -lscap -ljsoncpp \
		-Wl,-rpath,"$lib" -Wl,--disable-new-dtags -Wl,-rpath-link,"$lib" \
		-Wl,--dynamic-linker="$loader" -Wl,--allow-shlib-undefined
}

rm -rf "$dest/bin"
mkdir "$dest/bin"
jobs=
for source in "$here"/cpp/*.cpp; do
	compile "$source" &
	jobs="$jobs $!"
done
failed=
for job in $jobs; do
	wait "$job" || failed=yes
done
[ -z "$failed" ] || exit 1
link
rm "$dest"/bin/*.o
# Last, so that a build that is cut off is not taken for a whole one.
echo "$key" >"$dest/bin/key"
