/*
 * What a client may cost on one connection of HTTP/2 by other things than requests: frames that
 * are cheap to send and not to take, counted in windows of a second. Over its budget a connection
 * ends with ENHANCE_YOUR_CALM. Knows no frames and no clock. Private to the codec.
 */
#ifndef GH_HTTP_H2_BUDGET_H
#define GH_HTTP_H2_BUDGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* X(name, word, most in a second): the reason beside each. */
#define GH_H2_COSTS(X)                                                                             \
    /* RST_STREAM of the client's (CVE-2023-44487): who leaves a page cancels all its streams. */  \
    X(RESET, "resets", 100)                                                                        \
    /* Resets that it brings us to (CVE-2025-8671): malformed requests, windows that overflow,     \
       streams over the number announced, of which all may be on their way at the start. */        \
    X(PROVOKED_RESET, "provoked_resets", 100)                                                      \
    /* Small CONTINUATION frames (CVE-2024-28182): who needs any fills them. */                    \
    X(CONTINUATION, "continuation", 100)                                                           \
    /* SETTINGS with their ACK: two when it begins, and hardly any later. */                       \
    X(SETTINGS, "settings", 20)                                                                    \
    /* PING with ACK (CVE-2019-9512): some measure the round trip all the time. */                 \
    X(PING, "ping", 100)                                                                           \
    /* DATA without bytes and without an end (CVE-2019-9518): nobody needs them. */                \
    X(EMPTY_DATA, "empty_data", 50)                                                                \
    /* PRIORITY and PRIORITY_UPDATE (CVE-2019-9513): one or two a stream. */                       \
    X(PRIORITY, "priority", 250)                                                                   \
    /* WINDOW_UPDATE: those that answer DATA come free, these are the others. */                   \
    X(WINDOW_UPDATE, "window_update", 1000)                                                        \
    /* Frames of unknown kinds, and those of streams that are over. */                             \
    X(OTHER, "other_frames", 250)                                                                  \
    /* Bytes of header lists decoded beyond what one may have (an HPACK bomb makes thousands of    \
       one): a few lists that are too large, to be answered with 431. */                           \
    X(EXCESS_HEADER_BYTES, "header_lists", 256 * 1024)

enum gh_h2_cost {
#define X(name, word, most) GH_H2_COST_##name,
    GH_H2_COSTS(X)
#undef X
        GH_H2_COST_COUNT
};

/* CONTINUATION frames of one header block beyond those that a head at its limit needs. */
#define GH_H2_CONTINUATIONS_SPARE 8
/* One that holds less costs: who has a large head sends full frames. */
#define GH_H2_CONTINUATION_BYTES_FREE 8192
/* A DATA frame that was sent makes two WINDOW_UPDATEs free (the stream's and the connection's), and
   its bytes one for each of these: some clients tell each 4 KiB they read. */
#define GH_H2_BYTES_PER_WINDOW_UPDATE 1024

struct gh_h2_budget {
    uint64_t window_start_ms;
    uint32_t spent[GH_H2_COST_COUNT];
    uint64_t free_updates, free_updates_before; /* of this window and of the one before */
    bool is_over;
    enum gh_h2_cost over; /* of which there was too much */
};

/* False: more than there is for this second. */
bool gh_h2_budget_spend(struct gh_h2_budget *budget, uint64_t now_ms, enum gh_h2_cost cost,
                        uint32_t amount);
/* There was too much of it by another bound. */
void gh_h2_budget_exceed(struct gh_h2_budget *budget, enum gh_h2_cost cost);
/* Of what there was too much first, in a word; "other": of nothing that is counted here. */
const char *gh_h2_budget_word(const struct gh_h2_budget *budget);
/* A frame of so many bytes of DATA was sent. */
void gh_h2_budget_sent(struct gh_h2_budget *budget, uint64_t now_ms, size_t bytes);

#endif
