#include "store/sqlite_writer.h"

#include <signal.h>

/* A group this long takes some milliseconds; more would make its first unit wait too long. */
#define GROUP_MAX 256

/* So many groups of urgent units go before what else waits; that is then held up for some tenths of
   a second, and not for ever. */
#define PATIENCE 8

/* A unit (or a scrub, which has none) that waits, on the stack of the thread that brought it. */
struct gh_sqlite_wait {
    gh_store_unit *unit;
    void *args;
    struct gh_arena *arena;
    enum gh_err err;
    bool done;
    pthread_cond_t answered;
    struct gh_sqlite_wait *next;
};

/* ---- A group of units ---- */

/*
 * Runs one inside the open transaction: its own result stands in `wait`. What is returned is a
 * failure of the transaction, which then is good for none of its units.
 */
static enum gh_err run_one(struct gh_sqlite_connection *connection, struct gh_sqlite_wait *wait)
{
    struct gh_sqlite_tx tx = {
        .tx = {.ops = &gh_sqlite_tx_ops, .arena = wait->arena},
        .connection = connection,
    };
    enum gh_err err = gh_sqlite_exec(connection, GH_SQLITE_SAVEPOINT);
    if (err != GH_OK)
        return err;
    wait->err = wait->unit(&tx.tx, wait->args);
    if (wait->err == GH_OK)
        wait->err = tx.failure;
    if (sqlite3_get_autocommit(connection->db)) /* SQLite has given the transaction up */
        return tx.failure != GH_OK ? tx.failure : GH_ERR_IO;
    if (wait->err != GH_OK)
        err = gh_sqlite_exec(connection, GH_SQLITE_ROLLBACK_TO);
    return err == GH_OK ? gh_sqlite_exec(connection, GH_SQLITE_RELEASE) : err;
}

static enum gh_err run_transaction(struct gh_sqlite_connection *connection,
                                   struct gh_sqlite_wait *group)
{
    enum gh_err err = gh_sqlite_exec(connection, GH_SQLITE_BEGIN_WRITE);
    for (struct gh_sqlite_wait *wait = group; err == GH_OK && wait; wait = wait->next)
        err = run_one(connection, wait);
    if (err == GH_OK)
        err = gh_sqlite_exec(connection, GH_SQLITE_COMMIT);
    if (!sqlite3_get_autocommit(connection->db)) {
        enum gh_err undone = gh_sqlite_exec(connection, GH_SQLITE_ROLLBACK);
        if (err == GH_OK)
            err = undone;
    }
    return err;
}

/* Refusals of a group that failed are void too: a unit may have refused because of what another
   had written. */
static void run_group(struct gh_sqlite_connection *connection, struct gh_sqlite_wait *group)
{
    enum gh_err err = run_transaction(connection, group);
    for (struct gh_sqlite_wait *wait = group; err != GH_OK && wait; wait = wait->next)
        wait->err = err;
}

/* ---- Turns ---- */

static bool waits(const struct gh_sqlite_writer *writer, enum gh_sqlite_turn turn)
{
    return writer->queues[turn].first;
}

static bool anything_waits(const struct gh_sqlite_writer *writer)
{
    return waits(writer, GH_SQLITE_URGENT) || waits(writer, GH_SQLITE_BULK) ||
           waits(writer, GH_SQLITE_SCRUB);
}

/* Whose turn it is, when something waits. The lock is held. */
static enum gh_sqlite_turn choose(struct gh_sqlite_writer *writer)
{
    /* Scrubs are rare, and one turn answers them all. */
    enum gh_sqlite_turn other = waits(writer, GH_SQLITE_SCRUB) ? GH_SQLITE_SCRUB : GH_SQLITE_BULK;
    bool is_urgent = waits(writer, GH_SQLITE_URGENT) &&
                     (!waits(writer, other) || writer->passed_over < PATIENCE);
    writer->passed_over = is_urgent && waits(writer, other) ? writer->passed_over + 1 : 0;
    return is_urgent ? GH_SQLITE_URGENT : other;
}

/* Takes what is done in one turn off its queue. The lock is held. */
static struct gh_sqlite_wait *take_group(struct gh_sqlite_queue *queue, size_t count_max)
{
    struct gh_sqlite_wait *group = queue->first, **end = &queue->first;
    size_t count = 0;
    while (*end && count < count_max) {
        end = &(*end)->next;
        count++;
    }
    queue->first = *end;
    *end = NULL;
    if (!queue->first)
        queue->end = &queue->first;
    queue->waiting -= count;
    return group;
}

