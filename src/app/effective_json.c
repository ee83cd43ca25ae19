/* The effective policy as JSON, for `check --json`. */
#include "app/effective_policy.h"

#include "json/writer.h"
#include "policy/headers.h"
#include "policy/input.h"
#include "policy/policy.h"

static void put(FILE *out, const char *text)
{
    fputs(text, out);
}

/* Any length: the escaped text is at most six times as long. */
static void put_string(FILE *out, struct gh_str text)
{
    char memory[6 * 256 + 2];
    fputc('"', out);
    while (text.len > 0) {
        struct gh_str piece = gh_str_first(text, 256);
        while (piece.len < text.len && piece.len > 200 &&
               ((unsigned char)text.ptr[piece.len] & 0xc0) == 0x80)
            piece.len--;
        struct gh_buf buf = gh_buf_over(memory, sizeof memory);
        gh_json_put_string(&buf, piece);
        fwrite(buf.ptr + 1, 1, buf.len - 2, out);
        text = gh_str_skip(text, piece.len);
    }
    fputc('"', out);
}

static void put_member(FILE *out, const char *name, struct gh_str value)
{
    fprintf(out, "\"%s\":", name);
    put_string(out, value);
}

static void put_number(FILE *out, const char *name, uint64_t value)
{
    fprintf(out, "\"%s\":%llu", name, (unsigned long long)value);
}

static void put_list(FILE *out, const char *name, const struct gh_config_list *list)
{
    const struct gh_str *items = list->items;
    fprintf(out, "\"%s\":[", name);
    for (size_t i = 0; i < list->count; i++) {
        put(out, i ? "," : "");
        put_string(out, items[i]);
    }
    put(out, "]");
}

static void put_listeners(FILE *out, const struct gh_effective *effective)
{
    const struct gh_listener_settings *listeners = effective->settings->listeners.items;
    put(out, "\"listen\":[");
    for (size_t i = 0; i < effective->settings->listeners.count; i++) {
        put(out, i ? ",{" : "{");
        put_member(out, "address", listeners[i].address);
        bool http2 = listeners[i].tls.count ? listeners[i].http2 : listeners[i].h2c;
        fprintf(out, ",\"tls\":%s,\"http2\":%s,\"proxy_protocol\":%s}",
                listeners[i].tls.count ? "true" : "false", http2 ? "true" : "false",
                listeners[i].proxy_protocol ? "true" : "false");
    }
    put(out, "],");
    put_member(out, "admin_listen", effective->settings->admin_listen);
}

static void put_cors(FILE *out, const struct gh_policy_settings *policy)
{
    put(out, ",\"cors\":");
    if (!policy->cors_given) {
        put(out, "null");
        return;
    }
    put(out, "{");
    put_list(out, "origins", &policy->cors.origins);
    put(out, ",");
    put_list(out, "methods", &policy->cors.methods);
    put(out, ",");
    put_list(out, "headers", &policy->cors.headers);
    fprintf(out, ",\"credentials\":%s,\"mode\":\"%s\",",
            policy->cors.credentials ? "true" : "false", gh_mode_names[policy->cors.mode]);
    put_number(out, "max_age_ms", policy->cors.max_age_ms);
    put(out, "}");
}

static void put_rates(FILE *out, const struct gh_config_map *rates)
{
    const struct gh_rate_settings *items = rates->items;
    put(out, ",\"rate_limits\":{");
    for (size_t i = 0; i < rates->count; i++) {
        put(out, i ? "," : "");
        put_string(out, rates->keys[i]);
        put(out, ":{");
        put_number(out, "count", items[i].limit.count);
        put(out, ",");
        put_number(out, "window_ms", items[i].limit.window_ms);
        put(out, ",");
        put_number(out, "burst", items[i].burst);
        put(out, ",");
        put_list(out, "key", &items[i].key);
        fprintf(out, ",\"mode\":\"%s\"}", gh_mode_names[items[i].mode]);
    }
    put(out, "}");
}

static void put_headers(FILE *out, const struct gh_header_block *block)
{
    bool first = true;
    put(out, ",\"headers\":[");
    for (size_t i = 0; i < block->line_count; i++) {
        const struct gh_header_line *line = &block->lines[i];
        if (!line->when[0] && !line->when[1])
            continue;
        put(out, first ? "{" : ",{");
        first = false;
        put_member(out, "name", line->name);
        put(out, ",");
        put_member(out, "value", line->value);
        fprintf(out, ",\"plain\":%s,\"https\":%s,\"if_silent\":%s}",
                line->when[0] ? "true" : "false", line->when[1] ? "true" : "false",
                line->if_silent ? "true" : "false");
    }
    put(out, "]");
}

#define ACCESS_BYTES_MAX (16 * 1024)

static void put_access(FILE *out, const struct gh_effective *effective,
                       const struct gh_route *route)
{
    struct gh_arena words;
    gh_arena_init(&words, 1024, ACCESS_BYTES_MAX);
    put_member(out, "access", gh_effective_access(&words, effective, route));
    gh_arena_done(&words);
}

