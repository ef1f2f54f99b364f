#!/bin/sh
# SPDX-License-Identifier: MIT
#
# pv-diffcount by small trees with known answers: what is a comment and what is not in each
# language, how hunks count, what the map decides, and what is refused. TAP.
cd "${srcdir:?}" || exit 1
top=$PWD
count=$top/scripts/pv-diffcount
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
echo '# nothing' >none.map
. "$top/tests/tap.sh"

# lines NAME EXPECTED <TEXT - how many lines of code are in one file of that name?
lines() {
    rm -rf a b && mkdir a b
    cat >"a/$1" && cp "a/$1" b/
    "$count" --map none.map --json a b >out 2>&1
    grep -q "\"base\": $2,\$" out
    verdict "$2 lines of code: ${3-$1}"
}

# touched EXPECTED WHAT - between a and b.
touched() {
    "$count" --map "${map-none.map}" --json a b >out 2>&1
    grep -q "\"total\": $1,\$" out
    verdict "$1 touched: $2"
}

refuse() { # WORDS WHAT ARGUMENTS...
    words=$1 what=$2
    shift 2
    "$count" "$@" >out 2>err </dev/null
    rc=$?
    [ $rc = 2 ] && [ ! -s out ] && [ "$(wc -l <err)" = 1 ] && grep -q "^pv-diffcount: .*$words" err
    verdict "refused: $what"
}

# -- comments ---------------------------------------------------------------------
lines c.c 4 'C: comments of both kinds, blank lines' <<'E'
/* a comment
 * of three lines
 */
int a; // trailing
   // alone

int b; /* trailing */ int c; /* opens
closes */ int d;
E
lines s.c 3 'C: comment signs in strings and characters' <<'E'
const char *a = "/* no comment */ // none either";
char b = '"', c = '\'', d = '/';
const char *e = "\"/*"; /* one */
E
lines k.c 1 'C: a // comment goes on behind a backslash' <<'E'
int a; // goes on \
int b; \
int c;
E
lines m.c 3 'C: a macro of three lines' <<'E'
#define M(x)     \
    do {         \
    } while (x) /* end */
E
lines r.cc 2 'C++: raw strings, digit separators' <<'E'
const char *r = R"x(" /* )" )x"; // comment
int q = 1'000'000; /* 'a' */
E
lines q.c 2 'C: an apostrophe in #error' <<'E'
#error don't /* and do not */
int a;
E
lines o.c 1 'C: a comment that never ends' <<'E'
int a;
/* int b;
int c;
E
lines a.S 6 'assembler: all four kinds of comment' <<'E'
# a comment
#include <x.h>
#define X 1 /* comment */
        mov $'#, %al    # comment
        .ascii "# no comment /* neither */"
a:      nop // comment
b:      nop; nop /* of
two lines */
E
lines x.nasm 2 'NASM' <<'E'
; comment
mov eax, ';' ; comment
db "; no comment"
E
lines Makefile 5 'make: continued comments, recipes, escaped signs' <<'E'
# comment \
goes on
A = b # comment
C = \# no comment
all: # comment
	echo "# no comment" # comment
	echo a#b
E
lines k.lds 2 'linker script' <<'E'
/* comment */
SECTIONS { /* another
*/ .text : { *(.text) } }
E
lines t.sh 6 'shell: words, quotes, here-documents' <<'E'
#!/bin/sh
# comment
echo $# a#b "# no" # comment
echo '#no' \# no
cat <<X
# text
X
E
lines h.txt 2 'text has no comments' <<'E'
# one

// two
E

