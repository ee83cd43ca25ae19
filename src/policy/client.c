/*
 * Stage 3: who is calling, over which scheme, under which request id; and the fields that only a
 * proxy or the gateway may set are taken out. And the table of `trusted_proxies`.
 *
 * Backends that follow CGI (PHP, WSGI, Rack) read X_User_Id and X.User.Id as X-User-Id, so names
 * are compared with '_' and '.' taken for '-'.
 */
#include "policy/policy.h"

#include "base/hash.h"

/* Whose copies of a field are taken out. */
enum strip {
    STRIP_ALIAS,     /* only the spellings with '_' and '.', which no honest proxy sends */
    STRIP_UNTRUSTED, /* those of clients; the alias spellings of everyone */
    STRIP_ALL,
};

/* Lower case; sorted by nothing but sense, there are few. */
static const struct {
    struct gh_str name;
    enum strip strip;
} STRIPPED[] = {
    {GH_STR_INIT("forwarded"), STRIP_UNTRUSTED},
    {GH_STR_INIT("true-client-ip"), STRIP_UNTRUSTED},
    {GH_STR_INIT("cf-connecting-ip"), STRIP_UNTRUSTED},
    {GH_STR_INIT("x-real-ip"), STRIP_UNTRUSTED},
    {GH_STR_INIT("x-client-ip"), STRIP_UNTRUSTED},
    {GH_STR_INIT("x-middleware-subrequest"), STRIP_UNTRUSTED},
    {GH_STR_INIT("x-request-id"), STRIP_ALIAS},
    /* what lets a backend see another target or method than we did */
    {GH_STR_INIT("x-original-url"), STRIP_ALL},
    {GH_STR_INIT("x-rewrite-url"), STRIP_ALL},
    {GH_STR_INIT("x-http-method"), STRIP_ALL},
    {GH_STR_INIT("x-http-method-override"), STRIP_ALL},
    {GH_STR_INIT("x-method-override"), STRIP_ALL},
    {GH_STR_INIT("proxy"), STRIP_ALL}, /* "httpoxy": HTTP_PROXY of CGI */
    /* the identity that only the gateway may vouch for (stage 15): our own names, and those of
       the proxies that backends are used to */
    {GH_STR_INIT("x-user-id"), STRIP_ALL},
    {GH_STR_INIT("x-user-email"), STRIP_ALL},
    {GH_STR_INIT("x-user-roles"), STRIP_ALL},
    {GH_STR_INIT("x-session-id"), STRIP_ALL},
    {GH_STR_INIT("remote-user"), STRIP_ALL},
    {GH_STR_INIT("remote-groups"), STRIP_ALL},
    {GH_STR_INIT("remote-name"), STRIP_ALL},
    {GH_STR_INIT("remote-email"), STRIP_ALL},
    {GH_STR_INIT("x-forwarded-user"), STRIP_ALL},
    {GH_STR_INIT("x-forwarded-email"), STRIP_ALL},
    {GH_STR_INIT("x-forwarded-groups"), STRIP_ALL},
    {GH_STR_INIT("x-forwarded-preferred-username"), STRIP_ALL},
    {GH_STR_INIT("x-forwarded-access-token"), STRIP_ALL},
};
#define STRIPPED_COUNT         (sizeof(STRIPPED) / sizeof(STRIPPED[0]))
#define STRIPPED_NAME_LEN_MIN  5
#define STRIPPED_NAME_LEN_MAX  32
#define X_FORWARDED            GH_STR("x-forwarded-")
#define X_AUTH_REQUEST         GH_STR("x-auth-request-")
#define REQUEST_ID_LEN_MAX     128
#define TRACEPARENT_LEN        55
#define TRACEPARENT_TRACE_AT   3
#define TRACEPARENT_PARENT_AT  36
#define TRACEPARENT_FLAGS_AT   53
#define TRACEPARENT_TRACE_LEN  32
#define TRACEPARENT_PARENT_LEN 16

