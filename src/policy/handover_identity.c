/*
 * Stage 15, who calls: the backend is told by headers, by a signed token, or both, and gets neither
 * our cookies nor tokens that were for us. Copies that came in were taken out by client.c.
 *
 * A value that could be read as something else is left out: a backend then sees no e-mail rather
 * than somebody else's.
 */
#include "policy/policy.h"

#include "base/span.h"

#define BEARER_PREFIX GH_STR("Authorization: Bearer ")
/* Longer ids than OpenID Connect allows (Core section 2) are no ids. */
#define ID_BYTES_MAX    255
#define EMAIL_BYTES_MAX 320
#define COLON           GH_STR(": ")
#define CRLF            GH_STR("\r\n")

/* ---- Values ---- */

static const struct gh_span_class PLAIN = {0x21, 0x7e, "%,"};

/* Bytes outside visible ASCII, and what lists and escapes are made of, as %XX. ptr NULL: no
   memory. */
static struct gh_str escape(struct gh_arena *arena, struct gh_str text)
{
    static const char DIGITS[] = "0123456789ABCDEF";
    if (gh_span(text, PLAIN) == text.len)
        return text.ptr ? text : GH_STR("");
    char *memory = gh_arena_alloc(arena, 3 * text.len);
    if (!memory)
        return (struct gh_str){0};
    struct gh_buf out = gh_buf_over(memory, 3 * text.len);
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = (uint8_t)text.ptr[i];
        const char escaped[] = {'%', DIGITS[byte >> 4], DIGITS[byte & 15]};
        if (gh_span_has(PLAIN, text.ptr[i]))
            gh_buf_put_char(&out, text.ptr[i]);
        else
            gh_buf_put(&out, gh_str_of(escaped, sizeof(escaped)));
    }
    return gh_buf_str(&out);
}

/* What address lists are made of, and the '@' itself. */
static const struct gh_span_class IN_EMAIL = {0x21, 0xff, "\"(),:;<>[\\]@\x7f"};

/* One '@' with something on both sides. */
static bool is_email(struct gh_str email)
{
    size_t at = gh_span(email, IN_EMAIL);
    if (!at || at + 1 >= email.len || email.ptr[at] != '@' || email.len > EMAIL_BYTES_MAX)
        return false;
    struct gh_str domain = gh_str_skip(email, at + 1);
    return gh_span(domain, IN_EMAIL) == domain.len;
}

bool gh_identity_values_make(const struct gh_request *request,
                             struct gh_identity_values *out_values)
{
    const struct gh_subject *subject = &request->subject;
    const struct gh_role_names *roles = &request->policy->identity->roles;
    struct gh_arena *arena = request->arena;
    *out_values = (struct gh_identity_values){
        GH_STR(""),
        GH_STR(""),
        GH_STR(""),
        GH_STR(""),
    };
    if (subject->id.len <= ID_BYTES_MAX)
        out_values->user_id = escape(arena, subject->id);
    if (is_email(subject->email))
        out_values->email = escape(arena, subject->email);
    if (subject->session_id.len <= ID_BYTES_MAX)
        out_values->session_id = escape(arena, subject->session_id);
    if (subject->roles)
        out_values->roles = gh_roles_text(arena, roles, subject->roles);
    return out_values->user_id.ptr && out_values->email.ptr && out_values->session_id.ptr &&
           out_values->roles.ptr;
}

/* ---- What is handed on ---- */

static size_t line_bytes(struct gh_str name, struct gh_str value)
{
    return name.len + value.len + COLON.len + CRLF.len;
}

