/* From a call of the gateway to a handler. */
#include "api/endpoint.h"
#include "base/num.h"

struct gh_str gh_api_param(const struct gh_api_request *request, const char *name)
{
    for (size_t i = 0; i < request->call->param_count; i++)
        if (gh_str_eq(request->call->params[i].name, gh_str_from_c(name)))
            return request->call->params[i].value;
    return GH_STR("");
}

/* Escapes are well-formed: the target was read. '+' is a plus, as RFC 3986 has it. */
static struct gh_str decode(struct gh_arena *arena, struct gh_str text)
{
    char *memory = gh_arena_alloc(arena, text.len + 1);
    size_t len = 0;
    for (size_t i = 0; memory && i < text.len; i++) {
        bool escape = text.ptr[i] == '%' && text.len - i > 2;
        memory[len++] =
            escape
                ? (char)(gh_num_hex_digit(text.ptr[i + 1]) << 4 | gh_num_hex_digit(text.ptr[i + 2]))
                : text.ptr[i];
        i += escape ? 2 : 0;
    }
    return (struct gh_str){memory, len}; /* ptr NULL: the arena is full */
}

bool gh_api_read_query(struct gh_api_request *request, const char *const *names,
                       struct gh_str *out_values)
{
    for (int i = 0; names[i]; i++)
        out_values[i] = (struct gh_str){NULL, 0};
    for (struct gh_str rest = request->call->query; rest.ptr;) {
        struct gh_str value = gh_str_split(&rest, '&');
        struct gh_str name = gh_str_split(&value, '=');
        for (int i = 0; names[i]; i++) {
            if (!gh_str_eq(gh_str_from_c(names[i]), name))
                continue;
            out_values[i] = decode(&request->call->arena, value);
            if (!out_values[i].ptr) /* never a filter that is passed over */
                return gh_api_is_ok(request, GH_IDENTITY_UNAVAILABLE);
        }
    }
    return true;
}

bool gh_api_read_number(struct gh_api_request *request, struct gh_str value, uint64_t max,
                        uint64_t otherwise, uint64_t *out)
{
    *out = otherwise;
    if (!value.ptr || (gh_num_parse_u64(value, max, out) && *out > 0))
        return true;
    gh_api_reply_problem(request, 422, GH_STR("A number in the query is out of its range."));
    return false;
}

bool gh_api_read_id(struct gh_api_request *request, struct gh_str value, struct gh_str *out)
{
    struct gh_id id;
    *out = value.ptr ? value : GH_STR("");
    if (!value.ptr || gh_id_parse(value, &id))
        return true;
    gh_api_reply_problem(request, 422, GH_STR("An id in the query is none."));
    return false;
}

static void fill_identity_call(struct gh_api_request *request)
{
    const struct gh_service_call *call = request->call;
    request->identity = (struct gh_identity_call){
        .identity = request->api->identity,
        .settings = call->identity,
        .keys = request->api->keys_take(request->api->context),
        .arena = &request->call->arena,
        .now_us = call->now_us,
        .subject = call->signed_in ? &call->subject : NULL,
        .client = call->client,
        .network = call->network,
        .user_agent = gh_str_first(call->user_agent, GH_AUDIT_USER_AGENT_BYTES_MAX),
        .request_id = call->request_id,
        .device = call->device_cookie,
        .wants_second_factor = call->wants_second_factor,
        .by = GH_STR(""),
    };
}

void gh_api_handle(void *context, struct gh_service_call *call)
{
    struct gh_api_request request = {
        .call = call, .api = context, .endpoint = gh_endpoint_at(call->endpoint)};
    if (!gh_api_check_input(&request))
        return;
    fill_identity_call(&request);
    request.endpoint->handle(&request);
    request.api->keys_give(request.api->context, request.identity.keys);
}
