/* Signals as events of a loop: one thread waits for them, so that no handler ever runs. */
#include "app/process.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "net/loop.h"

struct gh_signals {
    pthread_t thread;
    atomic_bool ends;
    struct gh_loop *loop;
    gh_signal_fn *fn;
    void *context;
};

struct delivery {
    struct gh_signals *signals;
    int number;
};

static sigset_t waited_for(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGUSR2); /* has the thread look whether it shall end */
    return set;
}

void gh_signals_block(void)
{
    sigset_t set = waited_for();
    signal(SIGCHLD, SIG_DFL); /* where whoever started us ignored it, a child would end unseen */
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static void deliver(void *arg)
{
    struct delivery *delivery = arg;
    delivery->signals->fn(delivery->signals->context, delivery->number);
    free(delivery);
}

static void *wait_for_signals(void *arg)
{
    struct gh_signals *signals = arg;
    sigset_t set = waited_for();
    int number;
    while (sigwait(&set, &number) == 0 && !atomic_load(&signals->ends)) {
        if (number == SIGUSR2) /* of somebody else */
            continue;
        struct delivery *delivery = malloc(sizeof(*delivery));
        if (!delivery)
            continue; /* the operator will send it again */
        *delivery = (struct delivery){signals, number};
        if (gh_loop_post(signals->loop, deliver, delivery) != GH_OK)
            free(delivery);
    }
    return NULL;
}

enum gh_err gh_signals_open(struct gh_loop *loop, gh_signal_fn *fn, void *context,
                            struct gh_signals **out_signals)
{
    struct gh_signals *signals = malloc(sizeof(*signals));
    if (!signals)
        return GH_ERR_MEMORY;
    *signals = (struct gh_signals){.loop = loop, .fn = fn, .context = context};
    if (pthread_create(&signals->thread, NULL, wait_for_signals, signals) != 0) {
        free(signals);
        return GH_ERR_THREAD;
    }
    *out_signals = signals;
    return GH_OK;
}

void gh_signals_close(struct gh_signals *signals)
{
    if (!signals)
        return;
    atomic_store(&signals->ends, true);
    pthread_kill(signals->thread, SIGUSR2);
    pthread_join(signals->thread, NULL);
    free(signals);
}
