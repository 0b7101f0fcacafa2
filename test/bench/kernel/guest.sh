#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs in the guest: measures every operation on every filesystem in every
# column. ./settings holds FILESYSTEMS, COLUMNS, OPERATIONS (op:depth), OPS
# (arguments of ops), EVENTS (operations for fim to watch). Each measurement
# leaves FS.COLUMN.OP.DEPTH.json in out/, and beside it the number of events that
# fim printed; FS.COLUMN.lost is how many losses it told of.
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

# start WORD COMMAND... in the background, until it prints a line that begins
# with WORD.
start() {
	word=$1
	shift
	: >/tmp/log
	"$@" >/tmp/log 2>&1 &
	running=$!
	until grep -q "^$word" /tmp/log; do
		if ! kill -0 $running; then
			cat /tmp/log >&2
			exit 1
		fi
		sleep 0.1
	done
	cat /tmp/log >&2
}

watch() { # BACKEND DIR [PROGRAM]
	start 'fim: watching' "./${3:-fim}" watch --backend "$1" --event "$EVENTS" --format json --output /tmp/events "$2"
}

# What was to be printed has been: the output stays as it is for two seconds.
# Idle time takes no time here: the guest's clock jumps.
settle() {
	size=-1
	until [ "$size" = "$(stat -c %s /tmp/events)" ]; do
		size=$(stat -c %s /tmp/events)
		sleep 2
	done
}

# Each operation works below a directory of its name, and only its steps do.
measure() { # FS COLUMN
	for o in $OPERATIONS; do
		op=${o%:*} depth=${o#*:}
		./ops -dir $tree -aside $elsewhere -op "$op" -depth "$depth" $OPS >"out/$1.$2.$op.$depth.json"
		settle
		grep -c "\"$tree/$op-[0-9]*/" /tmp/events >"out/$1.$2.$op.$depth.events" || true
		grep '"op":"lost"' /tmp/events >>/tmp/lost || true
		truncate -s 0 /tmp/events
	done
	wc -l </tmp/lost >"out/$1.$2.lost"
}

for fs in $FILESYSTEMS; do
	for column in $COLUMNS; do
		fresh "$fs"
		: >/tmp/events
		: >/tmp/lost
		running=
		case $column in
		none) ;;
		empty) start 'empty: attached' ./empty -event "$EVENTS" $elsewhere ;;
		unwatched) watch ebpf $elsewhere ;;
		nobody) watch ebpf $tree fim-nobody ;;
		watched) watch ebpf $tree ;;
		fanotify_unwatched) watch fanotify $elsewhere ;;
		fanotify_watched) watch fanotify $tree ;;
		esac
		sleep 5 # what boot and start-up left to do gets done
		measure "$fs" "$column"
		if [ -n "$running" ]; then
			kill $running
			wait $running || { cat /tmp/log >&2; exit 1; }
		fi
		umount /bench
	done
done
