/*
 * Every request body of the identity service: the first byte chooses the endpoint, the rest is the
 * body. What is taken has every member that is required, each within its lengths; what is refused
 * is answered by a problem document that is valid JSON and says 400 or 422.
 */
#include "api/endpoint.h"
#include "base/assert.h"
#include "base/utf8.h"
#include "crypto/hash.h"
#include "json/parse.h"

#define UNKNOWN_ID GH_STR("0190a5d0-0000-7000-8000-000000000000")

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct gh_identity_settings SETTINGS = {.base_path = GH_STR_INIT("/api/v1")};
static struct gh_api api;
static struct gh_arena inputs; /* what requests are judged by */

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    gh_crypto_init();
    gh_arena_init(&inputs, 64 * 1024, 16 * 1024 * 1024);
    GH_ASSERT(gh_api_load_inputs(&api, &inputs, &SETTINGS, false) == GH_OK);
    return 0;
}

static size_t code_points(struct gh_str text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.len; i++)
        count += ((unsigned char)text.ptr[i] & 0xc0) != 0x80;
    return count;
}

static void check_text(const struct gh_body_member *member, struct gh_str text)
{
    GH_ASSERT(gh_utf8_is_valid(text));
    GH_ASSERT(code_points(text) >= member->length_min);
    GH_ASSERT(code_points(text) <= member->length_max);
    for (size_t i = 0; i < text.len; i++)
        GH_ASSERT((unsigned char)text.ptr[i] >= 0x20 && text.ptr[i] != 0x7f);
}

static void check_taken(const struct gh_api_request *request)
{
    const struct gh_endpoint *endpoint = request->endpoint;
    for (size_t i = 0; i < endpoint->member_count; i++) {
        const struct gh_body_member *member = &endpoint->members[i];
        if (member->type != GH_BODY_STRING)
            continue;
        const struct gh_str *text =
            (const struct gh_str *)((const char *)&request->body + member->offset);
        GH_ASSERT(text->ptr || !member->required);
        if (text->ptr)
            check_text(member, *text);
    }
    GH_ASSERT(request->body.role_count <= GH_BODY_ROLES_MAX);
}

static void check_refused(struct gh_service_call *call)
{
    struct gh_json_doc doc;
    GH_ASSERT(call->reply.status == 400 || call->reply.status == 422);
    GH_ASSERT(gh_json_parse(&call->arena, call->reply.body, &gh_json_small, &doc, NULL) ==
              GH_JSON_OK);
    GH_ASSERT(gh_json_get(&doc, gh_json_root(&doc), GH_STR("detail")));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct gh_service_call call;
    size_t count;
    gh_api_endpoints(&count);
    if (size == 0)
        return 0;
    memset(&call, 0, sizeof(call));
    gh_arena_init(&call.arena, 16 * 1024, 1024 * 1024);
    call.endpoint = data[0] % count;
    call.body = gh_str_of((const char *)data + 1, size - 1);
    call.request_id = GH_STR("0123456789abcdef");
    if (strstr(gh_api_endpoints(&count)[call.endpoint].path, "{id}")) {
        call.params[0] = (struct gh_path_param){GH_STR("id"), UNKNOWN_ID};
        call.param_count = 1;
    }
    struct gh_api_request request = {
        .call = &call, .api = &api, .endpoint = gh_endpoint_at(call.endpoint)};
    if (gh_api_check_input(&request))
        check_taken(&request);
    else
        check_refused(&call);
    gh_arena_done(&call.arena);
    return 0;
}
