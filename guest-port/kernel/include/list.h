/* SPDX-License-Identifier: MIT */
/* list.h - circular doubly linked lists whose links live inside the linked objects. */
#ifndef KERN_LIST_H
#define KERN_LIST_H

#include "types.h"

struct list {
    struct list *next, *prev;
};

#define LIST_INIT(name)  \
    {                    \
        &(name), &(name) \
    }
#define list_entry(p, type, m) container_of(p, type, m)
#define list_first(l, type, m) container_of((l)->next, type, m)
#define list_last(l, type, m)  container_of((l)->prev, type, m)
#define list_for_each(e, l, m)                               \
    for (e = list_first(l, __typeof__(*e), m); &e->m != (l); \
         e = list_first(&e->m, __typeof__(*e), m))
/* Safe against removal of `e` itself; `n` is scratch. */
#define list_for_each_safe(e, n, l, m)                                                   \
    for (e = list_first(l, __typeof__(*e), m), n = list_first(&e->m, __typeof__(*e), m); \
         &e->m != (l); e = n, n = list_first(&n->m, __typeof__(*n), m))

static inline void list_init(struct list *l)
{
    l->next = l->prev = l;
}
static inline bool list_empty(const struct list *l)
{
    return l->next == l;
}
static inline void list_insert(struct list *e, struct list *prev, struct list *next)
{
    e->prev = prev;
    e->next = next;
    prev->next = e;
    next->prev = e;
}
static inline void list_add(struct list *l, struct list *e)
{
    list_insert(e, l, l->next);
}
static inline void list_add_tail(struct list *l, struct list *e)
{
    list_insert(e, l->prev, l);
}
/* Removes and leaves `e` an empty list, so that removing twice is harmless. */
static inline void list_del(struct list *e)
{
    e->prev->next = e->next;
    e->next->prev = e->prev;
    list_init(e);
}

#endif
