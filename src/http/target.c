/*
 * One pass over the path. A path without anything to change (the usual one) is checked by a table
 * and copied; else segments are written one after another, and dot segments take back what was
 * written. Empty segments go before dot segments are resolved, as file systems and nginx do it:
 * "/a//../b" is "/b".
 */
#include "http/target.h"

#include "base/num.h"
#include "base/utf8.h"

enum { ESCAPE_LEN = 3, UTF8_SEQUENCE_MAX = 4 };

/* What a byte may be. */
enum {
    IN_PATH = 1,    /* pchar of RFC 3986 without '%', and '/' */
    IN_QUERY = 2,   /* may stand raw in a query */
    UNRESERVED = 4, /* its escape is decoded */
    NEEDS_CARE = 8, /* in a path: ';', a trait */
};

#define P (IN_PATH | IN_QUERY)
#define L (IN_PATH | IN_QUERY | UNRESERVED)
#define S (IN_PATH | IN_QUERY | NEEDS_CARE)
#define Q IN_QUERY /* what browsers send raw in queries only */

/* Sixteen bytes a row, nothing above 127; the test compares it with the grammar. */
/* clang-format off */
static const uint8_t BYTE_CLASS[256] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, P, Q, 0, P, 0, P, P, P, P, P, P, P, L, L, P,
    L, L, L, L, L, L, L, L, L, L, P, S, Q, P, Q, Q,
    P, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L,
    L, L, L, L, L, L, L, L, L, L, L, Q, 0, Q, Q, L,
    Q, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L,
    L, L, L, L, L, L, L, L, L, L, L, Q, Q, Q, L, 0,
};
/* clang-format on */

#undef P
#undef L
#undef S
#undef Q

static uint8_t class_of(char c)
{
    return BYTE_CLASS[(uint8_t)c];
}

