/*
 * The response stages: what of the upstream's head is passed on, what we add, and when its answer
 * is replaced by one of ours. Values are not copied: the fields point into the upstream's head, the
 * block of security headers was made when the configuration was loaded.
 */
#include "policy/policy.h"

#include "base/assert.h"
#include "policy/headers.h"
#include "policy/hop.h"

/* What we add ourselves at the most: CORS 3, Vary, X-Request-Id, Date. */
#define OWN_FIELDS_MAX 6
#define LINES_MASK_MAX 128

enum response_class {
    CLASS_PLAIN,
    CLASS_HOP, /* of that connection, or framing, which the codec writes afresh */
    CLASS_CORS,
    CLASS_REQUEST_ID,
    CLASS_DATE,
    CLASS_VARY,
    CLASS_CACHE_CONTROL,
};

static const uint8_t CLASSES[GH_FIELD_ID_COUNT] = {
    [GH_FIELD_CONNECTION] = CLASS_HOP,
    [GH_FIELD_CONTENT_LENGTH] = CLASS_HOP,
    [GH_FIELD_KEEP_ALIVE] = CLASS_HOP,
    [GH_FIELD_PROXY_AUTHENTICATE] = CLASS_HOP,
    [GH_FIELD_PROXY_CONNECTION] = CLASS_HOP,
    [GH_FIELD_TE] = CLASS_HOP,
    [GH_FIELD_TRAILER] = CLASS_HOP,
    [GH_FIELD_TRANSFER_ENCODING] = CLASS_HOP,
    [GH_FIELD_UPGRADE] = CLASS_HOP,
    [GH_FIELD_ACCESS_CONTROL_ALLOW_CREDENTIALS] = CLASS_CORS,
    [GH_FIELD_ACCESS_CONTROL_ALLOW_HEADERS] = CLASS_CORS,
    [GH_FIELD_ACCESS_CONTROL_ALLOW_METHODS] = CLASS_CORS,
    [GH_FIELD_ACCESS_CONTROL_ALLOW_ORIGIN] = CLASS_CORS,
    [GH_FIELD_ACCESS_CONTROL_ALLOW_PRIVATE_NETWORK] = CLASS_CORS,
    [GH_FIELD_ACCESS_CONTROL_EXPOSE_HEADERS] = CLASS_CORS,
    [GH_FIELD_ACCESS_CONTROL_MAX_AGE] = CLASS_CORS,
    [GH_FIELD_X_REQUEST_ID] = CLASS_REQUEST_ID,
    [GH_FIELD_DATE] = CLASS_DATE,
    [GH_FIELD_VARY] = CLASS_VARY,
    [GH_FIELD_CACHE_CONTROL] = CLASS_CACHE_CONTROL,
};

struct answer {
    struct gh_request *request;
    const struct gh_header_block *block;
    const struct gh_fields *upstream; /* NULL: the gateway's own */
    bool https, has_nominated;
    struct gh_field *fields;
    size_t count;
    uint64_t kept[LINES_MASK_MAX / 64]; /* lines of the block that the backend's stands for */
    bool any_kept, cache_control_given, date_given;
};

static void add(struct answer *answer, struct gh_str name, struct gh_str value)
{
    answer->fields[answer->count++] = (struct gh_field){.name = name, .value = value};
}

static bool is_kept(const struct answer *answer, size_t line)
{
    return answer->kept[line / 64] >> (line % 64) & 1;
}

/* The first line of a name stays; further ones of a policy are joined to it, which means the same
   (a list of policies); further ones of anything else go. */
static bool keep(struct answer *answer, size_t line, const struct gh_field *field)
{
    if (!is_kept(answer, line)) {
        answer->kept[line / 64] |= 1ull << (line % 64);
        answer->any_kept = true;
        answer->fields[answer->count++] = *field;
        return true;
    }
    if (!answer->block->lines[line].joins_list)
        return true;
    for (size_t i = 0; i < answer->count; i++) {
        struct gh_field *first = &answer->fields[i];
        if (!gh_str_ieq(first->name, field->name))
            continue;
        const struct gh_str both[] = {first->value, field->value};
        first->value = gh_policy_join(answer->request->arena, both, 2, GH_STR(", "));
        return first->value.ptr;
    }
    return true;
}

/* A refusal of ours must not be cached, whatever headers.set says of Cache-Control; the service
   says itself what may be (its public keys). */
