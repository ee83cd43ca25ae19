/*
 * Looks along a regular expression of ECMA-262 for repetitions within repetitions that can split
 * one text in several ways, the usual cause of exponential time (CWE-1333):
 *
 *   (a+)+, (a*b?)*     a group repeats, and so does a part of it, with nothing that must stand
 *                      between two rounds and can't be a part of either
 *   (a|a)*, (\w|\d)+   a group repeats whose alternatives can match the same
 *
 * Sets of characters are kept for ASCII; all others are one.
 */
#include "openapi/lint_pattern.h"

#define NESTING_MAX 16
#define FRONT_MAX   6 /* atoms at the beginning of an alternative that are compared */

struct set {
    uint64_t low, high;
    bool others;
};

/* A sequence between "|"s. */
struct sequence {
    struct set front[FRONT_MAX];
    size_t front_count;
    bool front_is_open;       /* what follows may be anything, also nothing */
    bool repeats;             /* a part without an upper bound */
    struct set repeated;      /* all that such parts match */
    struct set separators[8]; /* of parts that must be there once */
    size_t separator_count;
    bool has_begin, has_end, is_empty;
};

#define ALTERNATIVES_MAX 16
struct group {
    struct sequence now;
    struct {
        struct set front[FRONT_MAX];
        size_t count;
    } alternatives[ALTERNATIVES_MAX];
    size_t alternative_count;
    bool overlaps;  /* two alternatives can match the same */
    bool ambiguous; /* would explode when repeated */
    bool repeats;
    bool all_anchored;
    bool is_look; /* a lookaround: matches nothing itself */
    struct set all;
};

struct look {
    struct gh_str text;
    size_t at;
    struct group groups[NESTING_MAX];
    size_t depth;
    struct gh_lint_pattern result;
};

static struct set everything(void)
{
    return (struct set){UINT64_MAX, UINT64_MAX, true};
}

static void add_char(struct set *set, unsigned char c)
{
    if (c < 64)
        set->low |= UINT64_C(1) << c;
    else if (c < 128)
        set->high |= UINT64_C(1) << (c - 64);
    else
        set->others = true;
}

static void add_range(struct set *set, unsigned from, unsigned to)
{
    for (unsigned c = from; c <= to && c < 129; c++)
        add_char(set, (unsigned char)c);
    if (to >= 128)
        set->others = true;
}

static void unite(struct set *set, struct set with)
{
    set->low |= with.low;
    set->high |= with.high;
    set->others |= with.others;
}

static bool meet(struct set a, struct set b)
{
    return (a.low & b.low) || (a.high & b.high) || (a.others && b.others);
}

static struct set inverse(struct set set)
{
    return (struct set){~set.low, ~set.high, true};
}

/* ---- Atoms ---- */

static struct set class_of(char letter)
{
    struct set set = {0, 0, false};
    switch (gh_ascii_lower(letter)) {
    case 'd':
        add_range(&set, '0', '9');
        break;
    case 'w':
        add_range(&set, '0', '9');
        add_range(&set, 'a', 'z');
        add_range(&set, 'A', 'Z');
        add_char(&set, '_');
        break;
    case 's':
        add_range(&set, 9, 13);
        add_char(&set, ' ');
        set.others = true;
        break;
    default:
        return everything(); /* \p{...}, \1, \u....: taken as anything */
    }
    return letter >= 'a' ? set : inverse(set);
}

static size_t skip_braces(const struct look *look, size_t at)
{
    if (at < look->text.len && look->text.ptr[at] == '{')
        while (at < look->text.len && look->text.ptr[at++] != '}')
            continue;
    return at;
}

/* Behind a backslash; *out_char: the character, or -1 of a class. */
static struct set read_escape(struct look *look, int *out_char)
{
    struct set set = {0, 0, false};
    char c = look->at < look->text.len ? look->text.ptr[look->at++] : '\\';
    *out_char = -1;
    if (strchr("dDwWsS", c))
        return class_of(c);
    if (strchr("pPuxck123456789", c)) {
        size_t digits = c == 'u' ? 4 : c == 'x' ? 2 : c == 'c';
        size_t behind = skip_braces(look, look->at);
        look->at = behind > look->at ? behind : look->at + digits;
        if (look->at > look->text.len)
            look->at = look->text.len;
        return everything();
    }
    static const char NAMES[] = "tnvfr", VALUES[] = "\t\n\v\f\r";
    const char *named = strchr(NAMES, c);
    *out_char = (unsigned char)(named && c ? VALUES[named - NAMES] : c);
    add_char(&set, (unsigned char)*out_char);
    return set;
}

