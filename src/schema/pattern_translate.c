/*
 * Regular expressions of ECMA-262 in the notation of PCRE2. Every construct is read and written
 * anew, so that none of PCRE2's own (verbs, recursion, \Q, \K, possessive quantifiers, POSIX
 * classes) can be reached. Letters behind a backslash that ECMA-262 gives no meaning are refused;
 * a brace or bracket that stands alone is taken for itself, as browsers do.
 */
#include "base/num.h"
#include "base/utf8.h"
#include "schema/pattern.h"

#define NESTING_MAX 64
/* {n,m} with less counts as bounded. */
#define FEW_REPEATS 32
#define REPEATS_MAX 65535

struct reader {
    const char *at, *end;
    struct gh_buf *out;
    struct gh_pattern_facts facts;
    struct gh_str reason;
    unsigned depth;
    bool can_repeat;         /* something stands before that a quantifier can follow */
    bool alternative_starts; /* at the outermost level, nothing was read of this one yet */
};

/* ECMA-262's white space and line ends, and all else, as ranges for a class. */
#define SPACE_RANGES                                                                               \
    "\\x{9}-\\x{d}\\x{20}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}"  \
    "\\x{3000}\\x{feff}"
#define NOT_SPACE_RANGES                                                                           \
    "\\x{0}-\\x{8}\\x{e}-\\x{1f}\\x{21}-\\x{9f}\\x{a1}-\\x{167f}\\x{1681}-\\x{1fff}"               \
    "\\x{200b}-\\x{2027}\\x{202a}-\\x{202e}\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}"                 \
    "\\x{3001}-\\x{fefe}\\x{ff00}-\\x{10ffff}"

static bool refuse(struct reader *reader, const char *reason)
{
    reader->reason = gh_str_from_c(reason);
    return false;
}

static void put(struct reader *reader, const char *text)
{
    gh_buf_put(reader->out, gh_str_from_c(text));
}

static bool is_alnum(char c)
{
    char lower = gh_ascii_lower(c);
    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9');
}

static void put_code_point(struct reader *reader, uint32_t code)
{
    if (code < 128 && is_alnum((char)code)) {
        gh_buf_put_char(reader->out, (char)code);
        return;
    }
    put(reader, "\\x{");
    gh_buf_put_hex(reader->out, code);
    put(reader, "}");
}

static char peek(const struct reader *reader)
{
    return reader->at < reader->end ? *reader->at : '\0';
}

static bool take(struct reader *reader, const char *text)
{
    size_t len = strlen(text);
    if ((size_t)(reader->end - reader->at) < len || memcmp(reader->at, text, len) != 0)
        return false;
    reader->at += len;
    return true;
}

