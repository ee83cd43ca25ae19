#include "app/loader.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "app/config_file.h"
#include "app/evidence_files.h"
#include "app/input_documents.h"
#include "app/problem_print.h"

/* What is offered by ALPN, in the order of our liking (RFC 7301, RFC 9113 section 3.2). */
#define ALPN_HTTP1 GH_STR("\x08http/1.1")
#define ALPN_HTTP2 GH_STR("\x02h2\x08http/1.1")

static bool read_settings(const struct gh_source *source, struct gh_loaded *loaded)
{
    struct gh_arena *arena = &loaded->snapshot->arena;
    if (!source->file)
        return gh_root_load_upstream(&loaded->load, source->upstream, source->listen,
                                     &loaded->settings);
    struct gh_str text;
    const char *why;
    if (!gh_config_file_read(source->file, arena, &text, &why)) {
        loaded->message = gh_arena_format(arena, "%s: %s", source->file, why);
        return false;
    }
    return gh_root_load(&loaded->load, text, source->listen, &loaded->settings);
}

/* Calls of identity, and the thread of the audit log, read their settings through the snapshot. */
static bool keep_identity(struct gh_loaded *loaded)
{
    if (!loaded->settings.identity.enabled)
        return true;
    struct gh_arena *arena = &loaded->snapshot->arena;
    struct gh_identity_settings *copy = gh_arena_zalloc(arena, 1, sizeof(*copy));
    struct gh_audit_settings *audit = gh_arena_zalloc(arena, 1, sizeof(*audit));
    loaded->message = GH_STR("out of memory");
    if (!copy || !audit)
        return false;
    *copy = loaded->settings.identity;
    *audit = loaded->settings.audit;
    loaded->snapshot->identity = copy;
    loaded->snapshot->audit = audit;
    loaded->snapshot->plain_cookies = copy->plain_cookies;
    return true;
}

bool gh_loader_read(const struct gh_source *source, struct gh_loaded *loaded)
{
    *loaded = (struct gh_loaded){.snapshot = gh_snapshot_new()};
    if (!loaded->snapshot) {
        loaded->message = GH_STR("out of memory");
        return false;
    }
    gh_config_load_init(&loaded->load, &loaded->snapshot->arena,
                        source->file ? source->file : "--upstream", gh_environment_get, NULL);
    if (!read_settings(source, loaded))
        return false;
    gh_input_documents_load(&loaded->load, &loaded->settings);
    loaded->snapshot->evidence = gh_evidence_files_make(&loaded->load, &loaded->settings);
    loaded->snapshot->policy =
        gh_root_compile(&loaded->load, &loaded->settings, (int64_t)time(NULL));
    loaded->snapshot->log_client = loaded->settings.log.client;
    return loaded->snapshot->policy != NULL && keep_identity(loaded);
}

/* ---- Opening ---- */

/* Puts the line of `field` before the message, as `gatehouse check` does. */
static void say_where(struct gh_loaded *loaded, const void *field)
{
    struct gh_config_place place = gh_config_where(&loaded->load, field);
    if (place.line)
        loaded->message =
            gh_arena_format(&loaded->snapshot->arena, "%s:%u:%u: %.*s", loaded->load.file_name,
                            place.line, place.column, GH_STR_ARG(loaded->message));
}

static struct gh_tls_server *ticket_sharer(const struct gh_loaded *loaded,
                                           const struct gh_snapshot *old)
{
    const struct gh_snapshot *snapshots[] = {loaded->snapshot, old};
    for (size_t s = 0; s < 2; s++) {
        for (size_t i = 0; snapshots[s] && i < snapshots[s]->listen_count; i++) {
            if (snapshots[s]->listens[i].tls)
                return snapshots[s]->listens[i].tls;
        }
    }
    return NULL;
}

static bool open_tls(struct gh_loaded *loaded, const struct gh_listener_settings *settings,
                     struct gh_tls_keys *keys, const struct gh_snapshot *old,
                     struct gh_tls_server **out_server)
{
    struct gh_arena *arena = &loaded->snapshot->arena;
    const struct gh_tls_pair_settings *from = settings->tls.items;
    struct gh_tls_pair *pairs = gh_arena_zalloc(arena, settings->tls.count, sizeof(*pairs));
    loaded->message = GH_STR("out of memory");
    if (!pairs)
        return false;
    for (size_t i = 0; i < settings->tls.count; i++)
        pairs[i] = (struct gh_tls_pair){from[i].certificate.ptr, from[i].key.ptr};
    if (gh_tls_server_open(pairs, settings->tls.count, settings->http2 ? ALPN_HTTP2 : ALPN_HTTP1,
                           keys, arena, out_server, &loaded->message) != GH_OK) {
        say_where(loaded, &settings->tls);
        return false;
    }
    struct gh_tls_server *sharer = ticket_sharer(loaded, old);
    if (sharer && sharer != *out_server)
        gh_tls_server_share_tickets(*out_server, sharer);
    return true;
}

