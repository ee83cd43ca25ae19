/*
 * The head of a request out of the fields that HPACK gives one by one (RFC 9113 section 8,
 * RFC 8441), judged as strictly as HTTP/1.1's: the same struct gh_request_head comes out for the
 * same request, with the Host that :authority stands for among its fields. Trailers are judged by
 * the same rules and thrown away. Knows nothing of frames and streams. Private to the codec.
 *
 * head_bytes_max bounds the sum of name, value and 32 bytes for each field, pseudo-fields and
 * crumbs of cookies among them: that is what SETTINGS_MAX_HEADER_LIST_SIZE announces (section
 * 10.5.1), and what is announced must be what is enforced.
 */
#ifndef GH_HTTP_H2_HEAD_H
#define GH_HTTP_H2_HEAD_H

#include "http/codec.h"

enum gh_h2_pseudo {
    GH_H2_METHOD,
    GH_H2_SCHEME,
    GH_H2_AUTHORITY,
    GH_H2_PATH,
    GH_H2_PROTOCOL,
    GH_H2_PSEUDO_COUNT,
};

/* A head or trailers on their way. */
struct gh_h2_head {
    const struct gh_codec_limits *limits;
    struct gh_arena *arena;
    struct gh_str pseudo[GH_H2_PSEUDO_COUNT]; /* ptr == NULL: not there */
    struct gh_field *items;                   /* in arena; [0] is for the Host of :authority */
    size_t count, cap;
    size_t list_bytes;
    char *cookie; /* in arena: crumbs joined; they are the value of items[cookie_at] */
    size_t cookie_len, cookie_cap, cookie_at;
    bool is_trailer, fields_begun;
    enum gh_http_error error; /* the first thing wrong, or NONE */
};

void gh_h2_head_begin(struct gh_h2_head *head, const struct gh_codec_limits *limits,
                      struct gh_arena *arena, bool is_trailer);
/* True when HEAD was asked, whatever else is wrong: no answer may have a body then. */
bool gh_h2_head_is_head(const struct gh_h2_head *head);
/* One field; copied. What is wrong is kept for finish. Returns its size as it counts. */
size_t gh_h2_head_add(struct gh_h2_head *head, struct gh_str name, struct gh_str value);
/*
 * The list is complete. `has_more`: the stream goes on, with content or, after an extended CONNECT,
 * with the tunnel. *out_head is filled as far as it was read, for the log.
 */
enum gh_http_error gh_h2_head_finish(struct gh_h2_head *head, bool has_more,
                                     struct gh_request_head *out_head);

#endif
