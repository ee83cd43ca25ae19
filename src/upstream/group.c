#include "upstream/group.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/assert.h"

enum gh_err gh_upstream_groups_open(struct gh_loop *prober_loop, struct gh_metrics *metrics,
                                    struct gh_upstream_groups **out_groups)
{
    struct gh_upstream_groups *groups = calloc(1, sizeof *groups);
    if (!groups)
        return GH_ERR_MEMORY;
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&groups->closing, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&groups->lock, NULL);
    groups->prober_loop = prober_loop;
    groups->refs = 1;
    if (metrics)
        gh_metrics_add_source(metrics, gh_upstream_groups_write_metrics, groups);
    *out_groups = groups;
    return GH_OK;
}

void gh_upstream_groups_unref(struct gh_upstream_groups *groups)
{
    pthread_mutex_lock(&groups->lock);
    bool is_last = --groups->refs == 0;
    pthread_mutex_unlock(&groups->lock);
    if (!is_last)
        return;
    pthread_cond_destroy(&groups->closing);
    pthread_mutex_destroy(&groups->lock);
    free(groups);
}

void gh_upstream_groups_close(struct gh_upstream_groups *groups)
{
    if (!groups)
        return;
    gh_probes_close(groups);
    pthread_mutex_lock(&groups->lock);
    groups->closed = true;
    pthread_cond_signal(&groups->closing);
    pthread_mutex_unlock(&groups->lock);
    gh_upstream_groups_unref(groups);
}

/* ---- Servers ---- */

void gh_server_ref(struct gh_server *server)
{
    pthread_mutex_lock(&server->groups->lock);
    server->refs++;
    pthread_mutex_unlock(&server->groups->lock);
}

void gh_server_unref(struct gh_server *server)
{
    struct gh_upstream_groups *groups = server->groups;
    pthread_mutex_lock(&groups->lock);
    bool is_last = --server->refs == 0;
    if (is_last)
        groups->servers[server->slot] = NULL;
    pthread_mutex_unlock(&groups->lock);
    if (!is_last)
        return;
    gh_server_done(server);
    free(server);
    gh_upstream_groups_unref(groups);
}

static bool is_same_health(const struct gh_upstream_settings *a,
                           const struct gh_upstream_settings *b)
{
    return gh_str_eq(a->health.path, b->health.path) &&
           a->health.interval_ms == b->health.interval_ms &&
           a->health.timeout_ms == b->health.timeout_ms && a->health.fails == b->health.fails &&
           a->health.passes == b->health.passes;
}

/* A reference to the server when it is known already, or NULL. */
static struct gh_server *find_server(struct gh_upstream_groups *groups, const struct gh_server *new)
{
    struct gh_server *found = NULL;
    pthread_mutex_lock(&groups->lock);
    for (size_t i = 0; i < GH_UPSTREAM_ALL_SERVERS_MAX && !found; i++) {
        struct gh_server *server = groups->servers[i];
        if (server &&
            server->url.tls == new->url.tls &&gh_str_eq(server->url.text, new->url.text) &&
            gh_str_eq(server->upstream_name, new->upstream_name) &&
            gh_str_eq(server->settings.ca, new->settings.ca) &&
            is_same_health(&server->settings, &new->settings)) {
            server->refs++;
            found = server;
        }
    }
    pthread_mutex_unlock(&groups->lock);
    return found;
}

/* Gives the server a slot and counts it once, for the caller. */
static bool add_server(struct gh_upstream_groups *groups, struct gh_server *server)
{
    size_t slot = 0;
    pthread_mutex_lock(&groups->lock);
    while (slot < GH_UPSTREAM_ALL_SERVERS_MAX && groups->servers[slot])
        slot++;
    bool has_room = slot < GH_UPSTREAM_ALL_SERVERS_MAX;
    if (has_room) {
        groups->servers[slot] = server;
        groups->refs++;
        server->groups = groups;
        server->slot = (unsigned)slot;
        server->refs = 1;
    }
    pthread_mutex_unlock(&groups->lock);
    return has_room;
}

static enum gh_err get_server(struct gh_upstream_groups *groups, struct gh_str name,
                              struct gh_str url, const struct gh_upstream_settings *settings,
                              struct gh_arena *arena, struct gh_server **out_server,
                              struct gh_str *out_message)
{
    struct gh_server *server = calloc(1, sizeof *server);
    if (!server)
        return GH_ERR_MEMORY;
    enum gh_err err = gh_server_init(server, name, url, settings, arena, out_message);
    struct gh_server *found = err ? NULL : find_server(groups, server);
    if (!err && !found && !add_server(groups, server)) {
        *out_message = GH_STR("too many servers over all upstreams");
        err = GH_ERR_FULL;
    }
    if (err || found) {
        gh_server_done(server);
        free(server);
    }
    if (!err)
        *out_server = found ? found : server;
    return err;
}

