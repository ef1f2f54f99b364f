#!/bin/sh
# SPDX-License-Identifier: MIT
# The template kernel on the bare machine, the shim and real Xen.
exec "${srcdir:?}/tests/run-template" both
