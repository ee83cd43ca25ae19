#include "store/postgres_relay_fixture.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/assert.h"

#define BUFFER_BYTES    65536
#define CONNECTIONS_MAX 32
#define TURN_MS         50

struct pair {
    int client, server; /* client -1: free */
};

static struct sockaddr_un address_of(const struct gh_postgres_relay *relay, unsigned port)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/.s.PGSQL.%u", relay->directory, port);
    return address;
}

static void cut(struct pair *pair)
{
    close(pair->client);
    close(pair->server);
    pair->client = pair->server = -1;
}

static void accept_one(const struct gh_postgres_relay *relay, struct pair *pair)
{
    struct sockaddr_un address = address_of(relay, 5432);
    pair->client = accept(relay->listener, NULL, NULL);
    pair->server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    GH_ASSERT(pair->client >= 0 && pair->server >= 0);
    if (atomic_load(&relay->is_off) ||
        connect(pair->server, (const struct sockaddr *)&address, sizeof(address)) != 0)
        cut(pair);
}

/* What is sent is small beside the buffers of the sockets. */
static void pass(struct pair *pair, int from, int to)
{
    char buffer[BUFFER_BYTES];
    ssize_t count = recv(from, buffer, sizeof(buffer), 0);
    if (count <= 0 || send(to, buffer, (size_t)count, MSG_NOSIGNAL) != count)
        cut(pair);
}

/* The sealer leaves no id. */
static bool is_commit_of_unit(struct gh_str sent)
{
    return gh_str_find(sent, GH_STR("UNIT_KEEP")) < sent.len &&
           gh_str_find(sent, GH_STR("COMMIT")) < sent.len;
}

static void pass_question(struct gh_postgres_relay *relay, struct pair *pair)
{
    char buffer[BUFFER_BYTES];
    ssize_t count = recv(pair->client, buffer, sizeof(buffer), 0);
    if (count <= 0) {
        cut(pair);
        return;
    }
    bool is_set_up = gh_str_find(gh_str_of(buffer, (size_t)count),
                                 GH_STR("SET statement_timeout")) < (size_t)count;
    if (is_set_up && atomic_load(&relay->cut) == GH_RELAY_MUTE)
        return;
    int how = GH_RELAY_WHOLE;
    if (is_commit_of_unit(gh_str_of(buffer, (size_t)count)))
        how = atomic_exchange(&relay->cut, GH_RELAY_WHOLE);
    atomic_fetch_or(&relay->is_off, how == GH_RELAY_CUT_OFF);
    if (how != GH_RELAY_CUT_QUESTION && how != GH_RELAY_CUT_OFF)
        GH_ASSERT(send(pair->server, buffer, (size_t)count, MSG_NOSIGNAL) == count);
    if (how == GH_RELAY_CUT_ANSWER) /* comes when it has committed */
        GH_ASSERT(recv(pair->server, buffer, sizeof(buffer), 0) > 0);
    if (how != GH_RELAY_WHOLE)
        cut(pair);
}

static void turn(struct gh_postgres_relay *relay, struct pair *pairs)
{
    struct pollfd watched[1 + 2 * CONNECTIONS_MAX] = {{.fd = relay->listener, .events = POLLIN}};
    for (int i = 0; i < CONNECTIONS_MAX; i++) {
        watched[1 + 2 * i] = (struct pollfd){.fd = pairs[i].client, .events = POLLIN};
        watched[2 + 2 * i] = (struct pollfd){.fd = pairs[i].server, .events = POLLIN};
    }
    if (poll(watched, 1 + 2 * CONNECTIONS_MAX, TURN_MS) <= 0)
        return;
    for (int i = 0; i < CONNECTIONS_MAX; i++) {
        if (watched[1 + 2 * i].revents)
            pass_question(relay, &pairs[i]);
        if (watched[2 + 2 * i].revents && pairs[i].client >= 0)
            pass(&pairs[i], pairs[i].server, pairs[i].client);
    }
    for (int i = 0; watched[0].revents && i < CONNECTIONS_MAX; i++)
        if (pairs[i].client < 0) {
            accept_one(relay, &pairs[i]);
            break;
        }
}

static void *relay_main(void *argument)
{
    struct gh_postgres_relay *relay = argument;
    struct pair pairs[CONNECTIONS_MAX];
    for (int i = 0; i < CONNECTIONS_MAX; i++)
        pairs[i] = (struct pair){-1, -1};
    while (!atomic_load(&relay->stops))
        turn(relay, pairs);
    for (int i = 0; i < CONNECTIONS_MAX; i++)
        if (pairs[i].client >= 0)
            cut(&pairs[i]);
    return NULL;
}

void gh_postgres_relay_start(struct gh_postgres_relay *relay,
                             const struct gh_postgres_fixture *fixture)
{
    *relay = (struct gh_postgres_relay){.cut = GH_RELAY_WHOLE};
    snprintf(relay->directory, sizeof(relay->directory), "%s", fixture->directory);
    snprintf(relay->url, sizeof(relay->url), "%s&port=5433", fixture->url);
    struct sockaddr_un address = address_of(relay, 5433);
    relay->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    GH_ASSERT(relay->listener >= 0);
    GH_ASSERT(bind(relay->listener, (const struct sockaddr *)&address, sizeof(address)) == 0);
    GH_ASSERT(listen(relay->listener, CONNECTIONS_MAX) == 0);
    GH_ASSERT(pthread_create(&relay->thread, NULL, relay_main, relay) == 0);
}

void gh_postgres_relay_stop(struct gh_postgres_relay *relay)
{
    struct sockaddr_un address = address_of(relay, 5433);
    atomic_store(&relay->stops, true);
    pthread_join(relay->thread, NULL);
    close(relay->listener);
    unlink(address.sun_path);
}
