#!/bin/sh
# SPDX-License-Identifier: MIT
# series-boot.sh - the series, one patch after the other: both kernels build after each, the native one
# boots, and so does the ported one once it can. (All tests after each: make check-series.)
[ -f "${builddir:?}/guest-port/disk.img" ] || {
    echo "1..0 # SKIP no root image in $builddir/guest-port (musl-tools, busybox-static, e2fsprogs?)"
    exit 0
}
exec sh "${srcdir:?}/guest-port/check-series" --short
