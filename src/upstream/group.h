/* Groups: the servers and settings of one upstream, shared by all workers and counted. */
#ifndef GH_UPSTREAM_GROUP_H
#define GH_UPSTREAM_GROUP_H

#include "upstream/server.h"

struct gh_probe;

struct gh_upstream_group {
    struct gh_upstream_groups *groups;
    struct gh_upstream_group *next; /* in the list of `groups`, under its lock */
    unsigned refs;                  /* under that lock */
    struct gh_arena arena;
    struct gh_str name;
    struct gh_upstream_settings settings; /* texts in `arena`; `servers` is empty, see below */
    struct gh_server *servers[GH_UPSTREAM_SERVERS_MAX];
    size_t server_count;
};

struct gh_upstream_groups {
    struct gh_loop *prober_loop;
    struct gh_probe *probes; /* the prober's thread only */

    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t closing;
    unsigned refs; /* the owner, each group and server, and the resolver */
    bool closed, resolving;
    struct gh_upstream_group *list;
    struct gh_server *servers[GH_UPSTREAM_ALL_SERVERS_MAX]; /* by slot */
};

/* These three take the lock. */
void gh_server_ref(struct gh_server *server);
void gh_server_unref(struct gh_server *server);
void gh_upstream_groups_unref(struct gh_upstream_groups *groups);

/* Starts the thread that looks names up again, unless it runs. */
GH_MUST_USE enum gh_err gh_resolver_start(struct gh_upstream_groups *groups);

/* Starts checks of a server, unless they run; they end by themselves when no group uses it. */
GH_MUST_USE enum gh_err gh_probe_start(struct gh_upstream_groups *groups, struct gh_server *server);
/* Ends all checks. */
void gh_probes_close(struct gh_upstream_groups *groups);

#endif
