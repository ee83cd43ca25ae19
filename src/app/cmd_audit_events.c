/*
 * `audit events`: the catalogue of audit/event.h as the page docs/audit-events.md, or as JSON. What
 * a refusal is called is policy/reason.h's. No configuration and no store is needed.
 */
#include <stdio.h>
#include <string.h>

#include "app/commands.h"
#include "audit/event.h"
#include "base/buf.h"
#include "json/writer.h"
#include "policy/reason.h"

static const char HEAD[] =
    "# Audit events\n"
    "\n"
    "<!-- Made by `gatehouse audit events`; do not edit. -->\n"
    "\n"
    "Every record of the [audit log](audit.md) is one of these events; no other is ever written. "
    "A\n"
    "privileged one is listed one by one in the [monthly review](audit-review.md).\n"
    "\n"
    "| event | when | privileged |\n"
    "|---|---|---|\n";

static const char MEMBERS_HEAD[] =
    "\n"
    "## Members of metadata\n"
    "\n"
    "A record may leave members out, and has no others. Personal ones stand in the log as\n"
    "commitments, sealed under the key of the person that the record speaks of; so are "
    "`ip_address`\n"
    "and `user_agent` of every event, under the key of the actor ([format](audit-format.md)).\n"
    "\n"
    "| event | member | type | personal | meaning |\n"
    "|---|---|---|---|---|\n";

static const char REASONS_HEAD[] =
    "\n"
    "## Refusals of the gateway\n"
    "\n"
    "Which event a refusal is, by its `reason` ([the life of a request](request-life.md)). Those "
    "of\n"
    "the gateway's own endpoints have events of their own, as `login_failed`. Reasons that are "
    "not\n"
    "here (a backend that is down, redirects) are in the access log only.\n"
    "\n"
    "| event | reasons |\n"
    "|---|---|\n";

static const char *type_name(enum gh_audit_member_type type)
{
    switch (type) {
    case GH_AUDIT_MEMBER_TEXT:
        return "text";
    case GH_AUDIT_MEMBER_NUMBER:
        return "number";
    case GH_AUDIT_MEMBER_BOOL:
        return "boolean";
    case GH_AUDIT_MEMBER_LIST:
        return "list of texts";
    case GH_AUDIT_MEMBER_OBJECT:
        return "object";
    }
    return "";
}

/* Reasons that are no refusals of a request. */
static const char OTHER_REASONS[] =
    "\n"
    "Two more are not of a request that was refused: `input_rejected` with `answer_invalid`, an "
    "answer that\n"
    "is not as declared, and `rate_limited` with `http2_flood`, a connection of HTTP/2 that was "
    "ended\n"
    "because its client sent too much beside its requests; `policy` names of what: `resets`,\n"
    "`provoked_resets` (malformed requests and the like), `continuation`, `settings`, `ping`,\n"
    "`empty_data`, `priority`, `window_update`, `header_lists`, `other_frames`, `other`.\n";

/* ---- Markdown ---- */

static void write_members(FILE *out, enum gh_audit_event event)
{
    size_t count;
    const struct gh_audit_member *members = gh_audit_event_members(event, &count);
    for (size_t i = 0; i < count; i++)
        fprintf(out, "| `%.*s` | `%.*s` | %s | %s | %.*s |\n",
                GH_STR_ARG(gh_audit_event_facts(event)->name), GH_STR_ARG(members[i].name),
                type_name(members[i].type), members[i].personal ? "yes" : "",
                GH_STR_ARG(members[i].meaning));
}

static void write_reasons(FILE *out, enum gh_audit_event event)
{
    bool any = false;
    for (unsigned i = 0; i < GH_REASON_COUNT; i++) {
        const struct gh_reason_facts *reason = gh_reason_facts((enum gh_reason)i);
        if (reason->event != event)
            continue;
        if (!any)
            fprintf(out, "| `%.*s` | ", GH_STR_ARG(gh_audit_event_facts(event)->name));
        fprintf(out, "%s`%.*s`", any ? ", " : "", GH_STR_ARG(reason->word));
        any = true;
    }
    if (any)
        fputs(" |\n", out);
}

