/*
 * Any request head through the stages of a whole policy: what is handed to the upstream is read
 * back by our own strict reader as the request that was judged, without forged fields or fields of
 * the client's connection; what is answered can be written to the wire.
 *
 * The first byte chooses the peer, the rest is the head.
 */
#include "base/assert.h"
#include "http/byte_class.h"
#include "http/h1_head.h"
#include "policy/settings.h"
#include "policy/request.h"
#include "policy/route.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct gh_codec_limits LIMITS = {
    .head_bytes_max = 8192, .target_bytes_max = 4096, .field_count_max = 100};
/* The upstream's reader must take what we add. */
static const struct gh_codec_limits UPSTREAM_LIMITS = {
    .head_bytes_max = 65536, .target_bytes_max = 8192, .field_count_max = 150};

enum peer_bits { PEER_TRUSTED = 1, PEER_TLS = 2, PEER_UNIX = 4 };

static const char *no_environment(void *context, const char *name)
{
    return NULL;
}

static const struct gh_policy *compile(void)
{
    static struct gh_arena arena; /* for the life of the process */
    static struct gh_config_load load;
    static struct gh_policy_settings settings;
    static struct gh_route_settings routes[2];
    static struct gh_str origins[] = {GH_STR_INIT("https://a.example"),
                                      GH_STR_INIT("https://*.b.example")};
    static struct gh_str networks[] = {GH_STR_INIT("10.0.0.0/8")};
    static struct gh_str hosts[] = {GH_STR_INIT("*")};
    static const struct gh_str upstreams[] = {GH_STR_INIT("api")};
    gh_arena_init(&arena, 65536, 16 * 1024 * 1024);
    gh_config_load_init(&load, &arena, "fuzz", no_environment, NULL);
    gh_config_bind(&load, &gh_limits_table, NULL, &settings.limits);
    gh_config_bind(&load, &gh_headers_table, NULL, &settings.headers);
    gh_config_bind(&load, &gh_csp_table, NULL, &settings.csp);
    gh_config_bind(&load, &gh_cors_table, NULL, &settings.cors);
    gh_config_bind(&load, &gh_builtin_table, NULL, &settings.builtin);
    settings.environment = GH_DEVELOPMENT;
    settings.hosts.allow = (struct gh_config_list){hosts, 1};
    settings.cors.origins = (struct gh_config_list){origins, 2};
    settings.cors.credentials = true;
    settings.trusted_proxies.allow = (struct gh_config_list){networks, 1};
    routes[0] = (struct gh_route_settings){.path = GH_STR("/**"), .upstream = GH_STR("api")};
    routes[1] = (struct gh_route_settings){.path = GH_STR("/k/{id}/**"),
                                           .upstream = GH_STR("api"),
                                           .encoded = GH_ENCODED_KEEP,
                                           .websocket = true};
    settings.routes = (struct gh_config_list){routes, 2};
    const struct gh_policy *policy = gh_policy_compile(&load, &settings, upstreams, 1);
    GH_ASSERT(policy);
    return policy;
}

static bool is_one_of(struct gh_str name, const char *const *names)
{
    for (; *names; names++)
        if (gh_str_eq(name, gh_str_from_c(*names)))
            return true;
    return false;
}

/* As a CGI backend reads it. */
static struct gh_str fold(struct gh_str name, char *memory, size_t cap)
{
    size_t len = name.len < cap ? name.len : cap;
    for (size_t i = 0; i < len; i++)
        memory[i] = name.ptr[i] == '_' || name.ptr[i] == '.' ? '-' : gh_ascii_lower(name.ptr[i]);
    return gh_str_of(memory, len);
}

static void check_handed_field(const struct gh_request *request, const struct gh_field *field)
{
    static const char *const NEVER[] = {"x-user-id",
                                        "x-user-email",
                                        "x-user-roles",
                                        "x-session-id",
                                        "remote-user",
                                        "remote-groups",
                                        "remote-name",
                                        "remote-email",
                                        "x-forwarded-user",
                                        "x-forwarded-email",
                                        "x-forwarded-groups",
                                        "x-original-url",
                                        "x-rewrite-url",
                                        "x-http-method",
                                        "proxy",
                                        "x-method-override",
                                        "keep-alive",
                                        "x-http-method-override",
                                        "te",
                                        "trailer",
                                        "expect",
                                        "http2-settings",
                                        "proxy-connection",
                                        "proxy-authorization",
                                        NULL};
    static const char *const NEVER_OF_STRANGERS[] = {"x-real-ip", "true-client-ip",
                                                     "cf-connecting-ip", "x-client-ip", NULL};
    static const char *const OURS[] = {"x-forwarded-for", "x-forwarded-proto", "x-forwarded-host",
                                       NULL};
    char memory[64];
    struct gh_str name = fold(field->name, memory, sizeof(memory));
    GH_ASSERT(!is_one_of(name, NEVER));
    GH_ASSERT(!gh_str_starts_with(name, GH_STR("x-auth-request-")));
    if (request->from_trusted)
        return;
    GH_ASSERT(!is_one_of(name, NEVER_OF_STRANGERS));
    if (gh_str_starts_with(name, GH_STR("x-forwarded-")))
        GH_ASSERT(is_one_of(name, OURS) && gh_str_find_char(field->name, '-') == 1);
}

