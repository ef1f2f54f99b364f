# SPDX-License-Identifier: MIT
#
# What several kinds of test share: libraries and stand-ins for the host.