static struct set read_class_item(struct look *look, int *out_char)
{
    struct set set = {0, 0, false};
    unsigned char c = (unsigned char)look->text.ptr[look->at++];
    if (c == '\\')
        return read_escape(look, out_char);
    *out_char = c;
    add_char(&set, c);
    return set;
}

/* Behind "[". */
static struct set read_class(struct look *look)
{
    struct set set = {0, 0, false};
    const struct gh_str text = look->text;
    bool negated = look->at < text.len && text.ptr[look->at] == '^';
    look->at += negated;
    while (look->at < text.len && text.ptr[look->at] != ']') {
        int from, to = -1;
        struct set item = read_class_item(look, &from);
        if (from >= 0 && look->at + 1 < text.len && text.ptr[look->at] == '-' &&
            text.ptr[look->at + 1] != ']') {
            look->at++;
            unite(&item, read_class_item(look, &to));
            if (to >= from)
                add_range(&item, (unsigned)from, (unsigned)to);
        }
        unite(&set, item);
    }
    look->at += look->at < text.len;
    return negated ? inverse(set) : set;
}

/* ---- Quantifiers ---- */

struct times {
    bool may_be_absent, is_unbounded, is_quantified;
};

static struct times read_braces(struct look *look)
{
    struct times times = {.is_quantified = true, .may_be_absent = true};
    size_t at = look->at + 1, end = skip_braces(look, look->at);
    for (; at < end && look->text.ptr[at] >= '0' && look->text.ptr[at] <= '9'; at++)
        times.may_be_absent &= look->text.ptr[at] == '0';
    times.is_unbounded = at + 1 < end && look->text.ptr[at] == ',' && look->text.ptr[at + 1] == '}';
    look->at = end;
    return times;
}

static struct times read_times(struct look *look)
{
    struct times times = {.may_be_absent = false};
    char c = look->at < look->text.len ? look->text.ptr[look->at] : 0;
    if (c == '{') {
        times = read_braces(look);
    } else if (c == '*' || c == '+' || c == '?') {
        times = (struct times){c != '+', c != '?', true};
        look->at++;
    }
    if (times.is_quantified && look->at < look->text.len && look->text.ptr[look->at] == '?')
        look->at++;
    return times;
}

/* ---- Sequences ---- */

static void put_front(struct sequence *now, struct set set, struct times times)
{
    if (now->front_is_open)
        return;
    if (times.is_quantified || now->front_count == FRONT_MAX)
        now->front_is_open = true;
    if (now->front_count < FRONT_MAX && !times.may_be_absent)
        now->front[now->front_count++] = set;
}

static void put_atom(struct look *look, struct set set)
{
    struct group *group = &look->groups[look->depth];
    struct sequence *now = &group->now;
    struct times times = read_times(look);
    now->is_empty = false;
    now->has_end = false;
    unite(&group->all, set);
    put_front(now, set, times);
    if (times.is_unbounded) {
        now->repeats = true;
        unite(&now->repeated, set);
    } else if (times.may_be_absent) {
        unite(&now->repeated, set); /* may stand or not: splits as a repetition does */
    } else if (now->separator_count < sizeof(now->separators) / sizeof(now->separators[0])) {
        now->separators[now->separator_count++] = set;
    }
}

/* A sequence whose repetition is safe has a part that must be there and meets nothing that repeats.
 */
static bool is_split_twice(const struct sequence *now)
{
    if (!now->repeats)
        return false;
    for (size_t i = 0; i < now->separator_count; i++)
        if (!meet(now->separators[i], now->repeated))
            return false;
    return true;
}

static bool fronts_meet(const struct group *group, size_t a, size_t b)
{
    size_t count = group->alternatives[a].count;
    if (group->alternatives[b].count < count)
        count = group->alternatives[b].count;
    for (size_t i = 0; i < count; i++)
        if (!meet(group->alternatives[a].front[i], group->alternatives[b].front[i]))
            return false;
    return true;
}

