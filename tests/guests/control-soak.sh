#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The control path with a thousand guests that come and go, instead of a dozen (make soak).
CYCLES=500 exec sh "$(dirname "$0")/control.sh"
