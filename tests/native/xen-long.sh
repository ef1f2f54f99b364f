#!/bin/sh
# SPDX-License-Identifier: MIT
# xen-long.sh - xen.sh with every usertest and every applet of busybox.
WHOLE=yes exec sh "$srcdir/tests/native/xen.sh"
