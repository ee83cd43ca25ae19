#include "audit/review_scan.h"

#define CARD_DIGITS_MIN  13
#define CARD_DIGITS_MAX  19
#define IBAN_CHARS_MIN   15
#define IBAN_CHARS_MAX   34
#define PHONE_DIGITS_MIN 8
#define PHONE_DIGITS_MAX 15
/* Shorter ones are ids and hashes of ours; a UUID has 36 with its hyphens. */
#define TOKEN_CHARS_MIN 40
#define JWT_PART_MIN    10

struct gh_str gh_scan_kind_name(enum gh_scan_kind kind)
{
    static const struct gh_str NAMES[] = {
#define X(id, name) GH_STR_INIT(name),
        GH_SCAN_KINDS(X)
#undef X
    };
    return NAMES[kind];
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    c = gh_ascii_lower(c);
    return c >= 'a' && c <= 'z';
}

static bool is_alphanumeric(char c)
{
    return is_digit(c) || is_letter(c);
}

/* ---- Each: how many bytes at the start of `s` are one; 0: none ---- */

static bool is_base64_char(char c)
{
    return is_alphanumeric(c) || c == '-' || c == '_' || c == '+' || c == '/';
}

static size_t base64_run(struct gh_str s)
{
    size_t len = 0;
    while (len < s.len && is_base64_char(s.ptr[len]))
        len++;
    return len;
}

/* Three parts of base64url, as a JWS or JWE begins. */
static size_t jwt_len(struct gh_str s)
{
    size_t at = 0;
    for (unsigned part = 0; part < 3; part++) {
        size_t len = base64_run(gh_str_skip(s, at));
        if (len < JWT_PART_MIN)
            return 0;
        at += len;
        if (part < 2 && (at == s.len || s.ptr[at++] != '.'))
            return 0;
    }
    return at;
}

/* A long run with digits and letters of both cases, or of hexadecimal digits. */
static size_t key_len(struct gh_str s)
{
    size_t len = base64_run(s), digits = 0, lower = 0, upper = 0, hex = 0;
    for (size_t i = 0; i < len; i++) {
        char c = s.ptr[i];
        digits += is_digit(c);
        lower += c >= 'a' && c <= 'z';
        upper += c >= 'A' && c <= 'Z';
        hex += is_digit(c) || (gh_ascii_lower(c) >= 'a' && gh_ascii_lower(c) <= 'f');
    }
    bool mixed = digits >= 2 && lower >= 2 && upper >= 2;
    return len >= TOKEN_CHARS_MIN && (mixed || (hex == len && digits >= 2)) ? len : 0;
}

static size_t token_len(struct gh_str s)
{
    size_t len = gh_str_starts_with(s, GH_STR("eyJ")) ? jwt_len(s) : 0;
    return len ? len : key_len(s);
}

/* Digits and letters in groups that single spaces or hyphens part; *out_len: bytes of the text. */
static size_t take_groups(struct gh_str s, bool letters, char *out, size_t max, size_t *out_len)
{
    size_t count = 0, i = 0;
    *out_len = 0;
    while (i < s.len && count < max) {
        char c = s.ptr[i];
        if (is_digit(c) || (letters && is_letter(c))) {
            out[count++] = c;
            *out_len = ++i;
        } else if (count && (c == ' ' || c == '-') && i + 1 < s.len && *out_len == i &&
                   is_alphanumeric(s.ptr[i + 1])) {
            i++;
        } else {
            break;
        }
    }
    return count;
}

static bool luhn_holds(const char *digits, size_t count)
{
    unsigned sum = 0;
    for (size_t i = 0; i < count; i++) {
        unsigned digit = (unsigned)(digits[count - 1 - i] - '0');
        if (i % 2)
            digit = digit * 2 > 9 ? digit * 2 - 9 : digit * 2;
        sum += digit;
    }
    return sum % 10 == 0;
}

static size_t card_len(struct gh_str s)
{
    char digits[CARD_DIGITS_MAX + 1];
    size_t len, count = take_groups(s, false, digits, sizeof(digits), &len);
    bool goes_on = len < s.len && is_alphanumeric(s.ptr[len]);
    return count >= CARD_DIGITS_MIN && count <= CARD_DIGITS_MAX && !goes_on && digits[0] != '0' &&
                   luhn_holds(digits, count)
               ? len
               : 0;
}

