/*
 * Personal data where it should not be: what looks like an e-mail address, a phone number, a card
 * number (with its check digit, ISO/IEC 7812), an IBAN (with its check digits, ISO 13616) or a
 * token in a text that should have none. It errs on the side of telling: a person looks at what it
 * found.
 */
#ifndef GH_AUDIT_REVIEW_SCAN_H
#define GH_AUDIT_REVIEW_SCAN_H

#include "base/str.h"

/* X(enumerator, "what it is called in a review") */
#define GH_SCAN_KINDS(X)                                                                           \
    X(EMAIL, "e-mail address")                                                                     \
    X(PHONE, "phone number")                                                                       \
    X(CARD, "card number")                                                                         \
    X(IBAN, "IBAN")                                                                                \
    X(TOKEN, "token or key")
enum gh_scan_kind {
#define X(id, name) GH_SCAN_##id,
    GH_SCAN_KINDS(X)
#undef X
        GH_SCAN_KIND_COUNT
};
struct gh_str gh_scan_kind_name(enum gh_scan_kind kind);

/* Counts what is found in `text`, each place once and as the first kind that fits: token, IBAN,
   card, e-mail, phone. */
void gh_scan_text(struct gh_str text, uint64_t counts[GH_SCAN_KIND_COUNT]);

#endif
