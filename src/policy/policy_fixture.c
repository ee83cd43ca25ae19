#include "policy/policy_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/assert.h"
#include "http/h1_head.h"
#include "openapi/openapi.h"

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
    {.name = "unsafe_observe_access",
     .type = GH_CONFIG_TYPE_BOOL,
     .offset = SETTING(unsafe_observe_access),
     .doc = "unsafe_observe_access"},
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

/* ---- Identity ---- */

static const struct gh_str ROLES[] = {GH_STR_INIT("user"), GH_STR_INIT("admin"),
                                      GH_STR_INIT("editor")};
static const struct gh_str PEERS[] = {GH_STR_INIT("10.0.0.0/8")};

static const struct gh_service_endpoint ENDPOINTS[] = {
    [GH_FIXTURE_LOGIN] = {.method = "POST",
                          .path = "/auth/login",
                          .access = {.kind = GH_ACCESS_PUBLIC},
                          .sets_session = true,
                          .gives_session = true,
                          .limits = {"signup"},
                          .body_max = 1024},
    [GH_FIXTURE_LOGOUT] = {.method = "POST", .path = "/auth/logout", .access = {.enrolling = true}},
    [GH_FIXTURE_RESET] = {.method = "POST",
                          .path = "/account/reset",
                          .access = {.kind = GH_ACCESS_PUBLIC},
                          .limits = {"reset"},
                          .body_max = 1024},
    [GH_FIXTURE_PROFILE] = {.method = "GET", .path = "/account/profile"},
    [GH_FIXTURE_ROLE] = {.method = "PATCH",
                         .path = "/admin/users/{id}/role",
                         .access = {.roles = 2, .fresh = true},
                         .body_max = 1024},
    [GH_FIXTURE_JWKS] = {.method = "GET",
                         .path = "/.well-known/jwks.json",
                         .absolute = true,
                         .access = {.kind = GH_ACCESS_PUBLIC}},
};
static const struct gh_service_limit OWN_LIMITS[] = {{"signup", "5/minute", "client"},
                                                     {"reset", "3/hour", "body:email"}};

const struct gh_policy_identity gh_fixture_identity = {
    .enabled = true,
    .roles = {ROLES, 3},
    .fresh_ms = 600000,
    .base_path = GH_STR_INIT("/api/v1"),
    .login_url = GH_STR_INIT("/login"),
    .headers = {GH_STR_INIT("X-User-Id"), GH_STR_INIT("X-User-Email"), GH_STR_INIT("X-User-Roles"),
                GH_STR_INIT("X-Session-Id")},
    .authz_peers = {(void *)(uintptr_t)PEERS, 1},
    .endpoints = ENDPOINTS,
    .endpoint_count = sizeof(ENDPOINTS) / sizeof(ENDPOINTS[0]),
    .limits = OWN_LIMITS,
    .limit_count = 2,
};

#define COOKIE_SECRET GH_STR_INIT("cookie secret of thirty-two bytes!")

static const struct gh_token_key COOKIE_KEY = {
    .alg = GH_TOKEN_HS256, .kid = GH_STR_INIT("c"), .secret = COOKIE_SECRET};

static void open_gate(struct gh_fixture *fixture)
{
    gh_crypto_init();
    fixture->bearer_key = (struct gh_token_key){
        .alg = GH_TOKEN_EDDSA, .kid = GH_STR("b"), .pkey = gh_pkey_generate(GH_PKEY_ED25519)};
    fixture->revocations = gh_revocations_new(64, (struct gh_hash_key){3, 4});
    fixture->gate = gh_gate_new(fixture->revocations, (struct gh_hash_key){5, 6});
    fixture->gate_rules = (struct gh_gate_rules){
        .cookie_keys = {&COOKIE_KEY, 1},
        .bearer_keys = {&fixture->bearer_key, 1},
        .roles = {ROLES, 3},
        .issuer = GH_STR("https://api.example.com"),
        .audience = GH_STR("api"),
        .epoch = 1,
    };
    GH_ASSERT(fixture->bearer_key.pkey && fixture->revocations && fixture->gate);
}

struct gh_subject gh_fixture_subject(void)
{
    return (struct gh_subject){
        .id = GH_STR(GH_FIXTURE_USER),
        .session_id = GH_STR("7e3c1f6e-0b53-4e0e-9d3c-1c1a5f0f7a0f"),
        .email = GH_STR("ann@example.com"),
        .roles = 1,
        .authenticated_s = GH_FIXTURE_NOW_S - 3600,
        .expires_s = GH_FIXTURE_NOW_S + 600,
    };
}

