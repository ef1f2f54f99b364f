#!/bin/sh
# SPDX-License-Identifier: MIT
# The examples on the shim and on real Xen, line by line.
exec "${srcdir:?}/tests/run-examples" both
