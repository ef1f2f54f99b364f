# SPDX-License-Identifier: MIT
#
# Fuzzers and their seeds.
