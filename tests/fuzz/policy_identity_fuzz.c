/*
 * Any request head through the stages of a policy with identity on, as it comes or with a good
 * session cookie added: nobody is signed in but by that cookie; a backend hears of identity from us
 * alone and never gets our cookies; routes for some are reached by these only; forward-auth answers
 * listed peers only, with nothing but the statuses that its proxy understands, and names nobody who
 * is not signed in.
 *
 * The first byte chooses peer and session, the rest is the head and, behind it, the body.
 */
#include "base/assert.h"
#include "http/cookie.h"
#include "http/h1_head.h"
#include "policy/request.h"
#include "policy/route.h"
#include "policy/settings.h"
#include "session/access_token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct gh_codec_limits LIMITS = {
    .head_bytes_max = 8192, .target_bytes_max = 4096, .field_count_max = 100};
/* The upstream's reader must take what we add. */
static const struct gh_codec_limits UPSTREAM_LIMITS = {
    .head_bytes_max = 65536, .target_bytes_max = 8192, .field_count_max = 150};

enum choice { LISTED = 1, TRUSTED = 2, TLS = 4, SESSION = 8, ADMIN = 16, BOTH = 32 };

#define NOW_S 1800000000u
#define USER  GH_STR("5d3c1f6e-0b53-4e0e-9d3c-1c1a5f0f7a01")

static const struct gh_str ROLES[] = {GH_STR_INIT("user"), GH_STR_INIT("admin")};
static const struct gh_str PEERS[] = {GH_STR_INIT("10.0.0.0/8")};
static const struct gh_str PROXIES[] = {GH_STR_INIT("172.16.0.0/12")};
static const struct gh_str HOSTS[] = {GH_STR_INIT("h")};
static const struct gh_service_endpoint ENDPOINTS[] = {
    {.method = "POST",
     .path = "/auth/login",
     .access = {.kind = GH_ACCESS_PUBLIC},
     .sets_session = true,
     .limits = {"login"},
     .body_max = 1024},
    {.method = "GET", .path = "/me"},
};
static const struct gh_service_limit SERVICE_LIMITS[] = {
    {"login", "4000000000/second", "body:email"}};
static const struct gh_token_key COOKIE_KEY = {
    .alg = GH_TOKEN_HS256,
    .kid = GH_STR_INIT("c"),
    .secret = GH_STR_INIT("cookie secret of thirty-two bytes!")};

/* For the life of the process. */
struct world {
    struct gh_arena arena;
    const struct gh_policy *policy[2]; /* by headers; by headers and token */
    struct gh_gate *gate;
    struct gh_gate_rules rules;
    struct gh_token_key bearer_key;
    struct gh_limit_table *limits;
    struct gh_str session[2]; /* the cookie of a user, of an admin */
};

static const char *no_environment(void *context, const char *name)
{
    return NULL;
}

static struct gh_config_list list_of(const struct gh_str *items, size_t count)
{
    return (struct gh_config_list){(void *)(uintptr_t)items, count};
}

static const struct gh_policy *compile(struct gh_arena *arena, enum gh_forward forward)
{
    static const struct gh_str UPSTREAMS[] = {GH_STR_INIT("api")};
    static const struct gh_str ADMINS[] = {GH_STR_INIT("admin")};
    struct gh_config_load load;
    struct gh_policy_settings *settings = gh_arena_zalloc(arena, 1, sizeof(*settings));
    struct gh_route_settings *routes = gh_arena_zalloc(arena, 4, sizeof(*routes));
    GH_ASSERT(settings && routes);
    gh_config_load_init(&load, arena, "fuzz", no_environment, NULL);
    gh_config_bind(&load, &gh_limits_table, NULL, &settings->limits);
    gh_config_bind(&load, &gh_headers_table, NULL, &settings->headers);
    gh_config_bind(&load, &gh_csp_table, NULL, &settings->csp);
    gh_config_bind(&load, &gh_cors_table, NULL, &settings->cors);
    gh_config_bind(&load, &gh_builtin_table, NULL, &settings->builtin);
    settings->environment = GH_DEVELOPMENT;
    settings->hosts.allow = list_of(HOSTS, 1);
    settings->trusted_proxies.allow = list_of(PROXIES, 1);
    for (size_t i = 0; i < 4; i++)
        routes[i].upstream = UPSTREAMS[0];
    routes[0].path = GH_STR("/**");
    routes[1].path = GH_STR("/o/**");
    routes[1].access = (struct gh_access_settings){.given = true, .kind = GH_ACCESS_PUBLIC};
    routes[2].path = GH_STR("/u/{id}/**");
    routes[2].access = (struct gh_access_settings){.given = true, .owner = GH_STR("id")};
    routes[3].path = GH_STR("/a/**");
    routes[3].access = (struct gh_access_settings){.given = true, .role = list_of(ADMINS, 1)};
    settings->routes = (struct gh_config_list){routes, 4};
    settings->identity = (struct gh_policy_identity){
        .enabled = true,
        .roles = {ROLES, 2},
        .fresh_ms = 600000,
        .base_path = GH_STR("/i"),
        .login_url = GH_STR("/login"),
        .forward = forward,
        .headers = {GH_STR("X-User-Id"), GH_STR("X-User-Email"), GH_STR("X-User-Roles"),
                    GH_STR("X-Session-Id")},
        .authz_peers = list_of(PEERS, 1),
        .endpoints = ENDPOINTS,
        .endpoint_count = 2,
        .limits = SERVICE_LIMITS,
        .limit_count = 1,
    };
    const struct gh_policy *policy = gh_policy_compile(&load, settings, UPSTREAMS, 1);
    GH_ASSERT(policy);
    return policy;
}

