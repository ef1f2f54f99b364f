# SPDX-License-Identifier: MIT
#
# The documents are tested too.
HOST_TESTS += tests/unit/docs/paths.sh tests/unit/docs/tour.sh tests/unit/docs/rules.sh tests/unit/docs/porting.sh
