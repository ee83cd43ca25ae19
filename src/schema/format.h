/*
 * The formats of JSON Schema 2020-12 (validation, section 7.3), each a function of a string. Names
 * outside of the table are remarks and are never checked.
 */
#ifndef GH_SCHEMA_FORMAT_H
#define GH_SCHEMA_FORMAT_H

#include "base/str.h"

struct gh_format {
    const char *name;
    bool (*is_valid)(struct gh_str text);
    const char *wanted; /* "an e-mail address" */
};

/* NULL: not known. */
const struct gh_format *gh_format_find(struct gh_str name);

/* format_date.c: RFC 3339 and its appendix A. */
bool gh_format_date_time(struct gh_str text);
bool gh_format_date(struct gh_str text);
bool gh_format_time(struct gh_str text);
bool gh_format_duration(struct gh_str text);
/* format_address.c: RFC 5321 section 4.1.2, RFC 6531; RFC 2673, RFC 4291; RFC 4122. */
bool gh_format_email(struct gh_str text);
bool gh_format_idn_email(struct gh_str text);
bool gh_format_ipv4(struct gh_str text);
bool gh_format_ipv6(struct gh_str text);
bool gh_format_uuid(struct gh_str text);
/* format_host.c: RFC 1123 section 2.1 and RFC 5890 in structure, with the contextual rules of RFC
   5892; no tables of Unicode. */
bool gh_format_hostname(struct gh_str text);
bool gh_format_idn_hostname(struct gh_str text);
/* format_uri.c: RFC 3986, RFC 3987, RFC 6570; RFC 6901 and its relative form. */
bool gh_format_uri(struct gh_str text);
bool gh_format_uri_reference(struct gh_str text);
bool gh_format_iri(struct gh_str text);
bool gh_format_iri_reference(struct gh_str text);
bool gh_format_uri_template(struct gh_str text);
bool gh_format_json_pointer(struct gh_str text);
bool gh_format_relative_json_pointer(struct gh_str text);

#endif
