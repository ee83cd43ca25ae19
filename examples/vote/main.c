/* The voting service of examples/d-vote.yaml; README.md beside it says how to run it. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "listener.h"
#include "server.h"
#include "settings.h"
#include "store.h"

#define DRAIN_STEP_MS 10
/* How long nothing must have been in flight while connections are open: a request that is on its
   way on one is answered yet, and the answer says that there will be no next. */
#define QUIET_MS 200

static const char usage[] =
    "usage: vote             serve; settings come from environment variables (README.md)\n"
    "       vote install     make the tables and functions of schema.sql in PostgreSQL\n";

static int fail(const char *message)
{
    fprintf(stderr, "vote: %s\n", message);
    return 2;
}

/* The signals that end the service are waited for by main and blocked in every thread. */
static void block_signals(sigset_t *ending)
{
    sigemptyset(ending);
    sigaddset(ending, SIGTERM);
    sigaddset(ending, SIGINT);
    sigprocmask(SIG_BLOCK, ending, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* Until every request that has begun is answered, for as long as the settings say; a second signal
   ends it at once. True when nothing was cut off. */
static bool finish_requests(const struct server *server, int drain_seconds, const sigset_t *ending)
{
    const struct timespec step = {.tv_nsec = DRAIN_STEP_MS * 1000000L};
    long quiet_ms = 0;
    for (long ms = 0; ms < drain_seconds * 1000L; ms += DRAIN_STEP_MS) {
        quiet_ms = server_in_flight(server) == 0 ? quiet_ms + DRAIN_STEP_MS : 0;
        if (quiet_ms > QUIET_MS || server_connections(server) == 0)
            return true;
        if (sigtimedwait(ending, NULL, &step) > 0)
            break;
    }
    return server_in_flight(server) == 0;
}

static int serve_with(const struct settings *settings, const struct store *intake,
                      const struct store *tally)
{
    char message[256];
    sigset_t ending;
    block_signals(&ending);
    int listener = listener_open(settings->listen, message, sizeof(message));
    if (listener < 0)
        return fail(message);
    struct server *server = server_start(settings, listener, intake, tally);
    if (!server) {
        close(listener);
        return fail("can't start to serve");
    }
    listener_name(listener, message, sizeof(message));
    fprintf(stderr, "vote: serving on %s, %zu options, %s\n", message, settings->ballot.count,
            settings->has_redis ? "votes to a Redis stream"
                                : (settings->postgres_url ? "votes to PostgreSQL" : "SQLite"));
    while (sigwaitinfo(&ending, NULL) < 0 && errno == EINTR)
        ;
    server_drain(server);
    bool finished = finish_requests(server, settings->drain_seconds, &ending);
    server_stop(server);
    fprintf(stderr, "vote: ended%s\n", finished ? "" : "; requests under way were cut off");
    return finished ? 0 : 1;
}

static int serve(const struct settings *settings)
{
    char message[256];
    struct store tally, intake;
    bool opened = settings->postgres_url
                      ? store_postgres_open(settings, &tally, message, sizeof(message))
                      : store_sqlite_open(settings, &tally, message, sizeof(message));
    if (!opened)
        return fail(message);
    intake = tally;
    if (settings->has_redis && !store_redis_open(settings, &intake, message, sizeof(message))) {
        tally.calls->close(tally.self);
        return fail(message);
    }
    int status = serve_with(settings, &intake, &tally);
    if (intake.self != tally.self)
        intake.calls->close(intake.self);
    tally.calls->close(tally.self);
    return status;
}

static int install(const struct settings *settings)
{
    char message[512];
    if (!settings->postgres_url)
        return fail("install: DATABASE_URL is not postgresql://...");
    if (!store_postgres_install(settings, message, sizeof(message)))
        return fail(message);
    return 0;
}

int main(int argc, char **argv)
{
    struct settings settings;
    char message[256];
    bool installs = argc == 2 && strcmp(argv[1], "install") == 0;
    if (argc > 1 && !installs) {
        bool asked = argc == 2 && strcmp(argv[1], "--help") == 0;
        fputs(usage, asked ? stdout : stderr);
        return asked ? 0 : 2;
    }
    if (!settings_read(&settings, message, sizeof(message)))
        return fail(message);
    return installs ? install(&settings) : serve(&settings);
}
