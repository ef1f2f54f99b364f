# SPDX-License-Identifier: MIT
#
# The porter's scripts, by small trees with known answers.
HOST_TESTS += tests/unit/scripts/diffcount.sh tests/unit/scripts/lint.sh tests/unit/scripts/linux-count.sh
