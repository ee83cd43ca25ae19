/*
 * Stage 15: the request head for the upstream, written again from its parsed parts. What belongs to
 * the client's connection is left out, what only the gateway may say is said by it.
 *
 * The client's address is told alone, not behind the chain that came with it: whichever end of
 * X-Forwarded-For a backend believes, it reads the one address that stage 3 found.
 */
#include "policy/policy.h"

#include "policy/hop.h"

/* Request line's end, framing, Connection, names of our own fields and the empty line. */
#define FIXED_BYTES_MAX 512
#define IP_BYTES_MAX    64

/* Fields of the client's that are never passed on as they came: those of its connection, framing,
   and those that we write ourselves. */
static const bool REWRITTEN[GH_FIELD_ID_COUNT] = {
    [GH_FIELD_CONNECTION] = true,
    [GH_FIELD_CONTENT_LENGTH] = true,
    [GH_FIELD_EXPECT] = true,
    [GH_FIELD_FORWARDED] = true,
    [GH_FIELD_HOST] = true,
    [GH_FIELD_HTTP2_SETTINGS] = true,
    [GH_FIELD_KEEP_ALIVE] = true,
    [GH_FIELD_PROXY_AUTHENTICATE] = true,
    [GH_FIELD_PROXY_AUTHORIZATION] = true,
    [GH_FIELD_PROXY_CONNECTION] = true,
    [GH_FIELD_TE] = true,
    [GH_FIELD_TRACEPARENT] = true,
    [GH_FIELD_TRAILER] = true,
    [GH_FIELD_TRANSFER_ENCODING] = true,
    [GH_FIELD_UPGRADE] = true,
    [GH_FIELD_X_FORWARDED_FOR] = true,
    [GH_FIELD_X_FORWARDED_HOST] = true,
    [GH_FIELD_X_FORWARDED_PROTO] = true,
    [GH_FIELD_X_REQUEST_ID] = true,
};

static size_t bytes_of(const struct gh_request *request,
                       const struct gh_identity_handover *identity)
{
    const struct gh_request_head *head = request->head;
    /* the host stands in Host, X-Forwarded-Host and Forwarded */
    size_t bytes = FIXED_BYTES_MAX + head->method_text.len + request->path.len +
                   request->query.len + 3 * request->authority.host.len + 2 * IP_BYTES_MAX +
                   request->request_id.len + request->traceparent.len + request->websocket_key.len +
                   identity->bytes;
    for (size_t i = 0; i < head->fields.count; i++)
        bytes += head->fields.items[i].name.len + head->fields.items[i].value.len + 4;
    return bytes;
}

static void put_line(struct gh_buf *out, struct gh_str name_and_colon, struct gh_str value)
{
    gh_buf_put(out, name_and_colon);
    gh_buf_put(out, value);
    gh_buf_put(out, GH_STR("\r\n"));
}

static void put_request_line(struct gh_buf *out, const struct gh_request *request)
{
    gh_buf_put(out, request->head->method_text);
    gh_buf_put_char(out, ' ');
    gh_buf_put(out, request->path);
    if (request->query.ptr) {
        gh_buf_put_char(out, '?');
        gh_buf_put(out, request->query);
    }
    gh_buf_put(out, GH_STR(" HTTP/1.1\r\n"));
}

static void put_client_fields(struct gh_buf *out, const struct gh_request *request,
                              bool has_identity)
{
    const struct gh_fields *fields = &request->head->fields;
    bool has_nominated = gh_hop_has_nominated(fields);
    for (size_t i = 0; i < fields->count; i++) {
        const struct gh_field *field = &fields->items[i];
        if (field->dropped || REWRITTEN[field->id] ||
            (field->id == GH_FIELD_SEC_WEBSOCKET_KEY && request->websocket_key.len) ||
            (has_nominated && gh_hop_is_nominated(fields, field->name)) ||
            (has_identity && gh_identity_put_instead(out, request, field)))
            continue;
        gh_buf_put(out, field->name);
        gh_buf_put(out, GH_STR(": "));
        gh_buf_put(out, field->value);
        gh_buf_put(out, GH_STR("\r\n"));
    }
}

static void put_authority(struct gh_buf *out, const struct gh_authority *authority)
{
    gh_buf_put(out, authority->host);
    if (authority->port) {
        gh_buf_put_char(out, ':');
        gh_buf_put_u64(out, authority->port);
    }
}

