/* Bodies of requests, judged already, to what handlers take. */
#include "api/endpoint.h"
#include "json/parse.h"

static void read_strings(struct gh_api_body *body, const struct gh_json_doc *doc,
                         const struct gh_json_value *value)
{
    body->roles_given = true;
    for (const struct gh_json_value *item = gh_json_first(doc, value); item;
         item = gh_json_after(doc, value, item))
        body->roles[body->role_count++] = item->text;
}

static void read_member(struct gh_api_body *body, const struct gh_body_member *member,
                        const struct gh_json_doc *doc, const struct gh_json_value *value)
{
    void *at = (char *)body + member->offset;
    switch (member->type) {
    case GH_BODY_STRING:
        *(struct gh_str *)at = value->text;
        break;
    case GH_BODY_BOOLEAN:
        *(bool *)at = value->boolean;
        break;
    case GH_BODY_STRINGS:
        read_strings(body, doc, value);
        break;
    }
}

bool gh_api_read_body(struct gh_api_request *request, struct gh_str text)
{
    const struct gh_endpoint *endpoint = request->endpoint;
    struct gh_json_doc doc;
    if (!endpoint->member_count)
        return true;
    if (gh_json_parse(&request->call->arena, text, &gh_json_small, &doc, NULL) != GH_JSON_OK)
        return gh_api_is_ok(request, GH_IDENTITY_UNAVAILABLE); /* it was good a moment ago */
    for (size_t i = 0; i < endpoint->member_count; i++) {
        const struct gh_body_member *member = &endpoint->members[i];
        const struct gh_json_value *value =
            gh_json_get(&doc, gh_json_root(&doc), gh_str_from_c(member->name));
        if (value)
            read_member(&request->body, member, &doc, value);
    }
    return true;
}
