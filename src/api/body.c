/* Bodies of requests: an object with exactly the members of the endpoint. */
#include "api/endpoint.h"
#include "base/utf8.h"
#include "json/parse.h"
#include "json/writer.h"

/* What fits is told, the rest is left out; an unknown name is told up to here. */
#define ERRORS_BYTES_MAX 4096
#define NAME_BYTES_MAX   100

struct reader {
    struct gh_api_request *request;
    const struct gh_json_doc *doc;
    struct gh_buf errors; /* "\"errors\":[{...},..." */
    unsigned count;       /* of all, told or not */
};

/* "~" and "/" in a member's name (RFC 6901 section 3). */
static void put_pointer(struct gh_buf *buf, struct gh_str name)
{
    gh_buf_put_char(buf, '/');
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] == '~')
            gh_buf_put(buf, GH_STR("~0"));
        else if (name.ptr[i] == '/')
            gh_buf_put(buf, GH_STR("~1"));
        else
            gh_buf_put_char(buf, name.ptr[i]);
    }
}

static void put_error(struct gh_buf *buf, struct gh_str name, const char *detail)
{
    char memory[2 * NAME_BYTES_MAX + 1];
    struct gh_buf pointer = gh_buf_over(memory, sizeof(memory));
    put_pointer(&pointer, gh_str_first(name, NAME_BYTES_MAX));
    gh_buf_put_char(buf, '{');
    gh_json_put_member(buf, GH_STR("pointer"), gh_buf_str(&pointer));
    gh_json_put_member(buf, GH_STR("detail"), gh_str_from_c(detail));
    gh_buf_put_char(buf, '}');
}

static void add_error(struct reader *reader, struct gh_str name, const char *detail)
{
    struct gh_buf *errors = &reader->errors, before = *errors;
    if (reader->count++)
        gh_buf_put_char(errors, ',');
    put_error(errors, name, detail);
    if (errors->overflow || errors->len == errors->cap) /* room for the end of the list */
        *errors = before;
}

static size_t code_points(struct gh_str text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.len; i++)
        count += ((unsigned char)text.ptr[i] & 0xc0) != 0x80;
    return count;
}

static bool has_control(struct gh_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] < 0x20 || text.ptr[i] == 0x7f)
            return true;
    return false;
}

static const char *fault_of(const struct gh_body_member *member, struct gh_str text)
{
    size_t length = code_points(text);
    if (length < member->length_min)
        return member->length_min == 1 ? "must not be empty" : "is too short";
    if (length > member->length_max)
        return "is too long";
    return has_control(text) ? "has control characters" : NULL;
}

static void read_strings(struct reader *reader, const struct gh_body_member *member,
                         const struct gh_json_value *value)
{
    struct gh_api_body *body = &reader->request->body;
    struct gh_str name = gh_str_from_c(member->name);
    if (value->kind != GH_JSON_ARRAY || value->count > GH_BODY_ROLES_MAX) {
        add_error(reader, name, "must be a list of strings");
        return;
    }
    body->roles_given = true;
    for (const struct gh_json_value *item = gh_json_first(reader->doc, value); item;
         item = gh_json_after(reader->doc, value, item)) {
        struct gh_str text = gh_json_string(item);
        if (!text.ptr || fault_of(member, text)) {
            add_error(reader, name, "must be a list of strings");
            return;
        }
        body->roles[body->role_count++] = text;
    }
}

static void read_member(struct reader *reader, const struct gh_body_member *member,
                        const struct gh_json_value *value)
{
    char *at = (char *)&reader->request->body + member->offset;
    struct gh_str name = gh_str_from_c(member->name);
    const char *fault = NULL;
    switch (member->type) {
    case GH_BODY_STRING:
        if (value->kind != GH_JSON_STRING)
            fault = "must be a string";
        else
            fault = fault_of(member, value->text);
        if (!fault)
            *(struct gh_str *)at = value->text;
        break;
    case GH_BODY_BOOLEAN:
        if (value->kind != GH_JSON_BOOL)
            fault = "must be true or false";
        else
            *(bool *)at = value->boolean;
        break;
    case GH_BODY_STRINGS:
        read_strings(reader, member, value);
        break;
    }
    if (fault)
        add_error(reader, name, fault);
}

static const struct gh_body_member *find_member(const struct gh_endpoint *endpoint,
                                                struct gh_str name)
{
    for (size_t i = 0; i < endpoint->member_count; i++)
        if (gh_str_eq(gh_str_from_c(endpoint->members[i].name), name))
            return &endpoint->members[i];
    return NULL;
}

static void read_object(struct reader *reader, const struct gh_json_value *root)
{
    const struct gh_endpoint *endpoint = reader->request->endpoint;
    for (const struct gh_json_value *value = gh_json_first(reader->doc, root); value;
         value = gh_json_after(reader->doc, root, value)) {
        const struct gh_body_member *member = find_member(endpoint, value->name);
        if (member)
            read_member(reader, member, value);
        else
            add_error(reader, value->name, "is not known here");
    }
    for (size_t i = 0; i < endpoint->member_count; i++) {
        struct gh_str name = gh_str_from_c(endpoint->members[i].name);
        if (endpoint->members[i].required && !gh_json_get(reader->doc, root, name))
            add_error(reader, name, "is required");
    }
}

/* No body is an empty object. */
static struct gh_str text_of(const struct gh_service_call *call)
{
    return call->body.len ? call->body : GH_STR("{}");
}

bool gh_api_read_body(struct gh_api_request *request)
{
    struct gh_json_doc doc;
    enum gh_json_status status =
        gh_json_parse(&request->call->arena, text_of(request->call), &gh_json_small, &doc, NULL);
    const struct gh_json_value *root = status == GH_JSON_OK ? gh_json_root(&doc) : NULL;
    if (status == GH_JSON_MEMORY)
        return gh_api_is_ok(request, GH_IDENTITY_UNAVAILABLE);
    if (!root || root->kind != GH_JSON_OBJECT) {
        gh_api_reply_problem(request, 400, GH_STR("The body must be a JSON object."));
        return false;
    }
    struct reader reader = {
        .request = request, .doc = &doc, .errors = gh_api_buf(request, ERRORS_BYTES_MAX)};
    gh_buf_put(&reader.errors, GH_STR("\"errors\":["));
    read_object(&reader, root);
    if (!reader.count)
        return true;
    gh_buf_put_char(&reader.errors, ']');
    struct gh_str members = reader.errors.overflow ? GH_STR("") : gh_buf_str(&reader.errors);
    gh_api_reply_problem_with(request, 422, GH_STR("The body is not as this endpoint takes it."),
                              members);
    return false;
}
