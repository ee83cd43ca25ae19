/* The objects of OpenAPI 3.0.4 and 3.1.1, section 4.8, and the keywords of their schemas. */
#include "openapi/structure.h"

#define ONE(name, kind, flags)                                                                     \
    {                                                                                              \
        name, GH_KIND_##kind, GH_FORM_ONE, flags                                                   \
    }
#define LIST(name, kind, flags)                                                                    \
    {                                                                                              \
        name, GH_KIND_##kind, GH_FORM_LIST, flags                                                  \
    }
#define MAP(name, kind, flags)                                                                     \
    {                                                                                              \
        name, GH_KIND_##kind, GH_FORM_MAP, flags                                                   \
    }

#define REQUIRED    GH_FIELD_REQUIRED
#define REQUIRED_30 GH_FIELD_REQUIRED_30
#define WANTED      GH_FIELD_WANTED
#define ONLY_30     GH_FIELD_ONLY_30
#define ONLY_31     GH_FIELD_ONLY_31

static const struct gh_openapi_field DOCUMENT[] = {
    ONE("openapi", TEXT, REQUIRED),
    ONE("info", INFO, REQUIRED),
    ONE("jsonSchemaDialect", TEXT, ONLY_31),
    LIST("servers", SERVER, 0),
    ONE("paths", PATHS, REQUIRED_30),
    MAP("webhooks", PATH_ITEM, ONLY_31),
    ONE("components", COMPONENTS, 0),
    LIST("security", SECURITY, 0),
    LIST("tags", TAG, 0),
    ONE("externalDocs", EXTERNAL_DOCS, 0),
};
static const struct gh_openapi_field INFO[] = {
    ONE("title", TEXT, REQUIRED),      ONE("summary", TEXT, ONLY_31), ONE("description", TEXT, 0),
    ONE("termsOfService", TEXT, 0),    ONE("contact", CONTACT, 0),    ONE("license", LICENSE, 0),
    ONE("version", VERSION, REQUIRED),
};
static const struct gh_openapi_field CONTACT[] = {
    ONE("name", TEXT, 0),
    ONE("url", TEXT, 0),
    ONE("email", TEXT, 0),
};
static const struct gh_openapi_field LICENSE[] = {
    ONE("name", TEXT, WANTED),
    ONE("identifier", TEXT, ONLY_31),
    ONE("url", TEXT, 0),
};
static const struct gh_openapi_field SERVER[] = {
    ONE("url", TEXT, REQUIRED),
    ONE("description", TEXT, 0),
    MAP("variables", SERVER_VARIABLE, 0),
};
static const struct gh_openapi_field SERVER_VARIABLE[] = {
    LIST("enum", VERSION, 0),
    ONE("default", VERSION, WANTED),
    ONE("description", TEXT, 0),
};
static const struct gh_openapi_field COMPONENTS[] = {
    MAP("schemas", SCHEMA, 0),
    MAP("responses", RESPONSE, 0),
    MAP("parameters", PARAMETER, 0),
    MAP("examples", EXAMPLE, 0),
    MAP("requestBodies", REQUEST_BODY, 0),
    MAP("headers", HEADER, 0),
    MAP("securitySchemes", SECURITY_SCHEME, 0),
    MAP("links", LINK, 0),
    MAP("callbacks", CALLBACK, 0),
    MAP("pathItems", PATH_ITEM, ONLY_31),
};
static const struct gh_openapi_field PATH_ITEM[] = {
    ONE("summary", TEXT, 0),      ONE("description", TEXT, 0), ONE("get", OPERATION, 0),
    ONE("put", OPERATION, 0),     ONE("post", OPERATION, 0),   ONE("delete", OPERATION, 0),
    ONE("options", OPERATION, 0), ONE("head", OPERATION, 0),   ONE("patch", OPERATION, 0),
    ONE("trace", OPERATION, 0),   LIST("servers", SERVER, 0),  LIST("parameters", PARAMETER, 0),
};
static const struct gh_openapi_field OPERATION[] = {
    LIST("tags", TEXT, 0),
    ONE("summary", TEXT, 0),
    ONE("description", TEXT, 0),
    ONE("externalDocs", EXTERNAL_DOCS, 0),
    ONE("operationId", TEXT, 0),
    LIST("parameters", PARAMETER, 0),
    ONE("requestBody", REQUEST_BODY, 0),
    ONE("responses", RESPONSES, REQUIRED_30),
    MAP("callbacks", CALLBACK, 0),
    ONE("deprecated", BOOL, 0),
    LIST("security", SECURITY, 0),
    LIST("servers", SERVER, 0),
};
static const struct gh_openapi_field EXTERNAL_DOCS[] = {
    ONE("description", TEXT, 0),
    ONE("url", TEXT, WANTED),
};
static const struct gh_openapi_field PARAMETER[] = {
    ONE("name", TEXT, REQUIRED), ONE("in", TEXT, REQUIRED),  ONE("description", TEXT, 0),
    ONE("required", BOOL, 0),    ONE("deprecated", BOOL, 0), ONE("allowEmptyValue", BOOL, 0),
    ONE("style", TEXT, 0),       ONE("explode", BOOL, 0),    ONE("allowReserved", BOOL, 0),
    ONE("schema", SCHEMA, 0),    ONE("example", ANY, 0),     MAP("examples", EXAMPLE, 0),
    MAP("content", MEDIA, 0),
};
static const struct gh_openapi_field HEADER[] = {
    ONE("description", TEXT, 0), ONE("required", BOOL, 0),      ONE("deprecated", BOOL, 0),
    ONE("style", TEXT, 0),       ONE("explode", BOOL, 0),       ONE("allowEmptyValue", BOOL, 0),
    ONE("schema", SCHEMA, 0),    ONE("allowReserved", BOOL, 0), ONE("example", ANY, 0),
    MAP("content", MEDIA, 0),    MAP("examples", EXAMPLE, 0),
};
static const struct gh_openapi_field REQUEST_BODY[] = {
    ONE("description", TEXT, 0),
    MAP("content", MEDIA, REQUIRED),
    ONE("required", BOOL, 0),
};
static const struct gh_openapi_field MEDIA[] = {
    ONE("schema", SCHEMA, 0),
    ONE("example", ANY, 0),
    MAP("examples", EXAMPLE, 0),
    MAP("encoding", ENCODING, 0),
};
static const struct gh_openapi_field ENCODING[] = {
    ONE("contentType", TEXT, 0), MAP("headers", HEADER, 0),     ONE("style", TEXT, 0),
    ONE("explode", BOOL, 0),     ONE("allowReserved", BOOL, 0),
};
static const struct gh_openapi_field RESPONSE[] = {
    ONE("description", TEXT, WANTED),
    MAP("headers", HEADER, 0),
    MAP("content", MEDIA, 0),
    MAP("links", LINK, 0),
};
static const struct gh_openapi_field EXAMPLE[] = {
    ONE("summary", TEXT, 0),
    ONE("description", TEXT, 0),
    ONE("value", ANY, 0),
    ONE("externalValue", TEXT, 0),
};
static const struct gh_openapi_field LINK[] = {
    ONE("operationRef", TEXT, 0), ONE("operationId", TEXT, 0), ONE("parameters", ANY, 0),
    ONE("requestBody", ANY, 0),   ONE("description", TEXT, 0), ONE("server", SERVER, 0),
};
static const struct gh_openapi_field TAG[] = {
    ONE("name", TEXT, WANTED),
    ONE("description", TEXT, 0),
    ONE("externalDocs", EXTERNAL_DOCS, 0),
};
static const struct gh_openapi_field SECURITY_SCHEME[] = {
    ONE("type", TEXT, REQUIRED),  ONE("description", TEXT, 0),      ONE("name", TEXT, 0),
    ONE("in", TEXT, 0),           ONE("scheme", TEXT, 0),           ONE("bearerFormat", TEXT, 0),
    ONE("flows", OAUTH_FLOWS, 0), ONE("openIdConnectUrl", TEXT, 0),
};
static const struct gh_openapi_field OAUTH_FLOWS[] = {
    ONE("implicit", OAUTH_FLOW, 0),
    ONE("password", OAUTH_FLOW, 0),
    ONE("clientCredentials", OAUTH_FLOW, 0),
    ONE("authorizationCode", OAUTH_FLOW, 0),
};
static const struct gh_openapi_field OAUTH_FLOW[] = {
    ONE("authorizationUrl", TEXT, 0),
    ONE("tokenUrl", TEXT, 0),
    ONE("refreshUrl", TEXT, 0),
    MAP("scopes", TEXT, WANTED),
};
static const struct gh_openapi_field DISCRIMINATOR[] = {
    ONE("propertyName", TEXT, REQUIRED),
    MAP("mapping", TEXT, 0),
};
static const struct gh_openapi_field XML[] = {
    ONE("name", TEXT, 0),      ONE("namespace", TEXT, 0), ONE("prefix", TEXT, 0),
    ONE("attribute", BOOL, 0), ONE("wrapped", BOOL, 0),
};