/* Cheap no for most names: all of the table begin with c, f, p, r, t or "x" and a separator. */
static bool may_be_stripped(struct gh_str name)
{
    if (name.len < STRIPPED_NAME_LEN_MIN)
        return false;
    switch (name.ptr[0] | 0x20) {
    case 'x':
        return name.ptr[1] == '-' || name.ptr[1] == '_' || name.ptr[1] == '.';
    case 'c':
        return (name.ptr[1] | 0x20) == 'f';
    case 'f':
        return name.len == 9;
    case 'p':
        return name.len == 5;
    case 'r':
        return name.len >= 11 && (name.ptr[2] | 0x20) == 'm';
    case 't':
        return name.len == 14;
    default:
        return false;
    }
}

static bool is_stripped(struct gh_str name, bool from_trusted)
{
    char folded[STRIPPED_NAME_LEN_MAX];
    bool alias = false;
    size_t len = name.len < sizeof(folded) ? name.len : sizeof(folded);
    for (size_t i = 0; i < len; i++) {
        bool separator = name.ptr[i] == '_' || name.ptr[i] == '.';
        alias |= separator;
        folded[i] = separator ? '-' : gh_ascii_lower(name.ptr[i]);
    }
    struct gh_str plain = gh_str_of(folded, len);
    if (gh_str_starts_with(plain, X_AUTH_REQUEST))
        return true;
    for (size_t i = 0; name.len == len && i < STRIPPED_COUNT; i++)
        if (gh_str_eq(STRIPPED[i].name, plain))
            return alias || STRIPPED[i].strip == STRIP_ALL ||
                   (STRIPPED[i].strip == STRIP_UNTRUSTED && !from_trusted);
    return gh_str_starts_with(plain, X_FORWARDED) && (alias || !from_trusted);
}

/* Names of the configuration may be of any length and begin with any letter. */
static bool is_own(const struct gh_identity_rules *identity, struct gh_str name)
{
    for (size_t i = 0; i < identity->own_name_count; i++) {
        struct gh_str own = identity->own_names[i];
        if (own.len != name.len)
            continue;
        size_t at = 0;
        while (at < own.len && (name.ptr[at] == '_' || name.ptr[at] == '.'
                                    ? own.ptr[at] == '-'
                                    : own.ptr[at] == gh_ascii_lower(name.ptr[at])))
            at++;
        if (at == own.len)
            return true;
    }
    return false;
}

static void strip_forged(struct gh_request *request)
{
    const struct gh_identity_rules *identity = request->policy->identity;
    struct gh_fields *fields = &request->head->fields;
    for (size_t i = 0; i < fields->count; i++) {
        struct gh_str name = fields->items[i].name;
        if ((may_be_stripped(name) && is_stripped(name, request->from_trusted)) ||
            (identity && identity->own_name_count && is_own(identity, name)))
            fields->items[i].dropped = true;
    }
}

static bool is_request_id(struct gh_str id)
{
    if (!id.len || id.len > REQUEST_ID_LEN_MAX)
        return false;
    for (size_t i = 0; i < id.len; i++) {
        char c = id.ptr[i], lower = gh_ascii_lower(c);
        if (!(lower >= 'a' && lower <= 'z') && !(c >= '0' && c <= '9') && c != '.' && c != '_' &&
            c != '-')
            return false;
    }
    return true;
}

/* The only line with that id; ptr NULL when there is none or more than one. */
static struct gh_str only_value(const struct gh_fields *fields, enum gh_field_id id)
{
    const struct gh_field *field = gh_fields_find(fields, id);
    if (!field || gh_fields_find_next(fields, field))
        return (struct gh_str){0};
    return field->value;
}

