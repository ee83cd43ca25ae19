/*
 * Host names: letters, digits and hyphens (RFC 1123 section 2.1), and internationalised ones (RFC
 * 5890 to 5892). Which code points a label may have is known here by the rules that need no tables
 * of Unicode: the exceptions and contextual rules of RFC 5892, upper case and marks of the common
 * scripts. A registry knows more.
 */
#include "base/utf8.h"
#include "schema/format.h"

#define LABEL_BYTES_MAX 63
#define NAME_BYTES_MAX  253
/* Punycode (RFC 3492, section 5). */
#define PUNY_BASE         36
#define PUNY_T_MIN        1
#define PUNY_T_MAX        26
#define PUNY_SKEW         38
#define PUNY_DAMP         700
#define PUNY_INITIAL_BIAS 72
#define PUNY_INITIAL_N    128

struct label {
    uint32_t codes[LABEL_BYTES_MAX];
    size_t count;
};

static bool is_alnum(uint32_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool in_range(uint32_t c, uint32_t low, uint32_t high)
{
    return c >= low && c <= high;
}

static bool is_in(uint32_t c, const uint32_t (*ranges)[2], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (in_range(c, ranges[i][0], ranges[i][1]))
            return true;
    }
    return false;
}

#define IS_IN(c, ranges) is_in(c, ranges, sizeof(ranges) / sizeof((ranges)[0]))

/* RFC 5892 section 2.6 DISALLOWED, symbols, spaces, and capitals that folding changes. */
static bool is_disallowed(uint32_t c)
{
    static const uint32_t RANGES[][2] = {
        {0x80, 0xb6},     {0xb8, 0xde},       {0xf7, 0xf7},       {0x2c2, 0x2c5},
        {0x2d2, 0x2eb},   {0x340, 0x341},     {0x370, 0x370},     {0x37e, 0x37f},
        {0x384, 0x38f},   {0x391, 0x3ab},     {0x400, 0x42f},     {0x531, 0x556},
        {0x589, 0x58a},   {0x5be, 0x5be},     {0x5c0, 0x5c0},     {0x5c3, 0x5c3},
        {0x600, 0x60f},   {0x61b, 0x61f},     {0x640, 0x640},     {0x66a, 0x66d},
        {0x7fa, 0x7fa},   {0x964, 0x965},     {0x1100, 0x11ff},   {0x1680, 0x1680},
        {0x2000, 0x200b}, {0x200e, 0x214d},   {0x214f, 0x2183},   {0x2185, 0x2bff},
        {0x2e00, 0x2e2e}, {0x2e30, 0x3004},   {0x3008, 0x3029},   {0x302e, 0x303b},
        {0x303d, 0x3040}, {0x309b, 0x309c},   {0x309f, 0x30a0},   {0x30ff, 0x3104},
        {0x3130, 0x319f}, {0x3200, 0x33ff},   {0xa960, 0xa97f},   {0xd7b0, 0xf8ff},
        {0xfb00, 0xfb1d}, {0xfb1f, 0xfdff},   {0xfe00, 0xfe1f},   {0xfe30, 0xfe72},
        {0xfe74, 0xffff}, {0x1d000, 0x1d7ff}, {0x1f000, 0x1faff}, {0xe0000, 0x10ffff}};
    return IS_IN(c, RANGES);
}

/* Marks that combine with what stands before, of the scripts most seen. */
static bool is_combining(uint32_t c)
{
    static const uint32_t RANGES[][2] = {
        {0x300, 0x36f},   {0x483, 0x489},   {0x591, 0x5bd},   {0x5bf, 0x5bf},   {0x5c1, 0x5c2},
        {0x5c4, 0x5c5},   {0x5c7, 0x5c7},   {0x610, 0x61a},   {0x64b, 0x65f},   {0x670, 0x670},
        {0x6d6, 0x6dc},   {0x6df, 0x6e4},   {0x6e7, 0x6e8},   {0x6ea, 0x6ed},   {0x711, 0x711},
        {0x730, 0x74a},   {0x900, 0x903},   {0x93a, 0x93c},   {0x93e, 0x94f},   {0x951, 0x957},
        {0x962, 0x963},   {0x981, 0x983},   {0x9bc, 0x9bc},   {0x9be, 0x9cd},   {0xa01, 0xa03},
        {0xa3c, 0xa51},   {0xe31, 0xe31},   {0xe34, 0xe3a},   {0xe47, 0xe4e},   {0x1ab0, 0x1aff},
        {0x1dc0, 0x1dff}, {0x20d0, 0x20f0}, {0x302a, 0x302f}, {0x3099, 0x309a}, {0xfe20, 0xfe2f}};
    return IS_IN(c, RANGES);
}