/* One character that stands for itself. */
static uint32_t take_code_point(struct reader *reader)
{
    static const uint8_t FIRST_BITS[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    struct gh_str rest = gh_str_of(reader->at, (size_t)(reader->end - reader->at));
    size_t len = gh_utf8_sequence_len(rest);
    if (len == 0) /* a schema's strings are UTF-8, so this is not one of them */
        len = 1;
    uint32_t code = (uint8_t)rest.ptr[0] & FIRST_BITS[len];
    for (size_t i = 1; i < len; i++)
        code = code << 6 | ((uint8_t)rest.ptr[i] & 0x3f);
    reader->at += len;
    return code;
}

static bool take_hex(struct reader *reader, unsigned digits, uint32_t *out)
{
    uint32_t code = 0;
    if ((size_t)(reader->end - reader->at) < digits)
        return false;
    for (unsigned i = 0; i < digits; i++) {
        int digit = gh_num_hex_digit(reader->at[i]);
        if (digit < 0)
            return false;
        code = code << 4 | (uint32_t)digit;
    }
    reader->at += digits;
    *out = code;
    return true;
}

/* Behind \u: four digits (two of them a surrogate pair) or {...}. */
static bool take_unicode(struct reader *reader, uint32_t *out)
{
    uint32_t low;
    if (take(reader, "{")) {
        uint32_t code = 0;
        unsigned digits = 0;
        for (int digit; (digit = gh_num_hex_digit(peek(reader))) >= 0; digits++, reader->at++) {
            code = code << 4 | (uint32_t)digit;
            if (code > 0x10ffff)
                return refuse(reader, "\\u{...} names no character.");
        }
        *out = code;
        return (digits > 0 && take(reader, "}")) || refuse(reader, "\\u{...} is not complete.");
    }
    if (!take_hex(reader, 4, out))
        return refuse(reader, "\\u needs four hexadecimal digits.");
    if (*out >= 0xd800 && *out < 0xdc00 && take(reader, "\\u") && take_hex(reader, 4, &low) &&
        low >= 0xdc00 && low < 0xe000)
        *out = 0x10000 + ((*out - 0xd800) << 10) + (low - 0xdc00);
    if (*out >= 0xd800 && *out < 0xe000)
        return refuse(reader, "A surrogate alone is no character.");
    return true;
}

/* Behind a backslash: one character. False with a reason, or without one: it is something else. */
static bool take_character_escape(struct reader *reader, uint32_t *out)
{
    static const char NAMES[] = "tnvfr", CODES[] = "\t\n\v\f\r";
    char c = peek(reader);
    const char *name = c ? strchr(NAMES, c) : NULL;
    if (reader->at == reader->end)
        return refuse(reader, "It ends with a backslash.");
    if (name) {
        reader->at++;
        *out = (uint32_t)CODES[name - NAMES];
        return true;
    }
    if (c == 'c') {
        char letter = reader->end - reader->at > 1 ? gh_ascii_lower(reader->at[1]) : '\0';
        if (letter < 'a' || letter > 'z')
            return refuse(reader, "\\c needs a letter.");
        reader->at += 2;
        *out = (uint32_t)letter & 0x1f;
        return true;
    }
    if (take(reader, "x"))
        return take_hex(reader, 2, out) || refuse(reader, "\\x needs two hexadecimal digits.");
    if (take(reader, "u"))
        return take_unicode(reader, out);
    if (c == '0') {
        reader->at++;
        *out = 0;
        return !(peek(reader) >= '0' && peek(reader) <= '9') ||
               refuse(reader, "Octal escapes are not of ECMA-262.");
    }
    if (is_alnum(c) || (uint8_t)c >= 0x80)
        return false;
    reader->at++;
    *out = (uint8_t)c;
    return true;
}

/* Long names of general categories (Unicode, UAX 44), which PCRE2 has by their short ones. */
static struct gh_str short_category(struct gh_str name)
{
    static const char *const NAMES[][2] = {{"Letter", "L"},
                                           {"Cased_Letter", "L&"},
                                           {"LC", "L&"},
                                           {"Uppercase_Letter", "Lu"},
                                           {"Lowercase_Letter", "Ll"},
                                           {"Titlecase_Letter", "Lt"},
                                           {"Modifier_Letter", "Lm"},
                                           {"Other_Letter", "Lo"},
                                           {"Mark", "M"},
                                           {"Combining_Mark", "M"},
                                           {"Nonspacing_Mark", "Mn"},
                                           {"Spacing_Mark", "Mc"},
                                           {"Enclosing_Mark", "Me"},
                                           {"Number", "N"},
                                           {"Decimal_Number", "Nd"},
                                           {"digit", "Nd"},
                                           {"Letter_Number", "Nl"},
                                           {"Other_Number", "No"},
                                           {"Punctuation", "P"},
                                           {"punct", "P"},
                                           {"Connector_Punctuation", "Pc"},
                                           {"Dash_Punctuation", "Pd"},
                                           {"Open_Punctuation", "Ps"},
                                           {"Close_Punctuation", "Pe"},
                                           {"Initial_Punctuation", "Pi"},
                                           {"Final_Punctuation", "Pf"},
                                           {"Other_Punctuation", "Po"},
                                           {"Symbol", "S"},
                                           {"Math_Symbol", "Sm"},
                                           {"Currency_Symbol", "Sc"},
                                           {"Modifier_Symbol", "Sk"},
                                           {"Other_Symbol", "So"},
                                           {"Separator", "Z"},
                                           {"Space_Separator", "Zs"},
                                           {"Line_Separator", "Zl"},
                                           {"Paragraph_Separator", "Zp"},
                                           {"Other", "C"},
                                           {"Control", "Cc"},
                                           {"cntrl", "Cc"},
                                           {"Format", "Cf"},
                                           {"Surrogate", "Cs"},
                                           {"Private_Use", "Co"},
                                           {"Unassigned", "Cn"}};
    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
        if (gh_str_eq(name, gh_str_from_c(NAMES[i][0])))
            return gh_str_from_c(NAMES[i][1]);
    }
    return name;
}

