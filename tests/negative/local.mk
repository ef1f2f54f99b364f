# SPDX-License-Identifier: MIT
#
# What must be refused: bad images, bad configurations, code that must not compile.

if HAVE_TOOLS
HOST_TESTS += tests/negative/pvctl.sh
# A good image to damage.
check_DATA += tests/guests/smoke
endif
