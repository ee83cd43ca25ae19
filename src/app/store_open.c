#include "app/store_open.h"

#include <stdlib.h>

#include "app/config_file.h"
#include "app/secrets.h"
#include "app/store_url.h"
#include "store/memory.h"
#include "store/postgres.h"
#include "store/sqlite.h"

#define URL_BYTES_MAX 16384

static const struct gh_str SQLITE = GH_STR_INIT("sqlite:");
static const struct gh_str MEMORY = GH_STR_INIT("memory:");
static const struct gh_str POSTGRESQL = GH_STR_INIT("postgresql://");
static const struct gh_str POSTGRES = GH_STR_INIT("postgres://");

static bool is_postgresql(struct gh_str setting)
{
    return gh_str_starts_with(setting, POSTGRESQL) || gh_str_starts_with(setting, POSTGRES);
}

static enum gh_err resolve(struct gh_arena *arena, struct gh_str setting, struct gh_str *out_store)
{
    const struct gh_secret_source source = {.getenv = gh_environment_get};
    return gh_secret_resolve(arena, &source, setting, out_store);
}

/* ---- Checking ---- */

/* What stands in guides and images, or what anyone would try first. */
static bool is_default_password(const struct gh_store_url *url)
{
    static const char *const KNOWN[] = {"postgres", "postgresql", "guest", "redis", "gatehouse"};
    if (!url->password.len)
        return false;
    for (size_t i = 0; i < sizeof(KNOWN) / sizeof(KNOWN[0]); i++)
        if (gh_str_ieq(url->password, gh_str_from_c(KNOWN[i])))
            return true;
    return gh_secret_looks_default(url->password) || gh_str_ieq(url->password, url->user);
}

static void check_url(struct gh_config_load *load, struct gh_config_place place,
                      const struct gh_store_url *url, bool production)
{
    if (!url->is_valid) {
        gh_config_problem_add(load, GH_CONFIG_ERROR, place,
                              "write postgresql://user@host/database, with special characters of "
                              "the password percent-encoded",
                              "the store is no URL of PostgreSQL");
        return;
    }
    if (production && is_default_password(url))
        gh_config_problem_add(load, GH_CONFIG_ERROR, place, "set another at the server",
                              "the password of the store is a default one");
    if (production && url->remote.len && !url->verified) {
        struct gh_str host = gh_config_show(load->arena, url->remote);
        gh_config_problem_add(load, GH_CONFIG_WARNING, place,
                              "add ?sslmode=verify-full&sslrootcert=PATH to its URL",
                              "the store at %.*s need not prove who it is: whoever is on the way "
                              "reads and changes accounts",
                              GH_STR_ARG(host));
    }
}

static void check_store(struct gh_config_load *load, struct gh_config_place place,
                        struct gh_str store, bool production, struct gh_arena *scratch)
{
    if (is_postgresql(store)) {
        struct gh_store_url url = gh_store_url_read(scratch, store);
        check_url(load, place, &url, production);
        return;
    }
    if (gh_str_starts_with(store, MEMORY)) {
        if (production)
            gh_config_problem_add(load, GH_CONFIG_ERROR, place,
                                  "write sqlite:PATH or postgresql://host/database",
                                  "a store in memory forgets all accounts at every restart");
        return;
    }
    if (!gh_str_starts_with(store, SQLITE) || store.len == SQLITE.len)
        gh_config_problem_add(load, GH_CONFIG_ERROR, place,
                              "write sqlite:/var/lib/gatehouse/gatehouse.db",
                              "the store is none of sqlite:PATH, postgresql://... and memory:");
}

void gh_store_setting_check(struct gh_config_load *load, struct gh_config_place place,
                            struct gh_str setting, bool production)
{
    struct gh_arena scratch; /* for its password: load's lives as long as its settings do */
    struct gh_str store;
    gh_arena_init(&scratch, URL_BYTES_MAX, 4 * URL_BYTES_MAX);
    if (resolve(&scratch, setting, &store) == GH_OK)
        check_store(load, place, store, production, &scratch);
    gh_arena_done(&scratch);
}

void gh_store_settings_check(struct gh_config_load *load, const struct gh_store_settings *settings,
                             bool production)
{
    const struct {
        const char *name;
        const void *field;
    } keys[] = {
        {"connections", &settings->connections},
        {"statement_timeout", &settings->statement_timeout_ms},
        {"connect_timeout", &settings->connect_timeout_ms},
    };
    struct gh_config_place place = gh_config_where(load, &settings->url);
    gh_store_setting_check(load, place, settings->url, production);
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        place = gh_config_where(load, keys[i].field);
        if (place.line && !gh_store_setting_is_shared(settings->url))
            gh_config_problem_add(load, GH_CONFIG_WARNING, place, "leave it out",
                                  "store.%s is for PostgreSQL, and the store is none",
                                  keys[i].name);
    }
}