/* Kinds of plain keywords are the compiler's to judge. */
static const struct gh_openapi_field SCHEMA[] = {
    ONE("title", ANY, 0),
    ONE("description", ANY, 0),
    ONE("type", ANY, 0),
    ONE("format", ANY, 0),
    ONE("enum", ANY, 0),
    ONE("default", ANY, 0),
    ONE("example", ANY, 0),
    ONE("deprecated", BOOL, 0),
    ONE("readOnly", BOOL, 0),
    ONE("writeOnly", BOOL, 0),
    ONE("nullable", BOOL, ONLY_30),
    ONE("multipleOf", ANY, 0),
    ONE("maximum", ANY, 0),
    ONE("exclusiveMaximum", ANY, 0),
    ONE("minimum", ANY, 0),
    ONE("exclusiveMinimum", ANY, 0),
    ONE("maxLength", ANY, 0),
    ONE("minLength", ANY, 0),
    ONE("pattern", ANY, 0),
    ONE("maxItems", ANY, 0),
    ONE("minItems", ANY, 0),
    ONE("uniqueItems", ANY, 0),
    ONE("maxProperties", ANY, 0),
    ONE("minProperties", ANY, 0),
    ONE("required", ANY, 0),
    ONE("items", SCHEMA, 0),
    ONE("not", SCHEMA, 0),
    ONE("additionalProperties", SCHEMA, 0),
    MAP("properties", SCHEMA, 0),
    LIST("allOf", SCHEMA, 0),
    LIST("anyOf", SCHEMA, 0),
    LIST("oneOf", SCHEMA, 0),
    ONE("discriminator", DISCRIMINATOR, 0),
    ONE("xml", XML, 0),
    ONE("externalDocs", EXTERNAL_DOCS, 0),
    ONE("$ref", ANY, 0),
    ONE("const", ANY, ONLY_31),
    ONE("examples", ANY, ONLY_31),
    ONE("$id", ANY, ONLY_31),
    ONE("$schema", ANY, ONLY_31),
    ONE("$anchor", ANY, ONLY_31),
    ONE("$dynamicRef", ANY, ONLY_31),
    ONE("$dynamicAnchor", ANY, ONLY_31),
    ONE("$vocabulary", ANY, ONLY_31),
    ONE("$comment", ANY, ONLY_31),
    MAP("$defs", SCHEMA, ONLY_31),
    MAP("definitions", SCHEMA, ONLY_31),
    ONE("if", SCHEMA, ONLY_31),
    ONE("then", SCHEMA, ONLY_31),
    ONE("else", SCHEMA, ONLY_31),
    LIST("prefixItems", SCHEMA, ONLY_31),
    ONE("contains", SCHEMA, ONLY_31),
    ONE("minContains", ANY, ONLY_31),
    ONE("maxContains", ANY, ONLY_31),
    MAP("patternProperties", SCHEMA, ONLY_31),
    ONE("propertyNames", SCHEMA, ONLY_31),
    MAP("dependentSchemas", SCHEMA, ONLY_31),
    ONE("dependentRequired", ANY, ONLY_31),
    ONE("unevaluatedItems", SCHEMA, ONLY_31),
    ONE("unevaluatedProperties", SCHEMA, ONLY_31),
    ONE("contentEncoding", ANY, ONLY_31),
    ONE("contentMediaType", ANY, ONLY_31),
    ONE("contentSchema", SCHEMA, ONLY_31),
};