/* The byte that an escape at the start of `s` stands for, or -1. */
static int escaped_byte(struct gh_str s)
{
    if (s.len < ESCAPE_LEN || s.ptr[0] != '%')
        return -1;
    int high = gh_num_hex_digit(s.ptr[1]), low = gh_num_hex_digit(s.ptr[2]);
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

static void put_escape(struct gh_buf *out, uint8_t byte)
{
    static const char UPPER_DIGITS[] = "0123456789ABCDEF";
    const char escape[ESCAPE_LEN] = {'%', UPPER_DIGITS[byte >> 4], UPPER_DIGITS[byte & 15]};
    gh_buf_put(out, gh_str_of(escape, sizeof(escape)));
}

/* Escapes of bytes above 127 must be UTF-8 and stay escaped. Advances *rest. */
static bool copy_escaped_utf8(struct gh_str *rest, struct gh_buf *out)
{
    char bytes[UTF8_SEQUENCE_MAX];
    size_t count = 0;
    for (struct gh_str s = *rest; count < sizeof(bytes); s = gh_str_skip(s, ESCAPE_LEN)) {
        int byte = escaped_byte(s);
        if (byte < 0x80)
            break;
        bytes[count++] = (char)byte;
    }
    size_t len = gh_utf8_sequence_len(gh_str_of(bytes, count));
    for (size_t i = 0; i < len; i++)
        put_escape(out, (uint8_t)bytes[i]);
    *rest = gh_str_skip(*rest, len * ESCAPE_LEN);
    return len > 0;
}

/* One escape (or one UTF-8 sequence of them) at the start of *rest, which is advanced. */
static enum gh_path_status copy_escape(struct gh_str *rest, struct gh_buf *out,
                                       struct gh_path_traits *traits)
{
    int byte = escaped_byte(*rest);
    if (byte < 0)
        return GH_PATH_REFUSED;
    if (byte == '\0')
        return GH_PATH_NUL;
    if (byte == '\\')
        return GH_PATH_BACKSLASH;
    if (byte >= 0x80)
        return copy_escaped_utf8(rest, out) ? GH_PATH_OK : GH_PATH_BAD_UTF8;
    if (class_of((char)byte) & UNRESERVED)
        gh_buf_put_char(out, (char)byte);
    else
        put_escape(out, (uint8_t)byte);
    traits->encoded_slash |= byte == '/';
    traits->encoded_percent |= byte == '%';
    traits->semicolon |= byte == ';';
    *rest = gh_str_skip(*rest, ESCAPE_LEN);
    return GH_PATH_OK;
}

/* Writes a segment with its escapes normalised. */
static enum gh_path_status copy_segment(struct gh_str segment, struct gh_buf *out,
                                        struct gh_path_traits *traits)
{
    while (segment.len) {
        char c = segment.ptr[0];
        if (c == '%') {
            enum gh_path_status status = copy_escape(&segment, out, traits);
            if (status != GH_PATH_OK)
                return status;
            continue;
        }
        if (!(class_of(c) & IN_PATH))
            return c == '\\' ? GH_PATH_BACKSLASH : GH_PATH_REFUSED;
        traits->semicolon |= c == ';';
        gh_buf_put_char(out, c);
        segment = gh_str_skip(segment, 1);
    }
    return GH_PATH_OK;
}

/* Takes the last "/segment" back. False when there is none. */
static bool remove_last_segment(struct gh_buf *out, size_t start)
{
    if (out->len == start)
        return false;
    do {
        out->len--;
    } while (out->ptr[out->len] != '/');
    return true;
}

/*
 * Appends "/segment" unless the segment is empty or made of dots only. *out_is_open says that the
 * path would end with a slash if this were its last segment.
 */
static enum gh_path_status append_segment(struct gh_str segment, struct gh_buf *out, size_t start,
                                          struct gh_path_traits *traits, bool *out_is_open)
{
    *out_is_open = true;
    if (segment.len == 0)
        return GH_PATH_OK;
    size_t before = out->len;
    gh_buf_put_char(out, '/');
    enum gh_path_status status = copy_segment(segment, out, traits);
    if (status != GH_PATH_OK)
        return status;
    if (out->overflow)
        return GH_PATH_TOO_LONG;
    struct gh_str written = gh_str_skip(gh_buf_str(out), before + 1);
    bool is_parent = gh_str_eq(written, GH_STR(".."));
    if (is_parent || gh_str_eq(written, GH_STR("."))) {
        out->len = before;
        return is_parent && !remove_last_segment(out, start) ? GH_PATH_ABOVE_ROOT : GH_PATH_OK;
    }
    *out_is_open = false;
    return GH_PATH_OK;
}

static enum gh_path_status normalise_slowly(struct gh_str path, struct gh_buf *out,
                                            struct gh_path_traits *traits)
{
    size_t start = out->len;
    bool is_open = true;
    for (struct gh_str rest = gh_str_skip(path, 1); rest.ptr;) {
        struct gh_str segment = gh_str_split(&rest, '/');
        enum gh_path_status status = append_segment(segment, out, start, traits, &is_open);
        if (status != GH_PATH_OK)
            return status;
    }
    if (is_open)
        gh_buf_put_char(out, '/');
    return out->overflow ? GH_PATH_TOO_LONG : GH_PATH_OK;
}

/* True when normalising would change nothing and no trait is there. */
static bool is_normal(struct gh_str path)
{
    char previous = '\0';
    for (size_t i = 0; i < path.len; i++) {
        char c = path.ptr[i];
        if ((class_of(c) & (IN_PATH | NEEDS_CARE)) != IN_PATH)
            return false;
        if (previous == '/' && (c == '/' || c == '.'))
            return false;
        previous = c;
    }
    return true;
}

enum gh_path_status gh_path_normalise(struct gh_str path, struct gh_buf *out,
                                      struct gh_path_traits *out_traits)
{
    *out_traits = (struct gh_path_traits){0};
    if (path.len == 0 || path.ptr[0] != '/')
        return GH_PATH_REFUSED;
    size_t start = out->len;
    enum gh_path_status status;
    if (is_normal(path)) {
        gh_buf_put(out, path);
        status = out->overflow ? GH_PATH_TOO_LONG : GH_PATH_OK;
    } else {
        status = normalise_slowly(path, out, out_traits);
    }
    if (status != GH_PATH_OK)
        out->len = start;
    return status;
}

bool gh_query_is_valid(struct gh_str query)
{
    while (query.len) {
        bool escape = query.ptr[0] == '%';
        if (escape ? escaped_byte(query) < 0 : !(class_of(query.ptr[0]) & IN_QUERY))
            return false;
        query = gh_str_skip(query, escape ? ESCAPE_LEN : 1);
    }
    return true;
}