static size_t count(const struct gh_fields *fields, struct gh_str name)
{
    size_t found = 0;
    for (size_t i = 0; i < fields->count; i++)
        found += gh_str_ieq(fields->items[i].name, name);
    return found;
}

static void check_handed_head(const struct gh_request *request)
{
    struct gh_str bytes = gh_policy_write_upstream_head(request);
    struct gh_request_head head;
    struct gh_authority authority;
    GH_ASSERT(bytes.ptr);
    size_t scanned = 0, head_len = 0;
    enum gh_http_error error = GH_HTTP_ERROR_NONE;
    GH_ASSERT(gh_h1_scan_request_head(bytes, &scanned, &UPSTREAM_LIMITS, &head_len, &error) ==
              GH_H1_SCAN_DONE);
    GH_ASSERT(head_len == bytes.len);
    error = gh_h1_parse_request_head(bytes, &UPSTREAM_LIMITS, request->arena, &head);
    GH_ASSERT(error == GH_HTTP_ERROR_NONE);
    GH_ASSERT(gh_str_eq(head.method_text, request->head->method_text));
    GH_ASSERT(gh_str_eq(head.path, request->path));
    GH_ASSERT(!head.query.ptr == !request->query.ptr && gh_str_eq(head.query, request->query));
    GH_ASSERT(gh_authority_parse(head.authority, request->arena, &authority));
    GH_ASSERT(gh_str_eq(authority.host, request->authority.host) &&
              authority.port == request->authority.port);
    GH_ASSERT(head.body == request->head->body ||
              (request->head->body == GH_BODY_NONE && head.content_length == 0));
    GH_ASSERT(!head.upgrade_websocket || request->route->websocket);
    for (size_t i = 0; i < head.fields.count; i++)
        check_handed_field(request, &head.fields.items[i]);
    GH_ASSERT(count(&head.fields, GH_STR("x-forwarded-for")) == 1);
    GH_ASSERT(count(&head.fields, GH_STR("x-forwarded-proto")) == 1);
    GH_ASSERT(count(&head.fields, GH_STR("forwarded")) == 1);
    GH_ASSERT(count(&head.fields, GH_STR("x-request-id")) == 1);
    GH_ASSERT(count(&head.fields, GH_STR("traceparent")) == 1);
    GH_ASSERT(count(&head.fields, GH_STR("upgrade")) == (head.upgrade_websocket ? 1 : 0));
}

static void check_answer(struct gh_request *request)
{
    struct gh_answer_head answer;
    bool replaced;
    GH_ASSERT(gh_policy_answer(request, NULL, &answer, &replaced) && !replaced);
    GH_ASSERT(answer.status >= 200 && answer.status <= 599 && answer.block.len > 0);
    size_t origins = 0, varies = 0;
    for (size_t i = 0; i < answer.field_count; i++) {
        const struct gh_field *field = &answer.fields[i];
        GH_ASSERT(gh_is_token(field->name));
        GH_ASSERT(gh_find_control_scalar(field->value.ptr, 0, field->value.len) ==
                  field->value.len);
        origins += gh_str_ieq(field->name, GH_STR("access-control-allow-origin"));
        varies += gh_str_ieq(field->name, GH_STR("vary"));
        GH_ASSERT(!gh_str_ieq(field->name, GH_STR("x-frame-options")));
    }
    GH_ASSERT(origins <= 1 && varies <= 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct gh_policy *policy;
    if (!policy)
        policy = compile();
    if (size < 2)
        return 0;
    struct gh_arena arena;
    struct gh_request_head head;
    struct gh_request request;
    struct gh_str bytes = gh_str_of((const char *)data + 1, size - 1);
    gh_arena_init(&arena, 32768, 4 * 1024 * 1024);
    size_t scanned = 0, head_len = 0;
    enum gh_http_error error = GH_HTTP_ERROR_NONE;
    if (gh_h1_scan_request_head(bytes, &scanned, &LIMITS, &head_len, &error) == GH_H1_SCAN_DONE &&
        gh_h1_parse_request_head(gh_str_first(bytes, head_len), &LIMITS, &arena, &head) ==
            GH_HTTP_ERROR_NONE) {
        struct gh_peer peer = {.tls = data[0] & PEER_TLS, .tls_pair = -1};
        if (!(data[0] & PEER_UNIX))
            peer.ip = (struct gh_ip){GH_IP_V4, {data[0] & PEER_TRUSTED ? 10 : 192, 0, 2, 1}};
        gh_request_init(&request);
        request.policy = policy;
        request.arena = &arena;
        request.head = &head;
        request.peer = &peer;
        request.dry_run = true;
        request.date = GH_STR("Sat, 21 Nov 2026 03:00:00 GMT");
        struct gh_verdict verdict = gh_policy_run(&request);
        if (verdict.kind == GH_VERDICT_NEXT && request.target == GH_TARGET_UPSTREAM)
            check_handed_head(&request);
        else if (verdict.kind == GH_VERDICT_NEXT)
            gh_policy_refuse(&request, GH_STAGE_HANDOVER, GH_REASON_NO_ROUTE);
        else
            GH_ASSERT(verdict.kind == GH_VERDICT_RESPOND);
        if (verdict.kind != GH_VERDICT_NEXT || request.target != GH_TARGET_UPSTREAM)
            check_answer(&request);
    }
    gh_arena_done(&arena);
    return 0;
}
