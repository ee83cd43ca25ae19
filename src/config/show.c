/* What of a value may be shown in a message: short, printable, and never a secret. */
#include "config/config.h"

#include "base/buf.h"
#include "base/num.h"

#define SHOWN_BYTES_MAX 60
/* Random words from this length on are taken for keys and tokens: 128 bits in base64 have 22. */
#define SECRET_LENGTH_MIN 20

static bool is_authority_end(char c)
{
    return c == '/' || c == '?' || c == '#' || c == ' ' || c == '"' || c == '\'' || c == ',';
}

/* What can stand in no URL, and what messages put around one. */
static bool is_url_end(char c)
{
    return (unsigned char)c <= ' ' || c == '"' || c == '\'' || c == 0x7f;
}

/* The character at *at, decoded where it is percent-encoded; *at is behind it. */
static char next_char(struct gh_str text, size_t *at)
{
    size_t i = (*at)++;
    int high = text.ptr[i] == '%' && i + 2 < text.len ? gh_num_hex_digit(text.ptr[i + 1]) : -1;
    int low = high >= 0 ? gh_num_hex_digit(text.ptr[i + 2]) : -1;
    if (low < 0)
        return text.ptr[i];
    *at += 2;
    return (char)(high << 4 | low);
}

/* "u:p" in front of an @ of the authority. */
static bool has_user_password(struct gh_str url)
{
    size_t colon = SIZE_MAX;
    for (size_t i = 0; i < url.len && !is_authority_end(url.ptr[i]);) {
        size_t at = i;
        char c = next_char(url, &i);
        if (c == ':' && colon == SIZE_MAX)
            colon = i;
        if (url.ptr[at] == '@' && colon != SIZE_MAX && at > colon)
            return true;
    }
    return false;
}

/* A password that is not encoded may have what ends an authority, "12/3", "4?a=b"; the URL of a
   store has no other colon in front of an @. */
static bool has_cut_password(struct gh_str url)
{
    size_t colon = gh_str_find_char(url, ':');
    return gh_str_find_char(gh_str_skip(url, colon + 2), '@') + colon + 2 < url.len;
}

/* A value of what ends with "password", as libpq's password and sslpassword. */
static bool names_password(struct gh_str text)
{
    static const struct gh_str PASSWORD = GH_STR_INIT("password");
    size_t matched = 0;
    for (size_t i = 0; i < text.len;) {
        char c = gh_ascii_lower(next_char(text, &i));
        if (matched == PASSWORD.len && c == '=' && i < text.len && text.ptr[i] != '&')
            return true;
        if (matched == PASSWORD.len || c != PASSWORD.ptr[matched])
            matched = 0;
        matched += c == PASSWORD.ptr[matched];
    }
    return false;
}

/* Whether `text` ends with the scheme of a store, which stands before its "://". */
static bool is_store_scheme(struct gh_str text)
{
    static const char *const SCHEMES[] = {"postgresql", "postgres", "redis",     "rediss",
                                          "valkey",     "valkeys",  "redis+unix"};
    for (size_t i = 0; i < sizeof(SCHEMES) / sizeof(SCHEMES[0]); i++) {
        struct gh_str scheme = gh_str_from_c(SCHEMES[i]);
        if (text.len >= scheme.len && gh_str_ieq(gh_str_skip(text, text.len - scheme.len), scheme))
            return true;
    }
    return false;
}

bool gh_config_has_url_password(struct gh_str text)
{
    for (;;) {
        size_t scheme = gh_str_find(text, GH_STR("://")), len = 0;
        if (scheme == text.len)
            return false;
        bool is_store = is_store_scheme(gh_str_first(text, scheme));
        text = gh_str_skip(text, scheme + 3);
        while (len < text.len && !is_url_end(text.ptr[len]))
            len++;
        struct gh_str url = gh_str_first(text, len);
        struct gh_str parameters = gh_str_skip(url, gh_str_find_char(url, '?'));
        if (has_user_password(url) || names_password(parameters) ||
            (is_store && has_cut_password(url)))
            return true;
    }
}

/* It may have mistakes in it, a parameter that is misspelt. */
static bool has_url_of_store(struct gh_str text)
{
    size_t scheme = gh_str_find(text, GH_STR("://"));
    return scheme < text.len && is_store_scheme(gh_str_first(text, scheme));
}

static bool is_token_char(char c)
{
    char lower = gh_ascii_lower(c);
    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '=' ||
           c == '_' || c == '-';
}

/* A long word of letters and digits mixed, as keys and tokens are. */
static bool looks_random(struct gh_str text)
{
    size_t digits = 0, letters = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (!is_token_char(text.ptr[i]) && text.ptr[i] != '/' && text.ptr[i] != '.')
            return false;
        digits += text.ptr[i] >= '0' && text.ptr[i] <= '9';
        letters += gh_ascii_lower(text.ptr[i]) >= 'a' && gh_ascii_lower(text.ptr[i]) <= 'z';
    }
    return text.len >= SECRET_LENGTH_MIN && letters >= 4 && digits >= 3 && text.ptr[0] != '/' &&
           text.ptr[0] != '.';
}

static void put_printable(struct gh_buf *buf, unsigned char c)
{
    if (c < 0x20 || c == 0x7f)
        gh_buf_format(buf, "\\x%02x", c);
    else
        gh_buf_put_char(buf, (char)c);
}

struct gh_str gh_config_show(struct gh_arena *arena, struct gh_str text)
{
    if (gh_config_has_url_password(text) || has_url_of_store(text) || names_password(text) ||
        looks_random(text))
        return GH_STR("(hidden)");
    char memory[SHOWN_BYTES_MAX * 4 + 4];
    struct gh_buf buf = gh_buf_over(memory, sizeof memory);
    size_t shown = text.len <= SHOWN_BYTES_MAX ? text.len : SHOWN_BYTES_MAX;
    /* not in the middle of a UTF-8 sequence */
    while (shown > 0 && shown < text.len && ((unsigned char)text.ptr[shown] & 0xc0) == 0x80)
        shown--;
    for (size_t i = 0; i < shown; i++)
        put_printable(&buf, (unsigned char)text.ptr[i]);
    if (shown < text.len)
        gh_buf_put(&buf, GH_STR("..."));
    struct gh_str copy = gh_arena_dup(arena, gh_buf_str(&buf));
    return copy.ptr ? copy : GH_STR("");
}
