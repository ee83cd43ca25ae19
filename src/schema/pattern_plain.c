/*
 * The plain patterns that codes, numbers and names mostly have: ^, then characters and classes of
 * ASCII with their counts, then $. Where what repeats can't be mistaken for what follows it, taking
 * as many as there are is all a match needs: no engine, no memory, one look at each byte.
 */
#include "base/num.h"
#include "schema/pattern.h"

#define PARTS_MAX  16
#define REPEAT_MAX 65535u

/* ASCII characters, as bits. */
struct set {
    uint64_t low, high;
};

struct part {
    struct set set;
    uint32_t min, max;
};

struct gh_pattern_plain {
    unsigned count;
    struct {
        uint32_t min, max;
    } repeats[PARTS_MAX];
    uint16_t parts_of[256]; /* by character: a bit for each part that has it */
};

static void set_add(struct set *set, unsigned char c)
{
    if (c < 64)
        set->low |= UINT64_C(1) << c;
    else
        set->high |= UINT64_C(1) << (c - 64);
}

static bool set_has(const struct set *set, unsigned c)
{
    return (c < 64 ? set->low >> c : set->high >> (c - 64)) & 1;
}

static void set_add_range(struct set *set, unsigned char first, unsigned char last)
{
    for (unsigned c = first; c <= last; c++)
        set_add(set, (unsigned char)c);
}

static bool is_syntax(char c)
{
    return c && strchr("^$\\.*+?()[]{}|", c);
}

static bool take(struct gh_str *rest, char c)
{
    if (!rest->len || *rest->ptr != c)
        return false;
    *rest = gh_str_skip(*rest, 1);
    return true;
}

/* Behind a backslash: \d, \w or a character of the syntax. *out_char: that one, or 0. */
static bool read_escape(struct gh_str *rest, bool in_class, struct set *set, char *out_char)
{
    char c = rest->len ? *rest->ptr : '\0';
    *out_char = '\0';
    if (c == 'd' || c == 'w')
        set_add_range(set, '0', '9');
    if (c == 'w') {
        set_add_range(set, 'A', 'Z');
        set_add_range(set, 'a', 'z');
        set_add(set, '_');
    }
    if (is_syntax(c) || c == '/' || (in_class && c == '-')) {
        set_add(set, (unsigned char)c);
        *out_char = c;
    } else if (c != 'd' && c != 'w') {
        return false;
    }
    *rest = gh_str_skip(*rest, 1);
    return true;
}

/* One character of a class, which a range may begin with, or \d, \w; see read_escape. */
static bool read_class_char(struct gh_str *rest, struct set *set, char *out_char)
{
    char c = rest->len ? *rest->ptr : '\0';
    if (take(rest, '\\'))
        return read_escape(rest, true, set, out_char);
    if (c < ' ' || c > '~' || c == '[')
        return false;
    set_add(set, (unsigned char)c);
    *out_char = c;
    *rest = gh_str_skip(*rest, 1);
    return true;
}

/* Behind '['. A class of all but some has characters beyond ASCII, so it isn't for us. */
static bool read_class(struct gh_str *rest, struct set *set)
{
    if (!rest->len || *rest->ptr == '^' || *rest->ptr == ']')
        return false;
    while (!take(rest, ']')) {
        char first, last;
        if (!read_class_char(rest, set, &first))
            return false;
        if (rest->len < 2 || rest->ptr[0] != '-' || rest->ptr[1] == ']')
            continue;
        *rest = gh_str_skip(*rest, 1);
        if (!read_class_char(rest, set, &last) || !first || !last || last < first)
            return false;
        set_add_range(set, (unsigned char)first, (unsigned char)last);
    }
    return true;
}

static bool read_atom(struct gh_str *rest, struct set *set)
{
    char c = *rest->ptr, escaped;
    if (take(rest, '['))
        return read_class(rest, set);
    if (take(rest, '\\'))
        return read_escape(rest, false, set, &escaped);
    if (c < ' ' || c > '~' || is_syntax(c))
        return false;
    set_add(set, (unsigned char)c);
    *rest = gh_str_skip(*rest, 1);
    return true;
}

static bool read_number(struct gh_str text, uint32_t *out)
{
    uint64_t number;
    if (!gh_num_parse_u64(text, REPEAT_MAX, &number))
        return false;
    *out = (uint32_t)number;
    return true;
}

