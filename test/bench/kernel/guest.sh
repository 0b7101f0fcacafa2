#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs in the guest: measures every operation on every filesystem in every
# column. ./settings holds FILESYSTEMS, COLUMNS, OPS (arguments of ops), FIM
# (arguments of fim watch). Each measurement leaves FS.COLUMN.OP.json in out/,
# and beside it the number of events that fim printed, lost ones apart.
set -eu
. ./settings

tree=/bench/tree
elsewhere=/bench/elsewhere
mkdir /bench

# A filesystem of its own for each column, so that each starts alike.
fresh() {
	case $1 in
	tmpfs) mount -t tmpfs tmpfs /bench ;;
	*)
		rm -f /tmp/disk
		truncate -s 1G /tmp/disk
		"mkfs.$1" -q /tmp/disk >/dev/null
		mount -t "$1" -o loop /tmp/disk /bench
		;;
	esac
	mkdir $tree $elsewhere
}

# fim, watching the given directory, from when it says that it does.
watch() {
	./fim watch $FIM --format json --output /tmp/events "$1" 2>/tmp/fim.log &
	fim=$!
	until grep -q '^fim: watching' /tmp/fim.log; do
		if ! kill -0 $fim; then
			cat /tmp/fim.log >&2
			exit 1
		fi
		sleep 0.1
	done
}

# fim has printed what it had to: its output stays as it is for two seconds.
drained() {
	size=-1
	until [ "$size" = "$(stat -c %s /tmp/events)" ]; do
		size=$(stat -c %s /tmp/events)
		sleep 2
	done
}

measure() { # FS COLUMN
	for op in $OPERATIONS; do
		./ops -dir $tree -op "$op" $OPS >"out/$1.$2.$op.json"
	done
}

# count EVENTS by operation: each worked below a directory named after it.
count() { # FS COLUMN
	for op in $OPERATIONS; do
		grep -c "\"$tree/$op-[0-9]*/" /tmp/events >"out/$1.$2.$op.events" || true
	done
	grep -c '"op":"lost"' /tmp/events >"out/$1.$2.lost" || true
}

for fs in $FILESYSTEMS; do
	for column in $COLUMNS; do
		fresh "$fs"
		: >/tmp/events
		fim=
		case $column in
		unwatched) watch $elsewhere ;;
		watched) watch $tree ;;
		esac
		# What boot and start-up left to do gets done. Idle time takes no time
		# here: the guest's clock jumps.
		sleep 5
		measure "$fs" "$column"
		if [ -n "$fim" ]; then
			drained
			kill "$fim"
			wait "$fim" || { cat /tmp/fim.log >&2; exit 1; }
		fi
		count "$fs" "$column"
		umount /bench
	done
done
