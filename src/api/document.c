/*
 * The OpenAPI 3.1 document: paths, bodies and limits come from the table of endpoints, so that they
 * can't differ from it; what each answer holds stands here.
 */
#include "api/endpoint.h"
#include "base/assert.h"
#include "json/writer.h"

/* ---- What the table of endpoints does not say ---- */

struct operation {
    const char *id, *summary;
    unsigned success;     /* status */
    const char *schema;   /* of components; NULL: any JSON object */
    const char *query[5]; /* names, NULL-ended */
};

static const struct operation OPERATIONS[] = {
    {"signUp", "Make an account", 201, "SignedUp", {NULL}},
    {"logIn", "Sign in with a password", 200, "LoggedIn", {NULL}},
    {"secondStep", "Finish signing in with a second factor", 200, "Grant", {NULL}},
    {"refresh", "A new access token for the refresh token", 200, "Grant", {NULL}},
    {"logOut", "End the session", 200, "Message", {NULL}},
    {"verifyEmail", "Confirm an address", 200, "Message", {NULL}},
    {"resendEmail", "Send the confirmation again", 200, "Message", {NULL}},
    {"stepUp", "Confirm who is there by password or code", 200, "Grant", {NULL}},
    {"setUp", "Make the first admin with the one-time token", 201, "SignedUp", {NULL}},
    {"session", "Who is signed in, and until when", 200, "Session", {NULL}},
    {"profile", "One's own account", 200, "User", {NULL}},
    {"updateProfile", "Change name or language", 200, "User", {NULL}},
    {"changePassword", "Change the password", 200, "Message", {NULL}},
    {"requestPasswordReset", "Ask for a link to set a new password", 200, "Message", {NULL}},
    {"resetPassword", "Set a new password by a link", 200, "Message", {NULL}},
    {"changeEmail", "Change the address", 200, "Message", {NULL}},
    {"setUpTwoFactor", "Begin to enrol a second factor", 200, "TwoFactorSetup", {NULL}},
    {"verifyTwoFactor", "Switch the second factor on", 200, "TwoFactorOn", {NULL}},
    {"disableTwoFactor", "Switch the second factor off", 200, "TwoFactorOff", {NULL}},
    {"renewRecoveryCodes", "New recovery codes for old", 200, "RecoveryCodes", {NULL}},
    {"sessions", "One's own sessions", 200, "Sessions", {NULL}},
    {"endOtherSessions", "End all other sessions", 200, "Ended", {NULL}},
    {"endSession", "End one session", 200, "Ended", {NULL}},
    {"activity", "One's own audit records", 200, "Records", {"before", "limit", NULL}},
    {"deleteAccount", "Delete one's account", 200, "Message", {NULL}},
    {"exportData", "Everything held on the caller", 200, NULL, {NULL}},
    {"eraseData", "Erase everything held on the caller", 200, "Message", {NULL}},
    {"users", "Accounts", 200, "Users", {"email", "role", "after", "limit", NULL}},
    {"user", "One account", 200, "User", {NULL}},
    {"setRole", "Change the roles of an account", 200, "User", {NULL}},
    {"unlockUser", "Forget failed sign-ins", 200, "Message", {NULL}},
    {"resetTwoFactor", "Take a second factor away", 200, "Message", {NULL}},
    {"sendPasswordReset", "Send a link to set a new password", 200, "Message", {NULL}},
    {"disableUser", "Disable an account", 200, "Message", {NULL}},
    {"enableUser", "Enable an account", 200, "Message", {NULL}},
    {"deleteUser", "Delete an account", 200, "Message", {NULL}},
    {"endUserSessions", "End the sessions of an account", 200, "Ended", {NULL}},
    {"audit", "Audit records", 200, "Records", {"before", "limit", "user", "event", NULL}},
    {"verifyAudit", "Whether the audit log is as it was written", 200, "Verdict", {NULL}},
    {"anomalies",
     "What the rules for anomalies found",
     200,
     "Anomalies",
     {"before", "limit", NULL}},
    {"cspReports", "What browsers reported, by directive", 200, "CspReports", {NULL}},
    {"document", "This document", 200, NULL, {NULL}},
    {"keySet", "The public keys of tokens (RFC 7517)", 200, "KeySet", {NULL}},
};

