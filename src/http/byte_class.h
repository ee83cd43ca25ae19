/*
 * Classes of bytes in HTTP's grammars (RFC 9110 section 5, RFC 9112 section 3), and the search for
 * bytes that no field value may hold. The search works on sixteen bytes at once where the processor
 * can; its scalar form is the reference that a test compares it with.
 */
#ifndef GH_HTTP_BYTE_CLASS_H
#define GH_HTTP_BYTE_CLASS_H

#include "base/str.h"

enum {
    GH_BYTE_TOKEN = 1,       /* tchar */
    GH_BYTE_TARGET = 2,      /* may stand raw in a request target; '%' is not among them */
    GH_BYTE_HOST = 4,        /* letters, digits and -._:[] */
    GH_BYTE_FIELD_VALUE = 8, /* HTAB, SP, VCHAR, obs-text */
};

/* Each byte's classes, or-ed. */
extern const uint8_t gh_byte_class[256];

static inline bool gh_byte_is(char c, unsigned classes)
{
    return (gh_byte_class[(uint8_t)c] & classes) != 0;
}

/*
 * Index of the first control byte (below 0x20 but HTAB, or 0x7f) in bytes[from, to), or `to`. CR
 * and LF are among them, so it also finds the end of a line. from <= to.
 */
size_t gh_find_control(const char *bytes, size_t from, size_t to);
size_t gh_find_control_scalar(const char *bytes, size_t from, size_t to);

#endif
