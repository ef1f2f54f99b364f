/* SPDX-License-Identifier: MIT */
/*
 * ring.pml - the notification of libpv/ring.c: can both ends sleep while there is something to do?
 *
 * A front-end asks, a back-end answers, both sleep when they like. Indices wrap. A store to shared
 * memory lies in a buffer until it pleases the processor or a fence demands it; each index has a
 * buffer of its own, which is weaker than any x86 and so says more.
 *
 *     -DMUTANT=1  the back-end goes to sleep without looking once more
 *     -DMUTANT=2  no fence between publishing an index and reading the other's wish
 *     -DMUTANT=3  no fence between writing a wish and looking once more
 *     -DMUTANT=4  notifies only when the very last index is the one that is waited for
 *     -DMUTANT=5  the front-end goes to sleep without looking once more
 */
#ifndef MUTANT
#define MUTANT 0
#endif
#define SIZE 2 /* slots */
#define WRAP 4 /* numbers that an index has */
#define ADD(a, b) (((a) + (b)) % WRAP)
#define SUB(a, b) (((a) + WRAP - (b)) % WRAP)

#define REQ_PROD  0
#define REQ_EVENT 1
#define RSP_PROD  2
#define RSP_EVENT 3

byte memory[4], buffer[4];
bool buffered[4];
bool front_event, back_event; /* pending event channels */
byte in_flight;               /* asked for, published or not, and no answer taken */

inline store(what, value) { d_step { buffer[what] = value; buffered[what] = true } }
inline fence(what) { !buffered[what] }

active proctype Processor()
{
end:
    do
    :: d_step { buffered[0] -> memory[0] = buffer[0]; buffered[0] = false }
    :: d_step { buffered[1] -> memory[1] = buffer[1]; buffered[1] = false }
    :: d_step { buffered[2] -> memory[2] = buffer[2]; buffered[2] = false }
    :: d_step { buffered[3] -> memory[3] = buffer[3]; buffered[3] = false }
    od
}

/* pv_ring_publish() */
inline publish(prod, event, other)
{
    store(prod, produced);
#if MUTANT != 2
    fence(prod);
#endif
    d_step {
    wish = memory[event];
    if
#if MUTANT == 4
    :: published != produced && wish == produced -> other = true
#else
    :: SUB(produced, wish) < SUB(produced, published) -> other = true
#endif
    :: else -> skip
    fi;
    published = produced
    }
}

/* pv_ring_sleep_for(): asleep is true when the other end will wake us. */
inline sleep(prod, event, more, lazy)
{
    if
    :: memory[prod] != consumed -> asleep = false
    :: else ->
       store(event, ADD(consumed, more));
#if MUTANT != 3
       fence(event);
#endif
       asleep = lazy || memory[prod] == consumed
    fi
}

active proctype Front()
{
    byte produced, published, consumed, wish;
    bool asleep;

    do
    :: d_step { in_flight < SIZE -> produced = ADD(produced, 1); in_flight++ }
    :: produced != published -> publish(REQ_PROD, REQ_EVENT, back_event)
    :: d_step { memory[RSP_PROD] != consumed -> consumed = ADD(consumed, 1); in_flight-- }
    :: produced == published ->
       sleep(RSP_PROD, RSP_EVENT, (in_flight / 2 + 1), (MUTANT == 5)); /* as net.c */
       if
       :: asleep && in_flight == 0 ->
end_idle:
          d_step { front_event -> front_event = false }
       :: asleep && in_flight > 0 -> d_step { front_event -> front_event = false }
       :: else -> skip
       fi
    od
}

active proctype Back()
{
    byte produced, published, consumed, wish;
    bool asleep;

    do
    :: d_step {
           memory[REQ_PROD] != consumed ->
           consumed = ADD(consumed, 1);
           produced = ADD(produced, 1) /* the answer */
       }
    :: produced != published -> publish(RSP_PROD, RSP_EVENT, front_event)
    :: produced == published ->
       sleep(REQ_PROD, REQ_EVENT, 1, (MUTANT == 1));
       if
       :: asleep ->
end_idle:
          d_step { back_event -> back_event = false }
       :: else -> skip
       fi
    od
}

init
{
    skip
}
