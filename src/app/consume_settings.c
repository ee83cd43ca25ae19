#include "app/consume_settings.h"

#include <stddef.h>

#include "app/store_open.h"
#include "app/store_url.h"
#include "net/stream.h"
#include "store/stream_sink.h"

#define SECOND_MS 1000ull
#define DAY_MS    (24 * 3600 * SECOND_MS)
/* XACK takes no more ids in one command of ours. */
#define BATCH_MAX        252
#define SOURCE_BYTES_MAX 255

static const struct gh_config_field FIELD_ITEM = {.type = GH_CONFIG_TYPE_STRING};

#define CONSUME(member) .offset = offsetof(struct gh_consume_settings, member)
static const struct gh_config_field FIELDS[] = {
    {.name = "stream",
     .type = GH_CONFIG_TYPE_STRING,
     CONSUME(stream),
     .required = true,
     .doc = "The stream's key. It is made when it is not there."},
    {.name = "group",
     .type = GH_CONFIG_TYPE_STRING,
     CONSUME(group),
     .required = true,
     .doc = "The consumer group. A new one begins with the stream's oldest entry."},
    {.name = "statement",
     .type = GH_CONFIG_TYPE_STRING,
     CONSUME(statement),
     .required = true,
     .doc = "One SQL statement, run for each entry, with its fields as the texts `$1`, `$2`, ..."},
    {.name = "fields",
     .type = GH_CONFIG_TYPE_LIST,
     CONSUME(fields),
     .item = &FIELD_ITEM,
     .one_or_list = true,
     .required = true,
     .doc = "The names of the fields, for `$1`, `$2`, ... Others are left alone; an entry without "
            "one of these is parked."},
    {.name = "database",
     .type = GH_CONFIG_TYPE_STRING,
     CONSUME(database),
     .doc = "`postgresql://user@host/database`, or `env:NAME`, `file:PATH` where that stands. "
            "Without it that of `store`."},
    {.name = "source",
     .type = GH_CONFIG_TYPE_STRING,
     CONSUME(source),
     .doc = "A name for the Redis that the stream is in, by which the tables tell the entries of "
            "one from those of another. Without it `host:port/database` or `unix:/path`, as "
            "`redis` says. Once it was used it stays: under another name, what comes again is "
            "applied again."},
    {.name = "tries",
     .type = GH_CONFIG_TYPE_INTEGER,
     CONSUME(tries),
     .default_yaml = "5",
     .min = 1,
     .max = 1000,
     .doc = "How often an entry is tried that the statement refuses, before it is parked."},
    {.name = "claim_after",
     .type = GH_CONFIG_TYPE_DURATION,
     CONSUME(claim_after_ms),
     .default_yaml = "30s",
     .min = 10 * SECOND_MS,
     .max = DAY_MS,
     .doc = "Entries that another consumer took so long ago and did not acknowledge are taken "
            "over."},
    {.name = "batch",
     .type = GH_CONFIG_TYPE_INTEGER,
     CONSUME(batch),
     .default_yaml = "252",
     .min = 1,
     .max = BATCH_MAX,
     .doc = "Entries in one transaction, at most."},
    {.name = "keep",
     .type = GH_CONFIG_TYPE_DURATION,
     CONSUME(keep_ms),
     .default_yaml = "7d",
     .min = 3600 * SECOND_MS,
     .max = 36500 * DAY_MS,
     .doc = "How long it is remembered that an entry was applied. What is pending is remembered "
            "however long that takes."},
    {.name = "metrics",
     .type = GH_CONFIG_TYPE_STRING,
     CONSUME(metrics),
     .doc = "Address of `/metrics`, `/healthz` and `/readyz` of `gatehouse consume`, as in "
            "`127.0.0.1:9464`."},
};

const struct gh_config_table gh_consume_table = {
    .name = "consume",
    .doc = "A stream of Redis whose entries become rows of PostgreSQL, by `gatehouse consume`.",
    .size = sizeof(struct gh_consume_settings),
    .fields = FIELDS,
    .field_count = sizeof(FIELDS) / sizeof(FIELDS[0]),
};

/* ---- The statement ---- */

static bool is_word(char c)
{
    char lower = gh_ascii_lower(c);
    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
           (unsigned char)c >= 0x80;
}

/* Behind what begins at `at` and is no SQL to be read: a quoted text, a comment; `at` itself: there
   is none. */
