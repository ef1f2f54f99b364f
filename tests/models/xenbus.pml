/* SPDX-License-Identifier: MIT */
/*
 * xenbus.pml - the xenbus handshake: libpv's table, as it is, against back-ends.
 *
 * The front-end is libpv/xenbus.def, included; what an action says is put into the store, and a
 * watch tells the other end that something changed, not what: who looks late sees the last word
 * only. The back-end is one that behaves like Linux's; it may be in any state at the beginning, and
 * so may what the last front-end left behind.
 *
 *     -DCLOSING      the kernel closes the device at any moment
 *     -DLEAVING      the back-end goes away at any moment
 *     -DMUTANT=1     says Initialising at once where the old connection must first be let go
 *     -DMUTANT=2     acknowledges a watch's event after looking, not before
 *     -DMUTANT=3     takes the Connected that the last user had for its own
 */
#ifndef MUTANT
#define MUTANT 0
#endif

#define Closed    0
#define Looking   1
#define Opening   2
#define Offered   3
#define Connected 4
#define Closing   5
#define LettingGo 6
#define Resetting 7

#define BackGone         0
#define BackInitialising 1
#define BackInitWait     2
#define BackInitialised  3
#define BackConnected    4
#define BackClosing      5
#define BackClosed       6
#define DoOpen           9
#define DoClose          10
#define DoFail           11

byte phase = Closed;
byte front, back;          /* the two words in the store */
bool tell_front, tell_back; /* watches that have fired */
bool published;            /* what the front-end's directory names is a ring of this connection */
byte serving;              /* the back-end has a ring mapped: 1 the last user's, 2 ours */
bool running;              /* the driver is connected */
bool wants_close;

inline say(word) { d_step { front = word; tell_back = true } }
inline say_back(word) { d_step { back = word; tell_front = true } }

inline do_None() { skip }
inline do_Begin() { published = false; say(BackInitialising) }
inline do_Offer() { published = true; say(BackInitialised) }
inline do_Start() { running = true; say(BackConnected) }
inline do_Stop() { running = false; say(BackClosing) }
#if MUTANT == 1
inline do_LetGo() { if :: phase == Resetting -> say(BackInitialising) :: else -> say(BackClosed) fi }
#else
inline do_LetGo() { say(BackClosed) }
#endif
inline do_Refused() { running = false; say(BackClosed) }
inline do_Lost() { running = false; say(BackClosed) }

#define ROW(in, on, action, next) :: (phase == in && event == on) -> phase = next; do_##action()

inline take(what)
{
    event = what;
    if
#include "libpv/xenbus.def"
#if MUTANT == 3
    :: (phase == Looking && event == BackConnected) -> phase = Connected; do_Start()
#endif
    :: else -> skip
    fi
}

/* Looks and does, until there is nothing to do. */
inline step()
{
    do
    :: before = phase; take(back);
       if
       :: phase == before -> break
       :: else -> skip
       fi
    od
}

proctype Front()
{
    byte event, before;

    take(DoOpen);
    step();
    do
    :: tell_front && phase != Closed ->
#if MUTANT == 2
       step();
       tell_front = false
#else
       tell_front = false;
       step()
#endif
    :: wants_close && (phase == Looking || phase == Opening || phase == Resetting ||
                       phase == Offered || phase == Connected) -> take(DoClose); step()
    :: phase == Connected && !wants_close && !tell_front ->
end_connected:
       (wants_close || tell_front)
    :: phase == Closed -> break
    od;
    assert(!running)
}

proctype Back()
{
end:
    do
    :: back == BackInitialising -> say_back(BackInitWait)
    :: tell_back && back != BackGone ->
       tell_back = false;
       if
       :: front == BackInitialising && back == BackClosed -> say_back(BackInitWait)
       :: (front == BackInitialised || front == BackConnected) && back == BackInitWait ->
          if
          :: published -> serving = 2; say_back(BackConnected)
          :: else -> say_back(BackClosing) /* a ring that is not there */
          fi
       :: front == BackClosing && back != BackClosing -> say_back(BackClosing)
       :: front == BackClosed && back != BackClosed -> serving = 0; say_back(BackClosed)
       :: else -> skip
       fi
#ifdef LEAVING
    :: back == BackConnected && phase == Connected -> serving = 0; say_back(BackClosing)
    :: back != BackGone && phase == Connected -> serving = 0; say_back(BackGone)
#endif
    od
}

proctype Kernel()
{
#ifdef CLOSING
    wants_close = true
#else
    skip
#endif
}

init
{
    atomic {
        /* Whatever was before. */
        if
        :: back = BackInitialising
        :: back = BackInitWait
        :: back = BackConnected; serving = 1
        :: back = BackClosing
        :: back = BackClosing; serving = 1
        :: back = BackClosed
        fi;
        if
        :: front = BackInitialising
        :: front = BackInitialised
        :: front = BackConnected
        :: front = BackClosing
        :: front = BackClosed
        fi;
        tell_back = true;
        tell_front = true;
        run Front();
        run Back();
        run Kernel()
    }
}

#ifdef CLOSING
ltl ends { <>[] (phase == Closed && !running) }
#else
#ifdef LEAVING
ltl ends { [] (back != BackConnected -> <> (!running || back == BackConnected)) }
#else
ltl ends { <>[] (phase == Connected && running && serving == 2) }
#endif
#endif
