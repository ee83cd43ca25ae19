/* Fields for one connection only (RFC 9110 section 7.6.1), which no proxy passes on. */
#ifndef GH_POLICY_HOP_H
#define GH_POLICY_HOP_H

#include "http/field.h"

/* True when Connection names other fields, beside its own options close, keep-alive, upgrade. */
bool gh_hop_has_nominated(const struct gh_fields *fields);
/* True when Connection names `name`. */
bool gh_hop_is_nominated(const struct gh_fields *fields, struct gh_str name);

#endif