static size_t skip_opaque(struct gh_str sql, size_t at)
{
    struct gh_str rest = gh_str_skip(sql, at), end = {NULL, 0};
    size_t opening = 1;
    if (rest.ptr[0] == '\'' || rest.ptr[0] == '"')
        end = gh_str_first(rest, 1);
    else if (gh_str_starts_with(rest, GH_STR("--")))
        end = GH_STR("\n");
    else if (gh_str_starts_with(rest, GH_STR("/*")))
        end = GH_STR("*/");
    else if (rest.ptr[0] == '$') { /* $tag$ */
        while (opening < rest.len && is_word(rest.ptr[opening]))
            opening++;
        if (opening < rest.len && rest.ptr[opening] == '$')
            end = gh_str_first(rest, ++opening);
    }
    if (!end.len)
        return at;
    size_t length = gh_str_find(gh_str_skip(rest, opening), end);
    size_t behind = at + opening + length + end.len;
    return behind < sql.len ? behind : sql.len;
}

/* Which of $1, $2, ... occur, as bits; *out_others: one beyond what an entry may have. */
static uint64_t find_parameters(struct gh_str sql, bool *out_others)
{
    uint64_t found = 0;
    *out_others = false;
    for (size_t i = 0; i < sql.len;) {
        size_t behind = skip_opaque(sql, i);
        uint64_t number = 0;
        if (behind > i) {
            i = behind;
            continue;
        }
        bool is_parameter = sql.ptr[i] == '$' && (i == 0 || !is_word(sql.ptr[i - 1]));
        for (i++; is_parameter && i < sql.len && sql.ptr[i] >= '0' && sql.ptr[i] <= '9'; i++)
            number = number < 1000 ? number * 10 + (uint64_t)(sql.ptr[i] - '0') : number;
        if (number > GH_STREAM_FIELDS_MAX)
            *out_others = true;
        else if (number)
            found |= 1ull << (number - 1);
    }
    return found;
}

/* A transaction's own end would part the change from the note that it was made. */
static bool is_known_statement(struct gh_str sql)
{
    static const char *const WORDS[] = {"select", "insert", "update", "delete",
                                        "with",   "call",   "merge"};
    size_t end = 0;
    while (end < sql.len && is_word(sql.ptr[end]))
        end++;
    for (size_t i = 0; i < sizeof(WORDS) / sizeof(WORDS[0]); i++)
        if (gh_str_ieq(gh_str_first(sql, end), gh_str_from_c(WORDS[i])))
            return true;
    return false;
}

static void check_statement(struct gh_config_load *load, const struct gh_consume_settings *settings)
{
    struct gh_config_place place = gh_config_where(load, &settings->statement);
    bool others;
    uint64_t found = find_parameters(settings->statement, &others);
    uint64_t wanted = (1ull << settings->fields.count) - 1;
    if (!is_known_statement(settings->statement))
        gh_config_problem_add(load, GH_CONFIG_ERROR, place,
                              "begin it with SELECT, INSERT, UPDATE, DELETE, WITH, CALL or MERGE",
                              "consume: the statement is none that changes rows");
    else if (others || found != wanted)
        gh_config_problem_add(load, GH_CONFIG_ERROR, place,
                              "name a field for each of $1, $2, ..., and use each",
                              "consume: the statement does not use the %zu fields, each by its "
                              "$number",
                              settings->fields.count);
}

/* ---- All of it ---- */

static void check_names(struct gh_config_load *load, const struct gh_consume_settings *settings)
{
    const struct gh_str *fields = settings->fields.items;
    if (!settings->stream.len || !settings->group.len)
        gh_config_problem_add(load, GH_CONFIG_ERROR, gh_config_where(load, &settings->stream),
                              "name the stream's key and the group", "consume: a name is empty");
    for (size_t i = 0; i < settings->fields.count; i++)
        if (!fields[i].len)
            gh_config_problem_add(load, GH_CONFIG_ERROR, gh_config_where(load, &settings->fields),
                                  "name the entry's field", "consume: a field has no name");
}

/* It stands in tables and in what people write by hand. */
static void check_source(struct gh_config_load *load, const struct gh_consume_settings *settings)
{
    bool good = settings->source.len <= SOURCE_BYTES_MAX;
    for (size_t i = 0; i < settings->source.len; i++)
        good = good && settings->source.ptr[i] > ' ' && settings->source.ptr[i] <= '~';
    if (!good)
        gh_config_problem_add(load, GH_CONFIG_ERROR, gh_config_where(load, &settings->source),
                              "write a name, as in source: redis-1",
                              "consume: source takes up to %d letters, digits and signs",
                              SOURCE_BYTES_MAX);
}