static const struct operation *operation_of(const char *id)
{
    for (size_t i = 0; i < sizeof(OPERATIONS) / sizeof(OPERATIONS[0]); i++)
        if (strcmp(OPERATIONS[i].id, id) == 0)
            return &OPERATIONS[i];
    GH_ASSERT(!"every endpoint has its operation");
    return NULL;
}

/* ---- Schemas ---- */

#define TEXT_OF(number) #number
#define TEXT(macro)     TEXT_OF(macro)
#define STRING          "{\"type\":\"string\",\"maxLength\":16384}"
/* No control characters, as JSON writes the pattern; ready for a format. */
#define ONE_LINE "\"pattern\":\"^[^\\\\u0000-\\\\u001f\\\\u007f]*$\""
#define BOOLEAN  "{\"type\":\"boolean\"}"
#define COUNT    "{\"type\":\"integer\",\"minimum\":0,\"maximum\":9007199254740991}"
#define ID       "{\"type\":\"string\",\"minLength\":36,\"maxLength\":36,\"format\":\"uuid\"}"
#define TIME                                                                                       \
    "{\"type\":[\"string\",\"null\"],\"format\":\"date-time\",\"minLength\":27,\"maxLength\":27}"
/* Of a record that is not of the first chain. */
#define CHAIN        "{\"type\":\"integer\",\"minimum\":2,\"maximum\":4294967295}"
#define NEXT_SEQ     "{\"type\":[\"integer\",\"null\"],\"minimum\":1,\"maximum\":9007199254740991}"
#define TEXT_OR_NULL "{\"type\":[\"string\",\"null\"],\"maxLength\":16384}"
#define OBJECT(required, properties)                                                               \
    "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[" required                  \
    "],\"properties\":{" properties "}}"
#define LIST(max, items) "{\"type\":\"array\",\"maxItems\":" max ",\"items\":" items "}"
#define REF(name)        "{\"$ref\":\"#/components/schemas/" name "\"}"
#define USER_MEMBERS                                                                               \
    "\"id\":" ID ",\"email\":" STRING ",\"email_verified\":" BOOLEAN ",\"name\":" STRING           \
    ",\"locale\":" STRING                                                                          \
    ",\"roles\":" LIST("64", STRING) ",\"two_factor_enabled\":" BOOLEAN                            \
                                     ",\"two_factor_enrolment_required\":" BOOLEAN                 \
                                     ",\"disabled\":" BOOLEAN ",\"created_at\":" TIME              \
                                     ",\"last_login_at\":" TIME
/* Of the session that goes on under a new id. */
#define RENEWED                                                                                    \
    ",\"expires_in\":" COUNT ",\"access_token\":" STRING ",\"token_type\":{\"const\":\"Bearer\"}"

