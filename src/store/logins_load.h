/*
 * The load of the benches of stores: many threads write what a login writes (a session, a counter,
 * a record), or read what a refresh reads.
 */
#ifndef GH_STORE_LOGINS_LOAD_H
#define GH_STORE_LOGINS_LOAD_H

#include "identity/store.h"

#define GH_LOGINS_THREADS_MAX 64

struct gh_logins {
    uint64_t units, failures, worst_ns, sum_ns;
    double seconds;
};

/* Threads have numbers from `first` on, and so rows of their own: those who write need numbers that
   were not used yet, those who read ones that were. */
struct gh_logins gh_logins_measure(struct gh_store *store, unsigned threads, unsigned first,
                                   bool reads, double seconds);
/* One line, without its end. */
void gh_logins_print(const struct gh_logins *logins, unsigned threads, bool reads);

uint64_t gh_logins_now_ns(void);
/* Ids come in no order. */
struct gh_id gh_logins_id(char kind, unsigned thread, unsigned number);

#endif
