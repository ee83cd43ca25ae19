/*
 * Whom a rate limit counts a request for: the client, who is signed in, a header, a field of the
 * body. A body is read the way that a backend may read it; where two backends could read it in two
 * ways, it is refused, so that nobody is counted as one and served as another.
 */
#include "policy/rate.h"

#include "base/num.h"
#include "policy/policy.h"

/* What a client that is one of many behind a prefix is counted by (SPEC stage 3). */
#define V4_BITS 32
#define V6_BITS 64

/* Any honest body of the size that is read; the rest bounds what reading it takes. */
static const struct gh_json_limits BODY_LIMITS = {
    .bytes_max = 64 * 1024, .depth_max = 64, .values_max = 8192, .members_max = 4096};

struct making {
    const struct gh_request *request;
    const struct gh_rate_body *body;
    struct gh_hash_key secret;
};

/* ---- What is in the head ---- */

/* False: there are several lines of it, and another reader may take another one. An absent one
   counts as empty. */
static bool header_part(const struct making *making, const struct gh_rate_key *key,
                        struct gh_hash128 *out_part)
{
    const struct gh_fields *fields = &making->request->head->fields;
    const struct gh_field *found = NULL;
    for (size_t i = 0; i < fields->count; i++) {
        const struct gh_field *field = &fields->items[i];
        if (field->dropped || !gh_str_ieq(field->name, key->name))
            continue;
        if (found)
            return false;
        found = field;
    }
    *out_part = gh_hash128(making->secret, found ? found->value : GH_STR(""));
    return true;
}

static struct gh_hash128 client_part(const struct gh_request *request)
{
    struct gh_ip network = gh_ip_mask(&request->client, V4_BITS, V6_BITS);
    struct gh_hash128 part = {(uint64_t)network.family, 0};
    if (network.family == GH_IP_V4)
        memcpy(&part.hi, network.bytes, V4_BITS / 8);
    else
        memcpy(&part.hi, network.bytes, V6_BITS / 8);
    return part;
}

/* Two issuers may use one id for two people. */
static struct gh_hash128 user_part(const struct making *making)
{
    const struct gh_request *request = making->request;
    if (!request->signed_in)
        return client_part(request);
    const struct gh_hash128 both[] = {gh_hash128(making->secret, request->subject.issuer),
                                      gh_hash128(making->secret, request->subject.id)};
    return gh_hash128(making->secret, gh_str_of((const char *)both, sizeof(both)));
}

static struct gh_hash128 session_part(const struct making *making)
{
    const struct gh_request *request = making->request;
    if (!request->signed_in || !request->subject.session_id.len)
        return user_part(making);
    return gh_hash128(making->secret, request->subject.session_id);
}

/* ---- What is in the body ---- */

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static struct gh_str trim(struct gh_str text)
{
    while (text.len && is_space(text.ptr[0]))
        text = gh_str_skip(text, 1);
    while (text.len && is_space(text.ptr[text.len - 1]))
        text.len--;
    return text;
}

/* The type alone, without parameters. Repeated lines are no type. */
static struct gh_str media_type(const struct gh_request *request)
{
    const struct gh_fields *fields = &request->head->fields;
    const struct gh_field *line = gh_fields_find(fields, GH_FIELD_CONTENT_TYPE);
    if (!line || gh_fields_find_next(fields, line))
        return GH_STR("");
    return gh_str_trim_ows(gh_str_first(line->value, gh_str_find_char(line->value, ';')));
}

static bool is_json_type(struct gh_str type)
{
    const struct gh_str suffix = GH_STR("+json");
    return gh_str_ieq(type, GH_STR("application/json")) ||
           (type.len > suffix.len && gh_str_ieq(gh_str_skip(type, type.len - suffix.len), suffix));
}

void gh_rate_body_read(const struct gh_request *request, struct gh_rate_body *out_body)
{
    struct gh_str type = media_type(request), body = trim(request->body);
    *out_body = (struct gh_rate_body){.kind = GH_RATE_BODY_OTHER};
    if (gh_str_ieq(type, GH_STR("application/x-www-form-urlencoded"))) {
        out_body->kind = GH_RATE_BODY_FORM;
        out_body->form = body;
        return;
    }
    bool json = is_json_type(type);
    /* Many backends read JSON whatever the type says. */
    if (!body.len || (!json && body.ptr[0] != '{'))
        return;
    if (gh_json_parse(request->arena, body, &BODY_LIMITS, &out_body->doc, NULL) == GH_JSON_OK)
        out_body->kind = GH_RATE_BODY_JSON;
    else
        out_body->unreadable = json;
}

