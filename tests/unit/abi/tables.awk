# SPDX-License-Identifier: MIT
#
# tables.awk - turns rows.awk's list into the bodies of two programs that print the same table.
#
# usage: awk -v ours=FILE -v theirs=FILE -f tables.awk MACROS TEXT ROWS
#   MACROS  names of all macros that Xen's headers define, one a line
#   TEXT    Xen's headers after preprocessing
#   ROWS    what rows.awk wrote
# Both files are appended to. A name without a counterpart is passed on as it is, for the compiler
# to reject (or, as errno's enumerators, to accept).

FNR == 1 { file++ }
file == 1 { macro[$1] = 1; next }
file == 2 {
    s = $0
    while (match(s, /[A-Za-z_][A-Za-z_0-9]*/)) {
        word[substr(s, RSTART, RLENGTH)] = 1
        s = substr(s, RSTART + RLENGTH)
    }
    next
}

function their_macro(n,    bare) {
    if (n in macro) return n
    bare = n
    sub(/^XEN_/, "", bare)
    if (bare in macro) return bare
    if (("__" bare) in macro) return "__" bare
    if (!(n in word) && bare in word) return bare # an enumerator
    return n
}

function their_type(n) {
    if (n in word) return n
    sub(/^xen_/, "", n)
    return n
}

function both(what, a, b) {
    printf "P(\"%s\", %s)\n", what, a >> ours
    printf "P(\"%s\", %s)\n", what, b >> theirs
}

$1 == "const" { both($2, $2, their_macro($2)) }
$1 == "call" {
    n = split("0 7 0x12345", x, " ")
    for (i = 1; i <= n; i++) both($2 "(" x[i] ")", $2 "(" x[i] ")", their_macro($2) "(" x[i] ")")
}
$1 == "scalar" { both("sizeof " $2, "sizeof(" $2 ")", "sizeof(" their_type($2) ")") }
$1 == "type" { both("sizeof " $3, "sizeof(" $2 " " $3 ")", "sizeof(" $2 " " their_type($3) ")") }
$1 == "field" || $1 == "open" {
    t = their_type($3)
    both("offset " $3 "." $4, "offsetof(" $2 " " $3 ", " $4 ")", "offsetof(" $2 " " t ", " $4 ")")
}
$1 == "field" {
    both("size " $3 "." $4, "sizeof(((" $2 " " $3 " *)0)->" $4 ")", "sizeof(((" $2 " " t " *)0)->" $4 ")")
}
