#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The rules of the tree that a program can check; CONTRIBUTING.md has them in
# words. Prints what breaks one, as file:line, and fails.
set -eu
cd "$(dirname "$0")/.."

find libagent ngx_module tests bench packaging .ci Makefile -type f \
    \( -name '*.[ch]' -o -name '*.sh' -o -name '*.py' -o -name '*.lua' \
       -o -name '*.mjs' -o -name '*.cjs' -o -name Makefile -o -path .ci/run \) |
    LC_ALL=C sort |
    while read -r file; do
        case $file in
            *.[ch]) width=80; kind=c ;;
            *)      width=100; kind=other ;;
        esac
        awk -v file="$file" -v width=$width -v kind=$kind '
            function bad(line, text) { print file ":" line ": " text }
            FNR <= 2 && /SPDX-License-Identifier: Apache-2.0/ { spdx = 1 }
            length($0) > width { bad(FNR, length($0) " columns") }
            /\t/ && file != "Makefile" { bad(FNR, "tab") }
            /[ \t]$/ { bad(FNR, "blank at the end of the line") }
            # Split, or this line would find itself.
            $0 ~ "TO" "DO|FIX" "ME" { bad(FNR, "unfinished business") }
            kind == "c" && /^\{/ { start = FNR }
            kind == "c" && /^\}/ && start {
                if (FNR - start > 80) {
                    bad(start, "function of " FNR - start + 1 " lines")
                }
                start = 0
            }
            END {
                if (!spdx) bad(1, "no SPDX line")
                # A test stands under the name of what it tests, in one file.
                if (FNR > (file ~ /^tests\// ? 800 : 600)) {
                    bad(FNR, "file of " FNR " lines")
                }
            }' "$file"
    done | awk '{ print; n++ } END { exit n > 0 }'
