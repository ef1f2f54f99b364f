# SPDX-License-Identifier: MIT
#
# The library's build: libpv.a in its two code models, headers, pkg-config, CMake, amalgamation.