static bool ours_wins(const struct answer *answer, const struct gh_header_line *line,
                      const struct gh_field *field)
{
    if (!answer->upstream && field->id == GH_FIELD_CACHE_CONTROL)
        return !line->if_silent && gh_str_starts_with(line->value, GH_STR("no-store"));
    return !line->if_silent && answer->block->on_conflict == GH_CONFLICT_REPLACE;
}

/* False: the arena is full. */
static bool add_by_block(struct answer *answer, const struct gh_field *field)
{
    size_t at = 0;
    switch (gh_header_block_find(answer->block, field->name, &at)) {
    case GH_HEADER_PASS:
        answer->fields[answer->count++] = *field;
        return true;
    case GH_HEADER_REMOVE:
        return true;
    case GH_HEADER_OURS:
        break;
    }
    const struct gh_header_line *line = &answer->block->lines[at];
    if (ours_wins(answer, line, field))
        return true;
    if (line->if_silent) {
        answer->cache_control_given = true;
        answer->fields[answer->count++] = *field;
        return true;
    }
    return keep(answer, at, field);
}

static bool is_extra(const struct gh_request *request, struct gh_str name)
{
    for (size_t i = 0; i < request->extra_count; i++)
        if (gh_str_ieq(request->extra[i].name, name))
            return true;
    return false;
}

static bool add_field(struct answer *answer, const struct gh_field *field)
{
    const struct gh_request *request = answer->request;
    switch ((enum response_class)CLASSES[field->id]) {
    case CLASS_HOP:
    case CLASS_REQUEST_ID:
        return true;
    case CLASS_CORS:
        if (answer->upstream && gh_cors_mode(request) == GH_MODE_ENFORCE)
            return true;
        break;
    case CLASS_DATE:
        if (answer->date_given)
            return true;
        answer->date_given = true;
        break;
    case CLASS_VARY:
        if (request->cors_seen)
            return true; /* merged by add_vary */
        break;
    case CLASS_PLAIN:
    case CLASS_CACHE_CONTROL:
        break;
    }
    if ((answer->has_nominated && gh_hop_is_nominated(answer->upstream, field->name)) ||
        (request->extra_count && is_extra(request, field->name)))
        return true;
    return add_by_block(answer, field);
}

static bool add_fields(struct answer *answer, const struct gh_field *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct gh_field field = items[i];
        if (field.dropped)
            continue;
        if (!answer->upstream && field.id == GH_FIELD_OTHER) /* a reply made by hand */
            field.id = gh_field_id_of(field.name);
        if (!add_field(answer, &field))
            return false;
    }
    return true;
}

/* One Vary: the upstream's lines and Origin, so that no cache gives one origin's answer to
   another. "*" says more already. */
static bool add_vary(struct answer *answer, const struct gh_field *items, size_t count)
{
    struct gh_str parts[GH_FIELDS_MAX + 1] __attribute__((uninitialized)); /* wiping costs more */
    size_t part_count = 0;
    bool has_origin = false;
    for (size_t i = 0; i < count && part_count < GH_FIELDS_MAX; i++) {
        if (items[i].id != GH_FIELD_VARY || items[i].dropped || !items[i].value.len)
            continue;
        struct gh_str name;
        for (struct gh_str rest = items[i].value; gh_str_next_list_item(&rest, &name);)
            has_origin |= gh_str_ieq(name, GH_STR("origin")) || gh_str_eq(name, GH_STR("*"));
        parts[part_count++] = items[i].value;
    }
    if (!has_origin)
        parts[part_count++] = GH_STR("Origin");
    struct gh_str value = parts[0];
    if (part_count > 1)
        value = gh_policy_join(answer->request->arena, parts, part_count, GH_STR(", "));
    add(answer, GH_STR("Vary"), value);
    return value.ptr;
}

static void add_cors(struct answer *answer)
{
    const struct gh_request *request = answer->request;
    const struct gh_cors_rule *cors = &request->policy->cors;
    if (!request->cors_origin.len)
        return;
    add(answer, GH_STR("Access-Control-Allow-Origin"), request->cors_origin);
    if (cors->credentials)
        add(answer, GH_STR("Access-Control-Allow-Credentials"), GH_STR("true"));
    add(answer, GH_STR("Access-Control-Expose-Headers"), cors->expose_value);
}