/* \p{...} and \P{...}; `at` is behind the letter. Which names there are is PCRE2's to say. */
static bool copy_property(struct reader *reader, char letter)
{
    struct gh_str rest = gh_str_of(reader->at, (size_t)(reader->end - reader->at));
    size_t close = gh_str_find_char(rest, '}');
    if (close == rest.len || rest.ptr[0] != '{' || close < 2)
        return refuse(reader, "\\p needs the name of a property in braces.");
    struct gh_str value = gh_str_of(rest.ptr + 1, close - 1), name = {0};
    reader->at += close + 1;
    size_t equals = gh_str_find_char(value, '=');
    if (equals < value.len) {
        name = gh_str_first(value, equals);
        value = gh_str_skip(value, equals + 1);
    }
    for (size_t i = 0; i < value.len; i++) {
        if (!is_alnum(value.ptr[i]) && value.ptr[i] != '_')
            return refuse(reader, "\\p{...} names no property.");
    }
    const char *prefix = "";
    if (gh_str_eq(name, GH_STR("Script")) || gh_str_eq(name, GH_STR("sc")))
        prefix = "sc:";
    else if (gh_str_eq(name, GH_STR("Script_Extensions")) || gh_str_eq(name, GH_STR("scx")))
        prefix = "scx:";
    else if (name.ptr && !gh_str_eq(name, GH_STR("General_Category")) &&
             !gh_str_eq(name, GH_STR("gc")))
        return refuse(reader, "\\p{...} names no property.");
    gh_buf_put_char(reader->out, '\\');
    gh_buf_put_char(reader->out, letter);
    put(reader, "{");
    put(reader, prefix);
    gh_buf_put(reader->out, short_category(value));
    put(reader, "}");
    return true;
}

/* \d \w \s \p and their opposites, `at` on the letter. False without a reason: none of them. */
static bool copy_class_escape(struct reader *reader, bool in_class)
{
    char c = peek(reader);
    switch (c) {
    case 'd':
    case 'D':
    case 'w':
    case 'W':
        gh_buf_put_char(reader->out, '\\');
        gh_buf_put_char(reader->out, c);
        break;
    case 's':
    case 'S':
        put(reader, in_class ? "" : "[");
        put(reader, c == 's' ? SPACE_RANGES : NOT_SPACE_RANGES);
        put(reader, in_class ? "" : "]");
        break;
    case 'p':
    case 'P':
        reader->at++;
        return copy_property(reader, c);
    default:
        return false;
    }
    reader->at++;
    return true;
}

/* One member of a class; *out_is_set: it can't begin or end a range. */
static bool copy_class_atom(struct reader *reader, uint32_t *out_code, bool *out_is_set)
{
    *out_is_set = false;
    if (!take(reader, "\\")) {
        *out_code = take_code_point(reader);
        return true;
    }
    if (copy_class_escape(reader, true)) {
        *out_is_set = true;
        return true;
    }
    if (take(reader, "b")) {
        *out_code = '\b';
        return true;
    }
    if (!reader->reason.ptr && take_character_escape(reader, out_code))
        return true;
    return reader->reason.ptr ? false : refuse(reader, "A class has an unknown escape.");
}

