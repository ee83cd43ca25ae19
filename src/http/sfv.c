/*
 * The parser of structured field values: RFC 9651 section 4.2, algorithm by algorithm. It either
 * reads all of the text or nothing. The serialiser is in sfv_write.c.
 *
 * Nothing recurses: items of an inner list are bare, and so are the values of parameters.
 */
#include "http/sfv.h"

#include "base/num.h"
#include "base/utf8.h"
#include "http/field.h"

/* Each is what section 4.2 obliges a parser to take, or more; keys are compared one by one. */
enum { MEMBERS_MAX = 1024, INTEGER_DIGITS_MAX = 15, DECIMAL_DIGITS_MAX = 12, FRACTION_MAX = 3 };

struct parser {
    struct gh_str rest;
    struct gh_arena *arena;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_alpha(char c)
{
    return is_lower(gh_ascii_lower(c));
}

/* The next character, or NUL (which no grammar here has) at the end. */
static char peek(const struct parser *p)
{
    return p->rest.len ? p->rest.ptr[0] : '\0';
}

static void advance(struct parser *p, size_t n)
{
    p->rest = gh_str_skip(p->rest, n);
}

static bool take_char(struct parser *p, char c)
{
    if (p->rest.len == 0 || p->rest.ptr[0] != c)
        return false;
    advance(p, 1);
    return true;
}

static void skip_spaces(struct parser *p)
{
    while (take_char(p, ' '))
        continue;
}

static void skip_ows(struct parser *p)
{
    while (take_char(p, ' ') || take_char(p, '\t'))
        continue;
}

/* Members as they are read; they grow by doubling within the arena. */
struct members {
    struct gh_sfv_member *items;
    size_t count, cap;
};

/* A new member at the end, or NULL when there are too many or no memory. */
static struct gh_sfv_member *add_member(struct parser *p, struct members *members)
{
    if (members->count == members->cap) {
        size_t cap = members->cap ? 2 * members->cap : 4;
        if (cap > MEMBERS_MAX)
            return NULL;
        struct gh_sfv_member *items = gh_arena_zalloc(p->arena, cap, sizeof(*items));
        if (!items)
            return NULL;
        if (members->count)
            memcpy(items, members->items, members->count * sizeof(*items));
        members->items = items;
        members->cap = cap;
    }
    return &members->items[members->count++];
}

/* The member with that key, emptied, or a new one: the last of equal keys wins, in place. */
static struct gh_sfv_member *place_member(struct parser *p, struct members *members,
                                          struct gh_str key)
{
    struct gh_sfv_member *member = NULL;
    for (size_t i = 0; i < members->count && !member; i++) {
        if (gh_str_eq(members->items[i].key, key))
            member = &members->items[i];
    }
    if (!member)
        member = add_member(p, members);
    if (member)
        *member = (struct gh_sfv_member){.key = key};
    return member;
}

/* Section 4.2.3.3. */
static bool parse_key(struct parser *p, struct gh_str *out_key)
{
    if (!is_lower(peek(p)) && peek(p) != '*')
        return false;
    size_t len = 1;
    while (len < p->rest.len) {
        char c = p->rest.ptr[len];
        if (!is_lower(c) && !is_digit(c) && c != '_' && c != '-' && c != '.' && c != '*')
            break;
        len++;
    }
    *out_key = gh_str_first(p->rest, len);
    advance(p, len);
    return true;
}

/* Up to `max` digits, added to *value in base ten; returns how many, or max + 1 for more. */
static size_t take_digits(struct parser *p, size_t max, int64_t *value)
{
    size_t count = 0;
    for (; is_digit(peek(p)); advance(p, 1)) {
        if (++count > max)
            break;
        *value = *value * 10 + (peek(p) - '0');
    }
    return count;
}

/* Section 4.2.4. */
static bool parse_number(struct parser *p, struct gh_sfv_item *item)
{
    bool negative = take_char(p, '-');
    int64_t value = 0;
    size_t digits = take_digits(p, INTEGER_DIGITS_MAX, &value);
    if (digits == 0 || digits > INTEGER_DIGITS_MAX)
        return false;
    item->type = GH_SFV_INTEGER;
    if (take_char(p, '.')) {
        size_t fraction = take_digits(p, FRACTION_MAX, &value);
        if (digits > DECIMAL_DIGITS_MAX || fraction == 0 || fraction > FRACTION_MAX)
            return false;
        for (; fraction < FRACTION_MAX; fraction++)
            value *= 10;
        item->type = GH_SFV_DECIMAL;
    }
    item->integer = negative ? -value : value;
    return true;
}

/* The text up to the closing quote at `*out_end`; false when there is none. */
static bool find_closing_quote(struct gh_str s, size_t *out_end, bool *out_has_escapes)
{
    *out_has_escapes = false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (c == '"') {
            *out_end = i;
            return true;
        }
        if (c < 0x20 || c >= 0x7f)
            return false;
        if (c != '\\')
            continue;
        *out_has_escapes = true;
        if (++i == s.len || (s.ptr[i] != '"' && s.ptr[i] != '\\'))
            return false;
    }
    return false;
}

