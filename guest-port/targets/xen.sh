# SPDX-License-Identifier: MIT
#
# The same PV kernel file on real Xen: with a ramdisk and nothing else, as its only guest; with disks
# or a network card, beside Debian's dom0, whose blkback and netback serve them (build/dom0, made
# by quickstart). GUEST_XEN_ARGS has more words for Xen. Sourced by guest-port/run, as native.sh is.
# shellcheck shell=sh disable=SC2034,SC2154
. "$here/targets/pvctl.sh"
peer=xen
