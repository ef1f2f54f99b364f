/* SPDX-License-Identifier: MIT
 *
 * guest_text.h - a guest's description in words, as boot modules and the control channel give it.
 *
 *   [FILE] role=kernel [name=N] [mem=SIZE] [vcpus=N] [disk=...]* -- the guest's command line
 *
 * hostview.h tells what the words mean. Text without role= is a command line and nothing else.
 * The parser reads, and decides nothing that the builder decides: limits of memory are its own.
 */
#ifndef HV_GUEST_TEXT_H
#define HV_GUEST_TEXT_H

#include <stdbool.h>
#include <stddef.h>

struct boot_guest;

/* The value of `key=` among the words of s before "--", not ended by 0; NULL: it is not there. */
const char *text_word(const char *s, const char *key, size_t *length);

/* Fill in name (as far as it is said; else empty), memory, vCPUs and command line, which stays
 * part of the text. False: why says what is wrong, as the end of a sentence about the guest. */
bool guest_text_parse(struct boot_guest *g, const char *text, char *why, size_t why_size);

#endif
