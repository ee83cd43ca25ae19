/* What anyone may read: the service's document and its public keys. */
#include "api/endpoint.h"

#define KEY_SET_BYTES_MAX (64u * 1024)

static void reply_public(struct gh_api_request *request, const struct gh_buf *json)
{
    gh_api_add_field(request, GH_STR("Cache-Control"), GH_STR("public, max-age=300"));
    gh_api_reply_json(request, 200, json);
}

void gh_api_document(struct gh_api_request *request)
{
    struct gh_buf json = gh_api_buf(request, GH_API_DOCUMENT_BYTES_MAX);
    gh_api_put_document(&json, request->call->identity);
    reply_public(request, &json);
}

void gh_api_key_set(struct gh_api_request *request)
{
    struct gh_buf json = gh_api_buf(request, KEY_SET_BYTES_MAX);
    gh_jwks_put(&json, &request->call->arena, &request->identity.keys->ring);
    reply_public(request, &json);
}
