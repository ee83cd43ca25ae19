/*
 * What an entry of the table holds, and the three ways to count: a log of instants (log.c),
 * sub-windows (subwindow.c), GCRA (gcra.c). Internal to this module.
 *
 * Entries outlive the rules they were made by (a reload), so each says by itself when it is idle
 * and whether it is refusing: that is all eviction has to know.
 */
#ifndef GH_LIMIT_ENTRY_H
#define GH_LIMIT_ENTRY_H

#include "limit/limit.h"

enum gh_limit_form { GH_LIMIT_FORM_NONE, GH_LIMIT_LOG, GH_LIMIT_SUBWINDOWS, GH_LIMIT_TAT };

#define GH_LIMIT_LOG_CELLS 5
/* Entries that the log of one key takes at the most: 16 instants in fives. */
#define GH_LIMIT_CHUNKS_MAX 4
/* Closed sub-windows that are remembered beside the current one. More are more generous (a window
   may admit 12/13 of `count` at worst), a byte each is what fits. */
#define GH_LIMIT_SUBWINDOW_COUNT 12

/*
 * 24 bytes; the tag beside them makes 32. Instants are milliseconds as offsets of 32 bits from
 * `base`, which counts units of 2^24 ms: the base follows the clock, so that an old entry is never
 * taken for a new one.
 */
struct gh_limit_entry {
    uint32_t form : 2;      /* enum gh_limit_form */
    uint32_t count_max : 5; /* LOG: the rule's count */
    uint32_t full : 1;      /* SUBWINDOWS, LOG over five: the last charge took the last one */
    uint32_t base : 24;
    union {
        uint32_t expiry[GH_LIMIT_LOG_CELLS]; /* LOG: when an admitted one leaves the window */
        struct {
            uint32_t idle_offset; /* when the newest sub-window leaves */
            uint32_t current;
            uint8_t older[GH_LIMIT_SUBWINDOW_COUNT]; /* newest first, in units of the rule */
        } sub;
        /* In words of 32 bits, so that the entry needs no padding. */
        struct {
            uint32_t tat[2];       /* theoretical arrival time, ns */
            uint32_t tolerance[2]; /* ns */
        } gcra;
    };
};

/* What is known about one key: the entries that carry its tag. */
struct gh_limit_view {
    struct gh_limit_entry *entries[GH_LIMIT_CHUNKS_MAX];
    size_t count;
};

/* Where a question is asked: the rule, the time, how many charges of the same key this decision
   has made before, and whether this one is to be made if it is allowed. */
struct gh_limit_question {
    const struct gh_limit_rule *rule;
    uint64_t now_ms;
    uint64_t taken;
    bool charging;
};

enum gh_limit_form gh_limit_form_of(const struct gh_limit_rule *rule);

/* When the entry is back to full allowance; at or before now: idle. */
uint64_t gh_limit_entry_idle_at_ms(const struct gh_limit_entry *entry);

void gh_limit_log_judge(const struct gh_limit_view *view, const struct gh_limit_question *question,
                        struct gh_limit_decision *out_decision);
/* An entry of the view with a free cell, or NULL. */
struct gh_limit_entry *gh_limit_log_room(const struct gh_limit_view *view, uint64_t now_ms);
void gh_limit_log_charge(struct gh_limit_entry *entry, const struct gh_limit_rule *rule,
                         uint64_t now_ms);
/* After a charge of a log that is spread over the view: notes in each entry whether it is full. */
void gh_limit_log_mark(const struct gh_limit_view *view, uint64_t now_ms);
unsigned gh_limit_log_live(const struct gh_limit_entry *entry, uint64_t now_ms);

void gh_limit_sub_judge(const struct gh_limit_entry *entry,
                        const struct gh_limit_question *question,
                        struct gh_limit_decision *out_decision);
void gh_limit_sub_charge(struct gh_limit_entry *entry, const struct gh_limit_rule *rule,
                         uint64_t now_ms);

void gh_limit_gcra_judge(const struct gh_limit_entry *entry,
                         const struct gh_limit_question *question,
                         struct gh_limit_decision *out_decision);
void gh_limit_gcra_charge(struct gh_limit_entry *entry, const struct gh_limit_rule *rule,
                          uint64_t now_ms);
/* Whether the key of the entry would be refused now. */
bool gh_limit_gcra_refuses(const struct gh_limit_entry *entry, uint64_t now_ms);
uint64_t gh_limit_gcra_idle_at_ms(const struct gh_limit_entry *entry);

/* Instants of entries. */
#define GH_LIMIT_BASE_SHIFT 24

static inline uint64_t gh_limit_entry_base_ms(const struct gh_limit_entry *entry)
{
    return (uint64_t)entry->base << GH_LIMIT_BASE_SHIFT;
}

/* `now` as an offset; above all offsets when it is out of their reach. */
static inline uint64_t gh_limit_entry_offset(const struct gh_limit_entry *entry, uint64_t now_ms)
{
    uint64_t base_ms = gh_limit_entry_base_ms(entry);
    return now_ms > base_ms ? now_ms - base_ms : 0;
}

#endif
