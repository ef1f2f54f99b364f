# SPDX-License-Identifier: MIT
#
# Race tests: plain main(), under ThreadSanitizer.
