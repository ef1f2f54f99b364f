# SPDX-License-Identifier: MIT
#
# Man pages.
