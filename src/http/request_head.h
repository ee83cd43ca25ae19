/*
 * What is judged alike in the head of a request whatever the version of HTTP: the bytes of target
 * and host, Expect. Private to the codecs.
 */
#ifndef GH_HTTP_REQUEST_HEAD_H
#define GH_HTTP_REQUEST_HEAD_H

#include "http/codec.h"

/* Longer ones are no method of anybody's (the registry's longest has 17). */
#define GH_METHOD_BYTES_MAX 32

/*
 * Reads head->target in origin-form, or "*" for OPTIONS (RFC 9110 section 7.1), into path and
 * query. False: it is neither, or has bytes that no target may have.
 */
bool gh_request_read_origin_form(struct gh_request_head *head);
/* True when each byte may stand raw in a request target or is part of a percent escape. */
bool gh_request_target_is_valid(struct gh_str target);
/* Cuts at the first '?'. */
void gh_request_split_query(struct gh_request_head *head, struct gh_str path_and_query);
/* Not empty, and only bytes of a host with its port: no userinfo, no path. What they say is judged
   later (authority.h). */
bool gh_request_is_host_text(struct gh_str text);
/* RFC 9110 section 10.1.1. Fields, body and version are known. */
enum gh_http_error gh_request_read_expect(struct gh_request_head *head);
/* True when content is announced, by length or without. */
bool gh_request_has_body(const struct gh_request_head *head);

#endif
