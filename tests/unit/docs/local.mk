# SPDX-License-Identifier: MIT
#
# The documents are tested too.
HOST_TESTS += tests/unit/docs/paths.sh