/* {n}, {n,} or {n,m}, behind its brace. */
static bool read_counts(struct gh_str *rest, struct part *part)
{
    struct gh_str counts = gh_str_first(*rest, gh_str_find_char(*rest, '}'));
    *rest = gh_str_skip(*rest, counts.len);
    if (!take(rest, '}'))
        return false;
    struct gh_str min = gh_str_split(&counts, ',');
    if (!read_number(min, &part->min))
        return false;
    part->max = part->min;
    if (counts.ptr)
        part->max = UINT32_MAX;
    return !counts.len || (read_number(counts, &part->max) && part->min <= part->max);
}

static bool read_repeat(struct gh_str *rest, struct part *part)
{
    part->min = part->max = 1;
    if (take(rest, '+'))
        part->max = UINT32_MAX;
    else if (take(rest, '*'))
        part->min = 0, part->max = UINT32_MAX;
    else if (take(rest, '?'))
        part->min = 0;
    else if (take(rest, '{'))
        return read_counts(rest, part) && !take(rest, '?');
    else
        return true;
    return !take(rest, '?');
}

static bool overlap(const struct set *a, const struct set *b)
{
    return (a->low & b->low) || (a->high & b->high);
}

/* Can what comes next always be told from one more of this part? */
static bool is_clear(const struct part *parts, unsigned count, unsigned at)
{
    bool can_be_passed = parts[at].min < parts[at].max;
    for (unsigned next = at + 1; can_be_passed && next < count; next++) {
        if (overlap(&parts[at].set, &parts[next].set))
            return false;
        can_be_passed = parts[next].min == 0;
    }
    return true;
}

static const struct gh_pattern_plain *write_plain(const struct part *parts, unsigned count,
                                                  struct gh_arena *arena)
{
    struct gh_pattern_plain *plain = gh_arena_zalloc(arena, 1, sizeof(*plain));
    if (!plain)
        return NULL;
    plain->count = count;
    for (unsigned i = 0; i < count; i++) {
        plain->repeats[i].min = parts[i].min;
        plain->repeats[i].max = parts[i].max;
        for (unsigned c = 0; c < 128; c++)
            plain->parts_of[c] |= (uint16_t)((unsigned)set_has(&parts[i].set, c) << i);
    }
    return plain;
}

const struct gh_pattern_plain *gh_pattern_plain_read(struct gh_str text, struct gh_arena *arena)
{
    struct part parts[PARTS_MAX];
    unsigned count = 0;
    if (text.len < 2 || !gh_str_ends_with(text, GH_STR("$")) || !take(&text, '^'))
        return NULL;
    struct gh_str rest = gh_str_first(text, text.len - 1);
    while (rest.len) {
        if (count == PARTS_MAX)
            return NULL;
        struct part *part = &parts[count++];
        *part = (struct part){0};
        if (!read_atom(&rest, &part->set) || !read_repeat(&rest, part))
            return NULL;
    }
    for (unsigned i = 0; i < count; i++) {
        if (!is_clear(parts, count, i))
            return NULL;
    }
    return write_plain(parts, count, arena);
}

/* How many bytes of `text`, at most `max`, the part has at its start. */
static inline size_t take_part(const struct gh_pattern_plain *plain, unsigned part,
                               struct gh_str text)
{
    size_t max = plain->repeats[part].max, taken = 0;
    max = text.len < max ? text.len : max;
    while (taken < max && plain->parts_of[(uint8_t)text.ptr[taken]] >> part & 1)
        taken++;
    return taken;
}

/* The last part has to take all there is: no byte is waited for. */
static inline bool fits_last(const struct gh_pattern_plain *plain, unsigned part,
                             struct gh_str text)
{
    unsigned all = 1u << part;
    if (text.len < plain->repeats[part].min || text.len > plain->repeats[part].max)
        return false;
    for (size_t i = 0; i < text.len; i++)
        all &= plain->parts_of[(uint8_t)text.ptr[i]];
    return all;
}

bool gh_pattern_plain_match(const struct gh_pattern_plain *plain, struct gh_str text)
{
    if (plain->count == 0)
        return text.len == 0;
    unsigned last = plain->count - 1;
    for (unsigned i = 0; i < last; i++) {
        size_t taken = take_part(plain, i, text);
        if (taken < plain->repeats[i].min)
            return false;
        text = gh_str_skip(text, taken);
    }
    return fits_last(plain, last, text);
}
