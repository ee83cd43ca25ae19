/* The effective policy as text. The one reader outside policy/ of what is inside a policy. */
#include "app/effective_policy.h"

#include <stdlib.h>

#include "app/key_process.h"
#include "app/sandbox_rules.h"
#include "policy/headers.h"
#include "policy/input.h"
#include "policy/policy.h"

/* Sizes and durations in words; reset after each line. */
#define WORDS_BYTES_MAX (64 * 1024)
/* The list of what stays in reach. */
#define RULES_BLOCK_BYTES (64u * 1024)
#define RULES_BYTES_MAX   (4u * 1024 * 1024)

struct printer {
    FILE *out;
    const struct gh_effective *effective;
    struct gh_arena words;
};

/* ---- shared with the JSON form ---- */

const char *gh_effective_preset_name(enum gh_header_preset preset)
{
    switch (preset) {
    case GH_PRESET_UNSET:
    case GH_PRESET_API:
        return "api";
    case GH_PRESET_SPA:
        return "spa";
    case GH_PRESET_OWASP:
        return "owasp";
    case GH_PRESET_OFF:
        return "off";
    }
    return "";
}

enum gh_header_preset gh_effective_preset(const struct gh_effective *effective, size_t route)
{
    const struct gh_policy_settings *policy = &effective->settings->policy;
    const struct gh_route_settings *routes = policy->routes.items;
    return routes[route].headers.preset != GH_PRESET_UNSET ? routes[route].headers.preset
                                                           : policy->headers.preset;
}

const char *gh_effective_plain_text(const struct gh_effective *effective,
                                    const struct gh_listener_settings *listener)
{
    const struct gh_policy_settings *policy = &effective->settings->policy;
    if (listener->tls.count > 0)
        return "TLS";
    if (policy->environment != GH_PRODUCTION || policy->https.mode != GH_MODE_ENFORCE)
        return "plain";
    return listener->plain == GH_PLAIN_REFUSE ? "plain, refuses" : "plain, redirects to https";
}

struct gh_str gh_effective_rate(struct gh_arena *arena, struct gh_config_rate rate)
{
    const char *unit = rate.window_ms == 1000      ? "second"
                       : rate.window_ms == 60000   ? "minute"
                       : rate.window_ms == 3600000 ? "hour"
                                                   : "day";
    struct gh_str text = gh_arena_format(arena, "%llu/%s", (unsigned long long)rate.count, unit);
    return text.ptr ? text : GH_STR("");
}

const char *gh_effective_when(const struct gh_header_line *line)
{
    if (line->if_silent)
        return "where the backend is silent";
    if (!line->when[0])
        return "https only";
    return line->when[1] ? NULL : "plain only";
}

struct gh_str gh_effective_access(struct gh_arena *arena, const struct gh_effective *effective,
                                  const struct gh_route *route)
{
    const size_t cap = 4096;
    char *memory = gh_arena_alloc(arena, cap);
    if (!memory)
        return GH_STR("");
    struct gh_buf text = gh_buf_over(memory, cap);
    gh_access_put(&text, &effective->settings->policy.identity.roles, &route->access);
    return gh_buf_str(&text);
}

bool gh_effective_shadow(const struct gh_effective *effective, size_t route, size_t *endpoint)
{
    const struct gh_policy_identity *identity = &effective->settings->policy.identity;
    for (; identity->enabled && *endpoint < identity->endpoint_count; ++*endpoint)
        if (gh_identity_shadows(identity, *endpoint, &effective->policy->routes[route]))
            return true;
    return false;
}

void gh_effective_sandbox(const struct gh_effective *effective, gh_sandbox_tell *tell,
                          void *context)
{
    struct gh_arena arena;
    struct gh_sandbox_rules rules;
    if (effective->settings->sandbox.mode == GH_SANDBOX_OFF)
        return;
    gh_arena_init(&arena, RULES_BLOCK_BYTES, RULES_BYTES_MAX);
    gh_sandbox_rules_make_all(&rules, effective->settings, effective->file, &arena);
    gh_sandbox_rules_tell(&rules, tell, context);
    if (gh_key_process_is_needed(effective->settings)) {
        gh_sandbox_rules_make_for_keys(&rules, effective->settings, &arena);
        gh_sandbox_rules_tell(&rules, tell, context);
    }
    gh_arena_done(&arena);
}

/* ---- text ---- */

static void print_label(struct printer *printer, const char *label)
{
    gh_arena_reset(&printer->words);
    fprintf(printer->out, "%-16s", label);
}

static void print_list(struct printer *printer, const struct gh_config_list *list)
{
    const struct gh_str *items = list->items;
    for (size_t i = 0; i < list->count; i++)
        fprintf(printer->out, "%s%.*s", i ? ", " : "", GH_STR_ARG(items[i]));
    if (list->count == 0)
        fputs("none", printer->out);
}

