# SPDX-License-Identifier: MIT
#
# The same PV kernel file on real Xen, as its only guest: there is nobody who serves disks or
# networks, so --ramdisk is needed. Sourced by guest-port/run, as native.sh is.
# shellcheck shell=sh disable=SC2034,SC2154
. "$here/targets/pvctl.sh"
peer=xen
