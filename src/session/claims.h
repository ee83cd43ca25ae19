/* Reading and writing claims that more than one kind of token has; for this module only. */
#ifndef GH_SESSION_CLAIMS_H
#define GH_SESSION_CLAIMS_H

#include "base/buf.h"
#include "json/parse.h"
#include "session/subject.h"

/* All false: it is there, but of another type. */

/* Absent: empty. */
bool gh_claims_text(const struct gh_json_doc *claims, struct gh_str name, struct gh_str *out_text);
/* Absent: 0. */
bool gh_claims_time(const struct gh_json_doc *claims, struct gh_str name, uint64_t *out_s);
/* Absent: false. */
bool gh_claims_bool(const struct gh_json_doc *claims, struct gh_str name, bool *out_value);
/* True also: absent. A list of texts only. */
bool gh_claims_is_list(const struct gh_json_doc *claims, struct gh_str name);

bool gh_claims_list_has(const struct gh_json_doc *claims, struct gh_str name, struct gh_str text);
/* Those of the list that are configured. */
gh_roles gh_claims_roles(const struct gh_json_doc *claims, struct gh_str name,
                         const struct gh_role_names *names);

/* What tokens of ours say about a subject beside who it is: auth_time, amr, roles, email. */
void gh_claims_put_subject(struct gh_buf *buf, const struct gh_role_names *names,
                           const struct gh_subject *subject);

#endif