#define FIELDS(table) .fields = table, .field_count = sizeof(table) / sizeof((table)[0])
#define PLAIN(noun, table)                                                                         \
    {                                                                                              \
        noun, FIELDS(table), .rest = GH_KIND_OBJECTS                                               \
    }
#define OR_REFERENCE(noun, table)                                                                  \
    {                                                                                              \
        noun, FIELDS(table), .rest = GH_KIND_OBJECTS, .can_be_reference = true                     \
    }

const struct gh_openapi_object gh_openapi_objects[GH_KIND_OBJECTS] = {
    [GH_KIND_DOCUMENT] = PLAIN("the document", DOCUMENT),
    [GH_KIND_INFO] = PLAIN("\"info\"", INFO),
    [GH_KIND_CONTACT] = PLAIN("a contact", CONTACT),
    [GH_KIND_LICENSE] = PLAIN("a license", LICENSE),
    [GH_KIND_SERVER] = PLAIN("a server", SERVER),
    [GH_KIND_SERVER_VARIABLE] = PLAIN("a server's variable", SERVER_VARIABLE),
    [GH_KIND_COMPONENTS] = PLAIN("\"components\"", COMPONENTS),
    [GH_KIND_PATHS] = {"\"paths\"", .rest = GH_KIND_PATH_ITEM},
    [GH_KIND_PATH_ITEM] = OR_REFERENCE("a path", PATH_ITEM),
    [GH_KIND_OPERATION] = PLAIN("an operation", OPERATION),
    [GH_KIND_EXTERNAL_DOCS] = PLAIN("\"externalDocs\"", EXTERNAL_DOCS),
    [GH_KIND_PARAMETER] = OR_REFERENCE("a parameter", PARAMETER),
    [GH_KIND_HEADER] = OR_REFERENCE("a header", HEADER),
    [GH_KIND_REQUEST_BODY] = OR_REFERENCE("a request body", REQUEST_BODY),
    [GH_KIND_MEDIA] = PLAIN("a media type", MEDIA),
    [GH_KIND_ENCODING] = PLAIN("an encoding", ENCODING),
    [GH_KIND_RESPONSES] = {"\"responses\"", .rest = GH_KIND_RESPONSE},
    [GH_KIND_RESPONSE] = OR_REFERENCE("a response", RESPONSE),
    [GH_KIND_CALLBACK] = {"a callback", .rest = GH_KIND_PATH_ITEM, .can_be_reference = true},
    [GH_KIND_EXAMPLE] = OR_REFERENCE("an example", EXAMPLE),
    [GH_KIND_LINK] = OR_REFERENCE("a link", LINK),
    [GH_KIND_TAG] = PLAIN("a tag", TAG),
    [GH_KIND_SECURITY_SCHEME] = OR_REFERENCE("a security scheme", SECURITY_SCHEME),
    [GH_KIND_OAUTH_FLOWS] = PLAIN("\"flows\"", OAUTH_FLOWS),
    [GH_KIND_OAUTH_FLOW] = PLAIN("a flow", OAUTH_FLOW),
    [GH_KIND_SECURITY] = {"a security requirement", .rest = GH_KIND_TEXT,
                          .rest_form = GH_FORM_LIST},
    [GH_KIND_DISCRIMINATOR] = PLAIN("a discriminator", DISCRIMINATOR),
    [GH_KIND_XML] = PLAIN("\"xml\"", XML),
    [GH_KIND_SCHEMA] = {"a schema", FIELDS(SCHEMA), .rest = GH_KIND_OBJECTS, .is_open = true},
};