# -- hunks ------------------------------------------------------------------------
pair() { # OLD NEW - two trees of one C file, one declaration for each word
    rm -rf a b && mkdir a b
    for w in $1; do echo "int $w;"; done >a/f.c
    for w in $2; do echo "int $w;"; done >b/f.c
}
pair 'a b c d' 'a b c d'
touched 0 'nothing'
pair 'a b c d' 'a X c d'
touched 1 'one line changed'
pair 'a b c d' 'a X Y Z c d'
touched 3 'one removed, three added in one hunk'
pair 'a b c d e f' 'a c d Y e f'
touched 2 'one removed here, one added there'
pair 'a b c d e f' 'a f'
touched 4 'four removed'
pair 'a b c' ''
rm b/f.c
touched 3 'a file that is gone'
pair 'a b c' 'a b c'
echo 'int n; int m; /* two lines, when formatted */' >b/new.c
touched 2 'a new file, formatted first'
pair 'a b' 'a b'
printf 'int a;\n\n/* moved\n   about */\n\tint    b;  // comment\n' >b/f.c
touched 0 'white space and comments only'
printf 'int f(void)\n{\n    return 1;\n}\n' >a/f.c
printf 'int f(void) { return 1; }\n' >b/f.c
touched 0 'formatted otherwise'
printf 'int f(void) { return 2; }\n' >b/f.c
touched 1 'formatted otherwise, and one line changed'
pair 'a' 'a'
printf 'a:\n\tb\n' >a/Makefile
printf 'a:\n\tc\n\td\n' >b/Makefile
touched 2 'a makefile'
ln -s f.c a/l && ln -s Makefile b/l
touched 3 'a link that leads elsewhere'

# -- the map ----------------------------------------------------------------------
pair 'a b c' 'a X c'
mkdir -p a/net b/net a/blk b/blk b/doc
echo 'int n;' | tee a/net/x.c b/net/x.c >/dev/null
echo 'int n, m;' >b/net/y.c
echo 'int n, m;' >b/blk/new.c
echo 'text' >b/doc/text.md
cat >ok.map <<'E'
network net/*
block   blk/new.c    # the front-end
skip doc/* : no code
pv glue.c
E
map=ok.map touched 3 'by the map'
grep -q '"independent": 1, "network": 1, "block": 1, "pv": 0' out
verdict 'each in its subsystem'
grep -q '"reason": "no code", "files": 1' out
verdict 'what is left out is shown, with its reason'
"$count" --map ok.map --files a b >out
grep -q '^Architecture independent  *1  *78  *1299$' out && grep -q '^% of the code base  *75.00  *1.36' out &&
    grep -q '^ *1 *1 *1  *changed *independent *f.c$' out
verdict 'the table'
echo 'also glue.S' >>ok.map
printf 'nop\nnop # comment\n' >glue.S
map=ok.map touched 5 'glue outside of the tree, in full'

# -- a linked kernel --------------------------------------------------------------
mkdir -p k/native k/ported libpv/sub
printf 'int f(void);\nint _start(void)\n{\n    return f();\n}\n' | tee k/native/main.c >k/ported/main.c
printf '/* glue */\nint f(void)\n{\n    extern int pv_x(void);\n    return pv_x();\n}\n' >k/glue.c
printf 'int pv_x(void)\n{\n    return 1;\n}\n' >./libpv/x.c
${CC:-cc} -g -nostdlib -static -ffreestanding -o k/kernel.elf k/ported/main.c k/glue.c ./libpv/x.c 2>err
echo 'image ../kernel.elf' >image.map
"$count" --map image.map --json k/native k/ported >out 2>&1
grep -q '"total": 5,' out && grep -q '"libpv": {"lines": 4, "files": 1, "linked": true}' out &&
    grep -q 'k/glue.c", "subsystem": "pv", "state": "new", "touched": 5' out
verdict 'what the kernel links: libpv beside the count, glue in it'
printf 'image ../kernel.elf\nskip main.c : why not\n' >bad.map
echo 'int x;' | tee k/native/x.c >k/ported/x.c
refuse 'links main.c, which the map leaves out' 'a map that hides what is linked' --map bad.map k/native k/ported
strip -o stripped k/kernel.elf
refuse 'stripped: has no debug information' 'an image without debug information' --map none.map --image stripped k/native k/ported
refuse 'none.map: objdump cannot' 'an image that is none' --map none.map --image none.map k/native k/ported
refuse 'there is no such image' 'an image that is not there' --map none.map --image gone k/native k/ported

