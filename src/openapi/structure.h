/*
 * What an OpenAPI document is made of: its objects, their members, and what those are. One table
 * for each kind of object; the walk over a document is structure.c.
 */
#ifndef GH_OPENAPI_STRUCTURE_H
#define GH_OPENAPI_STRUCTURE_H

#include "openapi/loader.h"

/* Objects come first: their numbers are bits of loader->marks. */
enum gh_openapi_kind {
    GH_KIND_DOCUMENT,
    GH_KIND_INFO,
    GH_KIND_CONTACT,
    GH_KIND_LICENSE,
    GH_KIND_SERVER,
    GH_KIND_SERVER_VARIABLE,
    GH_KIND_COMPONENTS,
    GH_KIND_PATHS,
    GH_KIND_PATH_ITEM,
    GH_KIND_OPERATION,
    GH_KIND_EXTERNAL_DOCS,
    GH_KIND_PARAMETER,
    GH_KIND_HEADER,
    GH_KIND_REQUEST_BODY,
    GH_KIND_MEDIA,
    GH_KIND_ENCODING,
    GH_KIND_RESPONSES,
    GH_KIND_RESPONSE,
    GH_KIND_CALLBACK,
    GH_KIND_EXAMPLE,
    GH_KIND_LINK,
    GH_KIND_TAG,
    GH_KIND_SECURITY_SCHEME,
    GH_KIND_OAUTH_FLOWS,
    GH_KIND_OAUTH_FLOW,
    GH_KIND_SECURITY,
    GH_KIND_DISCRIMINATOR,
    GH_KIND_XML,
    GH_KIND_SCHEMA,
    GH_KIND_OBJECTS, /* how many */
    GH_KIND_TEXT,
    GH_KIND_VERSION, /* a text that may look like a number */
    GH_KIND_BOOL,
    GH_KIND_ANY,
};

enum gh_openapi_form { GH_FORM_ONE, GH_FORM_LIST, GH_FORM_MAP };

/* Of a member. */
#define GH_FIELD_REQUIRED    1u
#define GH_FIELD_REQUIRED_30 2u /* in 3.0 only */
#define GH_FIELD_WANTED      4u /* required, but nothing depends on it: a warning */
#define GH_FIELD_ONLY_30     8u
#define GH_FIELD_ONLY_31     16u

struct gh_openapi_field {
    const char *name;
    enum gh_openapi_kind kind;
    enum gh_openapi_form form;
    unsigned flags;
};

struct gh_openapi_object {
    const char *noun; /* "a parameter" */
    const struct gh_openapi_field *fields;
    size_t field_count;
    enum gh_openapi_kind
        rest; /* of members not in `fields`; GH_KIND_OBJECTS: there are no others */
    enum gh_openapi_form rest_form;
    bool can_be_reference;
    bool is_open; /* other names are allowed without x- */
};

extern const struct gh_openapi_object gh_openapi_objects[GH_KIND_OBJECTS];

/* The bit of loader->marks. Values are looked at for requests, and for all else. */
#define GH_MARK(kind, input) (UINT64_C(1) << ((kind) + ((input) ? 32 : 0)))
#define GH_MARK_ANY(kind)    (GH_MARK(kind, false) | GH_MARK(kind, true))

/* structure.c: tells what is wrong, reads the files that references lead to, sets the marks. */
void gh_openapi_walk(struct gh_openapi_loader *loader);

#endif
