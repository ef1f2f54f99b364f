# SPDX-License-Identifier: MIT
#
# The guests' tests on real Xen.

if HAVE_TOOLS
XEN_TESTS += tests/xen/pvctl.sh tests/xen/examples.sh tests/xen/template.sh tests/xen/mistakes.sh tests/xen/rogue.sh tests/xen/boot.sh tests/xen/domu.sh tests/xen/suspend.sh tests/xen/grub.sh tests/xen/linux.sh tests/xen/unix.sh
endif
