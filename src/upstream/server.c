#include "upstream/server.h"

#include <netdb.h>
#include <sys/socket.h>

#include "base/assert.h"

static enum gh_err out_of_memory(struct gh_str *out_message)
{
    *out_message = GH_STR("out of memory");
    return GH_ERR_MEMORY;
}

static enum gh_err refuse(struct gh_str *out_message, struct gh_str message)
{
    if (!message.ptr)
        return out_of_memory(out_message);
    *out_message = message;
    return GH_ERR_INVALID;
}

static enum gh_err init_tls(struct gh_server *server, struct gh_arena *arena,
                            struct gh_str *out_message)
{
    struct gh_str message = GH_STR("can't set up TLS");
    const char *ca = server->settings.ca.len ? server->settings.ca.ptr : NULL;
    enum gh_err err =
        server->url.tls ? gh_tls_client_open(ca, arena, &server->tls, &message) : GH_OK;
    if (err)
        *out_message = message;
    return err;
}

static enum gh_err init_addresses(struct gh_server *server, struct gh_arena *arena,
                                  struct gh_str *out_message)
{
    if (server->url.path.len)
        return GH_OK;
    if (server->url.ip.family != GH_IP_NONE) {
        server->addresses[0] = server->url.ip;
        server->address_count = 1;
        return GH_OK;
    }
    int error = gh_server_resolve(server);
    if (!error)
        return GH_OK;
    return refuse(out_message,
                  gh_arena_format(arena, "upstream \"%.*s\": can't resolve \"%.*s\": %s",
                                  GH_STR_ARG(server->upstream_name), GH_STR_ARG(server->url.host),
                                  gai_strerror(error)));
}

enum gh_err gh_server_init(struct gh_server *server, struct gh_str upstream_name, struct gh_str url,
                           const struct gh_upstream_settings *settings, struct gh_arena *arena,
                           struct gh_str *out_message)
{
    *server = (struct gh_server){.settings.health = settings->health};
    gh_arena_init(&server->arena, 1024, 64 * 1024);
    pthread_mutex_init(&server->address_lock, NULL);
    const char *problem = gh_server_url_parse(url, &server->arena, &server->url);
    if (problem) {
        return refuse(out_message,
                      gh_arena_format(arena, "upstream \"%.*s\": server \"%.*s\": %s",
                                      GH_STR_ARG(upstream_name), GH_STR_ARG(url), problem));
    }
    server->upstream_name = gh_arena_dup(&server->arena, upstream_name);
    server->settings.ca = gh_arena_dup(&server->arena, settings->ca);
    server->settings.health.path = gh_arena_dup(&server->arena, settings->health.path);
    if (!server->upstream_name.ptr || !server->settings.ca.ptr || !server->settings.health.path.ptr)
        return out_of_memory(out_message);
    enum gh_err err = init_tls(server, arena, out_message);
    return err ? err : init_addresses(server, arena, out_message);
}

void gh_server_done(struct gh_server *server)
{
    if (server->tls)
        gh_tls_client_unref(server->tls);
    pthread_mutex_destroy(&server->address_lock);
    gh_arena_done(&server->arena);
}

/* ---- Addresses ---- */

static unsigned read_addresses(const struct addrinfo *found, struct gh_ip *addresses)
{
    unsigned count = 0;
    for (; found && count < GH_SERVER_ADDRESSES_MAX; found = found->ai_next) {
        uint16_t port;
        struct gh_ip ip = gh_ip_from_sockaddr(found->ai_addr, &port);
        if (ip.family != GH_IP_NONE)
            addresses[count++] = ip;
    }
    return count;
}

int gh_server_resolve(struct gh_server *server)
{
    /* Not AI_ADDRCONFIG: it leaves out loopback on a host that has no other interface. */
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    struct gh_ip addresses[GH_SERVER_ADDRESSES_MAX];
    memset(addresses, 0, sizeof addresses);
    int error = getaddrinfo(server->url.host.ptr, NULL, &hints, &found);
    if (error)
        return error;
    unsigned count = read_addresses(found, addresses);
    freeaddrinfo(found);
    if (!count)
        return EAI_NONAME;
    pthread_mutex_lock(&server->address_lock);
    if (count != server->address_count ||
        memcmp(addresses, server->addresses, sizeof addresses) != 0) {
        memcpy(server->addresses, addresses, sizeof addresses);
        server->address_count = count;
        atomic_store_explicit(&server->preferred, 0, memory_order_relaxed);
    }
    pthread_mutex_unlock(&server->address_lock);
    return 0;
}