static struct gh_str make_cookie(struct world *world, gh_roles roles)
{
    const struct gh_access_claims claims = {
        .subject = {.id = USER,
                    .session_id = GH_STR("7e3c1f6e-0b53-4e0e-9d3c-1c1a5f0f7a0f"),
                    .email = GH_STR("a@h"),
                    .roles = roles,
                    .authenticated_s = NOW_S - 60,
                    .expires_s = NOW_S + 600},
        .issuer = GH_STR("https://h"),
        .audience = GH_STR("api"),
        .issued_s = NOW_S - 60,
    };
    struct gh_str token =
        gh_access_token_make(&world->arena, &COOKIE_KEY, &world->rules.roles, &claims);
    GH_ASSERT(token.ptr);
    return gh_arena_format(&world->arena, "x=1; __Host-gh_access=%.*s", GH_STR_ARG(token));
}

static struct world *the_world(void)
{
    static struct world world;
    if (world.gate)
        return &world;
    gh_crypto_init();
    gh_arena_init(&world.arena, 65536, 16 * 1024 * 1024);
    world.policy[0] = compile(&world.arena, GH_FORWARD_HEADERS);
    world.policy[1] = compile(&world.arena, GH_FORWARD_BOTH);
    world.bearer_key = (struct gh_token_key){
        .alg = GH_TOKEN_EDDSA, .kid = GH_STR("b"), .pkey = gh_pkey_generate(GH_PKEY_ED25519)};
    world.rules = (struct gh_gate_rules){.cookie_keys = {&COOKIE_KEY, 1},
                                         .bearer_keys = {&world.bearer_key, 1},
                                         .roles = {ROLES, 2},
                                         .issuer = GH_STR("https://h"),
                                         .audience = GH_STR("api"),
                                         .epoch = 1};
    world.session[0] = make_cookie(&world, 1);
    world.session[1] = make_cookie(&world, 2);
    enum gh_err err = gh_limit_table_open(1024, (struct gh_hash_key){1, 2}, &world.limits);
    GH_ASSERT(err == GH_OK);
    struct gh_revocations *revocations = gh_revocations_new(16, (struct gh_hash_key){3, 4});
    world.gate = gh_gate_new(revocations, (struct gh_hash_key){5, 6});
    GH_ASSERT(world.gate);
    return &world;
}

/* ---- What must hold ---- */

static bool is_identity_name(struct gh_str name)
{
    static const char *const NAMES[] = {"x-user-id", "x-user-email", "x-user-roles",
                                        "x-session-id"};
    for (size_t i = 0; i < 4; i++)
        if (gh_str_ieq(name, gh_str_from_c(NAMES[i])))
            return true;
    return false;
}

static bool is_family_name(struct gh_str name)
{
    char memory[64];
    size_t len = name.len < sizeof(memory) ? name.len : sizeof(memory);
    for (size_t i = 0; i < len; i++)
        memory[i] = name.ptr[i] == '_' || name.ptr[i] == '.' ? '-' : gh_ascii_lower(name.ptr[i]);
    struct gh_str folded = gh_str_of(memory, len);
    return gh_str_eq(folded, GH_STR("remote-user")) ||
           gh_str_starts_with(folded, GH_STR("x-auth-request-")) ||
           gh_str_eq(folded, GH_STR("x-forwarded-user")) ||
           (is_identity_name(folded) && !is_identity_name(name));
}

static void check_handed_head(const struct gh_request *request, bool both)
{
    struct gh_request_head head;
    struct gh_str bytes = gh_policy_write_upstream_head(request), value;
    GH_ASSERT(bytes.ptr);
    GH_ASSERT(gh_h1_parse_request_head(bytes, &UPSTREAM_LIMITS, request->arena, &head) ==
              GH_HTTP_ERROR_NONE);
    size_t identities = 0, authorizations = 0;
    for (size_t i = 0; i < head.fields.count; i++) {
        const struct gh_field *field = &head.fields.items[i];
        identities += is_identity_name(field->name);
        authorizations += field->id == GH_FIELD_AUTHORIZATION;
        GH_ASSERT(!is_family_name(field->name));
        if (gh_str_ieq(field->name, GH_STR("x-user-id")))
            GH_ASSERT(gh_str_eq(field->value, USER));
    }
    GH_ASSERT(identities == (request->signed_in ? 4 : 0));
    GH_ASSERT(gh_cookie_find(&head.fields, GH_STR("__Host-gh_access"), &value) == GH_COOKIE_ABSENT);
    if (both && request->signed_in)
        GH_ASSERT(authorizations == 1);
}