/* ---- Opening ---- */

static struct gh_postgres_options postgres_options(const struct gh_store_settings *settings,
                                                   struct gh_str url, bool writes)
{
    return (struct gh_postgres_options){
        .url = url,
        .connection_count = (unsigned)settings->connections,
        .statement_ms = (unsigned)settings->statement_timeout_ms,
        .connect_s = (unsigned)((settings->connect_timeout_ms + 999) / 1000),
        .writes = writes,
    };
}

static enum gh_err open_resolved(const struct gh_store_settings *settings, struct gh_str store,
                                 bool exclusive, struct gh_arena *arena,
                                 struct gh_store **out_store, struct gh_str *out_message)
{
    if (gh_str_starts_with(store, MEMORY)) {
        *out_store = gh_memory_store_open();
        return *out_store ? GH_OK : GH_ERR_MEMORY;
    }
    if (is_postgresql(store)) {
        const struct gh_postgres_options options = postgres_options(settings, store, exclusive);
        return gh_postgres_open(&options, arena, out_store, out_message);
    }
    if (!gh_str_starts_with(store, SQLITE)) { /* it may be a password for all we know */
        *out_message = GH_STR("the store is none of sqlite:PATH, postgresql://... and memory:");
        return GH_ERR_INVALID;
    }
    struct gh_sqlite_options options = {
        .path = gh_str_skip(store, SQLITE.len),
        .exclusive = exclusive,
    };
    return gh_sqlite_open(&options, arena, out_store, out_message);
}

enum gh_err gh_store_setting_open(const struct gh_store_settings *settings, bool exclusive,
                                  struct gh_arena *arena, struct gh_store **out_store,
                                  struct gh_str *out_message)
{
    struct gh_arena scratch; /* of a URL with its password: it is wiped */
    struct gh_str store;
    *out_message = GH_STR("out of memory");
    gh_arena_init(&scratch, URL_BYTES_MAX, 4 * URL_BYTES_MAX);
    enum gh_err err = resolve(&scratch, settings->url, &store);
    if (err != GH_OK) {
        *out_message = gh_arena_format(arena, "store: %.*s leads nowhere",
                                       GH_STR_ARG(gh_config_show(arena, settings->url)));
    } else if (is_postgresql(store) && !gh_store_url_read(&scratch, store).is_valid) {
        *out_message = GH_STORE_URL_WRONG;
        err = GH_ERR_INVALID;
    } else {
        err = open_resolved(settings, store, exclusive, arena, out_store, out_message);
    }
    gh_arena_done(&scratch);
    return err;
}

void gh_store_settings_try(struct gh_config_load *load, const struct gh_store_settings *settings)
{
    struct gh_config_place place = gh_config_where(load, &settings->url);
    struct gh_str store, warning, message;
    if (resolve(load->arena, settings->url, &store) != GH_OK) {
        gh_config_problem_add(load, GH_CONFIG_ERROR, place, "set it where this runs",
                              "the store leads nowhere");
        return;
    }
    if (!is_postgresql(store))
        return;
    const struct gh_postgres_options options = postgres_options(settings, store, false);
    if (gh_postgres_probe(&options, load->arena, &warning, &message) != GH_OK)
        gh_config_problem_add(load, GH_CONFIG_ERROR, place, "serve could not start with it", "%.*s",
                              GH_STR_ARG(message));
    else if (warning.len)
        gh_config_problem_add(load, GH_CONFIG_WARNING, place, "see docs/scaling.md", "%.*s",
                              GH_STR_ARG(warning));
}

bool gh_store_setting_is_shared(struct gh_str setting)
{
    struct gh_arena scratch;
    struct gh_str store;
    gh_arena_init(&scratch, URL_BYTES_MAX, 2 * URL_BYTES_MAX);
    bool is_shared = resolve(&scratch, setting, &store) != GH_OK || is_postgresql(store);
    gh_arena_done(&scratch);
    return is_shared;
}

/* ---- Its directory ---- */

