/*
 * For tests of what is kept in PostgreSQL: a server of the test program's own, over a unix socket
 * in a directory of its own, and databases in it. Nothing is synced to the disk.
 */
#ifndef GH_STORE_POSTGRES_FIXTURE_H
#define GH_STORE_POSTGRES_FIXTURE_H

#include <sys/types.h>

#include "store/postgres.h"

/* What a test program returns where PostgreSQL is not installed: it was skipped. */
#define GH_POSTGRES_SKIPPED 77

struct gh_postgres_fixture {
    char programs[128]; /* the directory of initdb and postgres */
    char directory[64]; /* of the data and the socket */
    pid_t server;       /* 0: stopped */
    unsigned databases; /* made so far */
    char url[192];      /* of the newest */
    struct gh_arena arena;
    struct gh_str message; /* of the last opening that failed */
};

/* False: PostgreSQL is not installed, which was printed. Ends the program where it is, but does not
   start. */
bool gh_postgres_fixture_start(struct gh_postgres_fixture *fixture);
/* Ends the server and removes its directory. */
void gh_postgres_fixture_done(struct gh_postgres_fixture *fixture);

/* Stops the server (SIGINT: connections are cut; SIGQUIT: as in a crash), and starts it again. */
void gh_postgres_fixture_stop(struct gh_postgres_fixture *fixture, int signal_number);
void gh_postgres_fixture_restart(struct gh_postgres_fixture *fixture);

/* A database of its own without tables; the one with our tables, emptied, which no store may have
   open. `url` becomes its. */
void gh_postgres_fixture_bare(struct gh_postgres_fixture *fixture);
void gh_postgres_fixture_fresh(struct gh_postgres_fixture *fixture);
/* Runs SQL in the database of `url` as its owner; the number in its first row, 0: none. Ends the
   program on an error. */
uint64_t gh_postgres_fixture_sql(struct gh_postgres_fixture *fixture, const char *sql);

/* Opens the database of `url`; NULL: printed. */
struct gh_store *gh_postgres_fixture_open(struct gh_postgres_fixture *fixture);
enum gh_err gh_postgres_fixture_try(struct gh_postgres_fixture *fixture,
                                    const struct gh_postgres_options *options,
                                    struct gh_store **out_store);

#endif