static void check_database(struct gh_config_load *load, const struct gh_consume_settings *settings,
                           const struct gh_consume_base *base,
                           const struct gh_secret_source *source)
{
    bool is_own = settings->database.len > 0;
    struct gh_str setting = is_own ? settings->database : base->store, url;
    struct gh_config_place place =
        gh_config_where(load, is_own ? &settings->database : &settings->stream);
    struct gh_arena scratch; /* for its password */
    gh_arena_init(&scratch, GH_SECRET_BYTES_MAX, 4 * GH_SECRET_BYTES_MAX);
    bool is_found = gh_secret_resolve(&scratch, source, setting, &url) == GH_OK;
    if (is_found && !gh_str_starts_with(url, GH_STR("postgresql://")) &&
        !gh_str_starts_with(url, GH_STR("postgres://")))
        gh_config_problem_add(load, GH_CONFIG_ERROR, place,
                              "write database: env:DATABASE_URL, which is postgresql://...",
                              "consume: rows are kept in PostgreSQL, and %s is none",
                              is_own ? "the database" : "the store");
    else if (is_found && is_own)
        gh_store_setting_check(load, place, url, base->production);
    gh_arena_done(&scratch);
}

static void check_metrics(struct gh_config_load *load, const struct gh_consume_settings *settings)
{
    struct gh_listen_address address;
    if (settings->metrics.len && !gh_listen_address_parse(settings->metrics, load->arena, &address))
        gh_config_problem_add(load, GH_CONFIG_ERROR, gh_config_where(load, &settings->metrics),
                              "write 127.0.0.1:9464", "consume: metrics is no address");
}

static void check_one(struct gh_config_load *load, const struct gh_consume_settings *settings,
                      const struct gh_consume_base *base, const struct gh_secret_source *source)
{
    check_names(load, settings);
    check_source(load, settings);
    if (!settings->fields.count || settings->fields.count > GH_STREAM_FIELDS_MAX)
        gh_config_problem_add(load, GH_CONFIG_ERROR, gh_config_where(load, &settings->fields),
                              "name the fields for $1, $2, ...", "consume: it takes 1 to %d fields",
                              GH_STREAM_FIELDS_MAX);
    else
        check_statement(load, settings);
    if (!base->has_redis)
        gh_config_problem_add(load, GH_CONFIG_ERROR, gh_config_where(load, &settings->stream),
                              "write redis: env:REDIS_URL",
                              "consume: streams are in Redis, and there is no redis");
    check_database(load, settings, base, source);
    check_metrics(load, settings);
}

void gh_consume_settings_check(struct gh_config_load *load, const struct gh_config_list *list,
                               const struct gh_consume_base *base,
                               const struct gh_secret_source *source)
{
    const struct gh_consume_settings *items = list->items;
    for (size_t i = 0; i < list->count; i++) {
        check_one(load, &items[i], base, source);
        for (size_t before = 0; before < i; before++)
            if (gh_str_eq(items[i].stream, items[before].stream) &&
                gh_str_eq(items[i].group, items[before].group))
                gh_config_problem_add(load, GH_CONFIG_ERROR,
                                      gh_config_where(load, &items[i].stream),
                                      "give it a group of its own",
                                      "consume: this stream and group stand here twice");
    }
}

bool gh_consume_settings_database(const struct gh_consume_settings *settings, struct gh_str store,
                                  const struct gh_secret_source *source, struct gh_arena *arena,
                                  struct gh_str *out_url, struct gh_str *out_message)
{
    struct gh_str setting = settings->database.len ? settings->database : store, url;
    if (gh_secret_resolve(arena, source, setting, &url) != GH_OK) {
        *out_message = gh_arena_format(arena, "consume: %.*s is not set",
                                       GH_STR_ARG(gh_config_show(arena, setting)));
        return false;
    }
    *out_message = GH_STORE_URL_WRONG;
    if (!gh_store_url_read(arena, url).is_valid)
        return false;
    *out_url = gh_arena_dup(arena, url);
    *out_message = GH_STR("out of memory");
    return out_url->ptr != NULL;
}
