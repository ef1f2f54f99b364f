# SPDX-License-Identifier: MIT
#
# PvSource - source files as code without comments, and what else pv-diffcount and pv-lint share.
#
# A comment becomes a space and the line breaks that it held, so line numbers stay; strings stay
# as they are, whatever they look like. What a language is, the file's name says, or its
# first line. Broken input (an open string, an open comment) ends at its line or at the file's
# end: no input makes this die. Uses what Debian's perl-base holds and nothing else.
package PvSource;
use strict;
use warnings;
use Cwd qw(abs_path);
use Exporter 'import';
use File::Spec;
our @EXPORT_OK = qw(language strip code_lines read_file is_binary glob_re image_sources json_string output_of usage);

my $quoted = qr/"[^"\\\n]*+(?:\\.[^"\\\n]*+)*+"?/s;
my $char   = qr/'[^'\\\n]*+(?:\\.[^'\\\n]*+)*+'?/s;
my $block  = qr{/\*.*?(?:\*/|\z)}s;
my $line   = qr{//[^\\\n]*+(?:\\(?:\r?\n|.|\z)[^\\\n]*+)*+}s;
my $number = qr/\.?[0-9](?:[eEpP][+-]|'?[0-9A-Za-z_.])*+/;

# The languages: by extension, by whole name, by interpreter.
my %by_ext = (
    (map { $_ => 'c' } qw(c h cc cpp cxx hh hpp def inc)),
    (map { $_ => 'asm' } qw(s S)),
    (map { $_ => 'nasm' } qw(asm nasm)),
    (map { $_ => 'ld' } qw(ld lds x)),
    (map { $_ => 'make' } qw(mk am mak)),
    (map { $_ => 'shell' } qw(sh bash pl pm py awk yml yaml conf cfg map tab)),
    (map { $_ => 'text' } qw(md txt rst json html)),
);

sub language
{
    my ($path, $text) = @_;
    my ($name) = $path =~ m{([^/]*)\z};

    return 'ldcpp' if $name =~ /\.lds?\.S\z/;
    return 'make' if $name =~ /\A(?:GNU)?[Mm]akefile(?:\.|\z)|\AKbuild/;
    return 'shell' if $name =~ /\AKconfig/;
    return $by_ext{$1} if $name =~ /\.([A-Za-z]+)\z/ && $by_ext{$1};
    return 'shell' if defined $text && $text =~ m{\A#!.*\b(?:sh|bash|dash|perl|python\d?|awk|make)\b};
    return 'text';
}

# A comment, as what is left of it.
sub gap
{
    my ($comment) = @_;

    return ' ' . ("\n" x ($comment =~ tr/\n//));
}

sub strip_c
{
    my ($t) = @_;

    $t =~ s{($block|$line)|(R"([^\s()\\]{0,16})\(.*?(?:\)\3"|\z)|$quoted|$char|$number|[A-Za-z_]\w*+)}
           {defined $1 ? gap($1) : $2}gse;
    return $t;
}

# Linker scripts know block comments only; those that are preprocessed know // as well.
sub strip_ld
{
    my ($t, $cpp) = @_;
    my $comment = $cpp ? qr/$block|$line/ : $block;

    $t =~ s{($comment)|($quoted)}{defined $1 ? gap($1) : $2}ge;
    return $t;
}

# GNU assembler: # begins a comment, except where the preprocessor reads the line.
sub strip_asm
{
    my ($t) = @_;
    my $cpp = qr/^[ \t]*#[ \t]*(?:define|undef|include|if|ifdef|ifndef|elif|else|endif|error|warning|pragma|line)\b/m;

    $t =~ s{($block|$line)|($cpp[^\n/"]*+(?:/(?![/*])[^\n/"]*+)*+)|(\#[^\n]*+)|($quoted)|('\\?.)}
           {defined $1 ? gap($1) : defined $2 ? $2 : defined $3 ? ' ' : defined $4 ? $4 : $5}gse;
    return $t;
}

sub strip_nasm
{
    my ($t) = @_;

    $t =~ s{(;[^\n]*+)|($quoted|$char)}{defined $1 ? ' ' : $2}ge;
    return $t;
}

# # at a word's beginning, outside of quotes; here-documents are text of the program.
sub strip_shell
{
    my ($t) = @_;

    $t =~ s{(\A\#![^\n]*)|((?<![^\s;&|(\)`])\#[^\n]*+)|(\\.)|("[^"\\]*+(?:\\.[^"\\]*+)*+"?|'[^']*+'?)
           |(<<-?\s*(["']?)(\w+)\6[^\n]*\n(?:.*?\n)??[ \t]*\7(?=\n|\z))}
           {defined $2 ? ' ' : defined $1 ? $1 : defined $3 ? $3 : defined $4 ? $4 : $5}gsex;
    return $t;
}

# Make's # needs no word's beginning, knows no quotes, and goes on behind a backslash; in a
# recipe the shell's rules hold.
sub strip_make
{
    my ($t) = @_;
    my $out = '';

    while ($t =~ m{\G([^\\\n]*+(?:\\(?:\r?\n|.|\z)[^\\\n]*+)*+\n?)}gcs) {
        my $logical = $1;
        last if $logical eq '';
        if ($logical =~ /\A\t/) {
            $out .= strip_shell($logical);
        } else {
            $logical =~ s/((?:\A|[^\\])(?:\\\\)*)(#.*)\z/$1 . gap($2)/se;
            $out .= $logical;
        }
    }
    return $out;
}

sub strip
{
    my ($text, $language) = @_;

    return strip_c($text) if $language eq 'c';
    return strip_asm($text) if $language eq 'asm';
    return strip_nasm($text) if $language eq 'nasm';
    return strip_ld($text, 0) if $language eq 'ld';
    return strip_ld($text, 1) if $language eq 'ldcpp';
    return strip_shell($text) if $language eq 'shell';
    return strip_make($text) if $language eq 'make';
    return $text;
}

# The lines that count: no blank ones, white space squeezed.
sub code_lines
{
    my ($text) = @_;
    my @lines;

    for my $l (split /\n/, $text) {
        $l =~ s/\s+/ /g;
        $l =~ s/\A | \z//g;
        push @lines, $l if $l ne '';
    }
    return @lines;
}

# A glob as a regular expression: * also crosses slashes, so `net/*` is all below net.
sub glob_re
{
    my ($glob) = @_;
    my $re = join '', map { $_ eq '*' ? '.*' : $_ eq '?' ? '[^/]' : quotemeta } split //, $glob;

    return qr/\A$re\z/s;
}

sub json_string
{
    my ($s) = @_;

    $s =~ s/(["\\])/\\$1/g;
    $s =~ s/([\x00-\x1f\x7f-\xff])/sprintf '\\u%04x', ord $1/ge;
    return "\"$s\"";
}

# The output of a command, run without a shell; undef where it failed.
sub output_of
{
    my (@command) = @_;

    my $pid = open(my $pipe, '-|') // return undef;
    if ($pid == 0) {
        open STDERR, '>', '/dev/null';
        { no warnings 'exec'; exec @command; }
        exit 127;
    }
    local $/;
    my $out = <$pipe>;
    return close $pipe ? $out // '' : undef;
}

# Sources of a linked kernel, from its debug information, as real paths. Dies with a sentence.
sub image_sources
{
    my ($image) = @_;
    my (%found, $name);

    -f $image or die "$image: there is no such image\n";
    my $out = output_of('objdump', '--dwarf=info', '--dwarf-depth=1', $image);
    defined $out or die "$image: objdump cannot read it\n";
    for (split /\n/, $out) {
        my ($what, $value) = /DW_AT_(name|comp_dir)\s*:\s*(?:\(.*?\):\s*)?(.*?)\s*\z/ or next;
        if ($what eq 'name') {
            $name = $value;
            $found{$name} = 1 if $name =~ m{\A/};
        } elsif (defined $name && $name !~ m{\A/}) {
            delete $found{$name};
            $found{"$value/$name"} = 1;
        }
    }
    %found or die "$image: has no debug information, so it does not say what it links; compile it with -g\n";
    return sort map { -e $_ ? abs_path($_) : File::Spec->canonpath($_) } keys %found;
}

# Shows the opening comment of a script from its fourth line on, and ends.
sub usage
{
    my ($script, $to, $status) = @_;

    for (split /\n/, (read_file($script) // '') =~ s/\A(?:.*\n){3}//r) {
        last unless /\A# ?(.*)/;
        print $to $1, "\n";
    }
    exit $status;
}

sub is_binary
{
    return index($_[0], "\0") >= 0;
}

# The bytes of a file; undef, with $! set, where it cannot be read.
sub read_file
{
    my ($path) = @_;

    open my $f, '<:raw', $path or return undef;
    local $/;
    my $text = <$f>;
    close $f;
    return defined $text ? $text : '';
}

1;
