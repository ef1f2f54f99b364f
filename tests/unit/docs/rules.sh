#!/bin/sh
# SPDX-License-Identifier: MIT
#
# docs/rules.md is what scripts/rules-doc makes of the table of rules (make docs). TAP.
cd "${srcdir:?}" || exit 1
if sh scripts/rules-doc hypervisor-shim/core/rules.def | cmp -s - docs/rules.md; then
    echo 'ok 1 - docs/rules.md is up to date'
else
    echo 'not ok 1 - docs/rules.md is out of date: run make docs'
fi
echo '1..1'