void gh_request_make_id(struct gh_request *request)
{
    if (request->from_trusted && request->head) {
        struct gh_str id = only_value(&request->head->fields, GH_FIELD_X_REQUEST_ID);
        if (is_request_id(id)) {
            request->request_id = id;
            return;
        }
    }
    size_t cap = 2 * sizeof(request->random);
    char *memory = gh_arena_alloc(request->arena, cap);
    if (!memory)
        return;
    struct gh_buf buf = gh_buf_over(memory, cap);
    gh_buf_put_hex_bytes(&buf, request->random, sizeof(request->random));
    request->request_id = gh_buf_str(&buf);
}

static bool is_lower_hex(struct gh_str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!(s.ptr[i] >= '0' && s.ptr[i] <= '9') && !(s.ptr[i] >= 'a' && s.ptr[i] <= 'f'))
            return false;
    return true;
}

static bool is_all_zero(struct gh_str s)
{
    size_t zeros = 0;
    while (zeros < s.len && s.ptr[zeros] == '0')
        zeros++;
    return zeros == s.len;
}

/* W3C Trace Context, section 3.2: version 00 exactly; of later versions the part that 00 has. */
static bool is_traceparent(struct gh_str text)
{
    if (text.len < TRACEPARENT_LEN || text.ptr[2] != '-' || text.ptr[35] != '-' ||
        text.ptr[52] != '-')
        return false;
    struct gh_str version = gh_str_first(text, 2);
    struct gh_str trace = gh_str_of(text.ptr + TRACEPARENT_TRACE_AT, TRACEPARENT_TRACE_LEN);
    struct gh_str parent = gh_str_of(text.ptr + TRACEPARENT_PARENT_AT, TRACEPARENT_PARENT_LEN);
    struct gh_str flags = gh_str_of(text.ptr + TRACEPARENT_FLAGS_AT, 2);
    if (!is_lower_hex(version) || !is_lower_hex(trace) || !is_lower_hex(parent) ||
        !is_lower_hex(flags) || is_all_zero(trace) || is_all_zero(parent) ||
        gh_str_eq(version, GH_STR("ff")))
        return false;
    if (gh_str_eq(version, GH_STR("00")))
        return text.len == TRACEPARENT_LEN;
    return text.len == TRACEPARENT_LEN || text.ptr[TRACEPARENT_LEN] == '-';
}

/* A trace goes on with us as the parent, or begins here. tracestate speaks of the incoming trace
   and goes when that is not carried on. */
static void make_traceparent(struct gh_request *request)
{
    struct gh_fields *fields = &request->head->fields;
    struct gh_str incoming = only_value(fields, GH_FIELD_TRACEPARENT);
    char *memory = gh_arena_alloc(request->arena, TRACEPARENT_LEN);
    if (!memory)
        return;
    /* A span id that is neither the trace id nor the request id's digits, from the same bytes. */
    struct gh_hash_key key;
    memcpy(&key, request->random, sizeof(key));
    uint64_t span = gh_hash64(key, GH_STR("span")) | 1;
    struct gh_buf buf = gh_buf_over(memory, TRACEPARENT_LEN);
    gh_buf_put(&buf, GH_STR("00-"));
    bool carried_on = is_traceparent(incoming);
    if (carried_on) {
        gh_buf_put(&buf, gh_str_of(incoming.ptr + TRACEPARENT_TRACE_AT, TRACEPARENT_TRACE_LEN));
    } else {
        gh_buf_put_hex_bytes(&buf, request->random, sizeof(request->random));
        gh_fields_drop(fields, GH_FIELD_TRACESTATE);
    }
    gh_buf_put_char(&buf, '-');
    gh_buf_put_hex_bytes(&buf, (const uint8_t *)&span, sizeof(span));
    gh_buf_put_char(&buf, '-');
    gh_buf_put(&buf, carried_on ? gh_str_of(incoming.ptr + TRACEPARENT_FLAGS_AT, 2) : GH_STR("00"));
    request->traceparent = gh_buf_str(&buf);
}