unsigned gh_server_address_count(struct gh_server *server)
{
    if (server->url.path.len)
        return 1;
    pthread_mutex_lock(&server->address_lock);
    unsigned count = server->address_count;
    pthread_mutex_unlock(&server->address_lock);
    return count;
}

enum gh_err gh_server_connect(struct gh_server *server, unsigned address, struct gh_stream *stream,
                              struct gh_loop *loop, const struct gh_stream_events *events)
{
    struct gh_ip ip = {.family = GH_IP_NONE};
    if (server->url.path.len)
        return gh_stream_connect(stream, loop, events, &ip, 0, server->url.path.ptr, NULL, NULL);
    pthread_mutex_lock(&server->address_lock);
    GH_ASSERT(server->address_count > 0);
    ip = server->addresses[address % server->address_count];
    pthread_mutex_unlock(&server->address_lock);
    return gh_stream_connect(stream, loop, events, &ip, server->url.port, NULL, server->tls,
                             server->url.host.ptr);
}

/* ---- Up or down ---- */

enum gh_server_state gh_server_state(const struct gh_server *server, uint64_t now_ms)
{
    if (atomic_load_explicit(&server->probe_down, memory_order_relaxed))
        return GH_SERVER_DOWN;
    uint64_t until = atomic_load_explicit(&server->down_until_ms, memory_order_relaxed);
    if (!until)
        return GH_SERVER_UP;
    return now_ms >= until ? GH_SERVER_TRIAL : GH_SERVER_DOWN;
}

bool gh_server_claim_trial(struct gh_server *server, uint64_t now_ms)
{
    uint64_t until = atomic_load_explicit(&server->down_until_ms, memory_order_relaxed);
    if (!until || now_ms < until)
        return false;
    /* Pushed out by another back-off, so that a trial that never ends does not block the next. */
    uint64_t next = now_ms + atomic_load_explicit(&server->backoff_ms, memory_order_relaxed);
    return atomic_compare_exchange_strong(&server->down_until_ms, &until, next);
}

void gh_server_note_open(struct gh_server *server, unsigned address)
{
    /* Looked at before they are written: the line stays shared between workers when all is well. */
    if (atomic_load_explicit(&server->preferred, memory_order_relaxed) != address)
        atomic_store_explicit(&server->preferred, address, memory_order_relaxed);
    if (atomic_load_explicit(&server->failures, memory_order_relaxed))
        atomic_store_explicit(&server->failures, 0, memory_order_relaxed);
    if (atomic_load_explicit(&server->down_until_ms, memory_order_relaxed))
        atomic_store_explicit(&server->down_until_ms, 0, memory_order_relaxed);
}

void gh_server_note_failure(struct gh_server *server, uint64_t now_ms, bool was_trial)
{
    unsigned failures = atomic_fetch_add_explicit(&server->failures, 1, memory_order_relaxed) + 1;
    bool is_down = atomic_load_explicit(&server->down_until_ms, memory_order_relaxed) != 0;
    unsigned backoff_ms = GH_SERVER_BACKOFF_MS_MIN;
    if (was_trial && is_down) {
        backoff_ms = 2 * atomic_load_explicit(&server->backoff_ms, memory_order_relaxed);
        if (backoff_ms > GH_SERVER_BACKOFF_MS_MAX)
            backoff_ms = GH_SERVER_BACKOFF_MS_MAX;
    } else if (is_down || failures < GH_SERVER_FAILURES_MAX) {
        /* Requests that were under way when it went down say nothing new. */
        return;
    }
    atomic_store_explicit(&server->backoff_ms, backoff_ms, memory_order_relaxed);
    atomic_store_explicit(&server->down_until_ms, now_ms + backoff_ms, memory_order_relaxed);
}