# -- git --------------------------------------------------------------------------
pair 'a b' 'a b'
mkdir repo && cp -r a repo/tree && (
    cd repo && git init -q . && git config user.email a@b && git config user.name a && git add . &&
        git commit -qm one && echo 'int z;' >>tree/f.c && git commit -qam two && echo 'int y;' >>tree/f.c
) || exit 1
(cd repo && "$count" --map ../none.map --json HEAD~1:tree HEAD >../out 2>&1)
grep -q '"base": 2' out && grep -q '"total": 5' out # the path differs: all gone, all new
verdict 'two revisions'
(cd repo && "$count" --map ../none.map --json HEAD~1:tree tree >../out 2>&1)
grep -q '"total": 2' out
verdict 'a revision and a directory'
cd repo || exit 1
git status --short >../err
[ "$(cat ../err)" = ' M tree/f.c' ]
verdict "the repository's index and files stay as they are" ../err
refuse "there is no revision 'nope'" 'an unknown revision' --map ../none.map nope HEAD
refuse 'has no such directory' 'a path that the revision lacks' --map ../none.map HEAD:none HEAD
refuse 'has no such directory' 'a path that is a file' --map ../none.map HEAD:tree/f.c HEAD
refuse "no revision '--output=x'" 'a revision that looks like an option' --map ../none.map -- --output=x HEAD
cd ..

# -- bad input --------------------------------------------------------------------
m='--map none.map'
# shellcheck disable=SC2086
{
    GIT_DIR=/nowhere refuse 'missing: not a directory' 'a missing tree' $m missing a
    refuse 'f.c: is a file' 'a file for a tree' $m a/f.c b
    mkdir -p empty
    refuse 'no file is left to count' 'two empty trees' $m empty empty
    printf 'a\0b\n' >b/bin.c
    refuse 'bin.c: is a binary file' 'a binary file' $m a b
    rm b/bin.c && ln -s /etc/passwd b/out
    refuse 'out: is a link out of the tree, to /etc/passwd' 'a link out of the tree' $m a b
    rm b/out && ln -s ../a/f.c b/out
    refuse 'is a link out of the tree' 'a relative link out of the tree' $m a b
    rm b/out && ln -s out b/out
    refuse 'is a link out of the tree' 'a link to itself' $m a b
    rm b/out && mkfifo b/fifo
    refuse 'neither a file nor a link' 'a pipe' $m a b
    rm b/fifo
}
bad_map() { # WORDS TEXT
    printf '%s\n' "$2" >bad.map
    refuse "$1" "map: $2" --map bad.map a b
}
bad_map 'bad.map:1: .foo. is no subsystem' 'foo *.c'
bad_map 'bad.map:1: .pv. needs a pattern' 'pv'
bad_map 'bad.map:1: .skip. needs a reason' 'skip *.c'
bad_map 'bad.map:1: .skip. needs a reason' 'skip *.c : '
bad_map 'only skip and apart have a reason' 'pv *.c : because'
bad_map 'is not there' 'also nowhere.c'
bad_map "'image' needs a path" 'image'
refuse 'the map cannot be read' 'a map that is a directory' --map a a b
refuse 'the map cannot be read' 'a map that is not there' --map gone a b
refuse 'nostyle: cannot be read' 'a style that is not there' --map none.map --style nostyle a b
"$count" a >out 2>err </dev/null
[ $? = 2 ] && [ ! -s out ] && grep -q 'NATIVE PORTED' err
verdict 'usage'
"$count" --what a b >out 2>err </dev/null
[ $? = 2 ] && grep -q 'Unknown option: what' err
verdict 'an unknown option'

# -- this tree --------------------------------------------------------------------
cd "$top" || exit 1
"$count" --json guest-port/kernel guest-port/kernel >"$work/out" 2>&1 && grep -q '"total": 0,' "$work/out"
verdict 'the native kernel against itself' "$work/out"
image=${builddir:?}/guest-port/kernel/kernel.elf
if [ -f "$image" ]; then
    "$count" --json --image "$image" guest-port/kernel guest-port/kernel >"$work/out" 2>&1 &&
        grep -q '"total": 0,' "$work/out"
    verdict 'all that the native kernel links is counted or set apart' "$work/out"
fi
if [ -f "$builddir/guest-port/pv/kernel.elf" ]; then
    "$count" --json guest-port/kernel "$builddir/guest-port/pv-tree" >"$work/out" 2>&1 &&
        grep -q '"libpv": {.*"linked": true}' "$work/out" &&
        [ "$(sed -n 's/^  "percent": \([0-9]*\)\..*/\1/p' "$work/out")" -lt 2 ]
    verdict 'the port touches less than 2 % of the native kernel' "$work/out"
fi
echo "1..$n"
