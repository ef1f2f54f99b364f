# SPDX-License-Identifier: MIT
#
# Unit tests: one module at a time, on the host, sanitized.
