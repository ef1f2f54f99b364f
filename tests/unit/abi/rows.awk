# SPDX-License-Identifier: MIT
#
# rows.awk - reads our ABI headers and writes what the comparison must look at.
#
# Output, one line each:
#     const NAME            an object-like macro XEN* (its value is compared)
#     call NAME             a function-like macro XEN*/xen* (compared at three arguments)
#     type KEYWORD NAME     a structure or union at the outermost level (its size)
#     scalar NAME           a typedef at the outermost level (its size)
#     field KEYWORD NAME PATH     a member, at any depth (offset and size)
#     open KEYWORD NAME PATH      a member of unknown size (offset alone)
#
# A declaration that it can't read stops it: nothing is ever left out in silence.

{
    line = $0
    # comments, which clang-format never nests in code
    while (1) {
        if (inside) {
            i = index(line, "*/")
            if (!i) next
            line = substr(line, i + 2)
            inside = 0
        }
        i = index(line, "/*")
        if (!i) break
        rest = substr(line, i + 2)
        j = index(rest, "*/")
        if (j) line = substr(line, 1, i - 1) " " substr(rest, j + 2)
        else { text = text_flush(substr(line, 1, i - 1)); inside = 1; next }
    }
    text_flush(line)
}

function text_flush(s) {
    if (s ~ /^#define[ \t]+(XEN|xen_)[A-Za-z0-9_]*\(/) {
        sub(/^#define[ \t]+/, "", s); sub(/\(.*/, "", s); print "call", s
    } else if (s ~ /^#define[ \t]+(XEN|xen_)/) {
        split(s, w, /[ \t]+/); print "const", w[2]
    }
    if (s ~ /^#/) { skipping = (s ~ /\\$/); return "" }
    if (skipping) { skipping = (s ~ /\\$/); return "" }
    code = code " " s
    return ""
}

function fail(why) { print FILENAME ": " why > "/dev/stderr"; bad = 1; exit 1 }

# One declaration without braces inside a structure: "type a, b[3]".
function members(decl, path,    n, i, d, names) {
    gsub(/__attribute__ *\(\(.*\)\)/, "", decl)
    sub(/^ *(const +)?(struct +|union +)?[A-Za-z_0-9]+ +/, "", decl)
    n = split(decl, names, ",")
    for (i = 1; i <= n; i++) {
        d = names[i]
        gsub(/ /, "", d)
        if (d !~ /^[A-Za-z_][A-Za-z_0-9]*(\[[A-Za-z_0-9]*\])*$/) fail("cannot read member '" d "' of " top)
        if (d ~ /\[\]/) { sub(/\[.*/, "", d); print "open", kw, top, path d }
        else { sub(/\[.*/, "", d); print "field", kw, top, path d }
    }
}

# Body of a structure, between its braces.
function body(s, path,    i, c, depth, start, head, inner, tail, k, n, names) {
    while (s !~ /^ *$/) {
        k = match(s, /[;{]/)
        if (!k) fail("unfinished declaration in " top ": " s)
        if (substr(s, k, 1) == ";") {
            members(substr(s, 1, k - 1), path)
            s = substr(s, k + 1)
            continue
        }
        head = substr(s, 1, k - 1)
        if (head !~ /^ *(struct|union)( +[A-Za-z_0-9]+)? *$/) fail("cannot read '" head "' in " top)
        depth = 1; start = k + 1
        for (i = start; depth; i++) {
            c = substr(s, i, 1)
            if (c == "") fail("unbalanced braces in " top)
            if (c == "{") depth++
            if (c == "}") depth--
        }
        inner = substr(s, start, i - 1 - start)
        s = substr(s, i)
        k = index(s, ";")
        tail = substr(s, 1, k - 1)
        s = substr(s, k + 1)
        gsub(/ /, "", tail)
        if (tail == "") { body(inner, path); continue }
        n = split(tail, names, ",")
        for (i = 1; i <= n; i++) nested[top, path, i] = names[i]
        for (i = 1; i <= n; i++) {
            print "field", kw, top, path nested[top, path, i]
            body(inner, path nested[top, path, i] ".")
        }
    }
}

END {
    if (bad) exit 1
    gsub(/extern "C" \{/, "", code)
    while (match(code, /(struct|union) +xen[A-Za-z_0-9]* *\{|typedef +[^;{]*;/)) {
        head = substr(code, RSTART, RLENGTH)
        code = substr(code, RSTART + RLENGTH)
        if (head ~ /^typedef/) {
            sub(/;$/, "", head); sub(/\[.*/, "", head)
            n = split(head, w, / +/)
            if (w[n] ~ /^xen/) print "scalar", w[n]
            continue
        }
        split(head, w, / +/)
        kw = w[1]; top = w[2]
        depth = 1
        for (i = 1; depth; i++) {
            c = substr(code, i, 1)
            if (c == "") fail("unbalanced braces in " top)
            if (c == "{") depth++
            if (c == "}") depth--
        }
        inner = substr(code, 1, i - 2)
        code = substr(code, i)
        print "type", kw, top
        body(inner, "")
    }
}