static const struct {
    const char *name, *schema;
} SCHEMAS[] = {
    {"Message", OBJECT("\"message\"", "\"message\":" STRING)},
    {"Ended", OBJECT("\"ended\"", "\"ended\":" COUNT)},
    {"User", OBJECT("\"id\",\"email\",\"email_verified\",\"name\",\"locale\",\"roles\","
                    "\"two_factor_enabled\",\"two_factor_enrolment_required\",\"disabled\","
                    "\"created_at\",\"last_login_at\"",
                    USER_MEMBERS)},
    {"SignedUp", OBJECT("", "\"user\":" REF("User") ",\"message\":" STRING)},
    {"Grant", OBJECT("\"expires_in\",\"user\"",
                     "\"expires_in\":" COUNT ",\"user\":" REF(
                         "User") ",\"access_token\":" STRING ",\"refresh_token\":" STRING
                                 ",\"token_type\":{\"const\":\"Bearer\"}")},
    {"Challenge", OBJECT("\"two_factor_required\",\"challenge\"",
                         "\"two_factor_required\":{\"const\":true},\"challenge\":" STRING)},
    {"LoggedIn", "{\"oneOf\":[" REF("Grant") "," REF("Challenge") "]}"},
    {"Session", OBJECT("\"user\",\"expires_at\",\"authenticated_at\",\"two_factor\",\"fresh\"",
                       "\"user\":" REF("User") ",\"expires_at\":" TIME ",\"authenticated_at\":" TIME
                                               ",\"two_factor\":" BOOLEAN ",\"fresh\":" BOOLEAN)},
    {"TwoFactorSetup", OBJECT("\"secret\",\"uri\",\"qr_svg\"",
                              "\"secret\":" STRING ",\"uri\":" STRING
                              ",\"qr_svg\":{\"type\":\"string\",\"maxLength\":131072}")},
    {"RecoveryCodes", OBJECT("\"recovery_codes\"", "\"recovery_codes\":" LIST("10", STRING))},
    {"TwoFactorOn",
     OBJECT("\"recovery_codes\",\"expires_in\"", "\"recovery_codes\":" LIST("10", STRING) RENEWED)},
    {"TwoFactorOff", OBJECT("\"message\",\"expires_in\"", "\"message\":" STRING RENEWED)},
    {"OwnSession",
     OBJECT("\"id\",\"device\",\"ip_address\",\"current\",\"two_factor\","
            "\"remember\",\"created_at\",\"last_used_at\",\"expires_at\"",
            "\"id\":" ID ",\"device\":" STRING ",\"ip_address\":" STRING ",\"current\":" BOOLEAN
            ",\"two_factor\":" BOOLEAN ",\"remember\":" BOOLEAN ",\"created_at\":" TIME
            ",\"last_used_at\":" TIME ",\"expires_at\":" TIME)},
    {"Sessions", OBJECT("\"sessions\"", "\"sessions\":" LIST("10000", REF("OwnSession")))},
    {"Record",
     OBJECT("\"seq\",\"time\",\"event_type\",\"user_id\",\"actor_id\","
            "\"ip_address\",\"user_agent\",\"session\",\"request_id\",\"outcome\","
            "\"metadata\"",
            "\"seq\":" COUNT ",\"chain\":" CHAIN ",\"time\":" TIME ",\"event_type\":" STRING
            ",\"user_id\":" TEXT_OR_NULL ",\"actor_id\":" TEXT_OR_NULL
            ",\"ip_address\":" TEXT_OR_NULL ",\"user_agent\":" TEXT_OR_NULL
            ",\"session\":" TEXT_OR_NULL ",\"request_id\":" TEXT_OR_NULL
            ",\"outcome\":{\"enum\":[\"success\",\"failure\"]},"
            "\"metadata\":{\"type\":\"object\"}")},
    {"Records", OBJECT("\"records\",\"next\"",
                       "\"records\":" LIST("200", REF("Record")) ",\"next\":" NEXT_SEQ)},
    {"Verdict",
     OBJECT("\"intact\",\"fault\",\"chain\",\"seq\",\"line\",\"records\",\"chains\",\"absent_"
            "chain\",\"first_seq\","
            "\"last_seq\",\"signatures_checked\",\"signed_through\",\"unsigned_records\","
            "\"checkpoints\",\"saved_checkpoints_met\",\"retention_checked\"",
            "\"intact\":" BOOLEAN ",\"fault\":" STRING ",\"chain\":" COUNT ",\"seq\":" COUNT
            ",\"line\":" COUNT ",\"records\":" COUNT ",\"chains\":" COUNT ",\"absent_chain\":" COUNT
            ",\"first_seq\":" COUNT ",\"last_seq\":" COUNT ",\"signatures_checked\":" BOOLEAN
            ",\"signed_through\":" COUNT ",\"unsigned_records\":" COUNT ",\"checkpoints\":" COUNT
            ",\"saved_checkpoints_met\":" COUNT ",\"retention_checked\":" BOOLEAN)},
    {"Anomaly",
     OBJECT("\"seq\",\"time\",\"rule\",\"account\",\"network\",\"action\",\"evidence\"",
            "\"seq\":" COUNT ",\"chain\":" CHAIN ",\"time\":" TIME ",\"rule\":" TEXT_OR_NULL
            ",\"account\":" TEXT_OR_NULL ",\"network\":" TEXT_OR_NULL ",\"action\":" TEXT_OR_NULL
            ",\"evidence\":{\"type\":[\"object\",\"null\"]}")},
    {"Anomalies", OBJECT("\"anomalies\",\"next\"",
                         "\"anomalies\":" LIST("200", REF("Anomaly")) ",\"next\":" NEXT_SEQ)},
    {"CspDirective", OBJECT("\"directive\",\"reports\",\"first_at\",\"last_at\"",
                            "\"directive\":" TEXT_OR_NULL ",\"reports\":" COUNT
                            ",\"first_at\":" TIME ",\"last_at\":" TIME)},
    {"CspReports",
     OBJECT("\"since\",\"complete\",\"records\",\"reports\",\"directives\"",
            "\"since\":" TIME ",\"complete\":" BOOLEAN ",\"records\":" COUNT ",\"reports\":" COUNT
            ",\"directives\":" LIST("64", REF("CspDirective")))},
    {"Users",
     OBJECT("\"users\",\"next\"", "\"users\":" LIST("200", REF("User")) ",\"next\":" TEXT_OR_NULL)},
    {"KeySet", OBJECT("\"keys\"", "\"keys\":" LIST("64", "{\"type\":\"object\"}"))},
    {"Violation",
     OBJECT("\"location\",\"pointer\",\"rule\",\"message\"",
            "\"location\":{\"enum\":[\"path\",\"query\",\"header\",\"cookie\",\"body\"]},"
            "\"name\":" STRING ",\"pointer\":" STRING ",\"rule\":" STRING ",\"message\":" STRING)},
    {"Problem", OBJECT("\"type\",\"title\",\"status\",\"detail\"",
                       "\"type\":" STRING ",\"title\":" STRING
                       ",\"status\":{\"type\":\"integer\",\"minimum\":400,\"maximum\":599},"
                       "\"detail\":" STRING ",\"request_id\":" STRING
                       ",\"errors\":" LIST("300", REF("Violation")))},
};

