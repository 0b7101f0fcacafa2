#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Proves by numbers that the eBPF backend misses nothing and invents nothing:
# attacks, races, moving trees, loss, mount windows, each in a virtual machine
# with a stock Debian kernel.
#
#   test/prove.sh [-full] [-run REGEXP] [KERNEL[+BOOT OPTION]...]
#
# Without machines: all that something is promised for. The short size takes 2
# to 3 minutes a machine, the full one up to half an hour. It ends with a table
# and fails if any test failed.

set -eu
cd "$(dirname "$0")/.."

args=(-test.v -test.timeout 2h)
export FIM_VM_CACHE="${FIM_VM_CACHE:-$PWD/.cache/vm}"
while [ $# -gt 0 ]; do
    case $1 in
    -full) args+=(-full) ;;
    -run) args+=(-test.run "$2"); shift ;;
    -*) echo "prove.sh: no option $1: see the head of this file" >&2; exit 2 ;;
    *) break ;;
    esac
    shift
done
if [ $# -eq 0 ]; then
    set -- 5.10 6.1 6.1+preempt=full 6.12 6.12+preempt=full 7.2
fi

work=build/prove
mkdir -p "$work"
CGO_ENABLED=0 go test -c -o "$work/bpf.test" ./bpf
go build -o "$work/fimvm" ./test/vm/fimvm

# Everything that contends does so on two processors.
prove() {
    local kernel=${1%%+*} boot="" machine="$work/$1"
    [ "$kernel" = "$1" ] || boot=${1#*+}
    rm -rf "$machine"
    mkdir -p "$machine/payload"
    cp "$work/bpf.test" "$machine/payload/"
    {
        echo 'export FIM_MUST_ATTACH=1'
        printf './bpf.test'
        printf ' %q' "${args[@]}"
        echo
    } >"$machine/payload/run.sh"
    "$work/fimvm" run --smp 2 --timeout 2h --append "$boot" "$kernel" "$machine/payload" >"$machine/log" 2>&1
}

code=0
for machine in "$@"; do
    if prove "$machine"; then verdict=pass; else verdict=FAIL code=1; fi
    sed -n 's/^.*_test.go:[0-9]*: PROOF /'"$machine"' | /p' "$work/$machine/log"
    grep -E '^ *--- FAIL' "$work/$machine/log" | sed "s/^/$machine | /" || true
    echo "$machine | $verdict ($work/$machine/log)"
done
exit $code