static void write_page(FILE *out)
{
    fputs(HEAD, out);
    for (unsigned i = 0; i < GH_AUDIT_EVENT_COUNT; i++) {
        const struct gh_audit_event_facts *facts = gh_audit_event_facts((enum gh_audit_event)i);
        fprintf(out, "| `%.*s` | %.*s | %s |\n", GH_STR_ARG(facts->name),
                GH_STR_ARG(facts->meaning), facts->privileged ? "yes" : "");
    }
    fputs(MEMBERS_HEAD, out);
    for (unsigned i = 0; i < GH_AUDIT_EVENT_COUNT; i++)
        write_members(out, (enum gh_audit_event)i);
    fputs(REASONS_HEAD, out);
    for (unsigned i = 0; i < GH_AUDIT_EVENT_COUNT; i++)
        write_reasons(out, (enum gh_audit_event)i);
    fputs(OTHER_REASONS, out);
}

/* ---- JSON ---- */

static void put_members(struct gh_buf *buf, enum gh_audit_event event)
{
    size_t count;
    const struct gh_audit_member *members = gh_audit_event_members(event, &count);
    gh_json_put_name(buf, GH_STR("members"));
    gh_buf_put_char(buf, '[');
    for (size_t i = 0; i < count; i++) {
        gh_buf_put(buf, i ? GH_STR(",{") : GH_STR("{"));
        gh_json_put_member(buf, GH_STR("name"), members[i].name);
        gh_json_put_member(buf, GH_STR("type"), gh_str_from_c(type_name(members[i].type)));
        gh_json_put_member_bool(buf, GH_STR("personal"), members[i].personal);
        gh_json_put_member(buf, GH_STR("meaning"), members[i].meaning);
        gh_buf_put_char(buf, '}');
    }
    gh_buf_put_char(buf, ']');
}

static void put_reasons(struct gh_buf *buf, enum gh_audit_event event)
{
    bool any = false;
    gh_json_put_name(buf, GH_STR("reasons"));
    gh_buf_put_char(buf, '[');
    for (unsigned i = 0; i < GH_REASON_COUNT; i++) {
        const struct gh_reason_facts *reason = gh_reason_facts((enum gh_reason)i);
        if (reason->event != event)
            continue;
        if (any)
            gh_buf_put_char(buf, ',');
        gh_json_put_string(buf, reason->word);
        any = true;
    }
    gh_buf_put_char(buf, ']');
}

/* A line for each event, in one array. */
static void write_json(FILE *out)
{
    char memory[8192];
    for (unsigned i = 0; i < GH_AUDIT_EVENT_COUNT; i++) {
        const struct gh_audit_event_facts *facts = gh_audit_event_facts((enum gh_audit_event)i);
        struct gh_buf buf = gh_buf_over(memory, sizeof(memory));
        gh_buf_put_char(&buf, '{');
        gh_json_put_member(&buf, GH_STR("event"), facts->name);
        gh_json_put_member(&buf, GH_STR("when"), facts->meaning);
        gh_json_put_member_bool(&buf, GH_STR("privileged"), facts->privileged);
        put_members(&buf, (enum gh_audit_event)i);
        put_reasons(&buf, (enum gh_audit_event)i);
        gh_buf_put_char(&buf, '}');
        fprintf(out, "%s%.*s", i ? ",\n" : "[", GH_STR_ARG(gh_buf_str(&buf)));
    }
    fputs("]\n", out);
}

int gh_cmd_audit_events(int argc, char **argv)
{
    bool json = argc == 3 && strcmp(argv[2], "--json") == 0;
    if (argc > 2 && !json) {
        fprintf(stderr, "gatehouse audit events: it takes --json only\n");
        return 2;
    }
    if (json)
        write_json(stdout);
    else
        write_page(stdout);
    return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 2;
}
