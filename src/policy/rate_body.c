#include "policy/rate_body.h"

#include "base/num.h"
#include "policy/rate_spelling.h"
#include "schema/decimal.h"
#include "schema/multipart.h"

/* Any honest body of the size that is read; the rest bounds what reading it takes. */
static const struct gh_json_limits JSON_LIMITS = {
    .bytes_max = 64 * 1024, .depth_max = 64, .values_max = 8192, .members_max = 4096};
static const struct gh_multipart_limits PART_LIMITS = {.bytes_max = 64 * 1024,
                                                       .part_bytes_max = 64 * 1024,
                                                       .parts_max = 256,
                                                       .head_bytes_max = 1024,
                                                       .name_bytes_max = 255,
                                                       .any_charset = true};

struct gh_rate_part {
    struct gh_str name, value;
};

/* ---- What it says that it is ---- */

static bool is_json_type(struct gh_str type)
{
    const struct gh_str suffix = GH_STR("+json");
    return gh_str_ieq(type, GH_STR("application/json")) || gh_str_ieq(type, GH_STR("text/json")) ||
           (type.len > suffix.len && gh_str_ieq(gh_str_skip(type, type.len - suffix.len), suffix));
}

/* Some read fields from any multipart type; parts as others than forms have them can't be read in
   one way. */
static bool is_other_multipart(struct gh_str type)
{
    const struct gh_str family = GH_STR("multipart/");
    return gh_str_ieq(gh_str_first(type, family.len), family) &&
           !gh_str_ieq(type, GH_STR("multipart/form-data"));
}

/* False: not one of those that leave ASCII as it is. EBCDIC or UTF-16 would be read by nobody
   here. */
static bool note_charset(struct gh_rate_body *body, struct gh_str value)
{
    static const struct gh_str KNOWN[] = {GH_STR_INIT("us-ascii"), GH_STR_INIT("ascii"),
                                          GH_STR_INIT("iso-8859-1"), GH_STR_INIT("latin1"),
                                          GH_STR_INIT("windows-1252")};
    value = gh_str_trim_ows(value);
    if (value.len >= 2 && value.ptr[0] == '"' && value.ptr[value.len - 1] == '"')
        value = gh_str_first(gh_str_skip(value, 1), value.len - 2);
    if (gh_str_ieq(value, GH_STR("utf-8")) || gh_str_ieq(value, GH_STR("utf8")))
        return true;
    body->other_charset = true;
    for (size_t i = 0; i < sizeof(KNOWN) / sizeof(KNOWN[0]); i++)
        if (gh_str_ieq(value, KNOWN[i]))
            return true;
    return false;
}

static bool note_charsets(struct gh_rate_body *body, struct gh_str parameters)
{
    for (struct gh_str rest = parameters; rest.ptr && rest.len;) {
        struct gh_str value = gh_str_split(&rest, ';');
        struct gh_str name = gh_str_trim_ows(gh_str_split(&value, '='));
        if (gh_str_ieq(name, GH_STR("charset")) && !(value.ptr && note_charset(body, value)))
            return false;
    }
    return true;
}

/* As some readers look at it, whatever the type says: an object, in any of Unicode's encodings, or
   a comment before one. */
static bool looks_like_json(struct gh_str body)
{
    static const char BEFORE[] = "\xef\xbb\xbf\xfe\xff"; /* bytes of byte order marks */
    while (body.len && ((uint8_t)body.ptr[0] <= ' ' || strchr(BEFORE, body.ptr[0])))
        body = gh_str_skip(body, 1);
    return gh_str_starts_with(body, GH_STR("{")) || gh_str_starts_with(body, GH_STR("/*")) ||
           gh_str_starts_with(body, GH_STR("//"));
}

/* ---- Reading ---- */