static enum gh_err start_services(struct gh_upstream_groups *groups, struct gh_server *server)
{
    bool is_name = !server->url.path.len && server->url.ip.family == GH_IP_NONE;
    enum gh_err err = is_name ? gh_resolver_start(groups) : GH_OK;
    return !err && server->settings.health.path.len ? gh_probe_start(groups, server) : err;
}

/* ---- Groups ---- */

static bool has_servers(const struct gh_upstream_group *group,
                        const struct gh_upstream_settings *settings)
{
    const struct gh_config_list *servers = &group->settings.servers;
    if (servers->count != settings->servers.count)
        return false;
    for (size_t i = 0; i < servers->count; i++) {
        if (!gh_str_eq(((const struct gh_str *)servers->items)[i],
                       ((const struct gh_str *)settings->servers.items)[i]))
            return false;
    }
    return true;
}

static bool is_same_group(const struct gh_upstream_group *group, struct gh_str name,
                          const struct gh_upstream_settings *settings)
{
    const struct gh_upstream_settings *own = &group->settings;
    return gh_str_eq(group->name, name) && own->balance == settings->balance &&
           own->timeouts.connect_ms == settings->timeouts.connect_ms &&
           own->timeouts.response_ms == settings->timeouts.response_ms &&
           own->timeouts.idle_ms == settings->timeouts.idle_ms &&
           own->connections_max == settings->connections_max && gh_str_eq(own->ca, settings->ca) &&
           is_same_health(own, settings) && has_servers(group, settings);
}

static struct gh_upstream_group *find_group(struct gh_upstream_groups *groups, struct gh_str name,
                                            const struct gh_upstream_settings *settings)
{
    pthread_mutex_lock(&groups->lock);
    struct gh_upstream_group *group = groups->list;
    while (group && !is_same_group(group, name, settings))
        group = group->next;
    if (group)
        group->refs++;
    pthread_mutex_unlock(&groups->lock);
    return group;
}

static bool copy_settings(struct gh_upstream_group *group, struct gh_str name,
                          const struct gh_upstream_settings *settings)
{
    struct gh_arena *arena = &group->arena;
    struct gh_str *urls = gh_arena_zalloc(arena, settings->servers.count, sizeof *urls);
    group->settings = *settings;
    group->settings.servers.items = urls;
    group->name = gh_arena_dup(arena, name);
    group->settings.ca = gh_arena_dup(arena, settings->ca);
    group->settings.health.path = gh_arena_dup(arena, settings->health.path);
    for (size_t i = 0; urls && i < settings->servers.count; i++) {
        urls[i] = gh_arena_dup(arena, ((const struct gh_str *)settings->servers.items)[i]);
        if (!urls[i].ptr)
            return false;
    }
    return urls && group->name.ptr && group->settings.ca.ptr && group->settings.health.path.ptr;
}

static void group_free(struct gh_upstream_group *group)
{
    for (size_t i = 0; i < group->server_count; i++) {
        atomic_fetch_sub(&group->servers[i]->group_count, 1);
        gh_server_unref(group->servers[i]);
    }
    gh_arena_done(&group->arena);
    free(group);
}

static enum gh_err take_servers(struct gh_upstream_groups *groups, struct gh_upstream_group *group,
                                struct gh_arena *arena, struct gh_str *out_message)
{
    const struct gh_str *urls = group->settings.servers.items;
    enum gh_err err = GH_OK;
    for (size_t i = 0; !err && i < group->settings.servers.count; i++) {
        struct gh_server *server;
        err =
            get_server(groups, group->name, urls[i], &group->settings, arena, &server, out_message);
        if (err)
            break;
        atomic_fetch_add(&server->group_count, 1);
        group->servers[group->server_count++] = server;
        err = start_services(groups, server);
    }
    return err;
}

/* What the table of settings can't say. */
static const char *settings_problem(const struct gh_upstream_settings *settings)
{
    struct gh_str path = settings->health.path;
    if (!settings->servers.count)
        return "no servers";
    if (settings->servers.count > GH_UPSTREAM_SERVERS_MAX)
        return "more than 64 servers";
    if (path.len && path.ptr[0] != '/')
        return "health.path must begin with \"/\"";
    for (size_t i = 0; i < path.len; i++) {
        if ((unsigned char)path.ptr[i] <= ' ' || (unsigned char)path.ptr[i] >= 0x7f)
            return "health.path holds a byte that can't stand in a request";
    }
    return NULL;
}

