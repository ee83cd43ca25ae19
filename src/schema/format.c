#include "schema/format.h"

#include "schema/pattern.h"

static const struct gh_format FORMATS[] = {
    {"date", gh_format_date, "a date (2026-01-31)"},
    {"date-time", gh_format_date_time, "a date and time (2026-01-31T12:00:00Z)"},
    {"duration", gh_format_duration, "a duration (P1DT12H)"},
    {"email", gh_format_email, "an e-mail address"},
    {"hostname", gh_format_hostname, "a host name"},
    {"idn-email", gh_format_idn_email, "an e-mail address"},
    {"idn-hostname", gh_format_idn_hostname, "a host name"},
    {"ipv4", gh_format_ipv4, "an IPv4 address"},
    {"ipv6", gh_format_ipv6, "an IPv6 address"},
    {"iri", gh_format_iri, "an absolute IRI"},
    {"iri-reference", gh_format_iri_reference, "an IRI or a relative reference"},
    {"json-pointer", gh_format_json_pointer, "a JSON Pointer"},
    {"regex", gh_pattern_is_valid, "a regular expression"},
    {"relative-json-pointer", gh_format_relative_json_pointer, "a relative JSON Pointer"},
    {"time", gh_format_time, "a time with an offset (12:00:00Z)"},
    {"uri", gh_format_uri, "an absolute URI"},
    {"uri-reference", gh_format_uri_reference, "a URI or a relative reference"},
    {"uri-template", gh_format_uri_template, "a URI template"},
    {"uuid", gh_format_uuid, "a UUID"},
};

const struct gh_format *gh_format_find(struct gh_str name)
{
    for (size_t i = 0; i < sizeof(FORMATS) / sizeof(FORMATS[0]); i++) {
        if (gh_str_eq(name, gh_str_from_c(FORMATS[i].name)))
            return &FORMATS[i];
    }
    return NULL;
}
