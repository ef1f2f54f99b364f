#!/bin/sh
# SPDX-License-Identifier: MIT
#
# How far a guest has come, as pvctl tells it: each example reaches just the stages that it
# shows, while it runs, after its end and after a crash. TAP.
pvctl=${PVCTL:?} examples=${builddir:?}/examples
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
export PVCTL_RUN="$work/run"
. "${srcdir:?}/tests/tap.sh"

# stages WANTED NAME ARGUMENTS...
stages() {
    wanted=$1 name=$2
    shift 2
    "$pvctl" run --quiet --stages --timeout 60 --machine stage --keep "$@" >out 2>err </dev/null
    got=$(sed -n 's/^ *\[x\]  \([a-z]*\) .*/\1/p' err | tr '\n' ' ')
    [ "$got" = "$wanted " ] || echo "# reached: $got" >>err
    [ "$got" = "$wanted " ]
    verdict "$name reaches: $wanted"
}

stages 'built console off' 01-hello --kernel "$examples/01-hello"
grep -q '^01-hello: 3 of 13 stages$' err && grep -q '\[ \]  traps .* <- next: pv_trap_init()$' err
verdict 'what is next is said'
"$pvctl" stage >again 2>&1 && grep -v '^01-hello' again >list && grep '^  \[' err | cmp -s - list
verdict 'a kept machine tells the same'
stages 'built console tables space off' 02-pagetables --kernel "$examples/02-pagetables"
stages 'built console traps tables space user calls off' 03-traps --kernel "$examples/03-traps-and-user-mode"
stages 'built console traps events timer off' 04-events --kernel "$examples/04-events"
stages 'built console traps events timer off' 06-time --kernel "$examples/06-time"
stages 'built console traps tables space events timer user calls off' 'the template' --kernel "$examples/template-kernel/pv.elf"
stages 'built console store off' 07-store --kernel "$examples/07-store"
head -c 65536 /dev/zero >disk
stages 'built console events store disk off' 08-block --kernel "$examples/08-block" --disk disk
stages 'built traps' 'a guest that crashes before it prints' --kernel "$examples/../tests/guests/hostile" --cmdline do=jump
"$pvctl" stage --json --machine stage >out 2>err && grep -q '"next": "console"' out && grep -q '"stage": "built"' out
verdict 'as JSON'
"$pvctl" stage nobody >out 2>err
[ $? = 2 ] && grep -q '^pvctl: there is no guest "nobody"' err
verdict 'a guest that there is not'
"$pvctl" run --on xen --stages --kernel "$examples/01-hello" >out 2>err
[ $? = 2 ] && grep -q '^pvctl: --stages: Xen records no stages' err
verdict 'not on Xen'
echo "1..$n"
