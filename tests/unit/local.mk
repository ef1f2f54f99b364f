# SPDX-License-Identifier: MIT
#
# Unit tests: one module at a time, on the host, sanitized.

include tests/unit/abi/local.mk
include tests/unit/libpv/local.mk
include tests/unit/tools/local.mk
include tests/unit/core/mm.mk
include tests/unit/core/exec.mk
include tests/unit/core/x86.mk
include tests/unit/backend/local.mk
include tests/unit/drivers/local.mk
include tests/unit/docs/local.mk
include tests/unit/scripts/local.mk
