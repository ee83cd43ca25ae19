#include "net/lookup.h"

#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

/* How long to wait before the answer is posted again to a loop whose queue is full. */
#define POST_AGAIN_NS (10 * 1000 * 1000)

struct gh_lookup {
    pthread_mutex_t lock;
    struct gh_loop *loop; /* NULL: cancelled */
    unsigned refs;        /* the owner, and the thread or what it has posted */
    char name[GH_LOOKUP_NAME_BYTES];
    gh_lookup_fn *fn;
    void *context;
    /* of the thread, then of what it has posted */
    struct gh_ip addresses[GH_LOOKUP_ADDRESSES_MAX];
    size_t address_count;
    const char *problem; /* a static text */
};

static void unref(struct gh_lookup *lookup)
{
    pthread_mutex_lock(&lookup->lock);
    bool last = --lookup->refs == 0;
    pthread_mutex_unlock(&lookup->lock);
    if (!last)
        return;
    pthread_mutex_destroy(&lookup->lock);
    free(lookup);
}

/* On the loop's thread, where it is cancelled, too. */
static void deliver(void *arg)
{
    struct gh_lookup *lookup = arg;
    bool wanted = lookup->loop != NULL;
    if (wanted) {
        lookup->fn(lookup->context, lookup->addresses, lookup->address_count, lookup->problem);
        unref(lookup);
    }
    unref(lookup);
}

static void look_up(struct gh_lookup *lookup)
{
    /* Not AI_ADDRCONFIG: it leaves out loopback on a host that has no other interface. */
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    int error = getaddrinfo(lookup->name, NULL, &hints, &found);
    lookup->problem = error ? gai_strerror(error) : "";
    if (error)
        return;
    for (const struct addrinfo *at = found; at && lookup->address_count < GH_LOOKUP_ADDRESSES_MAX;
         at = at->ai_next) {
        uint16_t port;
        struct gh_ip ip = gh_ip_from_sockaddr(at->ai_addr, &port);
        if (ip.family != GH_IP_NONE)
            lookup->addresses[lookup->address_count++] = ip;
    }
    freeaddrinfo(found);
    if (!lookup->address_count)
        lookup->problem = "no address of a family that is known";
}

/* GH_ERR_FULL: try again. Under the lock: the loop lives as long as it is not cancelled. */
static enum gh_err post(struct gh_lookup *lookup)
{
    pthread_mutex_lock(&lookup->lock);
    enum gh_err err = lookup->loop ? gh_loop_post(lookup->loop, deliver, lookup) : GH_ERR_CLOSED;
    pthread_mutex_unlock(&lookup->lock);
    return err;
}

static void *run(void *arg)
{
    struct gh_lookup *lookup = arg;
    look_up(lookup);
    enum gh_err err;
    while ((err = post(lookup)) == GH_ERR_FULL)
        nanosleep(&(struct timespec){.tv_nsec = POST_AGAIN_NS}, NULL);
    if (err != GH_OK)
        unref(lookup);
    return NULL;
}

static int start_thread(struct gh_lookup *lookup)
{
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all, before;
    /* Signals are the main thread's business. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    int status = pthread_create(&thread, &attributes, run, lookup);
    pthread_attr_destroy(&attributes);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return status;
}

enum gh_err gh_lookup_start(struct gh_loop *loop, const char *name, gh_lookup_fn *fn, void *context,
                            struct gh_lookup **out_lookup)
{
    size_t len = strlen(name);
    if (len >= GH_LOOKUP_NAME_BYTES)
        return GH_ERR_INVALID;
    struct gh_lookup *lookup = calloc(1, sizeof *lookup);
    if (!lookup)
        return GH_ERR_MEMORY;
    pthread_mutex_init(&lookup->lock, NULL);
    lookup->loop = loop;
    lookup->refs = 2;
    lookup->fn = fn;
    lookup->context = context;
    memcpy(lookup->name, name, len);
    if (start_thread(lookup) != 0) {
        pthread_mutex_destroy(&lookup->lock);
        free(lookup);
        return GH_ERR_IO;
    }
    *out_lookup = lookup;
    return GH_OK;
}

void gh_lookup_cancel(struct gh_lookup *lookup)
{
    pthread_mutex_lock(&lookup->lock);
    lookup->loop = NULL;
    pthread_mutex_unlock(&lookup->lock);
    unref(lookup);
}