static void check_access(const struct gh_request *request)
{
    const struct gh_access_rule *rule = &request->route->access;
    if (rule->kind == GH_ACCESS_PUBLIC)
        return;
    GH_ASSERT(request->signed_in);
    GH_ASSERT(!rule->roles || request->subject.roles & rule->roles);
    if (rule->owner.len)
        GH_ASSERT(request->param_count == 1 && gh_str_eq(request->params[0].value, USER));
}

static void check_forward_auth(const struct gh_request *request)
{
    const struct gh_reply *reply = &request->reply;
    unsigned status = reply->status;
    if (!request->authz_listed)
        GH_ASSERT(status >= 400);
    if (request->authz == GH_AUTHZ_AUTH_REQUEST && request->stage >= GH_STAGE_ROUTE)
        GH_ASSERT(status == 200 || status == 401 || status == 403);
    GH_ASSERT(status == 200 || status == 303 || status >= 400);
    for (size_t i = 0; i < reply->field_count; i++)
        if (gh_str_eq(reply->fields[i].name, GH_STR("Remote-User")) && reply->fields[i].value.len)
            GH_ASSERT(request->signed_in && status == 200);
}

static void check_answer(struct gh_request *request)
{
    struct gh_answer_head answer;
    bool replaced;
    size_t challenges = 0;
    GH_ASSERT(gh_policy_answer(request, NULL, &answer, &replaced) && !replaced);
    for (size_t i = 0; i < answer.field_count; i++) {
        const struct gh_field *field = &answer.fields[i];
        challenges += gh_str_ieq(field->name, GH_STR("www-authenticate"));
        for (size_t at = 0; at < field->value.len; at++)
            GH_ASSERT((uint8_t)field->value.ptr[at] >= 0x20);
    }
    GH_ASSERT(challenges <= 1);
    GH_ASSERT(answer.status != 401 || challenges == 1);
}

/* ---- The run ---- */

static void judge(struct world *world, uint8_t choices, struct gh_request_head *head,
                  struct gh_str body, struct gh_arena *arena)
{
    struct gh_request request;
    struct gh_peer peer = {.tls = choices & TLS, .tls_pair = -1};
    uint8_t network = choices & LISTED ? 10 : choices & TRUSTED ? 172 : 192;
    peer.ip = (struct gh_ip){GH_IP_V4, {network, 16, 2, 1}};
    bool session = choices & SESSION && gh_fields_add(&head->fields, GH_STR("Cookie"),
                                                      world->session[!!(choices & ADMIN)]);
    gh_request_init(&request);
    request.policy = world->policy[!!(choices & BOTH)];
    request.arena = arena;
    request.head = head;
    request.peer = &peer;
    request.limits = world->limits;
    request.gate = world->gate;
    request.gate_rules = &world->rules;
    request.now_s = NOW_S;
    request.now_ms = 1000;
    struct gh_verdict verdict = gh_policy_run(&request);
    if (verdict.kind == GH_VERDICT_ASK) {
        GH_ASSERT(request.ask == GH_ASK_BODY && request.ask_body_max > 0);
        request.body = gh_str_first(body, request.ask_body_max);
        request.body_known = true;
        verdict = gh_policy_run(&request);
    }
    GH_ASSERT(verdict.kind == GH_VERDICT_NEXT || verdict.kind == GH_VERDICT_RESPOND);
    GH_ASSERT(session || !request.signed_in);
    if (verdict.kind == GH_VERDICT_RESPOND) {
        if (request.authz != GH_AUTHZ_NONE)
            check_forward_auth(&request);
        check_answer(&request);
        return;
    }
    GH_ASSERT(request.authz == GH_AUTHZ_NONE);
    if (request.target == GH_TARGET_UPSTREAM || request.target == GH_TARGET_SERVICE)
        check_access(&request);
    if (request.target == GH_TARGET_UPSTREAM)
        check_handed_head(&request, choices & BOTH);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct world *world = the_world();
    if (size < 2)
        return 0;
    struct gh_arena arena;
    struct gh_request_head head;
    struct gh_str bytes = gh_str_of((const char *)data + 1, size - 1);
    gh_arena_init(&arena, 32768, 4 * 1024 * 1024);
    size_t scanned = 0, head_len = 0;
    enum gh_http_error error = GH_HTTP_ERROR_NONE;
    if (gh_h1_scan_request_head(bytes, &scanned, &LIMITS, &head_len, &error) == GH_H1_SCAN_DONE &&
        gh_h1_parse_request_head(gh_str_first(bytes, head_len), &LIMITS, &arena, &head) ==
            GH_HTTP_ERROR_NONE)
        judge(world, data[0], &head, gh_str_skip(bytes, head_len), &arena);
    gh_arena_done(&arena);
    return 0;
}