/* One name or value of a form, decoded (WHATWG URL section 5.1); a bad escape stays as it is. */
static struct gh_str decode(struct gh_arena *arena, struct gh_str text)
{
    char *memory = gh_arena_alloc(arena, text.len + 1);
    if (!memory)
        return (struct gh_str){0};
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        int high = c == '%' && text.len - i > 2 ? gh_num_hex_digit(text.ptr[i + 1]) : -1;
        int low = high >= 0 ? gh_num_hex_digit(text.ptr[i + 2]) : -1;
        if (low >= 0) {
            c = (char)(high << 4 | low);
            i += 2;
        } else if (c == '+') {
            c = ' ';
        }
        memory[len++] = c;
    }
    return gh_str_of(memory, len);
}

enum found { TWICE, MISSING, FOUND };

static enum found find_in_form(struct gh_arena *arena, struct gh_str form, struct gh_str name,
                               struct gh_str *out_value)
{
    enum found found = MISSING;
    for (struct gh_str rest = form; rest.ptr;) {
        struct gh_str value = gh_str_split(&rest, '&');
        struct gh_str left = gh_str_split(&value, '=');
        if (!gh_str_eq(trim(decode(arena, left)), name))
            continue;
        if (found == FOUND)
            return TWICE;
        found = FOUND;
        *out_value = value.ptr ? decode(arena, value) : GH_STR("");
        if (!out_value->ptr) /* no memory: as if it could be read two ways */
            return TWICE;
    }
    return found;
}

static enum found find_in_json(const struct gh_json_doc *doc, struct gh_str name,
                               struct gh_str *out_value)
{
    const struct gh_json_value *value = gh_json_get(doc, gh_json_root(doc), name);
    if (!value || (value->kind != GH_JSON_STRING && value->kind != GH_JSON_NUMBER))
        return MISSING;
    *out_value = value->text;
    return FOUND;
}

/* False: twice. A missing or empty value falls back to the client. */
static bool body_part(const struct making *making, const struct gh_rate_key *key,
                      struct gh_hash128 *out_part)
{
    const struct gh_rate_body *body = making->body;
    struct gh_arena *arena = making->request->arena;
    struct gh_str value = {0};
    enum found found = MISSING;
    if (body->kind == GH_RATE_BODY_JSON)
        found = find_in_json(&body->doc, key->name, &value);
    else if (body->kind == GH_RATE_BODY_FORM)
        found = find_in_form(arena, body->form, key->name, &value);
    value = trim(value);
    if (found == TWICE)
        return false;
    if (!value.len) {
        *out_part = client_part(making->request);
        return true;
    }
    if (gh_str_eq(key->name, GH_STR("email"))) {
        char *lower = gh_arena_alloc(arena, value.len);
        if (!lower)
            return false;
        for (size_t i = 0; i < value.len; i++)
            lower[i] = gh_ascii_lower(value.ptr[i]);
        value.ptr = lower;
    }
    *out_part = gh_hash128(making->secret, value);
    return true;
}

/* ---- The key ---- */

static bool key_part(const struct making *making, const struct gh_rate_key *key,
                     struct gh_hash128 *out_part)
{
    const struct gh_request *request = making->request;
    switch (key->kind) {
    case GH_RATE_KEY_CLIENT:
        *out_part = client_part(request);
        return true;
    case GH_RATE_KEY_ROUTE:
        *out_part = gh_hash128(making->secret, request->route->pattern);
        return true;
    case GH_RATE_KEY_HEADER:
        return header_part(making, key, out_part);
    case GH_RATE_KEY_USER:
        *out_part = user_part(making);
        return true;
    case GH_RATE_KEY_SESSION:
        *out_part = session_part(making);
        return true;
    case GH_RATE_KEY_BODY:
        break;
    }
    return body_part(making, key, out_part);
}

/* Policy and source in one: each part has a fixed length, and the shape says what they are. */
bool gh_rate_key_make(const struct gh_request *request, const struct gh_rate_policy *policy,
                      const struct gh_rate_body *body, struct gh_hash_key secret,
                      struct gh_hash128 *out_key)
{
    const struct making making = {request, body, secret};
    uint64_t words[1 + 2 * GH_RATE_KEYS_MAX];
    size_t count = 0;
    words[count++] = policy->shape;
    for (size_t i = 0; i < policy->key_count; i++) {
        struct gh_hash128 part;
        if (!key_part(&making, &policy->keys[i], &part))
            return false;
        words[count++] = part.lo;
        words[count++] = part.hi;
    }
    *out_key = gh_hash128(making.secret, gh_str_of((const char *)words, count * sizeof(words[0])));
    return true;
}