const char *gh_fixture_token(struct gh_fixture *fixture, enum gh_credential kind,
                             const struct gh_subject *subject)
{
    const struct gh_access_claims claims = {
        .subject = *subject,
        .issuer = fixture->gate_rules.issuer,
        .audience = fixture->gate_rules.audience,
        .issued_s = GH_FIXTURE_NOW_S - 60,
    };
    struct gh_str token = gh_access_token_make(
        &fixture->settings_arena, kind == GH_CREDENTIAL_COOKIE ? &COOKIE_KEY : &fixture->bearer_key,
        &fixture->gate_rules.roles, &claims);
    struct gh_str copy = token.ptr ? gh_arena_dup(&fixture->settings_arena, token) : token;
    GH_ASSERT(copy.ptr);
    return copy.ptr;
}

/* ---- The policy ---- */

static enum gh_err read_text(void *context, struct gh_arena *arena, struct gh_str path,
                             struct gh_str *out_text)
{
    (void)path;
    *out_text = gh_arena_dup(arena, gh_str_from_c(context));
    return out_text->ptr ? GH_OK : GH_ERR_MEMORY;
}

/* What app does: each route that names a document gets this one. */
static void load_document(struct gh_fixture *fixture, const char *text)
{
    const struct gh_openapi_source source = {.read = read_text, .context = (void *)(uintptr_t)text};
    const struct gh_openapi_options options = {.assert_formats = true, .responses = true};
    struct gh_openapi_problems *problems = calloc(1, sizeof(*problems));
    GH_ASSERT(problems);
    const struct gh_openapi *document =
        gh_openapi_load(&fixture->settings_arena, &source, GH_STR("api.yaml"), &options, problems);
    GH_ASSERT(document);
    free(problems);
    struct gh_route_settings *routes = fixture->settings.routes.items;
    for (size_t i = 0; i < fixture->settings.routes.count; i++)
        routes[i].input.document = routes[i].input.openapi.len ? document : NULL;
}

static void open_all(struct gh_fixture *fixture, const char *yaml, const char *const *env,
                     const struct gh_policy_identity *identity, const char *document)
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
    if (identity)
        fixture->settings.identity = *identity;
    if (document)
        load_document(fixture, document);
    fixture->policy = gh_policy_compile(&fixture->load, &fixture->settings, UPSTREAMS, 2);
    gh_fixture_peer(fixture, "192.0.2.1", false);
    enum gh_err err = gh_limit_table_open(1024, (struct gh_hash_key){1, 2}, &fixture->limits);
    GH_ASSERT(err == GH_OK);
    if (identity)
        open_gate(fixture);
}

void gh_fixture_open_env(struct gh_fixture *fixture, const char *yaml, const char *const *env)
{
    open_all(fixture, yaml, env, NULL, NULL);
}

void gh_fixture_open_identity(struct gh_fixture *fixture, const char *yaml,
                              const struct gh_policy_identity *identity)
{
    open_all(fixture, yaml, NULL, identity, NULL);
}

void gh_fixture_open(struct gh_fixture *fixture, const char *yaml)
{
    open_all(fixture, yaml, NULL, NULL, NULL);
}

void gh_fixture_open_input(struct gh_fixture *fixture, const char *yaml, const char *document)
{
    open_all(fixture, yaml, NULL, NULL, document);
}

void gh_fixture_close(struct gh_fixture *fixture)
{
    if (fixture->limits)
        gh_limit_table_close(fixture->limits);
    if (fixture->gate)
        gh_gate_free(fixture->gate);
    if (fixture->revocations)
        gh_revocations_free(fixture->revocations);
    gh_pkey_unref(fixture->bearer_key.pkey);
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
    request->now_s = GH_FIXTURE_NOW_S;
    request->gate = fixture->gate;
    request->gate_rules = fixture->gate ? &fixture->gate_rules : NULL;
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

/* What HTTP/2 is given in place of the lines must be the same. */
static void check_block_fields(const struct gh_answer_head *answer)
{
    struct gh_str rest = answer->block;
    if (!answer->block_fields)
        return;
    for (size_t i = 0; i < answer->block_field_count; i++) {
        const struct gh_field *field = &answer->block_fields[i];
        const struct gh_str parts[] = {field->name, GH_STR(": "), field->value, GH_STR("\r\n")};
        for (size_t k = 0; k < sizeof(parts) / sizeof(parts[0]); k++) {
            GH_ASSERT(gh_str_starts_with(rest, parts[k]));
            rest = gh_str_skip(rest, parts[k].len);
        }
        GH_ASSERT(field->id == gh_field_id_of(field->name));
    }
    GH_ASSERT(rest.len == 0);
}

const char *gh_fixture_reply(struct gh_fixture *fixture)
{
    struct gh_answer_head answer;
    bool replaced;
    bool done = gh_policy_answer(&fixture->request, NULL, &answer, &replaced);
    GH_ASSERT(done && !replaced);
    check_block_fields(&answer);
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
    check_block_fields(&answer);
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