static void print_mode(struct printer *printer, enum gh_mode mode)
{
    if (mode != GH_MODE_ENFORCE)
        fprintf(printer->out, " (%s)", gh_mode_names[mode]);
}

static void print_size(struct printer *printer, const char *name, uint64_t bytes)
{
    fprintf(printer->out, "%s %.*s", name,
            GH_STR_ARG(gh_config_format_size(&printer->words, bytes)));
}

static void print_duration(struct printer *printer, const char *name, uint64_t ms)
{
    fprintf(printer->out, "%s %.*s", name,
            GH_STR_ARG(gh_config_format_duration(&printer->words, ms)));
}

/* What is not as one would expect. */
static const char *http2_text(const struct gh_listener_settings *listener)
{
    if (listener->tls.count > 0)
        return listener->http2 ? "" : ", no HTTP/2";
    return listener->h2c ? ", h2c" : "";
}

static void print_listeners(struct printer *printer)
{
    const struct gh_root_settings *settings = printer->effective->settings;
    const struct gh_listener_settings *listeners = settings->listeners.items;
    for (size_t i = 0; i < settings->listeners.count; i++) {
        print_label(printer, i ? "" : "listen");
        fprintf(printer->out, "%.*s (%s%s%s)\n", GH_STR_ARG(listeners[i].address),
                gh_effective_plain_text(printer->effective, &listeners[i]),
                http2_text(&listeners[i]), listeners[i].proxy_protocol ? ", PROXY protocol" : "");
    }
    if (settings->admin_listen.len) {
        print_label(printer, "admin");
        fprintf(printer->out, "%.*s\n", GH_STR_ARG(settings->admin_listen));
    }
}

static void print_who(struct printer *printer)
{
    const struct gh_policy_settings *policy = &printer->effective->settings->policy;
    if (policy->public_url.len) {
        print_label(printer, "public URL");
        fprintf(printer->out, "%.*s\n", GH_STR_ARG(policy->public_url));
    }
    print_label(printer, "https");
    fputs(policy->environment == GH_DEVELOPMENT ? "not asked for in development"
                                                : gh_mode_names[policy->https.mode],
          printer->out);
    fputc('\n', printer->out);
    print_label(printer, "hosts");
    print_list(printer, &policy->hosts.allow);
    if (policy->environment == GH_DEVELOPMENT)
        fputs(" and this machine", printer->out);
    print_mode(printer, policy->hosts.mode);
    fputc('\n', printer->out);
    print_label(printer, "trusted proxies");
    print_list(printer, &policy->trusted_proxies.allow);
    fputc('\n', printer->out);
}

static void print_cors(struct printer *printer)
{
    const struct gh_cors_settings *cors = &printer->effective->settings->policy.cors;
    print_label(printer, "cors");
    if (!printer->effective->settings->policy.cors_given) {
        fputs("none: pages of other origins may not read answers\n", printer->out);
        return;
    }
    print_list(printer, &cors->origins);
    fputs("; methods ", printer->out);
    print_list(printer, &cors->methods);
    fputs("; headers ", printer->out);
    print_list(printer, &cors->headers);
    fputs(cors->credentials ? "; with credentials" : "; without credentials", printer->out);
    print_duration(printer, "; max age", cors->max_age_ms);
    print_mode(printer, cors->mode);
    fputc('\n', printer->out);
}

static void print_limits(struct printer *printer)
{
    const struct gh_limits_settings *limits = &printer->effective->settings->policy.limits;
    print_label(printer, "limits");
    print_size(printer, "body", limits->request_body);
    print_size(printer, ", head", limits->request_head);
    print_size(printer, ", target", limits->target_length);
    fprintf(printer->out, ", %llu fields", (unsigned long long)limits->header_count);
    print_duration(printer, ", head in", limits->head_timeout_ms);
    print_duration(printer, ", body progress in", limits->body_timeout_ms);
    fprintf(printer->out, ", %llu connections per client\n",
            (unsigned long long)limits->connections_per_client);
}

static void print_rates(struct printer *printer)
{
    const struct gh_config_map *rates = &printer->effective->settings->policy.rate_limits;
    const struct gh_rate_settings *items = rates->items;
    for (size_t i = 0; i < rates->count; i++) {
        print_label(printer, i ? "" : "rate limits");
        fprintf(printer->out, "%.*s: %.*s", GH_STR_ARG(rates->keys[i]),
                GH_STR_ARG(gh_effective_rate(&printer->words, items[i].limit)));
        if (items[i].burst)
            fprintf(printer->out, ", burst %llu", (unsigned long long)items[i].burst);
        fputs(" per ", printer->out);
        print_list(printer, &items[i].key);
        print_mode(printer, items[i].mode);
        fputc('\n', printer->out);
    }
}

