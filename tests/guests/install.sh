#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The installed library, as strangers use it: 01-hello is built outside of the tree with
# pkg-config, with CMake and from the amalgamation, and each result boots. TAP.
peer=${INSTALL_PEER:-shim} CC=${CC:-gcc}
pvctl=${PVCTL:?} source=${srcdir:?}/examples/01-hello.c
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
n=0
verdict() { # STATUS WHAT
    n=$((n + 1))
    if [ "$1" = 0 ]; then
        echo "ok $n - $2"
    else
        echo "not ok $n - $2"
        tail -n 20 "$work/log" | sed 's/^/# /'
    fi
}
boot() { # IMAGE WHAT
    "$pvctl" run --on "$peer" --quiet --machine "install-$$" --kernel "$1" --timeout 120 \
        >"$work/log" 2>&1 </dev/null && grep -q '^hello from a paravirtualized kernel' "$work/log"
    verdict $? "built $2, it boots on $peer"
}

mkdir "$work/build" && cd "$work/build" || exit 1
{
    # What `make install` does, without first building all that is not installed.
    "$srcdir/configure" --quiet --prefix="$work/prefix" --disable-tools &&
        make -j2 install-exec-am install-data-am && make amalgamation
} >"$work/log" 2>&1 </dev/null
verdict $? 'configured with a prefix, and installed there'

# -- pkg-config ------------------------------------------------------------------
mkdir "$work/pc" && cd "$work/pc" && cp "$source" . || exit 1
export PKG_CONFIG_PATH="$work/prefix/lib/pkgconfig"
{
    $CC $(pkg-config --variable=kernel_cflags libpv) $(pkg-config --cflags libpv) -O2 -c 01-hello.c &&
        $CC $(pkg-config --variable=kernel_ldflags libpv) -o hello 01-hello.o $(pkg-config --libs libpv)
} >"$work/log" 2>&1
verdict $? 'it compiles with pkg-config'
boot hello 'with pkg-config'

# -- CMake --------------------------------------------------------------------------
if command -v cmake >/dev/null; then
    mkdir "$work/cmake" && cd "$work/cmake" && cp "$source" . || exit 1
    cat >CMakeLists.txt <<'END'
cmake_minimum_required(VERSION 3.20)
project(hello C)
find_package(libpv 0.1 REQUIRED)
pv_add_kernel(hello 01-hello.c)
END
    { cmake -S . -B out -DCMAKE_PREFIX_PATH="$work/prefix" && cmake --build out; } >"$work/log" 2>&1
    verdict $? 'it compiles with CMake'
    boot out/hello 'with CMake'
else
    n=$((n + 1))
    echo "ok $n - # SKIP there is no CMake here"
fi

# -- amalgamation ---------------------------------------------------------------------
mkdir "$work/amalgamated" && cd "$work/amalgamated" || exit 1
{
    cp "$work"/build/amalgamation/pv.[ch] . && sed 's|<pv/pv.h>|"pv.h"|' "$source" >hello.c &&
        $CC $(pkg-config --variable=kernel_cflags libpv) \
            $(pkg-config --variable=kernel_ldflags libpv) -O2 -o hello hello.c pv.c
} >"$work/log" 2>&1
verdict $? 'it compiles with the amalgamation'
boot hello 'with the amalgamation'
echo "1..$n"
