# SPDX-License-Identifier: MIT
#
# Man pages, and the documents that are kept by scripts.
dist_man_MANS += docs/pvctl.1 docs/libpv.7

# docs/rules.md is kept in the tree, so that it can be read there; a test compares it.
docs:
	$(AM_V_at)sh $(srcdir)/scripts/tour
	$(AM_V_at)sh $(srcdir)/scripts/rules-doc $(srcdir)/hypervisor-shim/core/rules.def >$(srcdir)/docs/rules.md
.PHONY: docs
