/*
 * Active checks: every interval one GET of health.path on a connection of its own. 2xx and 3xx
 * pass. All of it runs on the prober's loop; workers see only the server's flags.
 *
 * A probe watches one server for as long as some group uses it. A check is one request; its memory
 * lives until its stream has closed, so a probe may go before its last check.
 */
#include "upstream/group.h"

#include <stdlib.h>

#include "base/assert.h"

#define CHECK_HEAD_BYTES_MAX (16 * 1024)
#define CHECK_INTERIM_MAX    8

struct gh_check {
    struct gh_stream stream; /* first */
    struct gh_probe *probe;  /* NULL: over */
    unsigned address, addresses_left;
    bool is_open;
    struct gh_arena arena;
    unsigned interim_count;
    size_t len, scanned;
    char head[CHECK_HEAD_BYTES_MAX];
};

struct gh_probe {
    struct gh_probe *next, **link;
    struct gh_upstream_groups *groups;
    struct gh_server *server; /* counted */
    struct gh_str request;    /* in the server's arena */
    struct gh_check *check;   /* NULL: between two */
    struct gh_timer timer;    /* to the next check, or its timeout */
    uint64_t fails, passes;   /* in a row */
};

static const struct gh_codec_limits limits = {
    .head_bytes_max = CHECK_HEAD_BYTES_MAX,
    .field_count_max = GH_UPSTREAM_FIELDS_MAX,
};

static void begin_check(struct gh_timer *timer);

static void close_check(struct gh_probe *probe)
{
    if (!probe->check)
        return;
    probe->check->probe = NULL;
    gh_stream_close(&probe->check->stream);
    probe->check = NULL;
}

static void probe_free(struct gh_probe *probe)
{
    close_check(probe);
    gh_timer_stop(probe->groups->prober_loop, &probe->timer);
    *probe->link = probe->next;
    if (probe->next)
        probe->next->link = probe->link;
    probe->server->probing = false;
    gh_server_unref(probe->server);
    free(probe);
}

/* ---- Results ---- */

static void note_pass(struct gh_probe *probe, unsigned address)
{
    struct gh_server *server = probe->server;
    probe->fails = 0;
    if (++probe->passes >= server->settings.health.passes)
        atomic_store_explicit(&server->probe_down, false, memory_order_relaxed);
    gh_server_note_open(server, address);
}

static void note_fail(struct gh_probe *probe)
{
    struct gh_server *server = probe->server;
    probe->passes = 0;
    if (++probe->fails >= server->settings.health.fails)
        atomic_store_explicit(&server->probe_down, true, memory_order_relaxed);
}

static void end_check(struct gh_probe *probe, bool passed)
{
    unsigned address = probe->check ? probe->check->address : 0;
    close_check(probe);
    if (passed)
        note_pass(probe, address);
    else
        note_fail(probe);
    gh_timer_start(probe->groups->prober_loop, &probe->timer,
                   probe->server->settings.health.interval_ms, begin_check);
}

static void on_timeout(struct gh_timer *timer)
{
    end_check((struct gh_probe *)((char *)timer - offsetof(struct gh_probe, timer)), false);
}

/* ---- One check ---- */

static void on_open(struct gh_stream *stream)
{
    struct gh_check *check = (struct gh_check *)stream;
    if (!check->probe)
        return;
    check->is_open = true;
    gh_stream_read_start(stream);
    gh_stream_write(stream, &check->probe->request, 1);
}

enum verdict { VERDICT_FAIL, VERDICT_MORE, VERDICT_PASS };

/* What the bytes so far say; an interim answer is taken out of them. */
static enum verdict judge(struct gh_check *check)
{
    while (check->len) {
        struct gh_response_head head = {0};
        struct gh_str bytes = gh_str_of(check->head, check->len);
        size_t head_len;
        enum gh_h1_scan_status status =
            gh_h1_scan_response_head(bytes, &check->scanned, &limits, &head_len);
        if (status != GH_H1_SCAN_DONE)
            return status == GH_H1_SCAN_MORE && check->len < sizeof check->head ? VERDICT_MORE
                                                                                : VERDICT_FAIL;
        if (!gh_h1_parse_response_head(gh_str_first(bytes, head_len), GH_METHOD_GET, &limits,
                                       &check->arena, &head))
            return VERDICT_FAIL;
        if (head.status >= 200)
            return head.status < 400 ? VERDICT_PASS : VERDICT_FAIL;
        if (head.status == 101 || ++check->interim_count > CHECK_INTERIM_MAX)
            return VERDICT_FAIL;
        memmove(check->head, check->head + head_len, check->len - head_len);
        check->len -= head_len;
        check->scanned = 0;
    }
    return VERDICT_MORE;
}