/* How many there are is known before: the parser's bound. False: no memory, or no such form. */
static bool read_parts(struct gh_arena *arena, struct gh_str type, struct gh_str text,
                       struct gh_rate_body *body)
{
    struct gh_multipart *parser = gh_arena_alloc(arena, sizeof(*parser));
    struct gh_rate_part *parts = gh_arena_zalloc(arena, PART_LIMITS.parts_max, sizeof(*parts));
    char *values = gh_arena_alloc(arena, text.len + 1); /* of all of them */
    if (!parser || !parts || !values ||
        gh_multipart_init(parser, type, &PART_LIMITS) != GH_MULTIPART_OK)
        return false;
    struct gh_rate_part *part = parts;
    struct gh_str data;
    enum gh_multipart_event event;
    while ((event = gh_multipart_read(parser, &text, &data)) != GH_MULTIPART_MORE &&
           event != GH_MULTIPART_REFUSED) {
        if (event == GH_MULTIPART_PART) {
            if (parser->part.charset.ptr && !note_charset(body, parser->part.charset))
                return false;
            part->name = gh_arena_dup(arena, parser->part.name);
            part->value = gh_str_of(values, 0);
        } else if (event == GH_MULTIPART_DATA) {
            memcpy(values, data.ptr, data.len);
            values += data.len;
            part->value.len += data.len;
        } else if (event == GH_MULTIPART_PART_END) {
            if (!(part++)->name.ptr)
                return false;
        }
    }
    body->parts = parts;
    body->part_count = (size_t)(part - parts);
    return gh_multipart_finish(parser) == GH_MULTIPART_OK;
}

static void read_text(struct gh_arena *arena, struct gh_str type, struct gh_str text,
                      struct gh_rate_body *body)
{
    bool is_json = is_json_type(type), looks = looks_like_json(text);
    bool is_form = gh_str_ieq(type, GH_STR("application/x-www-form-urlencoded")) || !type.len;
    /* Many backends read JSON whatever the type says. */
    if (is_json || looks)
        body->unreadable = gh_json_parse(arena, text, &JSON_LIMITS, &body->doc, NULL) != GH_JSON_OK;
    /* And what is no JSON can be a form to somebody. */
    if (is_form || !(is_json || looks))
        body->form = text;
}

void gh_rate_body_read(const struct gh_request *request, struct gh_rate_body *out_body)
{
    const struct gh_fields *fields = &request->head->fields;
    const struct gh_field *line = gh_fields_find(fields, GH_FIELD_CONTENT_TYPE);
    struct gh_str full = line ? line->value : GH_STR("");
    size_t end = gh_str_find_char(full, ';');
    struct gh_str type = gh_str_trim_ows(gh_str_first(full, end));
    *out_body = (struct gh_rate_body){.unreadable = false};
    if (request->target != GH_TARGET_SERVICE)
        out_body->query = request->query;
    if (!gh_rate_trim(request->body).len)
        return;
    if (gh_fields_find(fields, GH_FIELD_CONTENT_ENCODING) ||
        (line && gh_fields_find_next(fields, line)) ||
        (end < full.len && !note_charsets(out_body, gh_str_skip(full, end + 1))) ||
        is_other_multipart(type))
        out_body->unreadable = true;
    else if (gh_str_ieq(type, GH_STR("multipart/form-data")))
        out_body->unreadable = !read_parts(request->arena, full, request->body, out_body);
    else
        read_text(request->arena, type, request->body, out_body);
}

/* ---- Finding ---- */

/* Another one of that name makes it unclear. */
static enum gh_rate_found add(enum gh_rate_found before, enum gh_rate_found found)
{
    if (before == GH_RATE_MISSING)
        return found;
    return found == GH_RATE_MISSING ? before : GH_RATE_UNCLEAR;
}

/* One name or value of a form, decoded (WHATWG URL section 5.1); a bad escape stays as it is. */
static struct gh_str decode(struct gh_arena *arena, struct gh_str text)
{
    char *memory = gh_arena_alloc(arena, text.len + 1);
    if (!memory)
        return (struct gh_str){0};
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        int high = c == '%' && text.len - i > 2 ? gh_num_hex_digit(text.ptr[i + 1]) : -1;
        int low = high >= 0 ? gh_num_hex_digit(text.ptr[i + 2]) : -1;
        if (low >= 0) {
            c = (char)(high << 4 | low);
            i += 2;
        } else if (c == '+') {
            c = ' ';
        }
        memory[len++] = c;
    }
    return gh_str_of(memory, len);
}

