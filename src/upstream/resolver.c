/*
 * Looks the names of servers up again every 30 s, on a thread of its own because getaddrinfo
 * blocks. It starts with the first server that has a name. It is detached and counts as a user of
 * the groups: a lookup that hangs must not hold up the end of the process.
 */
#include "upstream/group.h"

#include <errno.h>
#include <signal.h>
#include <time.h>

#include "base/assert.h"

#define RESOLVE_INTERVAL_S 30

/* The next server with a name from `*slot` on, counted for the caller; NULL: no more. */
static struct gh_server *next_named(struct gh_upstream_groups *groups, size_t *slot)
{
    struct gh_server *found = NULL;
    pthread_mutex_lock(&groups->lock);
    for (; *slot < GH_UPSTREAM_ALL_SERVERS_MAX && !found && !groups->closed; (*slot)++) {
        struct gh_server *server = groups->servers[*slot];
        if (server && server->url.host.len && server->url.ip.family == GH_IP_NONE) {
            server->refs++;
            found = server;
        }
    }
    pthread_mutex_unlock(&groups->lock);
    return found;
}

/* False: the groups are closing. */
static bool wait_for_next_round(struct gh_upstream_groups *groups)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += RESOLVE_INTERVAL_S;
    pthread_mutex_lock(&groups->lock);
    int status = 0;
    while (!groups->closed && status != ETIMEDOUT)
        status = pthread_cond_timedwait(&groups->closing, &groups->lock, &until);
    bool goes_on = !groups->closed;
    pthread_mutex_unlock(&groups->lock);
    return goes_on;
}

static void *resolve_names(void *arg)
{
    struct gh_upstream_groups *groups = arg;
    while (wait_for_next_round(groups)) {
        size_t slot = 0;
        for (struct gh_server *server; (server = next_named(groups, &slot)) != NULL;) {
            /* A name that can't be looked up now keeps the addresses it had. */
            (void)gh_server_resolve(server);
            gh_server_unref(server);
        }
    }
    gh_upstream_groups_unref(groups);
    return NULL;
}

enum gh_err gh_resolver_start(struct gh_upstream_groups *groups)
{
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all, before;
    pthread_mutex_lock(&groups->lock);
    bool is_running = groups->resolving;
    groups->resolving = true;
    if (!is_running)
        groups->refs++;
    pthread_mutex_unlock(&groups->lock);
    if (is_running)
        return GH_OK;
    /* Signals are the main thread's business. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    int status = pthread_create(&thread, &attributes, resolve_names, groups);
    pthread_attr_destroy(&attributes);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!status)
        return GH_OK;
    pthread_mutex_lock(&groups->lock);
    groups->resolving = false;
    pthread_mutex_unlock(&groups->lock);
    gh_upstream_groups_unref(groups);
    return GH_ERR_THREAD;
}