static void print_where_counted(struct printer *printer)
{
    if (!printer->effective->settings->redis.url.len)
        return;
    print_label(printer, "");
    fputs("shared through Redis; while it is away each node counts alone\n", printer->out);
}

/* Those that come with identity and that the file leaves as they are. */
static void print_identity_rates(struct printer *printer)
{
    const struct gh_policy_settings *policy = &printer->effective->settings->policy;
    const struct gh_policy_identity *identity = &policy->identity;
    bool first = policy->rate_limits.count == 0;
    for (size_t i = 0; identity->enabled && i < identity->limit_count; i++) {
        const struct gh_service_limit *limit = &identity->limits[i];
        bool replaced = false;
        for (size_t at = 0; at < policy->rate_limits.count; at++)
            replaced |= gh_str_eq(policy->rate_limits.keys[at], gh_str_from_c(limit->name));
        if (replaced)
            continue;
        print_label(printer, first ? "rate limits" : "");
        fprintf(printer->out, "%s: %s per %s (identity's own)\n", limit->name, limit->limit,
                limit->key);
        first = false;
    }
}

static void print_upstreams(struct printer *printer)
{
    const struct gh_config_map *upstreams = &printer->effective->settings->upstreams;
    const struct gh_upstream_settings *items = upstreams->items;
    for (size_t i = 0; i < upstreams->count; i++) {
        print_label(printer, i ? "" : "upstreams");
        fprintf(printer->out, "%.*s: ", GH_STR_ARG(upstreams->keys[i]));
        print_list(printer, &items[i].servers);
        print_duration(printer, "; answer in", items[i].timeouts.response_ms);
        fputc('\n', printer->out);
    }
}

/* Routes with the same headers share a block, which gets a number from 1 on. */
static size_t *number_blocks(const struct gh_policy *policy)
{
    size_t *numbers = calloc(policy->route_count + 1, sizeof *numbers);
    size_t count = 0;
    for (size_t i = 0; numbers && i < policy->route_count; i++) {
        size_t same = 0;
        while (policy->routes[same].block != policy->routes[i].block)
            same++;
        numbers[i] = same < i ? numbers[same] : ++count;
    }
    return numbers;
}

static void print_input(struct printer *printer, const struct gh_input_rule *rule)
{
    static const char *const ACTIONS[] = {[GH_UNDECLARED_REFUSE] = "refused",
                                          [GH_UNDECLARED_REPORT] = "reported",
                                          [GH_UNDECLARED_IGNORE] = "ignored"};
    const struct gh_undeclared_settings *undeclared = &rule->undeclared;
    fprintf(printer->out,
            "      input %.*s: %zu operations under %.*s/, %s; undeclared paths %s, methods %s, "
            "query %s, content types %s%s",
            GH_STR_ARG(rule->file), rule->api->operation_count, GH_STR_ARG(rule->api->base_path),
            rule->mode == GH_MODE_ENFORCE ? "enforced" : "observed", ACTIONS[undeclared->paths],
            ACTIONS[undeclared->methods], ACTIONS[undeclared->query],
            ACTIONS[undeclared->content_types],
            rule->observe_responses ? "; answers observed" : "");
    print_size(printer, "; bodies judged up to", rule->body_max);
    fputc('\n', printer->out);
}

static void print_route(struct printer *printer, size_t index, size_t block_number)
{
    const struct gh_policy *policy = printer->effective->policy;
    const struct gh_route *route = &policy->routes[index];
    const struct gh_config_map *upstreams = &printer->effective->settings->upstreams;
    FILE *out = printer->out;
    gh_arena_reset(&printer->words);
    fprintf(out, "  %.*s\n      %.*s -> %.*s; access %.*s", GH_STR_ARG(route->pattern),
            route->methods.len ? (int)route->methods.len : 11,
            route->methods.len ? route->methods.ptr : "all methods",
            GH_STR_ARG(upstreams->keys[route->upstream]),
            GH_STR_ARG(gh_effective_access(&printer->words, printer->effective, route)));
    print_size(printer, "; body", route->request_body_max);
    fputs("; rate limits ", out);
    for (size_t i = 0; i < route->rate_limit_count; i++)
        fprintf(out, "%s%.*s", i ? ", " : "",
                GH_STR_ARG(policy->rate_policies[route->rate_limits[i]].name));
    if (route->rate_limit_count == 0)
        fputs("none", out);
    fprintf(out, "; errors %s%s%s; headers %zu (%s)\n", route->scrub_errors ? "scrubbed" : "passed",
            route->websocket ? "; websocket" : "",
            route->encoded == GH_ENCODED_KEEP ? "; encoded kept" : "", block_number,
            gh_effective_preset_name(gh_effective_preset(printer->effective, index)));
    if (route->input)
        print_input(printer, route->input);
    if (route->response_timeout_ms) {
        print_duration(printer, "      answer in", route->response_timeout_ms);
        fputc('\n', out);
    }
}

