#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Builds ngx_http_intent_module.so.
#
#   build.sh OUTDIR         against the nginx of this machine (nginx-dev), to
#                           OUTDIR/ngx_http_intent_module.so
#   build.sh --asan OUTDIR  a whole nginx under AddressSanitizer, to
#                           OUTDIR/nginx and OUTDIR/ngx_http_intent_module.so
#
# Environment:
#   INTENT_LIB      libintent.a, position independent (with --asan: built with
#                   -fsanitize=address); default ../build/libintent.a
#   EXTRA_CFLAGS    added to the compiler's flags
#   EXTRA_LDFLAGS   added to the linker's flags
#   NGINX_SRC       nginx's source: default /usr/share/nginx/src; with --asan a
#                   whole tree, by default Debian's source package of nginx,
#                   downloaded into OUTDIR
#   JOBS            make -j, default 2
#
# Objects are kept in OUTDIR/nginx-module (nginx-asan), so that a second run
# builds only what has changed.

set -eu

here=$(cd "$(dirname "$0")" && pwd)

asan=
if [ "${1:-}" = --asan ]; then
    asan=1
    shift
fi

if [ $# -ne 1 ]; then
    echo "usage: $0 [--asan] OUTDIR" >&2
    exit 2
fi

mkdir -p "$1"
out=$(cd "$1" && pwd)
export INTENT_LIB=${INTENT_LIB:-$here/../build/libintent.a}

if [ ! -f "$INTENT_LIB" ]; then
    echo "$0: $INTENT_LIB is missing: build libintent first" >&2
    exit 1
fi

INTENT_LIB=$(realpath "$INTENT_LIB")

if [ -n "$asan" ]; then
    objs=$out/nginx-asan
else
    objs=$out/nginx-module
fi

# Debian's source package of the nginx that is in its archive, from wherever
# this machine's apt has its packages: the same sources, deb-src for deb.
fetch_source() {
    local dir=$1 state=$1/apt f

    mkdir -p "$state/lists/partial" "$state/cache/archives/partial" \
             "$state/parts"
    for f in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
        [ ! -f "$f" ] || sed -n 's/^deb /deb-src /p' "$f" \
            > "$state/parts/$(basename "$f" .list).list"
    done
    for f in /etc/apt/sources.list.d/*.sources; do
        [ ! -f "$f" ] || sed 's/^Types:.*/Types: deb-src/' "$f" \
            > "$state/parts/$(basename "$f")"
    done

    local opt="-o Dir::Etc::SourceList=/dev/null
               -o Dir::Etc::SourceParts=$state/parts -o Dir::State=$state
               -o Dir::Cache=$state/cache -o APT::Sandbox::User=root"

    (cd "$dir" && apt-get -qq $opt update &&
     apt-get -qq $opt source --download-only nginx &&
     tar xf nginx_*.orig.tar.gz --strip-components=1 &&
     tar xf nginx_*.debian.tar.* &&
     for p in $(grep -v '^#' debian/patches/series); do
         patch -s -p1 < "debian/patches/$p"
     done)
}

cflags="-fPIC ${EXTRA_CFLAGS:-}"
ldflags="-fPIC ${EXTRA_LDFLAGS:-}"

if [ -n "$asan" ]; then
    src=${NGINX_SRC:-$out/nginx-source}

    if [ ! -f "$src/src/core/nginx.c" ]; then
        mkdir -p "$src"
        fetch_source "$src"
    fi

    configure=$src/configure
    [ -f "$configure" ] || configure=$src/auto/configure

    # NGX_DEBUG_PALLOC: each allocation of a pool by itself, so that running
    # over one is seen
    cflags="-O1 -g -fno-omit-frame-pointer -fsanitize=address \
            -DNGX_DEBUG_PALLOC=1 $cflags"
    # and whatever libintent.a was built with
    ldflags="-fsanitize=address,undefined $ldflags"

    args=(--prefix=/usr/share/nginx --error-log-path=stderr
          --with-compat --with-debug --with-threads
          --with-http_ssl_module --with-http_v2_module
          --with-http_realip_module --with-http_addition_module
          --with-http_sub_module --with-http_auth_request_module
          --with-http_slice_module --with-http_stub_status_module)
    targets="binary modules"
else
    src=${NGINX_SRC:-/usr/share/nginx/src}

    if [ ! -f "$src/conf_flags" ]; then
        echo "$0: $src/conf_flags is missing: install nginx-dev" >&2
        exit 1
    fi

    configure=$src/configure
    . "$src/conf_flags"
    args=("${NGX_CONF_FLAGS[@]}")

    if command -v dpkg-buildflags > /dev/null; then
        cflags="$(dpkg-buildflags --get CFLAGS) $(dpkg-buildflags \
                  --get CPPFLAGS) $cflags"
        ldflags="$(dpkg-buildflags --get LDFLAGS) $ldflags"
    fi

    targets=modules
fi

# Configured again where anything that decides about the Makefile is new.
stamp="$src $cflags $ldflags $INTENT_LIB $(cat "$here/config")"

if [ ! -f "$objs/Makefile" ] || [ "$(cat "$objs/stamp" 2>/dev/null)" != \
                                  "$stamp" ]; then
    mkdir -p "$objs"
    (cd "$src" && "$configure" --builddir="$objs" --with-cc-opt="$cflags" \
         --with-ld-opt="$ldflags" "${args[@]}" \
         --add-dynamic-module="$here") > "$objs/configure.log" 2>&1 || {
        cat "$objs/configure.log" >&2
        exit 1
    }
    printf '%s\n' "$stamp" > "$objs/stamp"
fi

so=$objs/ngx_http_intent_module.so

# nginx's Makefile knows nothing of the library behind -l
if [ -f "$so" ] && [ "$INTENT_LIB" -nt "$so" ]; then
    rm -f "$so"
fi

make -s -f "$objs/Makefile" -C "$src" -j"${JOBS:-2}" $targets

# By rename: a running nginx may have the old one mapped.
install_file() {
    cp "$1" "$2.new"
    mv "$2.new" "$2"
}

install_file "$so" "$out/ngx_http_intent_module.so"

if [ -n "$asan" ]; then
    install_file "$objs/nginx" "$out/nginx"
fi