/* ---- Bodies ---- */

static void put_member_schema(struct gh_buf *buf, const struct gh_body_member *member)
{
    gh_json_put_name(buf, gh_str_from_c(member->name));
    switch (member->type) {
    case GH_BODY_BOOLEAN:
        gh_buf_put(buf, GH_STR(BOOLEAN));
        return;
    case GH_BODY_STRINGS:
        gh_buf_format(buf,
                      "{\"type\":\"array\",\"maxItems\":%d,\"items\":{\"type\":\"string\","
                      "\"minLength\":%u,\"maxLength\":%u," ONE_LINE "}}",
                      GH_BODY_ROLES_MAX, member->length_min, member->length_max);
        return;
    case GH_BODY_STRING:
        gh_buf_format(buf, "{\"type\":\"string\",\"minLength\":%u,\"maxLength\":%u," ONE_LINE "%s}",
                      member->length_min, member->length_max,
                      strcmp(member->name, "email") == 0 ? ",\"format\":\"email\"" : "");
        return;
    }
}

static void put_body(struct gh_buf *buf, const struct gh_endpoint *endpoint)
{
    bool needed = false;
    for (size_t i = 0; i < endpoint->member_count; i++)
        needed |= endpoint->members[i].required;
    gh_buf_format(buf,
                  ",\"requestBody\":{\"required\":%s,\"content\":{\"application/json\":"
                  "{\"schema\":{\"type\":\"object\",\"additionalProperties\":false,"
                  "\"required\":[",
                  needed ? "true" : "false");
    bool first = true;
    for (size_t i = 0; i < endpoint->member_count; i++) {
        if (!endpoint->members[i].required)
            continue;
        if (!first)
            gh_buf_put_char(buf, ',');
        gh_json_put_string(buf, gh_str_from_c(endpoint->members[i].name));
        first = false;
    }
    gh_buf_put(buf, GH_STR("],\"properties\":{"));
    for (size_t i = 0; i < endpoint->member_count; i++)
        put_member_schema(buf, &endpoint->members[i]);
    gh_buf_put(buf, GH_STR("}}}}}"));
}

/* ---- Operations ---- */