bool gh_identity_handover_make(const struct gh_request *request, struct gh_identity_handover *out)
{
    const struct gh_identity_rules *identity = request->policy->identity;
    const struct gh_subject *subject = &request->subject;
    *out = (struct gh_identity_handover){.active = identity};
    if (!identity || !request->signed_in)
        return true;
    const struct gh_identity_header_names *names = &identity->headers;
    if (identity->forward != GH_FORWARD_BEARER) {
        if (!gh_identity_values_make(request, &out->values))
            return false;
        out->bytes = line_bytes(names->user_id, out->values.user_id) +
                     line_bytes(names->user_email, out->values.email) +
                     line_bytes(names->user_roles, out->values.roles) +
                     line_bytes(names->session_id, out->values.session_id);
    }
    if (identity->forward == GH_FORWARD_HEADERS || !request->gate)
        return true;
    out->bearer = gh_gate_forward_token(request->gate, request->arena, request->gate_rules, subject,
                                        request->now_s);
    out->bytes += line_bytes(BEARER_PREFIX, out->bearer);
    return out->bearer.ptr;
}

static void put(struct gh_buf *out, struct gh_str name, struct gh_str value)
{
    if (!value.len)
        return;
    gh_buf_put(out, name);
    gh_buf_put(out, COLON);
    gh_buf_put(out, value);
    gh_buf_put(out, CRLF);
}

void gh_identity_put_fields(struct gh_buf *out, const struct gh_request *request,
                            const struct gh_identity_handover *handover)
{
    const struct gh_identity_rules *identity = request->policy->identity;
    if (!handover->active)
        return;
    put(out, identity->headers.user_id, handover->values.user_id);
    put(out, identity->headers.user_email, handover->values.email);
    put(out, identity->headers.user_roles, handover->values.roles);
    put(out, identity->headers.session_id, handover->values.session_id);
    if (!handover->bearer.len)
        return;
    gh_buf_put(out, BEARER_PREFIX);
    gh_buf_put(out, handover->bearer);
    gh_buf_put(out, CRLF);
}

/* ---- What is kept back ---- */

static bool is_our_cookie(const struct gh_identity_rules *identity, struct gh_str pair)
{
    struct gh_str name = gh_str_trim_ows(gh_str_first(pair, gh_str_find_char(pair, '=')));
    for (size_t i = 0; i < GH_COOKIE_COUNT; i++)
        if (gh_str_eq(name, identity->cookies[i]))
            return true;
    return false;
}

/* False: none of ours is in it. */
static bool has_our_cookies(const struct gh_identity_rules *identity, struct gh_str value)
{
    for (struct gh_str rest = value; rest.ptr;)
        if (is_our_cookie(identity, gh_str_split(&rest, ';')))
            return true;
    return false;
}

static void put_other_cookies(struct gh_buf *out, const struct gh_identity_rules *identity,
                              const struct gh_field *field)
{
    bool first = true;
    for (struct gh_str rest = field->value; rest.ptr;) {
        struct gh_str pair = gh_str_trim_ows(gh_str_split(&rest, ';'));
        if (!pair.len || is_our_cookie(identity, pair))
            continue;
        gh_buf_put(out, first ? GH_STR("Cookie: ") : GH_STR("; "));
        gh_buf_put(out, pair);
        first = false;
    }
    gh_buf_put(out, first ? GH_STR("") : CRLF);
}

/* Where the backend reads identity from Authorization, a client's copy is a forged header like any
   other: no bearer token of its own passes, and nothing beside ours. */
static bool keeps_authorization(const struct gh_request *request, struct gh_str value)
{
    if (request->own_authorization && gh_is_bearer(value))
        return false;
    if (request->policy->identity->forward == GH_FORWARD_HEADERS)
        return true;
    return !request->signed_in && !gh_is_bearer(value);
}

bool gh_identity_put_instead(struct gh_buf *out, const struct gh_request *request,
                             const struct gh_field *field)
{
    const struct gh_identity_rules *identity = request->policy->identity;
    if (field->id == GH_FIELD_AUTHORIZATION)
        return !keeps_authorization(request, field->value);
    if (field->id != GH_FIELD_COOKIE || !has_our_cookies(identity, field->value))
        return false;
    put_other_cookies(out, identity, field);
    return true;
}
