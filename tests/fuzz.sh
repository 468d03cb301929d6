#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# fuzz.sh SECONDS: runs each fuzz target for so long, from its seeds in
# tests/fuzz/corpus/NAME; 0 runs the seeds once. What it finds that is new
# stays in build/fuzz/corpus, what breaks a target in build/fuzz/broken.
set -u
cd "$(dirname "$0")/.."
seconds=${1:?usage: fuzz.sh SECONDS}
fuzz=${BUILD:-$PWD/build}/fuzz
status=0
ran=0

for target in "$fuzz"/targets/fuzz_*; do
    [ -x "$target" ] || continue
    name=$(basename "$target")
    name=${name#fuzz_}
    new=$fuzz/corpus/$name
    seeds=tests/fuzz/corpus/$name
    mkdir -p "$new" "$fuzz/broken"
    [ -d "$seeds" ] || { echo "$name: no seeds in $seeds" >&2; status=1; }
    log=$fuzz/$name.log
    if [ "$seconds" = 0 ]; then
        set -- -runs=0
    else
        set -- -max_total_time="$seconds"
    fi
    dict=tests/fuzz/$name.dict
    [ -f "$dict" ] && set -- "$@" -dict="$dict"
    if "$target" "$@" -timeout=10 -rss_limit_mb=2048 \
        -artifact_prefix="$fuzz/broken/$name-" "$new" "$seeds" \
        >"$log" 2>&1; then
        echo "$name: $(grep -o '^Done [0-9]* runs' "$log" || echo "seeds hold")," \
            "$(ls "$new" | wc -l) new inputs kept"
    else
        echo "$name: FAILED" >&2
        tail -n 40 "$log" >&2
        status=1
    fi
    ran=$((ran + 1))
done

[ $ran -gt 0 ] || { echo "fuzz: no targets built" >&2; status=1; }
exit $status
