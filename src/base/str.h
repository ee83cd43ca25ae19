/*
 * Byte slices: the one way bytes from outside are passed around.
 *
 * A slice borrows its bytes, is never NUL-terminated by contract, and is passed by value.
 * Comparison is always over the whole slice.
 */
#ifndef GH_BASE_STR_H
#define GH_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct gh_str {
    const char *ptr;
    size_t len;
};

/* A slice over a string literal. */
#define GH_STR(literal) ((struct gh_str){"" literal, sizeof(literal) - 1})
/* The same as an initializer of a static object, where a compound literal is not allowed. */
#define GH_STR_INIT(literal)                                                                       \
    {                                                                                              \
        "" literal, sizeof(literal) - 1                                                            \
    }
/* For printf's "%.*s". */
#define GH_STR_ARG(s) (int)(s).len, (s).ptr

static inline struct gh_str gh_str_of(const char *ptr, size_t len)
{
    return (struct gh_str){ptr, len};
}

/* A slice over a NUL-terminated string; NULL gives the empty slice. */
static inline struct gh_str gh_str_from_c(const char *text)
{
    return (struct gh_str){text ? text : "", text ? strlen(text) : 0};
}

static inline bool gh_str_eq(struct gh_str a, struct gh_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline char gh_ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* Equal when ASCII letters are folded; bytes above 127 compare as they are. */
bool gh_str_ieq(struct gh_str a, struct gh_str b);

bool gh_str_starts_with(struct gh_str s, struct gh_str prefix);
bool gh_str_ends_with(struct gh_str s, struct gh_str suffix);

/* Index of the first `c`, or s.len when there is none. */
size_t gh_str_find_char(struct gh_str s, char c);
/* Index of the first `needle`, or s.len when there is none; an empty needle is found at 0. */
size_t gh_str_find(struct gh_str s, struct gh_str needle);

/* s without its first `n` bytes (`n` may exceed s.len). */
static inline struct gh_str gh_str_skip(struct gh_str s, size_t n)
{
    return n >= s.len ? (struct gh_str){s.ptr + s.len, 0} : (struct gh_str){s.ptr + n, s.len - n};
}

static inline struct gh_str gh_str_first(struct gh_str s, size_t n)
{
    return (struct gh_str){s.ptr, n < s.len ? n : s.len};
}

/* Cuts spaces and tabs (HTTP's OWS, RFC 9110 section 5.6.3) off both ends. */
struct gh_str gh_str_trim_ows(struct gh_str s);

/*
 * Splits `*rest` at the first `separator`: returns what stands before it and moves `*rest` behind
 * it. The last piece leaves `*rest` with ptr == NULL; calling again with that is our bug.
 *
 *     for (struct gh_str rest = list; rest.ptr;) { item = gh_str_split(&rest, ','); ... }
 */
struct gh_str gh_str_split(struct gh_str *rest, char separator);

/*
 * The next element of an HTTP list (RFC 9110 section 5.6.1): separated by commas, OWS trimmed,
 * empty elements skipped. Returns false when there are no more. Does not know quoted strings.
 */
bool gh_str_next_list_item(struct gh_str *rest, struct gh_str *out_item);

/* Order by bytes, shorter first on a common prefix; for sorting and binary search. */
int gh_str_compare(struct gh_str a, struct gh_str b);

#endif
