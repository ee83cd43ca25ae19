/* Inside lint: what names of fields tell. Names are cut into words at case, "_", "-" and ".". */
#ifndef GH_OPENAPI_LINT_NAMES_H
#define GH_OPENAPI_LINT_NAMES_H

#include "base/str.h"

enum gh_lint_meaning {
    GH_MEANS_NOTHING,
    GH_MEANS_EMAIL,
    GH_MEANS_PHONE,
    GH_MEANS_CODE, /* one-time codes, postcodes, IBAN, ... */
    GH_MEANS_URL,
    GH_MEANS_PROSE,  /* description, comment, ... */
    GH_MEANS_SECRET, /* passwords and tokens */
    GH_MEANS_ID,
};
/* By the last words: "billingEmail", "phone_number", "X-Otp". */
enum gh_lint_meaning gh_lint_meaning_of(struct gh_str name);
/* Does it look like something that is fetched or redirected to: callback, redirect_uri, ...? */
bool gh_lint_is_target(struct gh_str name);
/* Is it a secret that must not stand in a URL: token, client_secret, ...? */
bool gh_lint_is_credential(struct gh_str name);

#endif
