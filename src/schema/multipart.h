/*
 * multipart/form-data (RFC 7578 on RFC 2046), read strictly and as it arrives: pieces of any size
 * go in, parts come out, in memory of one size. What is in a part is for the caller.
 *
 * Readers of this format disagree about nearly everything that is not its plainest form, so that
 * is all that passes; nothing is repaired. Exactly CRLF; nothing before the first boundary, and
 * behind the last one at most one CRLF; no white space behind a boundary; "--boundary" nowhere
 * else, not even within a line. A part's head has Content-Disposition once and at most once each
 * Content-Type, Content-Transfer-Encoding (binary or 8bit, which change nothing) and Content-Length
 * (which must be true, for the sake of readers that go by it); no other field, no folded line.
 * Content-Disposition is `form-data` with `name` and perhaps `filename`, in small letters, each
 * once; no backslash (an escape to some, a byte to others). `name*` and `filename*` (RFC 8187) are
 * refused: RFC 7578 section 4.2 forbids them, and readers that know them prefer them to the
 * plain ones. Names and file names are UTF-8 as they stand: browsers' %22 %0D %0A for a quote
 * and a line break stay so. A file name is no path. No multipart within a part, no character set
 * but UTF-8, and no field "_charset_" (RFC 7578 section 4.6). A reader that knows what to make of
 * other character sets asks for `any_charset`; they change no byte of what comes out.
 */
#ifndef GH_SCHEMA_MULTIPART_H
#define GH_SCHEMA_MULTIPART_H

#include "base/str.h"

#define GH_MULTIPART_BOUNDARY_BYTES_MAX 70 /* RFC 2046 section 5.1.1 */
#define GH_MULTIPART_HEAD_BYTES_MAX     2048

struct gh_multipart_limits {
    uint64_t bytes_max; /* of the whole body */
    uint64_t part_bytes_max;
    unsigned parts_max;
    unsigned head_bytes_max; /* of a part; at most GH_MULTIPART_HEAD_BYTES_MAX */
    unsigned name_bytes_max; /* of a name and of a file name */
    bool any_charset;        /* told by the part, and allowed once beside the boundary */
};
/* 16 MiB, 8 MiB a part, 64 parts, heads of 1 KiB, names of 255 bytes. */
extern const struct gh_multipart_limits gh_multipart_usual;

enum gh_multipart_status {
    GH_MULTIPART_INCOMPLETE, /* not at the end of the last boundary yet */
    GH_MULTIPART_OK,
    GH_MULTIPART_TYPE,        /* Content-Type of the request: not this type alone */
    GH_MULTIPART_BOUNDARY,    /* a boundary is missing, or stands where none may be */
    GH_MULTIPART_LINE,        /* a line end that is not CRLF, or a folded line */
    GH_MULTIPART_BYTE,        /* a control byte in a part's head, or no UTF-8 */
    GH_MULTIPART_HEADER,      /* a field line that is malformed, repeated or not allowed */
    GH_MULTIPART_DISPOSITION, /* Content-Disposition is missing or not as above */
    GH_MULTIPART_NAME,        /* a name or file name that is empty, a path or "_charset_" */
    GH_MULTIPART_PART_TYPE,   /* a part's Content-Type is malformed, or multipart */
    GH_MULTIPART_CHARSET,     /* a part's character set is not UTF-8, or there are two */
    GH_MULTIPART_ENCODING,    /* Content-Transfer-Encoding changes the bytes */
    GH_MULTIPART_LENGTH,      /* a part's Content-Length is not its length */
    GH_MULTIPART_EPILOGUE,    /* something behind the last boundary */
    GH_MULTIPART_TOO_LONG,    /* the whole body */
    GH_MULTIPART_TOO_MANY_PARTS,
    GH_MULTIPART_PART_TOO_LONG,
    GH_MULTIPART_HEAD_TOO_LONG,
    GH_MULTIPART_NAME_TOO_LONG,
};
/* A short text for people: "too many parts". */
struct gh_str gh_multipart_status_text(enum gh_multipart_status status);

/* Slices of the parser's memory: good until the next part's head is read. */
struct gh_multipart_part {
    struct gh_str name;
    struct gh_str filename;     /* ptr NULL: a value, not a file; empty: no file was chosen */
    struct gh_str content_type; /* "type/subtype" without parameters; ptr NULL: none is given */
    struct gh_str charset;      /* ptr NULL: none is given */
};

enum gh_multipart_event {
    GH_MULTIPART_REFUSED, /* and it stays so: nothing of the body may be trusted */
    GH_MULTIPART_MORE,    /* all input was taken */
    GH_MULTIPART_PART,    /* multipart->part begins */
    GH_MULTIPART_DATA,    /* *out_data is some of it: at least one byte, good until the next call */
    GH_MULTIPART_PART_END, /* it was all of it */
    GH_MULTIPART_END, /* the last boundary was read: there are no more parts. Once, whatever follows
                       */
};

/* All of it is the parser's but `part`. About 2.5 KiB, nothing else is taken. */
struct gh_multipart {
    struct gh_multipart_part part;
    struct gh_multipart_limits limits;
    enum gh_multipart_status status;
    unsigned state; /* see multipart.c */
    unsigned part_count;
    uint64_t offset;     /* bytes taken; once refused: where the error is */
    uint64_t part_start; /* offset of the part's first byte */
    uint64_t part_bytes; /* that were given out */
    uint64_t declared_bytes;
    bool has_declared_bytes;
    uint8_t held;          /* first bytes of the delimiter that may be one, not given out yet */
    uint8_t misplaced;     /* last bytes that begin a "--boundary" with no CRLF before it */
    uint8_t delimiter_len; /* of CRLF "--" boundary */
    uint8_t fallback[2 + GH_MULTIPART_BOUNDARY_BYTES_MAX];
    char delimiter[4 + GH_MULTIPART_BOUNDARY_BYTES_MAX];
    unsigned head_len;
    char head[GH_MULTIPART_HEAD_BYTES_MAX];
};

/*
 * `content_type` is the request's Content-Type: multipart/form-data with a boundary (RFC 2046
 * section 5.1.1, quoted or not) and nothing else (but see `any_charset`). OK or TYPE; *multipart
 * refuses all then.
 */
enum gh_multipart_status gh_multipart_init(struct gh_multipart *multipart,
                                           struct gh_str content_type,
                                           const struct gh_multipart_limits *limits);
/* Reads from *input and advances it past what was taken. Call again until MORE or REFUSED. */
enum gh_multipart_event gh_multipart_read(struct gh_multipart *multipart, struct gh_str *input,
                                          struct gh_str *out_data);
/* At the end of the body: OK, INCOMPLETE, or why it was refused. multipart->offset says where. */
enum gh_multipart_status gh_multipart_finish(const struct gh_multipart *multipart);

#endif