static void list_group(struct gh_upstream_groups *groups, struct gh_upstream_group *group)
{
    pthread_mutex_lock(&groups->lock);
    group->groups = groups;
    group->refs = 1;
    group->next = groups->list;
    groups->list = group;
    groups->refs++;
    pthread_mutex_unlock(&groups->lock);
}

static enum gh_err make_group(struct gh_upstream_groups *groups, struct gh_str name,
                              const struct gh_upstream_settings *settings, struct gh_arena *arena,
                              struct gh_upstream_group **out_group, struct gh_str *out_message)
{
    struct gh_upstream_group *group = calloc(1, sizeof *group);
    if (!group)
        return GH_ERR_MEMORY;
    gh_arena_init(&group->arena, 1024, 1024 * 1024);
    enum gh_err err = copy_settings(group, name, settings) ? GH_OK : GH_ERR_MEMORY;
    if (!err)
        err = take_servers(groups, group, arena, out_message);
    if (err) {
        group_free(group);
        return err;
    }
    list_group(groups, group);
    *out_group = group;
    return GH_OK;
}

enum gh_err gh_upstream_group_get(struct gh_upstream_groups *groups, struct gh_str name,
                                  const struct gh_upstream_settings *settings,
                                  struct gh_arena *arena, struct gh_upstream_group **out_group,
                                  struct gh_str *out_message)
{
    const char *problem = settings_problem(settings);
    if (problem) {
        *out_message = gh_arena_format(arena, "upstream \"%.*s\": %s", GH_STR_ARG(name), problem);
        return GH_ERR_INVALID;
    }
    struct gh_upstream_group *group = find_group(groups, name, settings);
    if (group) {
        *out_group = group;
        return GH_OK;
    }
    *out_message = GH_STR("out of memory");
    return make_group(groups, name, settings, arena, out_group, out_message);
}

void gh_upstream_group_unref(struct gh_upstream_group *group)
{
    if (!group)
        return;
    struct gh_upstream_groups *groups = group->groups;
    pthread_mutex_lock(&groups->lock);
    bool is_last = --group->refs == 0;
    for (struct gh_upstream_group **at = &groups->list; is_last && *at; at = &(*at)->next) {
        if (*at == group) {
            *at = group->next;
            break;
        }
    }
    pthread_mutex_unlock(&groups->lock);
    if (!is_last)
        return;
    group_free(group);
    gh_upstream_groups_unref(groups);
}

static bool is_up(const struct gh_server *server)
{
    return !atomic_load_explicit(&server->probe_down, memory_order_relaxed) &&
           !atomic_load_explicit(&server->down_until_ms, memory_order_relaxed);
}

bool gh_upstream_group_is_up(const struct gh_upstream_group *group)
{
    for (size_t i = 0; i < group->server_count; i++) {
        if (is_up(group->servers[i]))
            return true;
    }
    return false;
}

/* ---- Metrics ---- */

static void write_label(FILE *out, struct gh_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '"' || text.ptr[i] == '\\')
            fputc('\\', out);
        fputc(text.ptr[i] == '\n' ? ' ' : text.ptr[i], out);
    }
}

static bool was_written(const struct gh_upstream_groups *groups, size_t slot)
{
    const struct gh_server *server = groups->servers[slot];
    for (size_t i = 0; i < slot; i++) {
        const struct gh_server *other = groups->servers[i];
        if (other && atomic_load(&other->group_count) &&
            gh_str_eq(other->upstream_name, server->upstream_name) &&
            gh_str_eq(other->url.text, server->url.text))
            return true;
    }
    return false;
}

void gh_upstream_groups_write_metrics(void *context, FILE *out)
{
    struct gh_upstream_groups *groups = context;
    fputs("# HELP gatehouse_upstream_server_up 1: not known to be down.\n"
          "# TYPE gatehouse_upstream_server_up gauge\n",
          out);
    pthread_mutex_lock(&groups->lock);
    for (size_t i = 0; i < GH_UPSTREAM_ALL_SERVERS_MAX; i++) {
        const struct gh_server *server = groups->servers[i];
        /* During a reload one server may stand here twice, under old and new settings. */
        if (!server || !atomic_load(&server->group_count) || was_written(groups, i))
            continue;
        fputs("gatehouse_upstream_server_up{upstream=\"", out);
        write_label(out, server->upstream_name);
        fputs("\",server=\"", out);
        write_label(out, server->url.text);
        fprintf(out, "\"} %d\n", is_up(server) ? 1 : 0);
    }
    pthread_mutex_unlock(&groups->lock);
}