static bool copy_class_members(struct reader *reader)
{
    while (peek(reader) != ']') {
        uint32_t low = 0, high = 0;
        bool low_is_set, high_is_set;
        if (reader->at == reader->end)
            return refuse(reader, "A class is not closed.");
        if (!copy_class_atom(reader, &low, &low_is_set))
            return false;
        bool is_range =
            reader->end - reader->at > 1 && reader->at[0] == '-' && reader->at[1] != ']';
        if (!is_range) {
            if (!low_is_set)
                put_code_point(reader, low);
            continue;
        }
        reader->at++;
        if (!low_is_set) {
            put_code_point(reader, low);
            put(reader, "-");
        }
        size_t before = reader->out->len;
        if (!copy_class_atom(reader, &high, &high_is_set))
            return false;
        if (low_is_set || high_is_set || high < low || before > reader->out->len)
            return refuse(reader, "A range of a class is not from low to high.");
        put_code_point(reader, high);
    }
    reader->at++;
    return true;
}

static bool copy_class(struct reader *reader)
{
    bool negated = take(reader, "^");
    if (take(reader, "]")) { /* nothing, or anything */
        put(reader, negated ? "[\\x{0}-\\x{10ffff}]" : "(?!)");
        return true;
    }
    put(reader, negated ? "[^" : "[");
    if (!copy_class_members(reader))
        return false;
    put(reader, "]");
    return true;
}

static bool copy_group_name(struct reader *reader)
{
    unsigned len = 0;
    for (; is_alnum(peek(reader)) || peek(reader) == '_'; len++)
        gh_buf_put_char(reader->out, *reader->at++);
    if (len == 0 || len > 32 || !take(reader, ">"))
        return refuse(reader, "The name of a group is letters, digits and '_', at most 32.");
    put(reader, ">");
    return true;
}

/* Behind "(". */
static bool copy_group_start(struct reader *reader)
{
    static const char *const KINDS[] = {"?:", "?=", "?!", "?<=", "?<!"};
    if (++reader->depth > NESTING_MAX)
        return refuse(reader, "Its groups are nested too deeply.");
    put(reader, "(");
    for (size_t i = 0; i < sizeof(KINDS) / sizeof(KINDS[0]); i++) {
        if (take(reader, KINDS[i])) {
            put(reader, KINDS[i]);
            return true;
        }
    }
    if (take(reader, "?<")) {
        put(reader, "?<");
        return copy_group_name(reader);
    }
    if (peek(reader) == '?')
        return refuse(reader, "A group begins with what is not of ECMA-262.");
    return true;
}

static bool copy_back_reference(struct reader *reader)
{
    put(reader, "\\g{");
    for (unsigned digits = 0; peek(reader) >= '0' && peek(reader) <= '9'; digits++) {
        if (digits == 4)
            return refuse(reader, "There is no group of this number.");
        gh_buf_put_char(reader->out, *reader->at++);
    }
    put(reader, "}");
    reader->facts.repeats++; /* what was matched may be long */
    return true;
}

/* Behind a backslash, outside of a class. */
static bool copy_escape(struct reader *reader)
{
    uint32_t code;
    char c = peek(reader);
    if (c == 'b' || c == 'B') {
        reader->at++;
        put(reader, c == 'b' ? "\\b" : "\\B");
        reader->can_repeat = false;
        return true;
    }
    reader->can_repeat = true;
    if (c >= '1' && c <= '9')
        return copy_back_reference(reader);
    if (take(reader, "k<")) {
        put(reader, "\\k<");
        reader->facts.repeats++;
        return copy_group_name(reader);
    }
    if (copy_class_escape(reader, false))
        return true;
    if (!reader->reason.ptr && take_character_escape(reader, &code)) {
        put_code_point(reader, code);
        return true;
    }
    return reader->reason.ptr
               ? false
               : refuse(reader, "A backslash stands before what ECMA-262 gives no meaning.");
}