/* The number that the text spells, after its first four characters were moved to its end. */
static unsigned iban_remainder(const char *text, size_t count)
{
    unsigned rest = 0;
    for (size_t i = 0; i < count; i++) {
        char c = text[(i + 4) % count];
        unsigned value =
            is_digit(c) ? (unsigned)(c - '0') : (unsigned)(gh_ascii_lower(c) - 'a') + 10;
        rest = (value > 9 ? rest * 100 + value : rest * 10 + value) % 97;
    }
    return rest;
}

static size_t iban_len(struct gh_str s)
{
    char text[IBAN_CHARS_MAX + 1];
    size_t len;
    if (s.len < 4 || !is_letter(s.ptr[0]) || !is_letter(s.ptr[1]) || !is_digit(s.ptr[2]) ||
        !is_digit(s.ptr[3]))
        return 0;
    size_t count = take_groups(s, true, text, sizeof(text), &len);
    /* A word behind it may look like its next group. */
    for (; count >= IBAN_CHARS_MIN; count--, len--) {
        while (len && !is_alphanumeric(s.ptr[len - 1]))
            len--;
        if (count <= IBAN_CHARS_MAX && (len == s.len || !is_alphanumeric(s.ptr[len])) &&
            iban_remainder(text, count) == 1)
            return len;
    }
    return 0;
}

static bool is_local_char(char c)
{
    return is_alphanumeric(c) || (c && strchr(".!#$%&'*+/=?^_`{|}~-", c));
}

static size_t email_len(struct gh_str s)
{
    size_t at = 0, dots = 0;
    while (at < s.len && is_local_char(s.ptr[at]))
        at++;
    if (!at || at == s.len || s.ptr[at] != '@')
        return 0;
    size_t end = at + 1;
    while (end < s.len && (is_alphanumeric(s.ptr[end]) || s.ptr[end] == '-' || s.ptr[end] == '.'))
        dots += s.ptr[end++] == '.';
    while (end > at + 1 && s.ptr[end - 1] == '.') {
        end--;
        dots--;
    }
    return dots && end > at + 3 ? end : 0;
}

/* International: a plus, then digits in groups. Without it a number says nothing. */
static size_t phone_len(struct gh_str s)
{
    char digits[PHONE_DIGITS_MAX + 1];
    size_t len;
    if (!s.len || s.ptr[0] != '+')
        return 0;
    size_t count = take_groups(gh_str_skip(s, 1), false, digits, sizeof(digits), &len);
    bool goes_on = len + 1 < s.len && is_alphanumeric(s.ptr[len + 1]);
    return count >= PHONE_DIGITS_MIN && count <= PHONE_DIGITS_MAX && !goes_on ? len + 1 : 0;
}

/* ---- The text ---- */

static size_t (*const FINDERS[])(struct gh_str s) = {
    [GH_SCAN_EMAIL] = email_len, [GH_SCAN_PHONE] = phone_len, [GH_SCAN_CARD] = card_len,
    [GH_SCAN_IBAN] = iban_len,   [GH_SCAN_TOKEN] = token_len,
};

static size_t find(struct gh_str s, enum gh_scan_kind *out_kind)
{
    static const enum gh_scan_kind ORDER[] = {GH_SCAN_TOKEN, GH_SCAN_IBAN, GH_SCAN_CARD,
                                              GH_SCAN_EMAIL, GH_SCAN_PHONE};
    for (size_t i = 0; i < sizeof(ORDER) / sizeof(ORDER[0]); i++) {
        size_t len = FINDERS[ORDER[i]](s);
        *out_kind = ORDER[i];
        if (len)
            return len;
    }
    return 0;
}

void gh_scan_text(struct gh_str text, uint64_t counts[GH_SCAN_KIND_COUNT])
{
    bool in_word = false; /* finds begin where words do */
    while (text.len) {
        enum gh_scan_kind kind;
        size_t len = in_word ? 0 : find(text, &kind);
        if (len)
            counts[kind]++;
        else
            len = 1;
        in_word = is_local_char(text.ptr[len - 1]) && text.ptr[len - 1] != '=';
        text = gh_str_skip(text, len);
    }
}
