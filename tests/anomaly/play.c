/*
 * Feeds the anomaly rules from standard input and writes what they find. Lines of input: a record
 * of the audit log in clear as an export has it (what is not needed may be missing), or
 * {"time":"..","traffic":{"user_id":"..","ip_address":"..","requests":1,"missing":0}}.
 * Lines of output: {"time_s":..,"rule":"..","account":"..","network":"..","evidence":{..}}.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "audit/anomaly.h"
#include "base/assert.h"
#include "json/parse.h"
#include "json/writer.h"

#define ARENA_BYTES (64u * 1024)
#define LINE_BYTES  1024

struct play {
    struct gh_anomaly *anomaly;
    struct gh_arena arena;
    struct gh_json_doc doc;
};

static void write_finding(void *context, const struct gh_anomaly_finding *finding)
{
    char memory[LINE_BYTES];
    struct gh_buf buf = gh_buf_over(memory, sizeof(memory));
    (void)context;
    if (!finding->onset)
        return;
    gh_buf_put_char(&buf, '{');
    gh_json_put_member_u64(&buf, GH_STR("time_s"), finding->time_us / 1000000);
    gh_json_put_member(&buf, GH_STR("rule"), gh_anomaly_rule_facts(finding->rule)->name);
    gh_json_put_member(&buf, GH_STR("account"), finding->account);
    gh_json_put_member(&buf, GH_STR("network"), finding->network);
    gh_json_put_name(&buf, GH_STR("evidence"));
    gh_buf_put(&buf, finding->evidence);
    gh_buf_put_char(&buf, '}');
    GH_ASSERT(!buf.overflow);
    printf("%.*s\n", GH_STR_ARG(gh_buf_str(&buf)));
}

static const struct gh_json_value *member(const struct play *play,
                                          const struct gh_json_value *object, const char *name)
{
    return gh_json_get(&play->doc, object, gh_str_from_c(name));
}

static struct gh_str text_of(const struct play *play, const struct gh_json_value *object,
                             const char *name)
{
    struct gh_str text = gh_json_string(member(play, object, name));
    return text.ptr ? text : GH_STR("");
}

static uint64_t number_of(const struct play *play, const struct gh_json_value *object,
                          const char *name)
{
    int64_t number;
    GH_ASSERT(gh_json_int64(member(play, object, name), &number) && number >= 0);
    return (uint64_t)number;
}

/* "2026-01-31T23:59:59.000000Z" */
static uint64_t time_of(struct gh_str text)
{
    struct tm tm = {0};
    char copy[GH_AUDIT_TIME_LEN + 1] = "";
    GH_ASSERT(text.len == GH_AUDIT_TIME_LEN);
    memcpy(copy, text.ptr, text.len);
    const char *rest = strptime(copy, "%Y-%m-%dT%H:%M:%S", &tm);
    GH_ASSERT(rest && *rest == '.');
    return (uint64_t)timegm(&tm) * 1000000 + strtoull(rest + 1, NULL, 10);
}

static void play_traffic(struct play *play, const struct gh_json_value *traffic, uint64_t time_us)
{
    struct gh_anomaly_requests requests = {
        .account = text_of(play, traffic, "user_id"),
        .client = text_of(play, traffic, "ip_address"),
        .requests = number_of(play, traffic, "requests"),
        .missing = number_of(play, traffic, "missing"),
        .now_us = time_us,
    };
    gh_anomaly_traffic(play->anomaly, &requests, write_finding, NULL);
}

static void play_record(struct play *play, const struct gh_json_value *root, struct gh_str line,
                        uint64_t time_us)
{
    const struct gh_json_value *metadata = member(play, root, "metadata");
    struct gh_audit_record record = {
        .time_us = time_us,
        .user_id = text_of(play, root, "user_id"),
        .actor_id = text_of(play, root, "actor_id"),
        .ip_address = text_of(play, root, "ip_address"),
        .outcome = gh_str_eq(text_of(play, root, "outcome"), GH_STR("success")) ? GH_AUDIT_SUCCESS
                                                                                : GH_AUDIT_FAILURE,
    };
    if (metadata)
        record.metadata = gh_str_of(line.ptr + metadata->start, metadata->end - metadata->start);
    GH_ASSERT(gh_audit_event_parse(text_of(play, root, "event_type"), &record.event));
    gh_anomaly_record(play->anomaly, &record, write_finding, NULL);
}

static bool play_line(struct play *play, struct gh_str line)
{
    gh_arena_reset(&play->arena);
    if (gh_json_parse(&play->arena, line, &gh_json_small, &play->doc, NULL) != GH_JSON_OK)
        return false;
    const struct gh_json_value *root = gh_json_root(&play->doc);
    const struct gh_json_value *traffic = member(play, root, "traffic");
    uint64_t time_us = time_of(text_of(play, root, "time"));
    if (traffic)
        play_traffic(play, traffic, time_us);
    else
        play_record(play, root, line, time_us);
    return true;
}

int main(void)
{
    struct gh_anomaly_settings settings;
    struct play play = {.anomaly = NULL};
    char *line = NULL;
    size_t cap = 0;
    ssize_t len;
    bool ok = true;
    gh_anomaly_defaults(&settings);
    play.anomaly = gh_anomaly_new(&settings, (struct gh_hash_key){1, 2},
                                  (struct gh_anomaly_sizes){.networks = 0});
    gh_arena_init(&play.arena, ARENA_BYTES, 4 * ARENA_BYTES);
    while (ok && play.anomaly && (len = getline(&line, &cap, stdin)) > 0)
        ok = play_line(&play, gh_str_of(line, (size_t)len));
    if (!ok)
        fprintf(stderr, "not a line to play: %s\n", line);
    free(line);
    gh_arena_done(&play.arena);
    gh_anomaly_free(play.anomaly);
    return ok ? 0 : 1;
}