/* {n}, {n,} or {n,m} at `at`; false: a brace that stands for itself. */
static bool take_bounds(struct reader *reader, uint64_t *out_min, uint64_t *out_max)
{
    const char *at = reader->at + 1;
    uint64_t bounds[2] = {0, 0};
    unsigned digits[2] = {0, 0}, part = 0;
    for (; at < reader->end && *at != '}'; at++) {
        if (*at == ',' && part == 0) {
            part = 1;
            continue;
        }
        if (*at < '0' || *at > '9')
            return false;
        digits[part]++;
        if (bounds[part] <= REPEATS_MAX)
            bounds[part] = bounds[part] * 10 + (uint64_t)(*at - '0');
    }
    if (at == reader->end || digits[0] == 0)
        return false;
    reader->at = at + 1;
    *out_min = bounds[0];
    *out_max = part == 0 ? bounds[0] : digits[1] ? bounds[1] : UINT64_MAX;
    return true;
}

static bool copy_quantifier(struct reader *reader)
{
    uint64_t min = 0, max = UINT64_MAX;
    char c = *reader->at;
    if (c == '{') {
        if (!take_bounds(reader, &min, &max)) {
            reader->at++;
            reader->can_repeat = true;
            put(reader, "\\x{7b}");
            return true;
        }
    } else {
        reader->at++;
        min = c == '+';
        max = c == '?' ? 1 : UINT64_MAX;
    }
    if (!reader->can_repeat)
        return refuse(reader, "A quantifier has nothing to repeat.");
    if (min > max || min > REPEATS_MAX || (max != UINT64_MAX && max > REPEATS_MAX))
        return refuse(reader, "The bounds of a quantifier are in the wrong order or above 65535.");
    gh_buf_format(reader->out, max == UINT64_MAX ? "{%u,}" : "{%u,%u}", (unsigned)min,
                  (unsigned)max);
    if (take(reader, "?"))
        put(reader, "?");
    reader->facts.repeats += max >= FEW_REPEATS;
    reader->can_repeat = false;
    return true;
}

static bool copy_one(struct reader *reader)
{
    char c = *reader->at;
    bool starts = reader->alternative_starts;
    reader->alternative_starts = false;
    if (reader->depth == 0 && starts && c != '^')
        reader->facts.is_anchored = false;
    if (c == '*' || c == '+' || c == '?' || c == '{')
        return copy_quantifier(reader);
    if (c != '^' && c != '$' && c != '(' && c != ')' && c != '|' && c != '[' && c != '.' &&
        c != '\\') {
        put_code_point(reader, take_code_point(reader));
        reader->can_repeat = true;
        return true;
    }
    reader->at++;
    reader->can_repeat = c == ')' || c == '[' || c == '.';
    switch (c) {
    case '(':
        return copy_group_start(reader);
    case ')':
        if (reader->depth-- == 0)
            return refuse(reader, "A group is closed that was not opened.");
        break;
    case '[':
        return copy_class(reader);
    case '.':
        put(reader, "[^\\n\\r\\x{2028}\\x{2029}]");
        return true;
    case '\\':
        return copy_escape(reader);
    case '|':
        reader->alternative_starts = reader->depth == 0;
        break;
    default:
        break;
    }
    gh_buf_put_char(reader->out, c);
    return true;
}

bool gh_pattern_translate(struct gh_str text, struct gh_buf *buf,
                          struct gh_pattern_facts *out_facts, struct gh_str *out_reason)
{
    struct reader reader = {.at = text.ptr,
                            .end = text.ptr + text.len,
                            .out = buf,
                            .facts.is_anchored = true,
                            .alternative_starts = true};
    bool good = true;
    while (good && reader.at < reader.end)
        good = copy_one(&reader);
    if (reader.alternative_starts)
        reader.facts.is_anchored = false;
    if (good && reader.depth > 0)
        good = refuse(&reader, "A group is not closed.");
    if (good && buf->overflow)
        good = refuse(&reader, "It is too long.");
    *out_facts = reader.facts;
    *out_reason = reader.reason;
    return good;
}
