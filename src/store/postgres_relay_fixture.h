/* For tests: stands between the adapter and the server, and cuts a connection at a unit's
   COMMIT. */
#ifndef GH_STORE_POSTGRES_RELAY_FIXTURE_H
#define GH_STORE_POSTGRES_RELAY_FIXTURE_H

#include <pthread.h>

#include "store/postgres_fixture.h"

enum gh_relay_cut {
    GH_RELAY_WHOLE,
    GH_RELAY_CUT_QUESTION, /* the server never hears of the COMMIT */
    GH_RELAY_CUT_ANSWER,   /* it has committed, and nobody hears of it */
    GH_RELAY_CUT_BOTH,     /* at once, while it may be under way */
    GH_RELAY_MUTE,         /* who connects gets no answer any more, once it is let in */
    GH_RELAY_CUT_OFF,      /* as CUT_QUESTION, and nobody gets through from then on */
};

struct gh_postgres_relay {
    char directory[64]; /* of the server's socket */
    char url[224];      /* through the relay */
    int listener;
    pthread_t thread;
    _Atomic int cut;    /* at the next COMMIT, once: an enum gh_relay_cut */
    _Atomic int is_off; /* who comes is turned away */
    _Atomic bool stops;
};

void gh_postgres_relay_start(struct gh_postgres_relay *relay,
                             const struct gh_postgres_fixture *fixture);
/* No connection goes through it any more. */
void gh_postgres_relay_stop(struct gh_postgres_relay *relay);

#endif
