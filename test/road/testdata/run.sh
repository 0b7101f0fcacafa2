# SPDX-License-Identifier: Apache-2.0
#
# Runs in the guest: two plugins, one after the other, see the same changes. The
# first is libfim.so; of the second nothing that the kernel told comes out.
# out/NAME.jsonl is what the host printed, out/facts what stat(1) says.
set -eu

# What is watched, and where the other process sees it.
mkdir -p /srv/app /opt/seen
touch /opt/seen.conf

# host PLUGIN takes the place of the shell, so that signals reach it.
host() {
	exec ./lib/ld.so --library-path ./lib ./fim-host run "$1" rules.json \
		--init '{"watch":["/srv/app"],"backend":"ebpf"}'
}

# The mounts exist for this shell and its children only.
act() {
	unshare --mount --propagation private sh -eu <<-'ACT'
		mount --bind /srv/app/app.conf /opt/seen.conf
		mount --bind /srv/app /opt/seen
		echo changed >>/opt/seen.conf
		mv /opt/seen/new /opt/seen/old
	ACT
}

# until_found FILE TEXT TRIES: waits for it while the host runs, at most so many
# fifths of a second.
until_found() {
	tries=$3
	until grep -q "$2" "$1"; do
		[ "$tries" -gt 0 ] && kill -0 $pid || return 1
		tries=$((tries - 1))
		sleep 0.2
	done
}

# drive PLUGIN NAME TRIES
drive() {
	echo before >/srv/app/app.conf
	echo new >/srv/app/new
	echo old >/srv/app/old
	stat -c '%n %i %d' /srv/app/app.conf /srv/app/new /srv/app/old >out/$2.facts
	host "$1" >out/$2.jsonl 2>out/$2.err &
	pid=$!
	until_found out/$2.jsonl '"ready"' 1000 || { cat out/$2.jsonl out/$2.err; return 1; }
	act
	until_found out/$2.jsonl renamed "$3" || true # the test judges
	kill -TERM $pid
	wait $pid || { cat out/$2.jsonl out/$2.err; return 1; }
}

drive ./libfim.so whole 100
drive ./deaf.so deaf 25
