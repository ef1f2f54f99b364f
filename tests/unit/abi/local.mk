# SPDX-License-Identifier: MIT
#
# Our ABI headers against libxen-dev's.
HOST_TESTS += tests/unit/abi/compare.sh