static void on_read(struct gh_stream *stream, struct gh_str bytes)
{
    struct gh_check *check = (struct gh_check *)stream;
    if (!check->probe)
        return;
    bytes = gh_str_first(bytes, sizeof check->head - check->len);
    memcpy(check->head + check->len, bytes.ptr, bytes.len);
    check->len += bytes.len;
    enum verdict verdict = judge(check);
    if (verdict != VERDICT_MORE)
        end_check(check->probe, verdict == VERDICT_PASS);
}

static void on_eof(struct gh_stream *stream)
{
    struct gh_check *check = (struct gh_check *)stream;
    if (check->probe)
        end_check(check->probe, false);
}

static void on_drain(struct gh_stream *stream)
{
    (void)stream;
}

static bool open_check(struct gh_probe *probe, unsigned address, unsigned addresses_left);

static void on_error(struct gh_stream *stream, enum gh_err err)
{
    struct gh_check *check = (struct gh_check *)stream;
    struct gh_probe *probe = check->probe;
    (void)err;
    if (!probe)
        return;
    bool is_open = check->is_open;
    unsigned address = check->address, addresses_left = check->addresses_left;
    close_check(probe);
    if (is_open || !open_check(probe, address + 1, addresses_left))
        end_check(probe, false);
}

static void on_closed(struct gh_stream *stream)
{
    struct gh_check *check = (struct gh_check *)stream;
    gh_arena_done(&check->arena);
    free(check);
}

static const struct gh_stream_events check_events = {
    .on_open = on_open,
    .on_read = on_read,
    .on_eof = on_eof,
    .on_drain = on_drain,
    .on_error = on_error,
    .on_closed = on_closed,
};

/* Connects to the first of the addresses left that has a socket for us. */
static bool open_check(struct gh_probe *probe, unsigned address, unsigned addresses_left)
{
    for (; addresses_left; addresses_left--, address++) {
        struct gh_check *check = calloc(1, sizeof *check);
        if (!check)
            return false;
        if (gh_server_connect(probe->server, address, &check->stream, probe->groups->prober_loop,
                              &check_events) == GH_OK) {
            gh_arena_init(&check->arena, 4096, 64 * 1024);
            check->probe = probe;
            check->address = address;
            check->addresses_left = addresses_left - 1;
            probe->check = check;
            return true;
        }
        free(check);
    }
    return false;
}

static void begin_check(struct gh_timer *timer)
{
    struct gh_probe *probe = (struct gh_probe *)((char *)timer - offsetof(struct gh_probe, timer));
    struct gh_server *server = probe->server;
    if (atomic_load(&server->group_count) == 0) {
        probe_free(probe);
        return;
    }
    unsigned address = atomic_load_explicit(&server->preferred, memory_order_relaxed);
    gh_timer_start(probe->groups->prober_loop, &probe->timer, server->settings.health.timeout_ms,
                   on_timeout);
    if (!open_check(probe, address, gh_server_address_count(server)))
        end_check(probe, false);
}

/* ---- Starting and ending ---- */

enum gh_err gh_probe_start(struct gh_upstream_groups *groups, struct gh_server *server)
{
    if (server->probing)
        return GH_OK;
    struct gh_probe *probe = calloc(1, sizeof *probe);
    if (!probe)
        return GH_ERR_MEMORY;
    const char *host = server->url.path.len ? "localhost" : server->url.text.ptr;
    probe->request = gh_arena_format(&server->arena,
                                     "GET %.*s HTTP/1.1\r\nHost: %s\r\n"
                                     "User-Agent: gatehouse/" GH_VERSION "\r\nAccept: */*\r\n"
                                     "Connection: close\r\n\r\n",
                                     GH_STR_ARG(server->settings.health.path), host);
    if (!probe->request.ptr) {
        free(probe);
        return GH_ERR_MEMORY;
    }
    gh_server_ref(server);
    server->probing = true;
    probe->groups = groups;
    probe->server = server;
    probe->next = groups->probes;
    probe->link = &groups->probes;
    if (probe->next)
        probe->next->link = &probe->next;
    groups->probes = probe;
    gh_timer_start(groups->prober_loop, &probe->timer, 0, begin_check);
    return GH_OK;
}

void gh_probes_close(struct gh_upstream_groups *groups)
{
    while (groups->probes)
        probe_free(groups->probes);
}
