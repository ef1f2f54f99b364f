# SPDX-License-Identifier: MIT
#
# Pair tests: libpv and the core meet in one process.