/* After these a zero-width joiner may stand (RFC 5892, appendix A.1). */
static bool is_virama(uint32_t c)
{
    static const uint32_t VIRAMAS[] = {0x94d,  0x9cd,  0xa4d,  0xacd,  0xb4d,  0xbcd,  0xc4d,
                                       0xccd,  0xd4d,  0xdca,  0xe3a,  0xf84,  0x1039, 0x1714,
                                       0x17d2, 0x1b44, 0x1baa, 0xa806, 0xa8c4, 0xa953, 0xa9c0};
    for (size_t i = 0; i < sizeof(VIRAMAS) / sizeof(VIRAMAS[0]); i++) {
        if (VIRAMAS[i] == c)
            return true;
    }
    return false;
}

static bool is_kana_or_han(uint32_t c)
{
    static const uint32_t RANGES[][2] = {
        {0x3041, 0x3096}, {0x309d, 0x309f}, {0x30a1, 0x30fa},  {0x30fd, 0x30ff}, {0x31f0, 0x31ff},
        {0xff66, 0xff9d}, {0x2e80, 0x2fd5}, {0x3005, 0x3007},  {0x3021, 0x3029}, {0x3400, 0x4dbf},
        {0x4e00, 0x9fff}, {0xf900, 0xfaff}, {0x20000, 0x3134f}};
    return IS_IN(c, RANGES);
}

static bool has_kana_or_han(const struct label *label)
{
    for (size_t i = 0; i < label->count; i++) {
        if (is_kana_or_han(label->codes[i]))
            return true;
    }
    return false;
}

static bool has_in_range(const struct label *label, uint32_t low, uint32_t high)
{
    for (size_t i = 0; i < label->count; i++) {
        if (in_range(label->codes[i], low, high))
            return true;
    }
    return false;
}

/* Between Arabic letters that join (RFC 5892, appendix A.1), by blocks. */
static bool joins(uint32_t c)
{
    return in_range(c, 0x620, 0x64a) || in_range(c, 0x66e, 0x6d3) || in_range(c, 0x710, 0x72f) ||
           in_range(c, 0x750, 0x77f) || in_range(c, 0x1807, 0x1842);
}

/* RFC 5892, appendix A. */
static bool fits_context(const struct label *label, size_t i)
{
    uint32_t c = label->codes[i];
    uint32_t before = i > 0 ? label->codes[i - 1] : 0;
    uint32_t after = i + 1 < label->count ? label->codes[i + 1] : 0;
    switch (c) {
    case 0x200c:
        return is_virama(before) || (joins(before) && joins(after));
    case 0x200d:
        return is_virama(before);
    case 0xb7:
        return before == 'l' && after == 'l';
    case 0x375:
        return in_range(after, 0x370, 0x3ff) || in_range(after, 0x1f00, 0x1fff);
    case 0x5f3:
    case 0x5f4:
        return in_range(before, 0x5d0, 0x5f2);
    case 0x30fb:
        return has_kana_or_han(label);
    default:
        break;
    }
    if (in_range(c, 0x660, 0x669))
        return !has_in_range(label, 0x6f0, 0x6f9);
    if (in_range(c, 0x6f0, 0x6f9))
        return !has_in_range(label, 0x660, 0x669);
    return !is_disallowed(c);
}

