# SPDX-License-Identifier: MIT
#
# What must be refused: bad images, bad configurations, code that must not compile.
