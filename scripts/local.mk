# SPDX-License-Identifier: MIT
#
# What the porter's scripts have to do with the build.

# What Linux consists of because of Xen's PV guests; downloads 140 MB, takes some ten minutes.
linux-count:
	$(AM_V_at)$(top_srcdir)/scripts/linux-count linux
.PHONY: linux-count