/* Routes that identity takes requests from: nobody should wonder why they stay quiet. */
static void print_shadows(struct printer *printer)
{
    const struct gh_effective *effective = printer->effective;
    const struct gh_identity_rules *identity = effective->policy->identity;
    bool first = true;
    for (size_t i = 0; i < effective->policy->route_count; i++) {
        for (size_t at = 0; gh_effective_shadow(effective, i, &at); at++) {
            fprintf(printer->out, "%s  %.*s never sees %s %.*s\n",
                    first ? "\nshadowed by identity\n" : "",
                    GH_STR_ARG(effective->policy->routes[i].pattern),
                    effective->settings->policy.identity.endpoints[at].method,
                    GH_STR_ARG(identity->routes[at].pattern));
            first = false;
        }
    }
}

static void print_identity(struct printer *printer)
{
    const struct gh_policy_identity *identity = &printer->effective->settings->policy.identity;
    static const char *const FORWARD[] = {[GH_FORWARD_HEADERS] = "headers",
                                          [GH_FORWARD_BEARER] = "a signed bearer token",
                                          [GH_FORWARD_BOTH] = "headers and a signed bearer token"};
    print_label(printer, "identity");
    if (!identity->enabled) {
        fputs("off: every route is public\n", printer->out);
        return;
    }
    fprintf(printer->out, "%zu endpoints under %.*s; sign in at %.*s; backends get %s\n",
            identity->endpoint_count, GH_STR_ARG(identity->base_path),
            GH_STR_ARG(identity->login_url), FORWARD[identity->forward]);
    print_label(printer, "forward-auth");
    print_list(printer, &identity->authz_peers);
    fputs(identity->authz_peers.count ? " may ask\n" : " may ask: it is off\n", printer->out);
}

static void print_rule(void *context, const char *text)
{
    struct printer *printer = context;
    print_label(printer, "");
    fprintf(printer->out, "%s\n", text);
}

static const char *sandbox_text(const struct gh_sandbox_settings *sandbox)
{
    switch (sandbox->mode) {
    case GH_SANDBOX_ENFORCE:
        return sandbox->required
                   ? "enforce: what is not listed is out of reach, or serve does not start"
                   : "enforce: what is not listed is out of reach, where the kernel can hold it";
    case GH_SANDBOX_LOG:
        return "log: nothing is held; system calls that enforce would stop are in the kernel's log";
    case GH_SANDBOX_OFF:
        return "off: the process may do whatever its user may";
    }
    return "";
}

static void print_sandbox(struct printer *printer)
{
    print_label(printer, "sandbox");
    fprintf(printer->out, "%s\n", sandbox_text(&printer->effective->settings->sandbox));
    gh_effective_sandbox(printer->effective, print_rule, printer);
}

static void print_block(struct printer *printer, const struct gh_header_block *block, size_t number)
{
    fprintf(printer->out, "\nheaders %zu\n", number);
    for (size_t i = 0; i < block->line_count; i++) {
        const struct gh_header_line *line = &block->lines[i];
        const char *when = gh_effective_when(line);
        if (!line->when[0] && !line->when[1])
            continue;
        fprintf(printer->out, "  %.*s: %.*s%s%s%s\n", GH_STR_ARG(line->name),
                GH_STR_ARG(line->value), when ? "   [" : "", when ? when : "", when ? "]" : "");
    }
}

static void print_routes(struct printer *printer)
{
    const struct gh_policy *policy = printer->effective->policy;
    size_t *numbers = number_blocks(policy), printed = 0;
    fputs("\nroutes\n", printer->out);
    for (size_t i = 0; numbers && i < policy->route_count; i++)
        print_route(printer, i, numbers[i]);
    print_shadows(printer);
    for (size_t i = 0; numbers && i < policy->route_count; i++) {
        if (numbers[i] > printed)
            print_block(printer, policy->routes[i].block, ++printed);
    }
    if (policy->route_count == 0)
        print_block(printer, policy->block, 1);
    free(numbers);
}

void gh_effective_print(FILE *out, const struct gh_effective *effective)
{
    struct printer printer = {.out = out, .effective = effective};
    gh_arena_init(&printer.words, 1024, WORDS_BYTES_MAX);
    print_label(&printer, "environment");
    fprintf(out, "%s\n", gh_policy_is_production(effective->policy) ? "production" : "development");
    print_listeners(&printer);
    print_who(&printer);
    print_cors(&printer);
    print_limits(&printer);
    print_rates(&printer);
    print_identity_rates(&printer);
    print_where_counted(&printer);
    print_upstreams(&printer);
    print_identity(&printer);
    print_sandbox(&printer);
    print_routes(&printer);
    gh_arena_done(&printer.words);
}
