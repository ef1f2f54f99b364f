/* SPDX-License-Identifier: MIT
 *
 * chaos.h - the second half of the model test: long work that is cut short.
 */
#ifndef TESTS_CHAOS_H
#define TESTS_CHAOS_H

#include <stdint.h>

/* So many operations on fresh machines; counts of fired rules are added. Stops the program
 * when something is wrong. */
void chaos(uint64_t ops, uint64_t *fired);

#endif