static const struct {
    const char *name, *schema;
} PARAMETERS[] = {
    {"id", ID},
    {"after", ID},
    {"user", ID},
    {"before", "{\"type\":\"integer\",\"format\":\"int64\",\"minimum\":1,\"maximum\":" TEXT(
                   GH_API_SEQ_MAX) "}"},
    {"limit", "{\"type\":\"integer\",\"format\":\"int32\",\"minimum\":1,\"maximum\":" TEXT(
                  GH_API_PAGE_MAX) ",\"default\":" TEXT(GH_API_PAGE_DEFAULT) "}"},
    {"email", "{\"type\":\"string\",\"format\":\"email\",\"minLength\":3,\"maxLength\":254}"},
    {"role", "{\"type\":\"string\",\"minLength\":1,\"maxLength\":64," ONE_LINE "}"},
    {"event", "{\"type\":\"string\",\"minLength\":1,\"maxLength\":64," ONE_LINE "}"},
};

static void put_parameter(struct gh_buf *buf, const char *name, bool in_path, bool *first)
{
    size_t i = 0;
    while (strcmp(PARAMETERS[i].name, name) != 0) {
        i++;
        GH_ASSERT(i < sizeof(PARAMETERS) / sizeof(PARAMETERS[0]));
    }
    gh_buf_format(buf, "%s{\"name\":\"%s\",\"in\":\"%s\"%s,\"schema\":%s}", *first ? "" : ",", name,
                  in_path ? "path" : "query", in_path ? ",\"required\":true" : "",
                  PARAMETERS[i].schema);
    *first = false;
}

static void put_parameters(struct gh_buf *buf, const char *path, const struct operation *operation)
{
    bool first = true;
    gh_buf_put(buf, GH_STR(",\"parameters\":["));
    if (strstr(path, "{id}"))
        put_parameter(buf, "id", true, &first);
    for (size_t i = 0; operation->query[i]; i++)
        put_parameter(buf, operation->query[i], false, &first);
    gh_buf_put_char(buf, ']');
}

static void put_success(struct gh_buf *buf, unsigned status, const char *schema)
{
    gh_buf_format(buf,
                  "\"%u\":{\"description\":\"Done.\",\"content\":{\"application/json\":"
                  "{\"schema\":",
                  status);
    if (schema)
        gh_buf_format(buf, "{\"$ref\":\"#/components/schemas/%s\"}", schema);
    else
        gh_buf_put(buf, GH_STR("{\"type\":\"object\"}"));
    gh_buf_put(buf, GH_STR("}}}"));
}

/* Seconds (RFC 9110 section 10.2.3). */
#define RETRY_AFTER                                                                                \
    "\"headers\":{\"Retry-After\":{\"description\":\"Seconds until then.\",\"schema\":"            \
    "{\"type\":\"integer\",\"format\":\"int64\",\"minimum\":1,\"maximum\":9007199254740991}}},"

static void put_responses(struct gh_buf *buf, const struct gh_service_endpoint *route,
                          const struct operation *operation)
{
    static const struct {
        unsigned status;
        const char *meaning;
        bool always; /* also where anyone reads what is the same for all */
    } REFUSALS[] = {
        {400, "Not well-formed, or a link that is not valid any more.", true},
        {401, "Not signed in, or wrong credentials."},
        {403, "Not allowed."},
        {404, "There is no such thing."},
        {409, "It can't be done as things are."},
        {413, "The body is too large."},
        {415, "The body is not application/json."},
        {422, "The request is not as declared, or the password too weak.", true},
        {429, "Over a limit: try again after Retry-After.", true},
        {503, "Not available right now.", true},
    };
    bool same_for_all = route->access.kind == GH_ACCESS_PUBLIC && !route->sets_session;
    gh_buf_put(buf, GH_STR(",\"responses\":{"));
    put_success(buf, operation->success, operation->schema);
    if (strcmp(operation->id, "signUp") == 0) {
        gh_buf_put_char(buf, ',');
        put_success(buf, 202, operation->schema);
    }
    for (size_t i = 0; i < sizeof(REFUSALS) / sizeof(REFUSALS[0]); i++) {
        if (same_for_all && !REFUSALS[i].always)
            continue;
        gh_buf_format(buf,
                      ",\"%u\":{\"description\":\"%s\",%s\"content\":{\"%s\":{\"schema\":"
                      "{\"$ref\":\"#/components/schemas/Problem\"}}}}",
                      REFUSALS[i].status, REFUSALS[i].meaning,
                      REFUSALS[i].status == 429 ? RETRY_AFTER : "", "application/problem+json");
    }
    gh_buf_put_char(buf, '}');
}

