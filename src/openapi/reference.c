/* What a $ref leads to (OpenAPI 3.1.1, section 4.8.23): a file and a JSON Pointer into it. */
#include "openapi/loader.h"
#include "schema/pointer.h"
#include "schema/uri.h"

struct gh_openapi_at gh_openapi_member(struct gh_openapi_at at, const char *name)
{
    if (at.value)
        at.value = gh_json_get(&at.file->doc, at.value, gh_str_from_c(name));
    return at;
}

bool gh_openapi_flag(struct gh_openapi_at at, const char *name, bool otherwise)
{
    struct gh_openapi_at member = gh_openapi_member(at, name);
    return member.value && member.value->kind == GH_JSON_BOOL ? member.value->boolean : otherwise;
}

struct gh_str gh_openapi_reference_of(struct gh_openapi_at at)
{
    return gh_json_string(gh_openapi_member(at, "$ref").value);
}

static const struct gh_json_value *find_fragment(struct gh_openapi_loader *loader,
                                                 const struct gh_openapi_file *file,
                                                 struct gh_str fragment)
{
    struct gh_str pointer = GH_STR("");
    if (fragment.ptr)
        pointer = gh_uri_decode(loader->arena, fragment);
    return pointer.ptr ? gh_json_pointer_find(&file->doc, gh_json_root(&file->doc), pointer) : NULL;
}

struct gh_openapi_at gh_openapi_target(struct gh_openapi_loader *loader, struct gh_openapi_at at,
                                       enum gh_openapi_asker asker)
{
    struct gh_openapi_at from = gh_openapi_member(at, "$ref"), nowhere = {at.file, NULL};
    struct gh_str reference = gh_json_string(from.value);
    struct gh_str uri = gh_uri_resolve(loader->arena, at.file->uri, reference);
    struct gh_str fragment = gh_uri_split(reference).fragment;
    if (!uri.ptr) {
        gh_openapi_no_memory(loader);
        return nowhere;
    }
    const struct gh_openapi_file *file = gh_openapi_file_of(loader, uri);
    if (!file && asker == GH_ASKER_SCHEMA && gh_openapi_is_identifier(loader, uri))
        return nowhere;
    if (!file)
        file = gh_openapi_read_uri(loader, uri, from);
    if (!file || (asker == GH_ASKER_SCHEMA && fragment.len && fragment.ptr[0] != '/'))
        return nowhere;
    const struct gh_json_value *value = find_fragment(loader, file, fragment);
    if (!value && asker != GH_ASKER_AGAIN)
        gh_openapi_error(loader, from, NULL, "\"%.*s\" leads nowhere", GH_STR_ARG(reference));
    return (struct gh_openapi_at){file, value};
}

struct gh_openapi_at gh_openapi_follow(struct gh_openapi_loader *loader, struct gh_openapi_at at)
{
    for (unsigned i = 0; at.value && gh_openapi_reference_of(at).ptr; i++) {
        if (i == GH_OPENAPI_REFERENCES_MAX)
            return (struct gh_openapi_at){at.file, NULL};
        at = gh_openapi_target(loader, at, GH_ASKER_AGAIN);
    }
    return at;
}