/* Some readers take ';' for '&'. What that parts in the eyes of the others was no field's value
   that anybody else could send. */
static struct gh_str next_pair(struct gh_str *rest)
{
    size_t amp = gh_str_find_char(*rest, '&'), semicolon = gh_str_find_char(*rest, ';');
    return gh_str_split(rest, semicolon < amp ? ';' : '&');
}

static enum gh_rate_found find_in_form(struct gh_arena *arena, struct gh_str form,
                                       struct gh_str name, struct gh_str *out_value)
{
    enum gh_rate_found found = GH_RATE_MISSING;
    for (struct gh_str rest = form; rest.ptr;) {
        struct gh_str value = next_pair(&rest);
        struct gh_str left = decode(arena, gh_str_split(&value, '='));
        if (!left.ptr)
            return GH_RATE_UNCLEAR;
        if (!gh_rate_name_is(left, name, GH_RATE_NAMES_OF_FORM))
            continue;
        *out_value = value.ptr ? decode(arena, value) : GH_STR("");
        found = add(found, out_value->ptr ? GH_RATE_FOUND : GH_RATE_UNCLEAR);
    }
    return found;
}

static enum gh_rate_found find_in_parts(const struct gh_rate_body *body, struct gh_str name,
                                        struct gh_str *out_value)
{
    enum gh_rate_found found = GH_RATE_MISSING;
    for (size_t i = 0; i < body->part_count; i++) {
        if (!gh_rate_name_is(body->parts[i].name, name, GH_RATE_NAMES_OF_FORM))
            continue;
        *out_value = body->parts[i].value;
        found = add(found, GH_RATE_FOUND);
    }
    return found;
}

/* A number is the same however it is written, and as the text of a form is; a list is a text to
   some. */
static enum gh_rate_found take_json(struct gh_arena *arena, const struct gh_json_value *value,
                                    struct gh_str *out_value)
{
    struct gh_decimal number;
    switch (value->kind) {
    case GH_JSON_STRING:
        *out_value = value->text;
        return GH_RATE_FOUND;
    case GH_JSON_NUMBER:
        number = gh_decimal_read(value->text);
        *out_value = number.is_small
                         ? gh_arena_format(arena, "%lld", (long long)number.small)
                         : gh_arena_format(arena, "number %llx",
                                           (unsigned long long)gh_decimal_hash(&number));
        return out_value->ptr ? GH_RATE_FOUND : GH_RATE_UNCLEAR;
    case GH_JSON_ARRAY:
    case GH_JSON_OBJECT:
        return GH_RATE_UNCLEAR;
    case GH_JSON_NULL:
    case GH_JSON_BOOL:
        *out_value = GH_STR("");
        break;
    }
    return GH_RATE_FOUND; /* and empty */
}

static enum gh_rate_found find_in_json(struct gh_arena *arena, const struct gh_json_doc *doc,
                                       struct gh_str name, struct gh_str *out_value)
{
    const struct gh_json_value *root = gh_json_root(doc);
    enum gh_rate_found found = GH_RATE_MISSING;
    if (!root || root->kind != GH_JSON_OBJECT)
        return GH_RATE_MISSING;
    for (const struct gh_json_value *member = gh_json_first(doc, root); member;
         member = gh_json_after(doc, root, member))
        if (gh_rate_name_is(member->name, name, GH_RATE_NAMES_OF_JSON))
            found = add(found, take_json(arena, member, out_value));
    return found;
}

enum gh_rate_found gh_rate_body_find(const struct gh_rate_body *body, struct gh_arena *arena,
                                     struct gh_str name, struct gh_str *out_value)
{
    struct gh_str value = GH_STR("");
    enum gh_rate_found found = find_in_json(arena, &body->doc, name, &value);
    found = add(found, find_in_form(arena, body->form, name, &value));
    found = add(found, find_in_form(arena, body->query, name, &value));
    found = add(found, find_in_parts(body, name, &value));
    value = gh_rate_trim(value);
    if (found == GH_RATE_FOUND && !value.len)
        return GH_RATE_MISSING;
    *out_value = value;
    return found;
}
