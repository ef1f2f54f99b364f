# SPDX-License-Identifier: MIT
#
# The paravirtualized kernel on the shim. Sourced by guest-port/run, as native.sh is; pvctl attaches
# the guest's console to its own standard input and output.
# shellcheck shell=sh disable=SC2034,SC2154
. "$here/targets/pvctl.sh"
peer=shim
