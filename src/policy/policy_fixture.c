#include "policy/policy_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/assert.h"
#include "http/h1_head.h"

#define SETTING(field) offsetof(struct gh_policy_settings, field)
#define TABLE(key, member, of)                                                                     \
    {                                                                                              \
        .name = key, .type = GH_CONFIG_TYPE_TABLE, .offset = SETTING(member), .table = of,         \
        .doc = key                                                                                 \
    }

static const char *const ENVIRONMENTS[] = {"production", "development", NULL};
static const struct gh_config_field RATE_ITEM = {.type = GH_CONFIG_TYPE_TABLE,
                                                 .table = &gh_rate_table};
static const struct gh_config_field ROUTE_ITEM = {.type = GH_CONFIG_TYPE_TABLE,
                                                  .table = &gh_route_table};

static const struct gh_config_field ROOT_FIELDS[] = {
    {.name = "environment",
     .type = GH_CONFIG_TYPE_ENUM,
     .offset = SETTING(environment),
     .names = ENVIRONMENTS,
     .env = "ENVIRONMENT",
     .doc = "environment"},
    {.name = "public_url",
     .type = GH_CONFIG_TYPE_STRING,
     .offset = SETTING(public_url),
     .doc = "public_url"},
    TABLE("hosts", hosts, &gh_hosts_table),
    TABLE("trusted_proxies", trusted_proxies, &gh_trusted_table),
    TABLE("https", https, &gh_https_table),
    TABLE("headers", headers, &gh_headers_table),
    TABLE("csp", csp, &gh_csp_table),
    TABLE("cors", cors, &gh_cors_table),
    TABLE("limits", limits, &gh_limits_table),
    TABLE("security_txt", security_txt, &gh_security_txt_table),
    TABLE("builtin", builtin, &gh_builtin_table),
    {.name = "rate_limits",
     .type = GH_CONFIG_TYPE_MAP,
     .offset = SETTING(rate_limits),
     .item = &RATE_ITEM,
     .doc = "rate_limits"},
    {.name = "routes",
     .type = GH_CONFIG_TYPE_LIST,
     .offset = SETTING(routes),
     .item = &ROUTE_ITEM,
     .doc = "routes"},
    {.name = "cross_site",
     .type = GH_CONFIG_TYPE_ENUM,
     .offset = SETTING(cross_site_mode),
     .names = gh_mode_names,
     .doc = "cross_site"},
};

static const struct gh_config_table ROOT = {
    .name = "root",
    .doc = "root",
    .size = sizeof(struct gh_policy_settings),
    .fields = ROOT_FIELDS,
    .field_count = sizeof(ROOT_FIELDS) / sizeof(ROOT_FIELDS[0]),
};

static const char *fixture_getenv(void *context, const char *name)
{
    const char *const *env = context;
    for (size_t i = 0; env && env[i]; i += 2)
        if (strcmp(env[i], name) == 0)
            return env[i + 1];
    return NULL;
}

void gh_fixture_open_env(struct gh_fixture *fixture, const char *yaml, const char *const *env)
{
    static const struct gh_str UPSTREAMS[] = {GH_STR_INIT("api"), GH_STR_INIT("web")};
    *fixture = (struct gh_fixture){0};
    gh_arena_init(&fixture->settings_arena, 65536, 16 * 1024 * 1024);
    gh_arena_init(&fixture->request_arena, 65536, 16 * 1024 * 1024);
    gh_config_load_init(&fixture->load, &fixture->settings_arena, "test.yaml", fixture_getenv,
                        (void *)(uintptr_t)env);
    const struct gh_config_node *node = gh_config_parse(&fixture->load, gh_str_from_c(yaml));
    if (!node)
        return;
    gh_config_bind(&fixture->load, &ROOT, node, &fixture->settings);
    if (fixture->load.error_count)
        return;
    fixture->settings.csp_given = gh_config_get(node, "csp");
    fixture->settings.cors_given = gh_config_get(node, "cors");
    fixture->policy = gh_policy_compile(&fixture->load, &fixture->settings, UPSTREAMS, 2);
    gh_fixture_peer(fixture, "192.0.2.1", false);
    enum gh_err err = gh_limit_table_open(1024, (struct gh_hash_key){1, 2}, &fixture->limits);
    GH_ASSERT(err == GH_OK);
}

void gh_fixture_open(struct gh_fixture *fixture, const char *yaml)
{
    gh_fixture_open_env(fixture, yaml, NULL);
}

void gh_fixture_close(struct gh_fixture *fixture)
{
    if (fixture->limits)
        gh_limit_table_close(fixture->limits);
    gh_arena_done(&fixture->settings_arena);
    gh_arena_done(&fixture->request_arena);
}

bool gh_fixture_has_problem(const struct gh_fixture *fixture, enum gh_config_severity severity,
                            const char *text)
{
    struct gh_str needle = gh_str_from_c(text);
    for (const struct gh_config_problem *p = fixture->load.problems; p; p = p->next)
        if (p->severity == severity && (gh_str_find(p->what, needle) < p->what.len ||
                                        gh_str_find(p->remedy, needle) < p->remedy.len))
            return true;
    return false;
}

