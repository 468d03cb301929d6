#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# run.sh [suite...]: runs the test suites against $BUILD (default: build) and
# ends with one line, "N passed, N failed, N skipped", over all of them.
# A suite in which nothing ran has failed. Use `make check`, which builds.
set -u
cd "$(dirname "$0")/.."

BUILD=${BUILD:-$PWD/build}
PYTHON=${PYTHON:-/usr/bin/python3}
ALL="tree unit asan tsan valgrind fuzz cel config cli replay deliver e2e http http-asan demo"

# What shares memory between threads or processes; and what is worth a second
# opinion on uninitialised reads, which the sanitizers do not see.
TSAN="lock lane account zone shard popularity intent race"
VALGRIND="expr expr_mem expr_parse expr_check expr_loop expr_num config window
    shard visitor event encode policy sfv render sigv4 kinesis"

export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_stack_use_after_return=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
export TSAN_OPTIONS=${TSAN_OPTIONS:-halt_on_error=1 second_deadlock_stack=1}
export PYTHONDONTWRITEBYTECODE=1 BUILD
export INTENT_TEST_DATA=${INTENT_TEST_DATA:-$PWD/../shared/data}

logs=$BUILD/logs
mkdir -p "$logs"
passed=0 failed=0 skipped=0
summary=

# count SUITE PASSED FAILED SKIPPED STATUS: a bad status that no single test
# explains (a crash, a plan not kept) is one failure more.
count() {
    local bad=$3
    if [ "$bad" = 0 ] && { [ "$5" != 0 ] || [ $(($2 + $4)) = 0 ]; }; then
        bad=1
        [ $(($2 + $4)) = 0 ] && echo "$1: nothing ran" >&2
    fi
    passed=$((passed + $2)) failed=$((failed + bad)) skipped=$((skipped + $4))
    summary+=$(printf '%-10s %7d passed %4d failed %4d skipped %5d s' \
        "$1" "$2" "$bad" "$4" $((SECONDS - began)))$'\n'
}

# tap SUITE PREFIX PROGRAM...: TAP programs under prove.
tap() {
    local suite=$1 prefix=$2 log=$logs/$1 status
    shift 2
    rm -rf "$log"
    mkdir -p "$log"
    prove --jobs "$(nproc)" --exec "tests/tap.sh $log $prefix" "$@"
    status=$?
    set -- $(cat "$log"/*.tap 2>/dev/null | awk '
        /^not ok /         { bad++; next }
        /^ok .*# *SKIP/    { skip++; next }
        /^1\.\.0 *# *SKIP/ { skip++; next }
        /^ok /             { good++ }
        END                { print good + 0, bad + 0, skip + 0 }')
    count "$suite" "$1" "$2" "$3" $status
}

# py SUITE FOLDER: pytest over tests/FOLDER.
py() {
    local xml=$logs/$1.xml status
    rm -f "$xml"
    "$PYTHON" -m pytest -q -ra -p no:cacheprovider --junitxml="$xml" "tests/$2"
    status=$?
    set -- "$1" $("$PYTHON" - "$xml" <<'END'
import sys, xml.etree.ElementTree as tree
n = bad = skip = 0
try:
    for suite in tree.parse(sys.argv[1]).iter("testsuite"):
        n += int(suite.get("tests"))
        bad += int(suite.get("failures")) + int(suite.get("errors"))
        skip += int(suite.get("skipped"))
except OSError:
    pass
print(max(n - bad - skip, 0), bad, skip)
END
)
    count "$1" "$2" "$3" "$4" $status
}

# one SUITE COMMAND...: each command is a test.
each() {
    local suite=$1 good=0 bad=0 c
    shift
    for c; do
        if $c; then good=$((good + 1)); else bad=$((bad + 1)); fi
    done
    count "$suite" $good $bad 0 0
}

# chosen FOLDER NAME...: those of the named unit tests that exist.
chosen() {
    local folder=$1 name
    shift
    for name; do
        [ -x "$folder/test_$name" ] && echo "$folder/test_$name"
    done
}

run() {
    began=$SECONDS
    echo "== $1"
    case $1 in
        tree)     each tree tests/style.sh tests/exports.sh ;;
        unit)     tap unit "" "$BUILD"/unit/test_* ;;
        asan)     tap asan "" "$BUILD"/asan/unit/test_* ;;
        tsan)     tap tsan "" $(chosen "$BUILD/tsan/unit" $TSAN) ;;
        valgrind) tap valgrind "valgrind -q --error-exitcode=99
                    --leak-check=full --errors-for-leak-kinds=all" \
                    $(chosen "$BUILD/unit" $VALGRIND) ;;
        fuzz)     each fuzz "tests/fuzz.sh 0" ;;
        http-asan)
                  # The same tests with all of it under AddressSanitizer, which
                  # must stand a preloaded library before it.
                  ASAN_OPTIONS=$ASAN_OPTIONS:verify_asan_link_order=0 \
                  INTENT_BUILD=$BUILD/asan INTENT_NGINX=$BUILD/asan/nginx \
                      py http-asan http ;;
        *)        if [ -d "tests/$1" ]; then
                      py "$1" "$1"
                  else
                      echo "no suite $1; there are: $ALL" >&2
                      failed=$((failed + 1))
                  fi ;;
    esac
}

for suite in ${*:-$ALL}; do
    run "$suite"
done

echo
printf '%s' "$summary"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