static bool is_good_u_label(const struct label *label)
{
    if (label->count == 0 || is_combining(label->codes[0]) || label->codes[0] == '-' ||
        label->codes[label->count - 1] == '-')
        return false;
    if (label->count >= 4 && label->codes[2] == '-' && label->codes[3] == '-')
        return false;
    for (size_t i = 0; i < label->count; i++) {
        uint32_t c = label->codes[i];
        if (c < 0x80 ? !is_alnum(c) && c != '-' : !fits_context(label, i))
            return false;
    }
    return true;
}

static uint32_t adapt(uint32_t delta, uint32_t count, bool first)
{
    uint32_t k = 0;
    delta = first ? delta / PUNY_DAMP : delta / 2;
    delta += delta / count;
    for (; delta > (PUNY_BASE - PUNY_T_MIN) * PUNY_T_MAX / 2; k += PUNY_BASE)
        delta /= PUNY_BASE - PUNY_T_MIN;
    return k + (PUNY_BASE - PUNY_T_MIN + 1) * delta / (delta + PUNY_SKEW);
}

/* One number of variable length (RFC 3492, section 3.3), added to *i. */
static bool take_delta(struct gh_str *rest, uint32_t bias, uint64_t *i)
{
    uint64_t weight = 1;
    for (uint32_t k = PUNY_BASE;; k += PUNY_BASE) {
        char c = rest->len ? gh_ascii_lower(rest->ptr[0]) : '\0';
        *rest = gh_str_skip(*rest, rest->len > 0);
        uint32_t digit = PUNY_BASE;
        if (c >= 'a' && c <= 'z')
            digit = (uint32_t)(c - 'a');
        else if (c >= '0' && c <= '9')
            digit = (uint32_t)(c - '0') + 26;
        if (digit >= PUNY_BASE)
            return false;
        *i += digit * weight;
        uint32_t threshold = k <= bias ? PUNY_T_MIN : k - bias < PUNY_T_MAX ? k - bias : PUNY_T_MAX;
        if (digit < threshold)
            return *i <= UINT32_MAX;
        weight *= PUNY_BASE - threshold;
        if (*i > UINT32_MAX || weight > UINT32_MAX)
            return false;
    }
}

/* What stands behind "xn--". */
static bool decode_punycode(struct gh_str text, struct label *out)
{
    uint32_t n = PUNY_INITIAL_N, bias = PUNY_INITIAL_BIAS;
    uint64_t i = 0;
    size_t basic = text.len;
    while (basic > 0 && text.ptr[basic - 1] != '-')
        basic--;
    out->count = 0;
    for (size_t at = 0; at + 1 < basic; at++)
        out->codes[out->count++] = (uint8_t)text.ptr[at];
    struct gh_str rest = gh_str_skip(text, basic);
    while (rest.len) {
        uint64_t before = i;
        if (out->count == LABEL_BYTES_MAX || !take_delta(&rest, bias, &i))
            return false;
        uint32_t count = (uint32_t)out->count + 1;
        bias = adapt((uint32_t)(i - before), count, before == 0);
        n += (uint32_t)(i / count);
        i %= count;
        if (n > 0x10ffff || in_range(n, 0xd800, 0xdfff))
            return false;
        memmove(&out->codes[i + 1], &out->codes[i], (out->count - i) * sizeof(out->codes[0]));
        out->codes[i++] = n;
        out->count++;
    }
    return true;
}

static bool is_good_a_label(struct gh_str text)
{
    struct label label;
    bool has_wide = false;
    if (!decode_punycode(gh_str_skip(text, 4), &label) || !is_good_u_label(&label))
        return false;
    for (size_t i = 0; i < label.count; i++)
        has_wide |= label.codes[i] >= 0x80;
    return has_wide;
}

static bool is_ascii_label(struct gh_str text)
{
    if (text.len == 0 || text.len > LABEL_BYTES_MAX || text.ptr[0] == '-' ||
        text.ptr[text.len - 1] == '-')
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (!is_alnum((uint8_t)text.ptr[i]) && text.ptr[i] != '-')
            return false;
    }
    if (gh_str_ieq(gh_str_first(text, 4), GH_STR("xn--")))
        return is_good_a_label(text);
    return text.len < 4 || text.ptr[2] != '-' || text.ptr[3] != '-';
}