/* What identity's endpoints take from the route. */
static void put_shadows(FILE *out, const struct gh_effective *effective, size_t route)
{
    const struct gh_identity_rules *identity = effective->policy->identity;
    bool first = true;
    put(out, ",\"shadowed_by\":[");
    for (size_t at = 0; gh_effective_shadow(effective, route, &at); at++) {
        put(out, first ? "{" : ",{");
        put_member(out, "method",
                   gh_str_from_c(effective->settings->policy.identity.endpoints[at].method));
        put(out, ",");
        put_member(out, "path", identity->routes[at].pattern);
        put(out, "}");
        first = false;
    }
    put(out, "]");
}

static void put_identity(FILE *out, const struct gh_policy_identity *identity)
{
    static const char *const FORWARD[] = {[GH_FORWARD_HEADERS] = "headers",
                                          [GH_FORWARD_BEARER] = "bearer",
                                          [GH_FORWARD_BOTH] = "both"};
    put(out, ",\"identity\":");
    if (!identity->enabled) {
        put(out, "null");
        return;
    }
    put(out, "{");
    put_member(out, "base_path", identity->base_path);
    put(out, ",");
    put_member(out, "login_url", identity->login_url);
    put(out, ",");
    put_number(out, "endpoints", identity->endpoint_count);
    fprintf(out, ",\"forward\":\"%s\",", FORWARD[identity->forward]);
    put_list(out, "authz_peers", &identity->authz_peers);
    put(out, "}");
}

static void put_input(FILE *out, const struct gh_input_rule *rule)
{
    put(out, ",\"input\":");
    if (!rule) {
        put(out, "null");
        return;
    }
    put(out, "{");
    put_member(out, "openapi", rule->file);
    put(out, ",");
    put_member(out, "base_path", rule->api->base_path);
    put(out, ",");
    put_number(out, "operations", rule->api->operation_count);
    put(out, ",");
    put_number(out, "body", rule->body_max);
    fprintf(out, ",\"mode\":\"%s\",\"responses\":\"%s\"}", gh_mode_names[rule->mode],
            rule->observe_responses ? "observe" : "off");
}

struct rule_list {
    FILE *out;
    bool begun;
};

static void put_rule(void *context, const char *text)
{
    struct rule_list *list = context;
    put(list->out, list->begun ? "," : "");
    put_string(list->out, gh_str_from_c(text));
    list->begun = true;
}

static void put_sandbox(FILE *out, const struct gh_effective *effective)
{
    const struct gh_sandbox_settings *sandbox = &effective->settings->sandbox;
    struct rule_list list = {out, false};
    fprintf(out, ",\"sandbox\":{\"mode\":\"%s\",\"required\":%s,\"rules\":[",
            gh_sandbox_mode_name(sandbox->mode), sandbox->required ? "true" : "false");
    gh_effective_sandbox(effective, put_rule, &list);
    put(out, "]}");
}

static void put_route(FILE *out, const struct gh_effective *effective, size_t index)
{
    const struct gh_policy *policy = effective->policy;
    const struct gh_route *route = &policy->routes[index];
    put(out, index ? ",\n{" : "\n{");
    put_member(out, "path", route->pattern);
    put(out, ",\"methods\":");
    if (route->methods.len)
        put_string(out, route->methods);
    else
        put(out, "null");
    put(out, ",");
    put_member(out, "upstream", effective->settings->upstreams.keys[route->upstream]);
    put(out, ",");
    put_access(out, effective, route);
    put_shadows(out, effective, index);
    put(out, ",");
    put_number(out, "request_body", route->request_body_max);
    put(out, ",\"rate_limits\":[");
    for (size_t i = 0; i < route->rate_limit_count; i++) {
        put(out, i ? "," : "");
        put_string(out, policy->rate_policies[route->rate_limits[i]].name);
    }
    fprintf(out, "],\"websocket\":%s,\"scrub_errors\":%s,\"preset\":\"%s\"",
            route->websocket ? "true" : "false", route->scrub_errors ? "true" : "false",
            gh_effective_preset_name(gh_effective_preset(effective, index)));
    put_input(out, route->input);
    put_headers(out, route->block);
    put(out, "}");
}

void gh_effective_print_json(FILE *out, const struct gh_effective *effective)
{
    const struct gh_policy_settings *policy = &effective->settings->policy;
    fprintf(out, "{\"environment\":\"%s\",",
            gh_policy_is_production(effective->policy) ? "production" : "development");
    put_listeners(out, effective);
    put(out, ",");
    put_member(out, "public_url", policy->public_url);
    fprintf(out, ",\"https\":\"%s\",\"hosts_mode\":\"%s\",", gh_mode_names[policy->https.mode],
            gh_mode_names[policy->hosts.mode]);
    put_list(out, "hosts", &policy->hosts.allow);
    put(out, ",");
    put_list(out, "trusted_proxies", &policy->trusted_proxies.allow);
    put_cors(out, policy);
    put_rates(out, &policy->rate_limits);
    fprintf(out, ",\"rate_limits_shared\":%s",
            effective->settings->redis.url.len ? "true" : "false");
    put_identity(out, &policy->identity);
    put_sandbox(out, effective);
    put(out, ",\"routes\":[");
    for (size_t i = 0; i < effective->policy->route_count; i++)
        put_route(out, effective, i);
    put(out, "]}");
}
