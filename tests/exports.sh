#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The shared library exports the functions of intent.h and nothing else.
set -eu
cd "$(dirname "$0")/.."
build=${BUILD:-$PWD/build}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

nm -D --defined-only "$build/libintent.so.1" |
    awk '$2 ~ /[TBDRV]/ { sub(/@.*/, "", $3); print $3 }' | sort >"$work/has"
grep -v '^#' libagent/intent.h | tr '\n' ' ' | grep -o 'INTENT_API[^;(]*(' |
    sed 's/.*[ *]\(intent_[a-z_0-9]*\)(/\1/' | sort -u >"$work/should"
# diff's "<" is a symbol that should not be there, ">" one that is missing.
diff "$work/has" "$work/should" || {
    echo "exports of libintent.so.1 (<) differ from intent.h (>)" >&2
    exit 1
}