/* A copy of `raw` without the backslashes that escape. */
static struct gh_str unescape(struct gh_arena *arena, struct gh_str raw)
{
    char *text = gh_arena_alloc(arena, raw.len);
    size_t len = 0;
    for (size_t i = 0; text && i < raw.len; i++) {
        if (raw.ptr[i] == '\\')
            i++;
        text[len++] = raw.ptr[i];
    }
    return gh_str_of(text, len);
}

/* Section 4.2.5. */
static bool parse_string(struct parser *p, struct gh_sfv_item *item)
{
    size_t end;
    bool has_escapes;
    if (!take_char(p, '"') || !find_closing_quote(p->rest, &end, &has_escapes))
        return false;
    item->type = GH_SFV_STRING;
    item->bytes = gh_str_first(p->rest, end);
    if (has_escapes)
        item->bytes = unescape(p->arena, item->bytes);
    advance(p, end + 1);
    return item->bytes.ptr != NULL;
}

/* Section 4.2.6. */
static bool parse_token(struct parser *p, struct gh_sfv_item *item)
{
    if (!is_alpha(peek(p)) && peek(p) != '*')
        return false;
    size_t len = 1;
    while (len < p->rest.len) {
        char c = p->rest.ptr[len];
        if (!gh_is_token_char(c) && c != ':' && c != '/')
            break;
        len++;
    }
    item->type = GH_SFV_TOKEN;
    item->bytes = gh_str_first(p->rest, len);
    advance(p, len);
    return true;
}

/* -1 for what is no base64 character. */
static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (is_lower(c))
        return c - 'a' + 26;
    if (is_digit(c))
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Section 4.2.7: padding may be missing, but where it stands it must be right. */
static bool decode_base64(struct gh_str text, char *out, size_t *out_len)
{
    size_t digits = gh_str_find_char(text, '='), len = 0;
    size_t padding = text.len - digits;
    if (digits % 4 == 1 || (padding && padding != (4 - digits % 4) % 4))
        return false;
    uint32_t bits = 0;
    for (size_t i = 0; i < text.len; i++) {
        int value = base64_value(text.ptr[i]);
        if (i >= digits ? text.ptr[i] != '=' : value < 0)
            return false;
        if (i >= digits)
            continue;
        bits = bits << 6 | (uint32_t)value;
        if (i % 4 > 0)
            out[len++] = (char)(bits >> (6 - 2 * (i % 4)));
    }
    *out_len = len;
    return true;
}

static bool parse_bytes(struct parser *p, struct gh_sfv_item *item)
{
    if (!take_char(p, ':'))
        return false;
    size_t end = gh_str_find_char(p->rest, ':');
    if (end == p->rest.len)
        return false;
    char *decoded = gh_arena_alloc(p->arena, end);
    size_t len;
    if (!decoded || !decode_base64(gh_str_first(p->rest, end), decoded, &len))
        return false;
    advance(p, end + 1);
    item->type = GH_SFV_BYTES;
    item->bytes = gh_str_of(decoded, len);
    return true;
}

/* Section 4.2.8. */
static bool parse_boolean(struct parser *p, struct gh_sfv_item *item)
{
    if (!take_char(p, '?') || (peek(p) != '0' && peek(p) != '1'))
        return false;
    item->type = GH_SFV_BOOLEAN;
    item->integer = peek(p) - '0';
    advance(p, 1);
    return true;
}

/* Section 4.2.9. */
static bool parse_date(struct parser *p, struct gh_sfv_item *item)
{
    if (!take_char(p, '@') || !parse_number(p, item) || item->type != GH_SFV_INTEGER)
        return false;
    item->type = GH_SFV_DATE;
    return true;
}