static bool parse_address(struct gh_loaded *loaded, struct gh_str text,
                          struct gh_listen_settings *listen)
{
    struct gh_arena *arena = &loaded->snapshot->arena;
    listen->text = text;
    if (gh_listen_address_parse(text, arena, &listen->address))
        return true;
    loaded->message = gh_arena_format(arena, "%.*s is no address to listen on", GH_STR_ARG(text));
    return false;
}

static bool open_listens(struct gh_loaded *loaded, struct gh_tls_keys *keys,
                         const struct gh_snapshot *old)
{
    struct gh_snapshot *snapshot = loaded->snapshot;
    const struct gh_root_settings *settings = &loaded->settings;
    const struct gh_listener_settings *listeners = settings->listeners.items;
    size_t count = settings->listeners.count + (settings->admin_listen.len ? 1 : 0);
    struct gh_listen_settings *listens = gh_arena_zalloc(&snapshot->arena, count, sizeof(*listens));
    if (!listens) {
        loaded->message = GH_STR("out of memory");
        return false;
    }
    snapshot->listens = listens;
    for (size_t i = 0; i < settings->listeners.count; i++) {
        struct gh_listen_settings *listen = &listens[i];
        if (!parse_address(loaded, listeners[i].address, listen))
            return false;
        listen->proxy_protocol = listeners[i].proxy_protocol;
        listen->refuse_plain = listeners[i].plain == GH_PLAIN_REFUSE;
        listen->h2c = listeners[i].h2c;
        if (listeners[i].tls.count && !open_tls(loaded, &listeners[i], keys, old, &listen->tls))
            return false;
        snapshot->listen_count = i + 1;
    }
    if (settings->admin_listen.len) {
        struct gh_listen_settings *listen = &listens[count - 1];
        if (!parse_address(loaded, settings->admin_listen, listen))
            return false;
        listen->admin = true;
        snapshot->listen_count = count;
    }
    return true;
}

static bool open_groups(struct gh_loaded *loaded, struct gh_upstream_groups *groups)
{
    struct gh_snapshot *snapshot = loaded->snapshot;
    const struct gh_config_map *upstreams = &loaded->settings.upstreams;
    const struct gh_upstream_settings *settings = upstreams->items;
    snapshot->groups =
        gh_arena_zalloc(&snapshot->arena, upstreams->count, sizeof(*snapshot->groups));
    if (!snapshot->groups) {
        loaded->message = GH_STR("out of memory");
        return false;
    }
    for (size_t i = 0; i < upstreams->count; i++) {
        if (gh_upstream_group_get(groups, upstreams->keys[i], &settings[i], &snapshot->arena,
                                  &snapshot->groups[i], &loaded->message) != GH_OK) {
            say_where(loaded, settings[i].ca.len ? (const void *)&settings[i].ca
                                                 : (const void *)&settings[i].servers);
            return false;
        }
        snapshot->group_count = i + 1;
    }
    return true;
}

/* A mail server's URL holds a password, so it is a reference. */
static bool resolve_mail(struct gh_loaded *loaded)
{
    if (!loaded->snapshot->identity || !loaded->settings.identity.mail.smtp.len)
        return true;
    const struct gh_secret_source source = {gh_environment_get, NULL};
    struct gh_arena *arena = &loaded->snapshot->arena;
    struct gh_identity_settings *own = gh_arena_zalloc(arena, 1, sizeof(*own));
    struct gh_str reference = loaded->settings.identity.mail.smtp;
    loaded->message = GH_STR("out of memory");
    if (!own)
        return false;
    *own = *loaded->snapshot->identity;
    loaded->message =
        gh_arena_format(arena, "identity.mail.smtp: %.*s is not set", GH_STR_ARG(reference));
    if (gh_secret_resolve(arena, &source, reference, &own->mail.smtp) != GH_OK)
        return false;
    loaded->snapshot->identity = own;
    return true;
}

bool gh_loader_open(struct gh_loaded *loaded, struct gh_upstream_groups *groups,
                    struct gh_tls_keys *keys, const struct gh_snapshot *old)
{
    return resolve_mail(loaded) && open_listens(loaded, keys, old) && open_groups(loaded, groups);
}

void gh_loader_warn_of_reloads(const struct gh_source *source, struct gh_log_ring *ring)
{
    if (source->file && access(source->file, R_OK) != 0)
        gh_log_message(ring, GH_LOG_WARNING,
                       "%s can't be read again (%s): every reload will be refused until it can",
                       source->file, strerror(errno));
}

void gh_loader_forget(struct gh_loaded *loaded)
{
    if (loaded->snapshot)
        gh_snapshot_unref(loaded->snapshot);
    loaded->snapshot = NULL;
}

void gh_loader_print_problems(struct gh_loaded *loaded, FILE *out)
{
    gh_problems_print(out, &loaded->load, gh_colour_wanted(out));
}
