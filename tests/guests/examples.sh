#!/bin/sh
# SPDX-License-Identifier: MIT
# The examples on the shim.
exec "${srcdir:?}/tests/run-examples" shim