/* The block without what was kept of the backend's. */
static struct gh_str block_without_kept(const struct answer *answer)
{
    const struct gh_header_block *block = answer->block;
    size_t cap = block->bytes[answer->https].len + 1;
    char *memory = gh_arena_alloc(answer->request->arena, cap);
    if (!memory)
        return (struct gh_str){0};
    struct gh_buf out = gh_buf_over(memory, cap);
    for (size_t i = 0; i < block->line_count; i++) {
        const struct gh_header_line *line = &block->lines[i];
        if (!line->when[answer->https] || is_kept(answer, i) ||
            (line->if_silent && answer->cache_control_given))
            continue;
        gh_buf_put(&out, line->name);
        gh_buf_put(&out, GH_STR(": "));
        gh_buf_put(&out, line->value);
        gh_buf_put(&out, GH_STR("\r\n"));
    }
    return gh_buf_str(&out);
}

static void choose_block(const struct answer *answer, struct gh_answer_head *out_answer)
{
    const struct gh_header_block *block = answer->block;
    bool https = answer->https;
    if (answer->any_kept) {
        out_answer->block = block_without_kept(answer);
        return;
    }
    out_answer->block = block->bytes[https];
    out_answer->block_fields = block->fields[https];
    out_answer->block_field_count = block->field_count[https];
    if (answer->cache_control_given) {
        out_answer->block.len = block->always_len[https];
        out_answer->block_field_count = block->always_count[https];
    }
}

static bool begin(struct answer *answer, struct gh_request *request,
                  const struct gh_fields *upstream, size_t count)
{
    const struct gh_route *route = request->route;
    *answer = (struct answer){
        .request = request,
        .block = route && route->block ? route->block : request->policy->block,
        .upstream = upstream,
        /* a head that could not be read never reached the stage that says so */
        .https = request->https || (request->peer && request->peer->tls),
    };
    GH_ASSERT(answer->block->line_count <= LINES_MASK_MAX);
    answer->has_nominated = upstream && gh_hop_has_nominated(upstream);
    answer->fields = gh_arena_alloc(
        request->arena, (count + request->extra_count + OWN_FIELDS_MAX) * sizeof(*answer->fields));
    return answer->fields;
}

static bool finish(struct answer *answer, const struct gh_field *items, size_t count,
                   struct gh_answer_head *out_answer)
{
    struct gh_request *request = answer->request;
    if (!add_fields(answer, items, count))
        return false;
    add_cors(answer);
    if (request->cors_seen && !add_vary(answer, items, count))
        return false;
    if (request->request_id.len)
        add(answer, GH_STR("X-Request-Id"), request->request_id);
    if (!answer->date_given && request->date.len)
        add(answer, GH_STR("Date"), request->date);
    for (size_t i = 0; i < request->extra_count; i++)
        if (!request->extra[i].dropped)
            answer->fields[answer->count++] = request->extra[i];
    out_answer->fields = answer->fields;
    out_answer->field_count = answer->count;
    choose_block(answer, out_answer);
    return out_answer->block.ptr;
}

static bool answer_reply(struct gh_request *request, struct gh_answer_head *out_answer)
{
    const struct gh_reply *reply = &request->reply;
    struct answer answer;
    bool bodyless = reply->status == 204 || reply->status == 304;
    *out_answer = (struct gh_answer_head){
        .status = reply->status,
        .body = bodyless ? GH_BODY_NONE : GH_BODY_LENGTH,
        .content_length = bodyless ? 0 : reply->body.len,
    };
    return begin(&answer, request, NULL, reply->field_count) &&
           finish(&answer, reply->fields, reply->field_count, out_answer);
}

/* ---- 101 ---- */

/* A client of HTTP/1.1 looks at this itself. */
static bool proves_that_it_understood(const struct gh_request *request,
                                      const struct gh_fields *fields)
{
    const struct gh_field *accept = gh_fields_find(fields, GH_FIELD_SEC_WEBSOCKET_ACCEPT);
    return !request->websocket_key.len || (accept && !gh_fields_find_next(fields, accept) &&
                                           gh_str_eq(accept->value, request->websocket_accept));
}

static bool is_wanted_upgrade(const struct gh_request *request,
                              const struct gh_response_head *upstream)
{
    return request->route && request->route->websocket && request->head->upgrade_websocket &&
           gh_str_ieq(gh_fields_value(&upstream->fields, GH_FIELD_UPGRADE), GH_STR("websocket")) &&
           proves_that_it_understood(request, &upstream->fields);
}

