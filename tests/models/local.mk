# SPDX-License-Identifier: MIT
#
# Models: protocols that SPIN explores state by state, and mutants that it must find out.
HOST_TESTS += tests/models/models.sh
EXTRA_DIST += tests/models/ring.pml tests/models/xenbus.pml
