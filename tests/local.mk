# SPDX-License-Identifier: MIT
#
# One fragment for each kind of test; see Makefile.am for what they append to.
include tests/support/local.mk
include tests/unit/local.mk
include tests/pair/local.mk
include tests/model/local.mk
include tests/race/local.mk
include tests/models/local.mk
include tests/fuzz/local.mk
include tests/negative/local.mk
include tests/guests/local.mk
include tests/bench/local.mk
include tests/xen/local.mk
include tests/native/local.mk
include tests/install/local.mk