static void run_scrub(struct gh_sqlite_connection *connection, struct gh_sqlite_wait *group)
{
    enum gh_err err = gh_sqlite_scrub(connection);
    for (struct gh_sqlite_wait *wait = group; wait; wait = wait->next)
        wait->err = err;
}

/* ---- The thread ---- */

/* The lock is held. When `done` is seen the wait is gone. */
static void answer_group(struct gh_sqlite_wait *group)
{
    while (group) {
        struct gh_sqlite_wait *wait = group;
        group = group->next;
        wait->done = true;
        pthread_cond_signal(&wait->answered);
    }
}

static void *write_until_closed(void *argument)
{
    static const size_t COUNTS_MAX[GH_SQLITE_TURN_COUNT] = {
        [GH_SQLITE_URGENT] = GROUP_MAX, [GH_SQLITE_BULK] = 1, [GH_SQLITE_SCRUB] = SIZE_MAX};
    struct gh_sqlite_writer *writer = argument;
    pthread_mutex_lock(&writer->lock);
    for (;;) {
        while (!anything_waits(writer) && !writer->closing)
            pthread_cond_wait(&writer->work, &writer->lock);
        if (!anything_waits(writer))
            break;
        enum gh_sqlite_turn turn = choose(writer);
        struct gh_sqlite_wait *group = take_group(&writer->queues[turn], COUNTS_MAX[turn]);
        pthread_mutex_unlock(&writer->lock);
        if (turn == GH_SQLITE_SCRUB)
            run_scrub(&writer->connection, group);
        else
            run_group(&writer->connection, group);
        pthread_mutex_lock(&writer->lock);
        answer_group(group);
    }
    pthread_mutex_unlock(&writer->lock);
    return NULL;
}

/* ---- The port ---- */

enum gh_err gh_sqlite_writer_start(struct gh_sqlite_writer *writer, size_t waiting_max)
{
    sigset_t all, before;
    writer->waiting_max = waiting_max;
    for (unsigned i = 0; i < GH_SQLITE_TURN_COUNT; i++)
        writer->queues[i].end = &writer->queues[i].first;
    pthread_mutex_init(&writer->lock, NULL);
    pthread_cond_init(&writer->work, NULL);
    /* Signals are for the threads of the program that knows them. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int result = pthread_create(&writer->thread, NULL, write_until_closed, writer);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (result == 0)
        return GH_OK;
    pthread_cond_destroy(&writer->work);
    pthread_mutex_destroy(&writer->lock);
    return GH_ERR_MEMORY;
}

void gh_sqlite_writer_stop(struct gh_sqlite_writer *writer)
{
    pthread_mutex_lock(&writer->lock);
    writer->closing = true;
    pthread_cond_signal(&writer->work);
    pthread_mutex_unlock(&writer->lock);
    pthread_join(writer->thread, NULL);
    pthread_cond_destroy(&writer->work);
    pthread_mutex_destroy(&writer->lock);
}

static enum gh_err wait_for_answer(struct gh_sqlite_writer *writer, struct gh_sqlite_queue *queue,
                                   struct gh_sqlite_wait *wait)
{
    pthread_cond_init(&wait->answered, NULL);
    *queue->end = wait;
    queue->end = &wait->next;
    queue->waiting++;
    pthread_cond_signal(&writer->work);
    while (!wait->done)
        pthread_cond_wait(&wait->answered, &writer->lock);
    pthread_cond_destroy(&wait->answered);
    return wait->err;
}

enum gh_err gh_sqlite_writer_run(struct gh_sqlite_writer *writer, enum gh_sqlite_turn turn,
                                 gh_store_unit *unit, void *args, struct gh_arena *arena)
{
    struct gh_sqlite_wait wait = {.unit = unit, .args = args, .arena = arena, .err = GH_OK};
    struct gh_sqlite_queue *queue = &writer->queues[turn];
    pthread_mutex_lock(&writer->lock);
    enum gh_err err = GH_ERR_FULL;
    if (writer->closing)
        err = GH_ERR_CLOSED;
    else if (queue->waiting < writer->waiting_max)
        err = wait_for_answer(writer, queue, &wait);
    pthread_mutex_unlock(&writer->lock);
    return err;
}