/* The byte behind '%': lower-case digits only. */
static int lower_hex_byte(struct gh_str s)
{
    if (s.len < 2 || (!is_digit(s.ptr[0]) && !is_lower(s.ptr[0])) ||
        (!is_digit(s.ptr[1]) && !is_lower(s.ptr[1])))
        return -1;
    int high = gh_num_hex_digit(s.ptr[0]), low = gh_num_hex_digit(s.ptr[1]);
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

/* `raw` without its escapes; false where a character may not stand or is no UTF-8. */
static bool decode_display_string(struct gh_str raw, char *out, size_t *out_len)
{
    size_t len = 0;
    while (raw.len) {
        char c = raw.ptr[0];
        raw = gh_str_skip(raw, 1);
        if (c < 0x20 || c >= 0x7f)
            return false;
        int byte = c == '%' ? lower_hex_byte(raw) : c;
        if (byte < 0)
            return false;
        raw = gh_str_skip(raw, c == '%' ? 2 : 0);
        out[len++] = (char)byte;
    }
    *out_len = len;
    return gh_utf8_is_valid(gh_str_of(out, len));
}

/* Section 4.2.10. */
static bool parse_display_string(struct parser *p, struct gh_sfv_item *item)
{
    if (!take_char(p, '%') || !take_char(p, '"'))
        return false;
    size_t end = gh_str_find_char(p->rest, '"'); /* a quote inside is always escaped as %22 */
    if (end == p->rest.len)
        return false;
    char *decoded = gh_arena_alloc(p->arena, end);
    size_t len;
    if (!decoded || !decode_display_string(gh_str_first(p->rest, end), decoded, &len))
        return false;
    advance(p, end + 1);
    item->type = GH_SFV_DISPLAY_STRING;
    item->bytes = gh_str_of(decoded, len);
    return true;
}

/* Section 4.2.3.1. */
static bool parse_bare_item(struct parser *p, struct gh_sfv_item *item)
{
    char c = peek(p);
    if (c == '-' || is_digit(c))
        return parse_number(p, item);
    if (c == '"')
        return parse_string(p, item);
    if (c == ':')
        return parse_bytes(p, item);
    if (c == '?')
        return parse_boolean(p, item);
    if (c == '@')
        return parse_date(p, item);
    if (c == '%')
        return parse_display_string(p, item);
    return parse_token(p, item);
}

/* Section 4.2.3.2. */
static bool parse_params(struct parser *p, struct gh_sfv_item *item)
{
    struct members params = {0};
    while (take_char(p, ';')) {
        struct gh_str key;
        skip_spaces(p);
        if (!parse_key(p, &key))
            return false;
        struct gh_sfv_member *param = place_member(p, &params, key);
        if (!param)
            return false;
        if (!take_char(p, '='))
            param->item = (struct gh_sfv_item){.type = GH_SFV_BOOLEAN, .integer = 1};
        else if (!parse_bare_item(p, &param->item))
            return false;
    }
    item->params = params.items;
    item->param_count = params.count;
    return true;
}

/* Section 4.2.3. */
static bool parse_item_with_params(struct parser *p, struct gh_sfv_item *item)
{
    return parse_bare_item(p, item) && parse_params(p, item);
}

/* Section 4.2.1.2. */
static bool parse_inner_list(struct parser *p, struct gh_sfv_item *item)
{
    struct members items = {0};
    if (!take_char(p, '('))
        return false;
    for (;;) {
        skip_spaces(p);
        if (take_char(p, ')'))
            break;
        struct gh_sfv_member *member = add_member(p, &items);
        if (!member || !parse_item_with_params(p, &member->item) ||
            (peek(p) != ' ' && peek(p) != ')'))
            return false;
    }
    item->type = GH_SFV_INNER_LIST;
    item->items = items.items;
    item->item_count = items.count;
    return parse_params(p, item);
}

static bool parse_item_or_inner_list(struct parser *p, struct gh_sfv_item *item)
{
    return peek(p) == '(' ? parse_inner_list(p, item) : parse_item_with_params(p, item);
}

/* Section 4.2.2; a member without value is true and may have parameters. */
static bool parse_dictionary_member(struct parser *p, struct members *members)
{
    struct gh_str key;
    if (!parse_key(p, &key))
        return false;
    struct gh_sfv_member *member = place_member(p, members, key);
    if (!member)
        return false;
    if (take_char(p, '='))
        return parse_item_or_inner_list(p, &member->item);
    member->item = (struct gh_sfv_item){.type = GH_SFV_BOOLEAN, .integer = 1};
    return parse_params(p, &member->item);
}

static bool parse_list_member(struct parser *p, struct members *members)
{
    struct gh_sfv_member *member = add_member(p, members);
    return member && parse_item_or_inner_list(p, &member->item);
}

/* What lists (section 4.2.1) and dictionaries (section 4.2.2) have in common. */
static bool parse_members(struct gh_str text, struct gh_arena *arena,
                          bool (*parse_member)(struct parser *, struct members *),
                          struct gh_sfv_list *out_list)
{
    struct parser p = {.rest = text, .arena = arena};
    struct members members = {0};
    skip_spaces(&p);
    while (p.rest.len) {
        if (!parse_member(&p, &members))
            return false;
        skip_ows(&p);
        if (p.rest.len == 0)
            break;
        if (!take_char(&p, ','))
            return false;
        skip_ows(&p);
        if (p.rest.len == 0) /* a comma at the end */
            return false;
    }
    *out_list = (struct gh_sfv_list){.members = members.items, .count = members.count};
    return true;
}

bool gh_sfv_parse_list(struct gh_str text, struct gh_arena *arena, struct gh_sfv_list *out_list)
{
    return parse_members(text, arena, parse_list_member, out_list);
}

bool gh_sfv_parse_dictionary(struct gh_str text, struct gh_arena *arena,
                             struct gh_sfv_list *out_dictionary)
{
    return parse_members(text, arena, parse_dictionary_member, out_dictionary);
}

bool gh_sfv_parse_item(struct gh_str text, struct gh_arena *arena, struct gh_sfv_item *out_item)
{
    struct parser p = {.rest = text, .arena = arena};
    struct gh_sfv_item item = {0};
    skip_spaces(&p);
    if (!parse_item_with_params(&p, &item))
        return false;
    skip_spaces(&p);
    if (p.rest.len)
        return false;
    *out_item = item;
    return true;
}