void gh_fixture_peer(struct gh_fixture *fixture, const char *ip, bool tls)
{
    fixture->peer = (struct gh_peer){.tls = tls, .tls_pair = -1};
    if (ip) {
        bool parsed = gh_ip_parse(gh_str_from_c(ip), &fixture->peer.ip);
        GH_ASSERT(parsed);
    }
}

static const struct gh_codec_limits LIMITS = {65536, 65536, GH_FIELDS_MAX};

void gh_fixture_begin(struct gh_fixture *fixture, const char *bytes)
{
    struct gh_request *request = &fixture->request;
    GH_ASSERT(fixture->policy);
    gh_arena_reset(&fixture->request_arena);
    gh_request_init(request);
    request->policy = fixture->policy;
    request->arena = &fixture->request_arena;
    request->head = &fixture->head;
    request->peer = &fixture->peer;
    request->limits = fixture->limits;
    request->now_ms = 1000000;
    request->date = GH_STR("Sat, 21 Nov 2026 03:00:00 GMT");
    for (size_t i = 0; i < sizeof(request->random); i++)
        request->random[i] = (uint8_t)(0xa0 + i);
    struct gh_str copy = gh_arena_dup(&fixture->request_arena, gh_str_from_c(bytes));
    enum gh_http_error error =
        gh_h1_parse_request_head(copy, &LIMITS, &fixture->request_arena, &fixture->head);
    GH_ASSERT(error == GH_HTTP_ERROR_NONE);
}

struct gh_verdict gh_fixture_run(struct gh_fixture *fixture, const char *bytes)
{
    gh_fixture_begin(fixture, bytes);
    fixture->verdict = gh_policy_run(&fixture->request);
    return fixture->verdict;
}

static const char *render(struct gh_fixture *fixture, const struct gh_answer_head *answer,
                          struct gh_str body)
{
    size_t cap = 65536;
    char *memory = gh_arena_alloc(&fixture->request_arena, cap);
    GH_ASSERT(memory);
    struct gh_buf out = gh_buf_over(memory, cap - 1);
    gh_buf_put_u64(&out, answer->status);
    gh_buf_put(&out, GH_STR("\n"));
    for (size_t i = 0; i < answer->field_count; i++) {
        if (answer->fields[i].dropped)
            continue;
        gh_buf_put(&out, answer->fields[i].name);
        gh_buf_put(&out, GH_STR(": "));
        gh_buf_put(&out, answer->fields[i].value);
        gh_buf_put(&out, GH_STR("\n"));
    }
    for (size_t i = 0; i < answer->block.len; i++)
        if (answer->block.ptr[i] != '\r')
            gh_buf_put_char(&out, answer->block.ptr[i]);
    gh_buf_put(&out, GH_STR("\n"));
    gh_buf_put(&out, body);
    GH_ASSERT(!out.overflow);
    memory[out.len] = 0;
    return memory;
}

const char *gh_fixture_reply(struct gh_fixture *fixture)
{
    struct gh_answer_head answer;
    bool replaced;
    bool done = gh_policy_answer(&fixture->request, NULL, &answer, &replaced);
    GH_ASSERT(done && !replaced);
    return render(fixture, &answer, fixture->request.reply.body);
}

const char *gh_fixture_answer(struct gh_fixture *fixture, const char *upstream_head)
{
    struct gh_response_head head;
    struct gh_answer_head answer;
    bool replaced;
    bool parsed = gh_h1_parse_response_head(gh_str_from_c(upstream_head), fixture->head.method,
                                            &LIMITS, &fixture->request_arena, &head);
    GH_ASSERT(parsed);
    bool done = gh_policy_answer(&fixture->request, &head, &answer, &replaced);
    GH_ASSERT(done);
    return render(fixture, &answer, replaced ? fixture->request.reply.body : GH_STR(""));
}

const char *gh_fixture_handover(struct gh_fixture *fixture)
{
    struct gh_str head = gh_policy_write_upstream_head(&fixture->request);
    GH_ASSERT(head.ptr);
    return gh_arena_dup(&fixture->request_arena, head).ptr;
}

static const char *find_line(const char *text, const char *name)
{
    size_t len = strlen(name);
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (*line == '\n' || *line == '\r')
            return NULL; /* the body */
        if (strncasecmp(line, name, len) == 0 && line[len] == ':')
            return line;
    }
    return NULL;
}

size_t gh_fixture_count(const char *text, const char *name)
{
    size_t count = 0;
    for (const char *line = find_line(text, name); line; line = find_line(line, name)) {
        count++;
        line = strchr(line, '\n');
        if (!line || line[1] == '\n')
            break;
        line++;
    }
    return count;
}

const char *gh_fixture_value(struct gh_fixture *fixture, const char *text, const char *name)
{
    const char *line = find_line(text, name);
    if (!line)
        return NULL;
    const char *value = line + strlen(name) + 2;
    struct gh_str slice = gh_str_of(value, strcspn(value, "\r\n"));
    return gh_arena_dup(&fixture->request_arena, slice).ptr;
}
