/*
 * A bounded writer over memory of the caller's. It never grows; what does not fit sets `overflow`,
 * which stays set, so that a whole text can be written and checked once at its end.
 */
#ifndef GH_BASE_BUF_H
#define GH_BASE_BUF_H

#include "base/str.h"

struct gh_buf {
    char *ptr;
    size_t len, cap;
    bool overflow;
};

static inline struct gh_buf gh_buf_over(char *memory, size_t cap)
{
    return (struct gh_buf){.ptr = memory, .cap = cap};
}

static inline struct gh_str gh_buf_str(const struct gh_buf *buf)
{
    return (struct gh_str){buf->ptr, buf->len};
}

static inline void gh_buf_put(struct gh_buf *buf, struct gh_str s)
{
    if (s.len > buf->cap - buf->len) {
        buf->overflow = true;
        return;
    }
    if (s.len)
        memcpy(buf->ptr + buf->len, s.ptr, s.len);
    buf->len += s.len;
}

static inline void gh_buf_put_char(struct gh_buf *buf, char c)
{
    gh_buf_put(buf, (struct gh_str){&c, 1});
}

/* Decimal, without sign or padding. */
void gh_buf_put_u64(struct gh_buf *buf, uint64_t value);
/* Lower-case hexadecimal without padding (a chunk size). */
void gh_buf_put_hex(struct gh_buf *buf, uint64_t value);
/* `count` bytes as 2 x count lower-case hexadecimal digits. */
void gh_buf_put_hex_bytes(struct gh_buf *buf, const uint8_t *bytes, size_t count);
void gh_buf_format(struct gh_buf *buf, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