bool gh_format_hostname(struct gh_str text)
{
    if (text.len == 0 || text.len > NAME_BYTES_MAX)
        return false;
    for (struct gh_str rest = text; rest.ptr;) {
        if (!is_ascii_label(gh_str_split(&rest, '.')))
            return false;
    }
    return true;
}

static bool is_ascii(struct gh_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((uint8_t)text.ptr[i] >= 0x80)
            return false;
    }
    return true;
}

/* False: too many for a label. `text` is UTF-8. */
static bool read_label(struct gh_str text, struct label *out)
{
    static const uint8_t FIRST_BITS[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    out->count = 0;
    while (text.len) {
        size_t len = gh_utf8_sequence_len(text);
        if (len == 0 || out->count == LABEL_BYTES_MAX)
            return false;
        uint32_t code = (uint8_t)text.ptr[0] & FIRST_BITS[len];
        for (size_t i = 1; i < len; i++)
            code = code << 6 | ((uint8_t)text.ptr[i] & 0x3f);
        out->codes[out->count++] = code;
        text = gh_str_skip(text, len);
    }
    return true;
}

/* Digits that Punycode would take for a label (RFC 3492, section 6.3), "xn--" and all. */
static size_t a_label_bytes(const struct label *label)
{
    uint32_t n = PUNY_INITIAL_N, bias = PUNY_INITIAL_BIAS;
    uint64_t delta = 0;
    uint32_t done = 0;
    for (size_t i = 0; i < label->count; i++)
        done += label->codes[i] < 0x80;
    size_t bytes = 4 + done + (done > 0);
    uint32_t basic = done;
    while (done < label->count) {
        uint32_t next = UINT32_MAX;
        for (size_t i = 0; i < label->count; i++) {
            if (label->codes[i] >= n && label->codes[i] < next)
                next = label->codes[i];
        }
        delta += (uint64_t)(next - n) * (done + 1);
        n = next;
        for (size_t i = 0; i < label->count; i++) {
            delta += label->codes[i] < n;
            if (label->codes[i] != n)
                continue;
            uint64_t q = delta;
            for (uint32_t k = PUNY_BASE;; k += PUNY_BASE) {
                uint32_t t = k <= bias ? PUNY_T_MIN : k - bias < PUNY_T_MAX ? k - bias : PUNY_T_MAX;
                bytes++;
                if (q < t)
                    break;
                q = (q - t) / (PUNY_BASE - t);
            }
            bias = adapt((uint32_t)delta, done + 1, done == basic);
            delta = 0;
            done++;
        }
        delta++;
        n++;
    }
    return bytes;
}

/* The dot, and those that RFC 3490 section 3.1 takes for it. */
static size_t dot_len(struct gh_str text)
{
    if (text.len && text.ptr[0] == '.')
        return 1;
    struct gh_str three = gh_str_first(text, 3);
    return gh_str_eq(three, GH_STR("\xe3\x80\x82")) || gh_str_eq(three, GH_STR("\xef\xbc\x8e")) ||
                   gh_str_eq(three, GH_STR("\xef\xbd\xa1"))
               ? 3
               : 0;
}

bool gh_format_idn_hostname(struct gh_str text)
{
    size_t start = 0, total = 0;
    struct label label;
    if (text.len == 0 || text.len > 4 * NAME_BYTES_MAX || !gh_utf8_is_valid(text))
        return false;
    for (size_t at = 0; at <= text.len; at++) {
        size_t dot = dot_len(gh_str_skip(text, at));
        if (dot == 0 && at < text.len)
            continue;
        struct gh_str part = gh_str_of(text.ptr + start, at - start);
        if (is_ascii(part)) {
            if (!is_ascii_label(part))
                return false;
            total += part.len + 1;
        } else {
            if (!read_label(part, &label) || !is_good_u_label(&label) ||
                a_label_bytes(&label) > LABEL_BYTES_MAX)
                return false;
            total += a_label_bytes(&label) + 1;
        }
        at += dot ? dot - 1 : 0;
        start = at + 1;
    }
    return total <= NAME_BYTES_MAX + 1;
}
