#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# deps.sh [build | demo | check | bench | fuzz | lint]
#
# Installs the Debian packages, and for the demo and the tests the npm
# packages, that are missing for the named use (default: for all). Silent
# where nothing is missing. Needs root or sudo only where something is.
set -eu
cd "$(dirname "$0")/.."

build="gcc libc6-dev make libck-dev libjansson-dev libcurl4-openssl-dev
    libmbedtls-dev nginx nginx-dev"
demo="python3 curl zstd nodejs npm"
check="perl python3-pytest python3-boto3 python3-jsonschema openssl valgrind
    clang libclang-rt-14-dev"
bench="python3 wrk"
fuzz="clang libclang-rt-14-dev"
lint="clang clang-tidy cppcheck"

npm=
case ${1:-all} in
    build) want=$build ;;
    demo)  want="$build $demo"; npm=yes ;;
    check) want="$build $demo $check"; npm=yes ;;
    bench) want="$build $bench" ;;
    fuzz)  want="$build $fuzz" ;;
    lint)  want="$build $check $lint" ;;
    all)   want="$build $demo $check $bench $fuzz $lint"; npm=yes ;;
    *)     echo "usage: deps.sh [build|demo|check|bench|fuzz|lint]" >&2
           exit 2 ;;
esac

# The names in $want that are not installed. Node may come from elsewhere.
missing() {
    dpkg-query -W -f '${Package} ${db:Status-Status}\n' $want 2>/dev/null |
        awk -v want="$want" '
            $2 == "installed" { have[$1] = 1 }
            END {
                n = split(want, name, /[ \n]+/)
                for (i = 1; i <= n; i++) {
                    if (name[i] != "" && !have[name[i]]++) print name[i]
                }
            }' |
        while read -r name; do
            case $name in
                nodejs) command -v node >/dev/null || echo "$name" ;;
                npm)    command -v npm >/dev/null || echo "$name" ;;
                *)      echo "$name" ;;
            esac
        done
}

# Installing nginx would also start it on port 80: policy-rc.d(8) says no
# for as long as apt runs.
apt_install() {
    policy=/usr/sbin/policy-rc.d
    if [ ! -e $policy ]; then
        printf '#!/bin/sh\nexit 101\n' | $sudo tee $policy >/dev/null
        $sudo chmod 755 $policy
        trap '$sudo rm -f $policy' EXIT
        trap 'exit 1' INT TERM
    fi
    $sudo apt-get update -qq
    $sudo env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

if command -v dpkg-query >/dev/null; then
    list=$(missing)
    if [ -n "$list" ]; then
        echo "deps: installing with apt-get:" $list
        sudo=
        if [ "$(id -u)" != 0 ]; then
            command -v sudo >/dev/null || {
                echo "deps: not root and no sudo; as root, run:" >&2
                echo "  apt-get install --no-install-recommends" $list >&2
                exit 1
            }
            sudo=sudo
        fi
        apt_install $list
    fi
elif [ "${1:-all}" != build ]; then
    echo "deps: not a Debian system; needed are what Debian calls:" $want >&2
fi

# The Kinesis server of the demo and the tests, as the tests pin it.
pinned=tests/deliver/package.json
if [ -n "$npm" ] && ! cmp -s $pinned build/npm/.installed; then
    echo "deps: installing with npm into build/npm:" \
        $(sed -n '/ependencies"/,/}/s/^ *"\([^"]*\)": *"\([^"]*\)".*/\1@\2/p' \
            $pinned)
    mkdir -p build/npm
    cp $pinned build/npm/
    lock=tests/deliver/package-lock.json
    how=install
    if [ -f $lock ]; then
        cp $lock build/npm/
        how=ci
    fi
    (cd build/npm && npm $how --silent --ignore-scripts --no-audit --no-fund)
    cp $pinned build/npm/.installed
fi
