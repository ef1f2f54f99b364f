#!/bin/sh
# SPDX-License-Identifier: MIT
# The template kernel on the bare machine and the shim.
exec "${srcdir:?}/tests/run-template" shim
