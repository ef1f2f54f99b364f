# SPDX-License-Identifier: MIT
#
# The host tools' build: pvctl and what it shares with the tests.