bool gh_policy_is_trusted_proxy(const struct gh_policy *policy, const struct gh_ip *ip)
{
    if (ip->family == GH_IP_NONE)
        return policy->trust_unix;
    return policy->trusted.count && gh_trusted_proxies_contain(&policy->trusted, ip);
}

struct gh_verdict gh_stage_client(struct gh_request *request)
{
    const struct gh_policy *policy = request->policy;
    const struct gh_peer *peer = request->peer;
    request->client = peer->ip;
    request->https = peer->tls;
    /* who may ask for decisions may also say for whom */
    request->from_trusted = request->authz_listed || gh_policy_is_trusted_proxy(policy, &peer->ip);
    if (request->from_trusted) {
        struct gh_forwarded_result found =
            gh_forwarded_walk(&request->head->fields, &policy->trusted, &peer->ip);
        request->client = found.client;
        if (gh_str_ieq(found.proto, GH_STR("https")) || gh_str_ieq(found.proto, GH_STR("wss")))
            request->https = true;
    }
    gh_request_make_id(request);
    make_traceparent(request);
    if (!request->request_id.ptr || !request->traceparent.ptr)
        return gh_verdict_deny(GH_REASON_OVERLOADED);
    strip_forged(request);
    return gh_verdict_next();
}

void gh_client_compile(struct gh_config_load *load, const struct gh_policy_settings *settings,
                       struct gh_policy *policy)
{
    const struct gh_str *allow = settings->trusted_proxies.allow.items;
    size_t count = settings->trusted_proxies.allow.count;
    struct gh_ip_network *networks = gh_arena_zalloc(load->arena, count + 1, sizeof(*networks));
    if (!networks)
        return;
    policy->trusted.networks = networks;
    policy->trusted.header = settings->trusted_proxies.header;
    for (size_t i = 0; i < count; i++) {
        struct gh_config_place place = gh_config_where(load, &allow[i]);
        struct gh_ip_network *network = &networks[policy->trusted.count];
        if (gh_str_eq(allow[i], GH_STR("unix"))) {
            policy->trust_unix = true;
            continue;
        }
        if (!gh_ip_network_parse(allow[i], network)) {
            gh_config_problem_add(load, GH_CONFIG_ERROR, place,
                                  "write 10.0.0.0/8, 2001:db8::/32, an address, or unix; the bits "
                                  "behind the prefix must be zero",
                                  "\"%.*s\" is no network", GH_STR_ARG(allow[i]));
            continue;
        }
        if (network->prefix_bits == 0)
            gh_config_problem_add(load, GH_CONFIG_WARNING, place, "name the proxies' own networks",
                                  "trusted_proxies believes everyone: any client can then choose "
                                  "its address");
        policy->trusted.count++;
    }
}

static const struct gh_config_field STRING_ITEM = {.type = GH_CONFIG_TYPE_STRING};
static const char *const HEADER_NAMES[] = {"X-Forwarded-For", "Forwarded", NULL};

static const struct gh_config_field TRUSTED_FIELDS[] = {
    {.name = "allow",
     .type = GH_CONFIG_TYPE_LIST,
     .offset = offsetof(struct gh_trusted_settings, allow),
     .item = &STRING_ITEM,
     .one_or_list = true,
     .doc = "Networks whose proxies may tell us the client's address and scheme. `unix` stands for"
            " the peers of Unix listeners."},
    {.name = "header",
     .type = GH_CONFIG_TYPE_ENUM,
     .offset = offsetof(struct gh_trusted_settings, header),
     .names = HEADER_NAMES,
     .doc = "The one field that they tell it in."},
};

const struct gh_config_table gh_trusted_table = {
    .name = "trusted_proxies",
    .doc = "Who may tell us the client's address.",
    .size = sizeof(struct gh_trusted_settings),
    .fields = TRUSTED_FIELDS,
    .field_count = sizeof(TRUSTED_FIELDS) / sizeof(TRUSTED_FIELDS[0]),
    .short_form = "allow",
};
