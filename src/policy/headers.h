/*
 * Response headers (SPEC section 3, stage 10): compiled when the configuration is loaded, so that
 * an answer gets one ready-made block.
 *
 * A block says for each field name of an upstream's answer whether it passes, goes, or is replaced
 * by ours.
 */
#ifndef GH_POLICY_HEADERS_H
#define GH_POLICY_HEADERS_H

#include "policy/name_set.h"
#include "policy/settings.h"

struct gh_header_line {
    struct gh_str name, value;
    bool when[2];    /* sent on plain requests; on https ones */
    bool if_silent;  /* only where the upstream has none of that name (Cache-Control) */
    bool joins_list; /* several lines mean the same as one joined by ", " (policies) */
};

enum gh_header_action {
    GH_HEADER_PASS,
    GH_HEADER_REMOVE,
    GH_HEADER_OURS, /* we have a line of that name: *out_line */
};

struct gh_header_block {
    /* Complete lines, each with CRLF, by scheme; a line that is sent only where the upstream is
       silent stands last, behind the first `always_len` bytes. */
    struct gh_str bytes[2];
    size_t always_len[2];
    /* The same lines as fields, in the same order, for HTTP/2. */
    const struct gh_field *fields[2];
    size_t field_count[2], always_count[2];
    enum gh_on_conflict on_conflict;
    const struct gh_header_line *lines;
    size_t line_count;
    struct gh_name_set names; /* ours first, in the order of `lines`, then those to remove */
};

/* What becomes of an upstream's field. */
static inline enum gh_header_action gh_header_block_find(const struct gh_header_block *block,
                                                         struct gh_str name, size_t *out_line)
{
    size_t at = gh_name_set_find(&block->names, name);
    if (at == GH_NAME_ABSENT)
        return GH_HEADER_PASS;
    *out_line = at;
    return at < block->line_count ? GH_HEADER_OURS : GH_HEADER_REMOVE;
}

/* The settings that one block is made of: those of the file, overlaid by those of a route. */
struct gh_header_source {
    enum gh_environment environment;
    const struct gh_headers_settings *headers, *route_headers; /* the latter may be NULL */
    const struct gh_csp_settings *csp;                         /* NULL: none given */
    bool csp_of_route;
    struct gh_str report_path; /* of the built-in endpoint; empty: none */
};

/* Makes the block in load->arena; problems go to `load`. NULL: the arena is full. */
const struct gh_header_block *gh_header_block_compile(struct gh_config_load *load,
                                                      const struct gh_header_source *source);

/* The preset that holds for `source`; api where nothing says otherwise. */
enum gh_header_preset gh_header_preset_of(const struct gh_header_source *source);

#endif