static void put_security(struct gh_buf *buf, const struct gh_service_endpoint *route)
{
    bool open = route->access.kind == GH_ACCESS_PUBLIC;
    gh_buf_put(buf, open ? GH_STR(",\"security\":[]")
                         : GH_STR(",\"security\":[{\"cookie\":[]},{\"bearer\":[]}]"));
    if (open && strcmp(route->method, "GET") != 0)
        gh_json_put_member(
            buf, GH_STR("x-public"),
            GH_STR("Callers are not signed in yet, or what they send is the proof."));
}

static void put_operation(struct gh_buf *buf, const struct gh_service_endpoint *route,
                          const struct gh_endpoint *endpoint)
{
    const struct operation *operation = operation_of(endpoint->operation);
    char method[16];
    size_t len = 0;
    for (; route->method[len] && len < sizeof(method) - 1; len++)
        method[len] = gh_ascii_lower(route->method[len]);
    gh_json_put_name(buf, gh_str_of(method, len));
    gh_buf_format(buf, "{\"operationId\":\"%s\",\"summary\":\"%s\"", operation->id,
                  operation->summary);
    put_security(buf, route);
    put_parameters(buf, route->path, operation);
    if (endpoint->member_count)
        put_body(buf, endpoint);
    put_responses(buf, route, operation);
    gh_buf_put_char(buf, '}');
}

/* All methods of a path stand together; a path is written where it comes first. */
static bool came_before(const struct gh_service_endpoint *routes, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (strcmp(routes[i].path, routes[index].path) == 0)
            return true;
    return false;
}

static void put_path(struct gh_buf *buf, const struct gh_service_endpoint *routes, size_t count,
                     size_t index, struct gh_str base_path)
{
    struct gh_str base = routes[index].absolute ? GH_STR("") : base_path;
    char memory[512];
    struct gh_buf path = gh_buf_over(memory, sizeof(memory));
    gh_buf_put(&path, base);
    gh_buf_put(&path, gh_str_from_c(routes[index].path));
    gh_json_put_name(buf, gh_buf_str(&path));
    gh_buf_put_char(buf, '{');
    for (size_t i = index; i < count; i++)
        if (strcmp(routes[i].path, routes[index].path) == 0)
            put_operation(buf, &routes[i], gh_endpoint_at(i));
    gh_buf_put_char(buf, '}');
}

static void put_components(struct gh_buf *buf, const struct gh_identity_settings *settings)
{
    struct gh_str cookie = gh_session_cookie_name(GH_COOKIE_ACCESS, settings->plain_cookies);
    gh_buf_put(buf, GH_STR(",\"components\":{\"securitySchemes\":{\"cookie\":{\"type\":\"apiKey\","
                           "\"in\":\"cookie\",\"name\":"));
    gh_json_put_string(buf, cookie);
    gh_buf_put(buf,
               GH_STR("},\"bearer\":{\"type\":\"http\",\"scheme\":\"bearer\","
                      "\"bearerFormat\":\"JWT\",\"description\":\"Short-lived access tokens, by "
                      "the practices of RFC 8725.\"}},\"schemas\":{"));
    for (size_t i = 0; i < sizeof(SCHEMAS) / sizeof(SCHEMAS[0]); i++) {
        gh_json_put_name(buf, gh_str_from_c(SCHEMAS[i].name));
        gh_buf_put(buf, gh_str_from_c(SCHEMAS[i].schema));
    }
    gh_buf_put(buf, GH_STR("}}"));
}

void gh_api_put_document(struct gh_buf *buf, const struct gh_identity_settings *settings)
{
    size_t count;
    const struct gh_service_endpoint *routes = gh_api_endpoints(&count);
    gh_buf_put(buf, GH_STR("{\"openapi\":\"3.1.0\",\"info\":{\"title\":\"gatehouse identity\","
                           "\"version\":\"" GH_VERSION "\"},\"paths\":{"));
    for (size_t i = 0; i < count; i++)
        if (!came_before(routes, i))
            put_path(buf, routes, count, i, settings->base_path);
    gh_buf_put_char(buf, '}');
    put_components(buf, settings);
    gh_buf_put_char(buf, '}');
}