/* RFC 7239 section 4: what is no token stands in quotes, IPv6 in brackets besides. */
static void put_forwarded(struct gh_buf *out, const struct gh_request *request,
                          struct gh_str client)
{
    const struct gh_authority *authority = &request->authority;
    bool v6 = request->client.family == GH_IP_V6;
    bool quote_host = authority->port || (authority->host.len && authority->host.ptr[0] == '[');
    gh_buf_put(out, GH_STR("Forwarded: for="));
    gh_buf_put(out, v6 ? GH_STR("\"[") : GH_STR(""));
    gh_buf_put(out, client);
    gh_buf_put(out, v6 ? GH_STR("]\"") : GH_STR(""));
    gh_buf_put(out, quote_host ? GH_STR(";host=\"") : GH_STR(";host="));
    put_authority(out, authority);
    gh_buf_put(out, quote_host ? GH_STR("\"") : GH_STR(""));
    gh_buf_put(out, request->https ? GH_STR(";proto=https\r\n") : GH_STR(";proto=http\r\n"));
}

static void put_forwarding_fields(struct gh_buf *out, const struct gh_request *request)
{
    char text[IP_BYTES_MAX];
    struct gh_buf client = gh_buf_over(text, sizeof(text));
    gh_ip_write(&client, &request->client); /* "unknown", as RFC 7239 has it, on Unix sockets */
    put_line(out, GH_STR("X-Forwarded-For: "), gh_buf_str(&client));
    put_line(out, GH_STR("X-Forwarded-Proto: "), request->https ? GH_STR("https") : GH_STR("http"));
    gh_buf_put(out, GH_STR("X-Forwarded-Host: "));
    put_authority(out, &request->authority);
    gh_buf_put(out, GH_STR("\r\n"));
    put_forwarded(out, request, gh_buf_str(&client));
    put_line(out, GH_STR("X-Request-Id: "), request->request_id);
    put_line(out, GH_STR("traceparent: "), request->traceparent);
}

/* Methods whose content means something: without any, Content-Length says so (RFC 9110 section
   8.6). */
static bool anticipates_content(enum gh_method method)
{
    return method == GH_METHOD_POST || method == GH_METHOD_PUT || method == GH_METHOD_PATCH;
}

static void put_framing(struct gh_buf *out, const struct gh_request_head *head)
{
    switch (head->body) {
    case GH_BODY_LENGTH:
        gh_buf_put(out, GH_STR("Content-Length: "));
        gh_buf_put_u64(out, head->content_length);
        gh_buf_put(out, GH_STR("\r\n"));
        break;
    case GH_BODY_CHUNKED:
        gh_buf_put(out, GH_STR("Transfer-Encoding: chunked\r\n"));
        break;
    case GH_BODY_NONE:
    case GH_BODY_CLOSE: /* responses only */
        if (anticipates_content(head->method))
            gh_buf_put(out, GH_STR("Content-Length: 0\r\n"));
        break;
    }
}

struct gh_str gh_policy_write_upstream_head(const struct gh_request *request)
{
    const struct gh_request_head *head = request->head;
    struct gh_identity_handover identity;
    if (!gh_identity_handover_make(request, &identity))
        return (struct gh_str){0};
    size_t cap = bytes_of(request, &identity);
    char *memory = gh_arena_alloc(request->arena, cap);
    if (!memory)
        return (struct gh_str){0};
    struct gh_buf out = gh_buf_over(memory, cap);
    put_request_line(&out, request);
    gh_buf_put(&out, GH_STR("Host: "));
    put_authority(&out, &request->authority);
    gh_buf_put(&out, GH_STR("\r\n"));
    put_client_fields(&out, request, identity.active);
    gh_identity_put_fields(&out, request, &identity);
    put_forwarding_fields(&out, request);
    put_framing(&out, head);
    if (head->upgrade_websocket && request->route && request->route->websocket)
        gh_buf_put(&out, GH_STR("Connection: Upgrade\r\nUpgrade: websocket\r\n"));
    if (request->websocket_key.len)
        put_line(&out, GH_STR("Sec-WebSocket-Key: "), request->websocket_key);
    gh_buf_put(&out, GH_STR("\r\n"));
    return out.overflow ? (struct gh_str){0} : gh_buf_str(&out);
}
