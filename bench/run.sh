#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# run.sh [core | memory | replay | http]...: the benchmarks (default: all).
# One JSON object a line on stdout, words on stderr. See README.md.
set -eu
cd "$(dirname "$0")/.."

BUILD=${BUILD:-$PWD/build}
PYTHON=${PYTHON:-/usr/bin/python3}
USER_COUNTS=${USER_COUNTS:-100000 1000000 10000000}
REPLAY_EVENTS=${REPLAY_EVENTS:-1000000}
core=$BUILD/bench/core

# The zone belongs into memory, as /run does.
if [ -w /dev/shm ]; then
    work=$(mktemp -d /dev/shm/intent-bench-XXXXXX)
else
    work=$(mktemp -d)
fi
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

# Whether a zone of so many users fits, with room for everybody else.
fits() {
    local need=$(($1 * 400 / 1024 + 65536)) memory disk
    memory=$(awk '/^MemAvailable/ { print $2 }' /proc/meminfo)
    disk=$(df -Pk "$work" | awk 'NR == 2 { print $4 }')
    [ $((need + need / 4)) -lt "$memory" ] && [ "$need" -lt "$disk" ]
}

bench_core() {
    local n what
    for n in $USER_COUNTS; do
        if ! fits "$n"; then
            echo "{\"bench\":\"core\",\"users\":$n," \
                "\"skipped\":\"not enough memory\"}"
            continue
        fi
        "$core" speed "$work" "$n"
        [ "$n" -gt 1000000 ] || "$core" decide "$work" "$n"
    done
}

bench_replay() {
    local began took_ms
    "$core" stream "$REPLAY_EVENTS" 20000 >"$work/stream.jsonl"
    began=$(date +%s%N)
    "$BUILD/intentctl" replay config/intent.json "$work/stream.jsonl" \
        >"$work/answer"
    took_ms=$((($(date +%s%N) - began) / 1000000))
    grep -q event_count_1h "$work/answer"
    printf '{"bench":"replay","events":%d,"users":20000,"ms":%d,"events_per_s":%d}\n' \
        "$REPLAY_EVENTS" $took_ms $((REPLAY_EVENTS * 1000 / took_ms))
    echo "  $REPLAY_EVENTS events in $took_ms ms" >&2
    rm -f "$work/stream.jsonl"
}

for what in ${*:-core memory replay http}; do
    echo "$what" >&2
    case $what in
        core)   bench_core ;;
        memory) "$core" memory "$work" ;;
        replay) bench_replay ;;
        http)   "$PYTHON" bench/bench_http.py ;;
        *)      echo "run.sh: no benchmark $what" >&2; exit 2 ;;
    esac
done
