#include "policy/rate_spelling.h"

#include "base/utf8.h"

/* Of U+00C0 to U+017F: the letter that its canonical decomposition begins with (Unicode 14.0,
   UnicodeData.txt); of the dotless i and the long s, what upper case makes of them. '.': there is
   none, and collations differ about it ("ss", "o", "ae"). */
#define LATIN_FIRST 0xC0
static const char LATIN[] = "aaaaaa.ceeeeiiii.nooooo..uuuuy.."
                            "aaaaaa.ceeeeiiii.nooooo..uuuuy.y"
                            "aaaaaaccccccccdd..eeeeeeeeeegggg"
                            "gggghh..iiiiiiiiii..jjkk.llllll."
                            "...nnnnnn...oooooo..rrrrrrssssss"
                            "sstttt..uuuuuuuuuuuuwwyyyzzzzzzs";
_Static_assert(sizeof(LATIN) - 1 == 0x180 - LATIN_FIRST, "one for each");

struct range {
    uint32_t first, last;
};

static bool is_among(uint32_t c, const struct range *ranges, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (c >= ranges[i].first && c <= ranges[i].last)
            return true;
    return false;
}

/* Nobody sees it, many drop it. */
static bool is_invisible(uint32_t c)
{
    static const struct range INVISIBLE[] = {
        {0x00AD, 0x00AD}, {0x0300, 0x036F}, {0x061C, 0x061C}, {0x180B, 0x180E}, {0x200B, 0x200F},
        {0x202A, 0x202E}, {0x2060, 0x206F}, {0xFE00, 0xFE0F}, {0xFEFF, 0xFEFF},
    };
    return is_among(c, INVISIBLE, sizeof(INVISIBLE) / sizeof(INVISIBLE[0]));
}

/* White_Space of Unicode, and control bytes, which many a trim takes away, too. */
static bool is_space(uint32_t c)
{
    static const struct range SPACES[] = {
        {0x0000, 0x0020}, {0x007F, 0x00A0}, {0x1680, 0x1680}, {0x2000, 0x200A},
        {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000},
    };
    return is_among(c, SPACES, sizeof(SPACES) / sizeof(SPACES[0]));
}

/* The first character of a text that is not empty, which it advances past. What is no UTF-8 is a
   number for each byte that no character has. */
static uint32_t next(struct gh_str *text)
{
    static const uint8_t MASKS[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    size_t len = gh_utf8_sequence_len(*text);
    uint32_t c = (uint8_t)text->ptr[0];
    c = len ? c & MASKS[len] : c | 0x80000000u;
    for (size_t i = 1; i < len; i++)
        c = c << 6 | ((uint8_t)text->ptr[i] & 0x3F);
    *text = gh_str_skip(*text, len ? len : 1);
    return c;
}

/* The same for all spellings of a letter; 0: nothing of it is left. */
static uint32_t fold(uint32_t c)
{
    if (c < 0x80)
        return (uint8_t)gh_ascii_lower((char)c);
    if (is_invisible(c))
        return 0;
    if (c >= LATIN_FIRST && c < 0x180 && LATIN[c - LATIN_FIRST] != '.')
        return (uint8_t)LATIN[c - LATIN_FIRST];
    if (c >= 0xFF01 && c <= 0xFF5E) /* as wide as ideographs */
        return (uint8_t)gh_ascii_lower((char)(c - 0xFF01 + '!'));
    if (c == 0x3002 || c == 0xFF61) /* dots of domains (RFC 3490 section 3.1) */
        return '.';
    if (c == 0x212A)
        return 'k';
    if (c == 0x212B)
        return 'a';
    if (c >= 0x24B6 && c <= 0x24E9) /* circled */
        return 'a' + (c - 0x24B6) % 26;
    if (c >= 0x1D400 && c <= 0x1D6A3) /* mathematical: alphabets of 52 */
        return 'a' + (c - 0x1D400) % 26;
    if (c >= 0x1D7CE && c <= 0x1D7FF)
        return '0' + (c - 0x1D7CE) % 10;
    if ((c >= 0x0391 && c <= 0x03A9) || (c >= 0x0410 && c <= 0x042F))
        return c + 0x20;
    if (c >= 0x0400 && c <= 0x040F)
        return c + 0x50;
    return c == 0x03C2 ? 0x03C3 : c; /* the two forms of a small sigma */
}

static bool is_edge(uint32_t c)
{
    return is_space(c) || is_invisible(c);
}

struct gh_str gh_rate_trim(struct gh_str text)
{
    struct gh_str behind = text;
    while (text.len && is_edge(next(&behind)))
        text = behind;
    text = gh_str_first(text, gh_str_find_char(text, '\0'));
    size_t keep = 0;
    for (struct gh_str rest = text; rest.len;)
        if (!is_edge(next(&rest)))
            keep = text.len - rest.len;
    return gh_str_first(text, keep);
}

bool gh_rate_is_plain(struct gh_str text)
{
    while (text.len) {
        uint32_t c = next(&text);
        if (c < 0x20 || (c >= 0x7F && c <= 0x9F) || c >= 0x80000000u)
            return false;
    }
    return true;
}

struct gh_str gh_rate_fold(struct gh_arena *arena, struct gh_str text)
{
    size_t len = 0;
    char *memory = gh_arena_alloc(arena, text.len + 1);
    if (!memory)
        return (struct gh_str){0};
    while (text.len) {
        struct gh_str before = text;
        uint32_t c = next(&text), folded = fold(c);
        if (folded == c) /* at the most as long as it was */
            for (size_t i = 0; i < before.len - text.len; i++)
                memory[len++] = before.ptr[i];
        else if (folded && folded < 0x80)
            memory[len++] = (char)folded;
        else if (folded) { /* of Greek and Cyrillic, two bytes as it was */
            memory[len++] = (char)(0xC0 | folded >> 6);
            memory[len++] = (char)(0x80 | (folded & 0x3F));
        }
    }
    return gh_str_of(memory, len);
}

static bool is_bracket(uint32_t c)
{
    return c == '[' || c == ']';
}

/* A name without what is around it. */
static struct gh_str begin_name(struct gh_str name, enum gh_rate_names names)
{
    name = gh_rate_trim(name);
    while (names == GH_RATE_NAMES_OF_FORM && name.len && is_bracket((uint8_t)name.ptr[0]))
        name = gh_str_skip(name, 1);
    return name;
}

/* The next letter of a name that is left; 0: there is none. */
static uint32_t next_of_name(struct gh_str *name, enum gh_rate_names names)
{
    uint32_t c = 0;
    while (name->len && !c)
        c = fold(next(name));
    if (names == GH_RATE_NAMES_OF_JSON)
        return c;
    if (is_bracket(c))
        return 0;
    return c == ' ' || c == '.' ? '_' : c;
}

bool gh_rate_name_is(struct gh_str given, struct gh_str wanted, enum gh_rate_names names)
{
    given = begin_name(given, names);
    wanted = begin_name(wanted, names);
    uint32_t one, other;
    do {
        one = next_of_name(&given, names);
        other = next_of_name(&wanted, names);
    } while (one && one == other);
    return one == other;
}
