#!/bin/sh
# SPDX-License-Identifier: MIT
# The usual mistakes of a port on real Xen: the same answers.
exec "${srcdir:?}/tests/guests/mistakes.sh" xen
