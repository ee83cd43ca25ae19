/*
 * The endpoints of the identity service: HTTP to calls of identity and back. One file per noun
 * (login_api.c, ...), one table of all of them, from which come the routes, the limits and the
 * OpenAPI document that the service publishes.
 */
#ifndef GH_API_API_H
#define GH_API_API_H

#include <stdatomic.h>

#include "identity/identity.h"
#include "policy/identity.h"
#include "policy/service_call.h"

/* What handlers need of the process; given by the app. */
struct gh_api {
    struct gh_identity *identity;
    /* The keys of this moment, kept alive until given back. */
    const struct gh_identity_keys *(*keys_take)(void *context);
    void (*keys_give)(void *context, const struct gh_identity_keys *keys);
    void *context;
    const struct gh_api_inputs *inputs; /* by gh_api_load_inputs */
    atomic_bool verifying;              /* the audit log is being checked for somebody */
};

/* The table: what policy must know of each endpoint. Roles in `access` are bits that only the
   settings know: endpoints for admins have roles == GH_API_ADMIN, replaced by the app. */
#define GH_API_ADMIN (~(gh_roles)0)
const struct gh_service_endpoint *gh_api_endpoints(size_t *out_count);
/* The rate policies that the table names (SPEC section 4). */
const struct gh_service_limit *gh_api_limits(size_t *out_count);

/*
 * Compiles the document that requests are judged by; before the first of them. `arena` must outlive
 * the api. `answers`: with what answers are judged by, for tests. GH_OK or GH_ERR_MEMORY.
 */
GH_MUST_USE enum gh_err gh_api_load_inputs(struct gh_api *api, struct gh_arena *arena,
                                           const struct gh_identity_settings *settings,
                                           bool answers);

/* As struct gh_service_port wants them; `context` is a struct gh_api. */
void gh_api_handle(void *context, struct gh_service_call *call);
enum gh_service_lane gh_api_lane(void *context, size_t endpoint);

/* The OpenAPI 3.1 document of the service, as JSON. */
#define GH_API_DOCUMENT_BYTES_MAX (256u * 1024)
void gh_api_put_document(struct gh_buf *buf, const struct gh_identity_settings *settings);

#endif