static void end_sequence(struct group *group)
{
    struct sequence *now = &group->now;
    group->ambiguous |= is_split_twice(now);
    group->repeats |= now->repeats;
    group->all_anchored &= now->has_begin && now->has_end;
    size_t index = group->alternative_count;
    if (index == ALTERNATIVES_MAX) {
        group->overlaps = true;
    } else {
        memcpy(group->alternatives[index].front, now->front, sizeof(now->front));
        group->alternatives[index].count = now->front_count;
        group->alternative_count++;
        for (size_t i = 0; i < index; i++)
            group->overlaps |= fronts_meet(group, i, index);
    }
    *now = (struct sequence){.is_empty = true};
}

/* ---- Groups ---- */

static void open_group(struct look *look)
{
    if (look->depth + 1 == NESTING_MAX) {
        look->result.explodes = true;
        look->at = look->text.len;
        return;
    }
    struct group *group = &look->groups[++look->depth];
    *group = (struct group){.all_anchored = true, .now.is_empty = true};
    if (look->at >= look->text.len || look->text.ptr[look->at] != '?')
        return;
    char kind = look->at + 1 < look->text.len ? look->text.ptr[look->at + 1] : 0;
    char behind = look->at + 2 < look->text.len ? look->text.ptr[look->at + 2] : 0;
    group->is_look = kind == '=' || kind == '!' || (kind == '<' && strchr("=!", behind) && behind);
    if (kind == '<' && !group->is_look)
        while (look->at < look->text.len && look->text.ptr[look->at] != '>')
            look->at++;
    else
        look->at += kind == '<' ? 2 : 1;
    look->at += look->at < look->text.len;
}

static void close_group(struct look *look)
{
    if (look->depth == 0)
        return;
    struct group *group = &look->groups[look->depth--];
    end_sequence(group);
    struct times times = read_times(look);
    struct group *outer = &look->groups[look->depth];
    if (times.is_unbounded && (group->ambiguous || group->overlaps))
        look->result.explodes = true;
    if (group->is_look)
        return;
    struct sequence *now = &outer->now;
    if (now->is_empty && group->all_anchored && !times.is_quantified)
        now->has_begin = now->has_end = true;
    else
        now->has_end = false;
    now->is_empty = false;
    now->front_is_open = true;
    unite(&outer->all, group->all);
    if (times.is_unbounded || group->repeats) {
        now->repeats = true;
        unite(&now->repeated, group->all);
    } else if (times.may_be_absent) {
        unite(&now->repeated, group->all);
    } else if (now->separator_count < sizeof(now->separators) / sizeof(now->separators[0])) {
        now->separators[now->separator_count++] = group->all;
    }
}

static void look_at(struct look *look)
{
    struct group *group = &look->groups[look->depth];
    struct set set = {0, 0, false};
    int ignored;
    char c = look->text.ptr[look->at++];
    switch (c) {
    case '^':
        group->now.has_begin |= group->now.is_empty;
        break;
    case '$':
        group->now.has_end = true;
        break;
    case '|':
        end_sequence(group);
        break;
    case '(':
        open_group(look);
        break;
    case ')':
        close_group(look);
        break;
    case '[':
        put_atom(look, read_class(look));
        break;
    case '.':
        put_atom(look, everything());
        break;
    case '\\':
        if (look->at < look->text.len && gh_ascii_lower(look->text.ptr[look->at]) == 'b')
            look->at++;
        else
            put_atom(look, read_escape(look, &ignored));
        break;
    default:
        add_char(&set, (unsigned char)c);
        put_atom(look, set);
    }
}

struct gh_lint_pattern gh_lint_pattern_look(struct gh_str pattern)
{
    struct look look = {.text = pattern};
    look.groups[0] = (struct group){.all_anchored = true, .now.is_empty = true};
    while (look.at < look.text.len)
        look_at(&look);
    if (look.depth == 0)
        end_sequence(&look.groups[0]);
    look.result.is_anchored = look.depth == 0 && look.groups[0].all_anchored;
    return look.result;
}