/* Of several, as systemd gives them, the first. */
static struct gh_str state_directory(struct gh_arena *arena)
{
    struct gh_str rest = gh_str_from_c(getenv("STATE_DIRECTORY"));
    struct gh_str directory = gh_str_split(&rest, ':');
    return directory.len ? gh_arena_format(arena, "%.*s/", GH_STR_ARG(directory)) : GH_STR("");
}

struct gh_str gh_store_setting_directory(struct gh_arena *arena, struct gh_str setting)
{
    struct gh_str store;
    if (gh_store_setting_is_shared(setting))
        return state_directory(arena);
    if (resolve(arena, setting, &store) != GH_OK)
        return GH_STR("");
    if (gh_str_starts_with(store, MEMORY)) {
        struct gh_str directory = gh_str_skip(store, MEMORY.len);
        return directory.len ? gh_arena_format(arena, "%.*s/", GH_STR_ARG(directory)) : GH_STR("");
    }
    struct gh_str path = gh_str_skip(store, SQLITE.len);
    size_t len = path.len;
    while (len && path.ptr[len - 1] != '/')
        len--;
    return gh_arena_dup(arena, len ? gh_str_first(path, len) : GH_STR("./"));
}

/* ---- Metrics ---- */

struct metric {
    const char *name, *type, *help;
    uint64_t value;
};

static void write_metrics(FILE *out, const struct metric *metrics, size_t count)
{
    for (size_t i = 0; i < count; i++)
        fprintf(out, "# HELP %s %s\n# TYPE %s %s\n%s %llu\n", metrics[i].name, metrics[i].help,
                metrics[i].name, metrics[i].type, metrics[i].name,
                (unsigned long long)metrics[i].value);
}

/* What becomes of records between the commit of their unit and their place in a chain. */
static void write_sealing(FILE *out, const struct gh_postgres_counts *counts)
{
    static const char AGE[] = "gatehouse_audit_unsealed_age_seconds";
    const struct metric metrics[] = {
        {"gatehouse_audit_unsealed", "gauge",
         "Records of this process that are committed and in no chain yet.", counts->unsealed},
        {"gatehouse_audit_sealed_total", "counter", "Records given their place in a chain.",
         counts->sealed},
        {"gatehouse_audit_batches_total", "counter", "Transactions that did it.", counts->batches},
        {"gatehouse_audit_foreign_chains_sealed_total", "counter",
         "Times that what another process had left was sealed.", counts->foreign_chains},
        {"gatehouse_audit_chains_lost_total", "counter",
         "Times that another process had taken this one's chain.", counts->lost_chains},
    };
    write_metrics(out, metrics, sizeof(metrics) / sizeof(metrics[0]));
    fprintf(out,
            "# HELP %s For how long the first of the unsealed ones has waited.\n"
            "# TYPE %s gauge\n%s %.3f\n",
            AGE, AGE, AGE, (double)counts->unsealed_ms / 1000);
}

void gh_store_write_metrics(void *store, FILE *out)
{
    struct gh_postgres_counts counts;
    if (!gh_postgres_counts_of(store, &counts))
        return;
    const struct metric metrics[] = {
        {"gatehouse_store_connections_max", "gauge", "Connections to PostgreSQL at most.",
         counts.connections_max},
        {"gatehouse_store_connections", "gauge", "Connections to PostgreSQL.", counts.connections},
        {"gatehouse_store_connections_in_use", "gauge", "Those that a unit uses.", counts.in_use},
        {"gatehouse_store_waiting", "gauge", "Units that wait for a connection.", counts.waiting},
        {"gatehouse_store_waits_total", "counter", "Units that had to wait for a connection.",
         counts.waits},
        {"gatehouse_store_wait_failures_total", "counter", "Units that got no connection in time.",
         counts.refusals},
        {"gatehouse_store_connects_total", "counter", "Connections made.", counts.connects},
        {"gatehouse_store_connect_failures_total", "counter", "Connections that could not be made.",
         counts.connect_failures},
        {"gatehouse_store_connections_lost_total", "counter", "Connections lost.", counts.losses},
        {"gatehouse_store_retries_total", "counter",
         "Units begun again because another one or a lost connection came in the way.",
         counts.retries},
        {"gatehouse_store_lost_answers_total", "counter",
         "Answers to COMMIT that were lost, and looked up.", counts.lost_answers},
        {"gatehouse_store_failures_total", "counter", "Units that failed for the store's sake.",
         counts.failures},
    };
    write_metrics(out, metrics, sizeof(metrics) / sizeof(metrics[0]));
    if (counts.seals)
        write_sealing(out, &counts);
}
