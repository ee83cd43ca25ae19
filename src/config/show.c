/* What of a value may be shown in a message: short, printable, and never a secret. */
#include "config/config.h"

#include "base/buf.h"

#define SHOWN_BYTES_MAX 60
/* Random words from this length on are taken for keys and tokens: 128 bits in base64 have 22. */
#define SECRET_LENGTH_MIN 20

static bool is_authority_end(char c)
{
    return c == '/' || c == '?' || c == '#' || c == ' ' || c == '"' || c == '\'' || c == ',';
}

bool gh_config_has_url_password(struct gh_str text)
{
    for (;;) {
        size_t scheme = gh_str_find(text, GH_STR("://"));
        if (scheme == text.len)
            return false;
        text = gh_str_skip(text, scheme + 3);
        size_t colon = SIZE_MAX;
        for (size_t i = 0; i < text.len && !is_authority_end(text.ptr[i]); i++) {
            if (text.ptr[i] == ':' && colon == SIZE_MAX)
                colon = i;
            if (text.ptr[i] == '@' && colon != SIZE_MAX && i > colon + 1)
                return true;
        }
    }
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
    if (gh_config_has_url_password(text) || looks_random(text))
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