/* What is about HTTP/1.1's way of switching is not for HTTP/2 (RFC 8441 section 5). */
static bool is_websocket_field(enum gh_field_id id, bool of_http1)
{
    return id == GH_FIELD_SEC_WEBSOCKET_PROTOCOL || id == GH_FIELD_SEC_WEBSOCKET_EXTENSIONS ||
           (of_http1 && (id == GH_FIELD_UPGRADE || id == GH_FIELD_SEC_WEBSOCKET_ACCEPT));
}

/* The handshake's own fields and nothing else: what follows is no HTTP. */
static bool answer_upgrade(struct gh_request *request, const struct gh_response_head *upstream,
                           struct gh_answer_head *out_answer)
{
    struct answer answer;
    const struct gh_fields *fields = &upstream->fields;
    bool of_http1 = !gh_request_is_extended_connect(request);
    *out_answer = (struct gh_answer_head){
        .status = of_http1 ? 101 : 200, .tunnel = true, .block = GH_STR("")};
    if (!begin(&answer, request, fields, fields->count))
        return false;
    for (size_t i = 0; i < fields->count; i++)
        if (is_websocket_field(fields->items[i].id, of_http1) && !fields->items[i].dropped)
            answer.fields[answer.count++] = fields->items[i];
    if (of_http1)
        add(&answer, GH_STR("Connection"), GH_STR("Upgrade"));
    add(&answer, GH_STR("X-Request-Id"), request->request_id);
    out_answer->fields = answer.fields;
    out_answer->field_count = answer.count;
    return true;
}

/* ---- Replacing ---- */

static void scrub(struct gh_request *request, const struct gh_response_head *upstream)
{
    struct gh_str retry_after = gh_fields_value(&upstream->fields, GH_FIELD_RETRY_AFTER);
    gh_reply_problem(request, GH_STAGE_SCRUB, GH_REASON_UPSTREAM_ERROR_SCRUBBED, upstream->status);
    struct gh_reply *reply = &request->reply;
    if (!retry_after.len)
        return;
    for (size_t i = 0; i < reply->field_count; i++)
        if (reply->fields[i].id == GH_FIELD_RETRY_AFTER)
            reply->fields[i].dropped = true;
    gh_reply_add(reply, GH_STR("Retry-After"), retry_after);
}

/* True when request->reply now stands for what the upstream said. */
static bool replace(struct gh_request *request, const struct gh_response_head *upstream)
{
    unsigned status = upstream->status;
    if (status < 200) { /* other interim answers are the upstream client's business */
        if (status == 101 && is_wanted_upgrade(request, upstream))
            return false;
        gh_policy_refuse(request, GH_STAGE_HANDOVER, GH_REASON_UPSTREAM_BAD_RESPONSE);
        return true;
    }
    if (gh_request_is_extended_connect(request) && status < 300) {
        gh_policy_refuse(request, GH_STAGE_HANDOVER, GH_REASON_UPSTREAM_BAD_RESPONSE);
        return true;
    }
    if ((status == 404 || status == 405) && !gh_request_is_extended_connect(request) &&
        gh_builtin_fallback(request)) {
        request->verdict = gh_verdict_respond(GH_REASON_BUILT_IN);
        return true;
    }
    if (status < 500 || !request->route || !request->route->scrub_errors)
        return false;
    scrub(request, upstream);
    return true;
}

bool gh_policy_answer(struct gh_request *request, struct gh_response_head *upstream,
                      struct gh_answer_head *out_answer, bool *out_replaced)
{
    *out_replaced = upstream && replace(request, upstream);
    if (!upstream || *out_replaced)
        return answer_reply(request, out_answer);
    if (upstream->status == 101)
        return answer_upgrade(request, upstream, out_answer);
    const struct gh_fields *fields = &upstream->fields;
    struct answer answer;
    *out_answer = (struct gh_answer_head){
        .status = upstream->status,
        .body = upstream->body,
        .content_length = upstream->content_length,
    };
    /* What a GET would have had is said to HEAD, too (RFC 9110 section 8.6). */
    if (upstream->body == GH_BODY_NONE && request->head->method == GH_METHOD_HEAD &&
        gh_fields_find(fields, GH_FIELD_CONTENT_LENGTH))
        out_answer->body = GH_BODY_LENGTH;
    return begin(&answer, request, fields, fields->count) &&
           finish(&answer, fields->items, fields->count, out_answer);
}
