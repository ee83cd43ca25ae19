/* `gatehouse explain`: a dry run of one request through the stages, with what each decides and why,
   and the headers that the answer would carry. Opens no socket and counts nothing. */
#include "app/commands.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "app/config_file.h"
#include "app/input_documents.h"
#include "app/problem_print.h"
#include "app/root_config.h"
#include "base/assert.h"
#include "http/h1_head.h"
#include "json/writer.h"
#include "policy/request.h"
#include "policy/route.h"

#define ARENA_BLOCK_BYTES (64 * 1024)
#define ARENA_BYTES_MAX   (256 * 1024 * 1024)
#define HEADERS_MAX       64
#define STEPS_MAX         (2 * GH_STAGE_COUNT) /* some stages come more than once */
#define OUTPUT_BYTES_MAX  (1024 * 1024)
#define BODY_BYTES_MAX    ((size_t)64 * 1024 * 1024)

static const char HELP[] =
    "Usage: gatehouse explain METHOD URL [-H 'Name: value']... [--body FILE]\n"
    "                         [--content-type TYPE] [--from IP] [--config FILE] [--json]\n"
    "\n"
    "Runs one request through the stages without sending it anywhere: which route takes it, what\n"
    "each stage decides and why, what an upstream would get, and the response headers.\n"
    "\n"
    "  METHOD     GET, POST, ...\n"
    "  URL        https://host/path?query, or /path for the first host that is configured\n"
    "  -H LINE    a header field of the request; may be given again\n"
    "  --body FILE   its body, judged where the route has input\n"
    "  --content-type TYPE   of the body (default: application/json)\n"
    "  --from IP  the address the connection comes from (default: 127.0.0.1)\n"
    "  --config FILE   the configuration (default: " GH_CONFIG_FILE_DEFAULT ")\n"
    "  --json     one JSON object\n"
    "  --help     this text\n"
    "\n"
    "Exit status: 0 whatever the decision; 2 for wrong usage or a configuration with errors.\n";

struct step {
    enum gh_stage stage;
    struct gh_verdict verdict;
    struct gh_str why;
};

struct explain {
    const char *file, *method, *url, *from, *body_file, *content_type;
    const char *headers[HEADERS_MAX];
    size_t header_count;
    bool json, help;
    struct gh_arena *arena;
    struct gh_str body; /* ptr NULL: none was given */
    struct gh_root_settings settings;
    const struct gh_policy *policy;
    struct gh_peer peer;
    struct gh_request_head head;
    struct gh_request request;
    struct step steps[STEPS_MAX];
    size_t step_count;
    struct gh_verdict verdict;
    struct gh_answer_head answer;
};

/* ---- Options ---- */

static bool read_options(int argc, char **argv, struct explain *explain)
{
    static const struct option options[] = {
        {"header", required_argument, NULL, 'H'}, {"from", required_argument, NULL, 'f'},
        {"config", required_argument, NULL, 'c'}, {"json", no_argument, NULL, 'j'},
        {"body", required_argument, NULL, 'b'},   {"content-type", required_argument, NULL, 't'},
        {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0},
    };
    optind = 0; /* glibc: start afresh, argv may be another one than before */
    for (int option; (option = getopt_long(argc, argv, "hH:", options, NULL)) != -1;) {
        if (option == 'H' && explain->header_count < HEADERS_MAX)
            explain->headers[explain->header_count++] = optarg;
        else if (option == 'f')
            explain->from = optarg;
        else if (option == 'c')
            explain->file = optarg;
        else if (option == 'b')
            explain->body_file = optarg;
        else if (option == 't')
            explain->content_type = optarg;
        else if (option == 'j')
            explain->json = true;
        else if (option == 'h')
            explain->help = true;
        else
            return false;
    }
    if (explain->help)
        return true;
    if (argc - optind != 2)
        return false;
    explain->method = argv[optind];
    explain->url = argv[optind + 1];
    return true;
}

/* ---- The request ---- */

/* The host that a URL without one means: public_url's, else the first that is no pattern. */
static struct gh_str default_host(const struct explain *explain)
{
    struct gh_str url = explain->settings.policy.public_url;
    size_t scheme = gh_str_find(url, GH_STR("://"));
    if (scheme < url.len) {
        struct gh_str host = gh_str_skip(url, scheme + 3);
        return gh_str_first(host, gh_str_find_char(host, '/'));
    }
    const struct gh_str *hosts = explain->settings.policy.hosts.allow.items;
    for (size_t i = 0; i < explain->settings.policy.hosts.allow.count; i++)
        if (gh_str_find_char(hosts[i], '*') == hosts[i].len)
            return hosts[i];
    return GH_STR("localhost");
}

/* Takes the URL apart. False: neither http, https nor a path. */
static bool read_url(const struct explain *explain, bool *out_https, struct gh_str *out_host,
                     struct gh_str *out_target)
{
    struct gh_str url = gh_str_from_c(explain->url);
    bool https = gh_str_starts_with(url, GH_STR("https://"));
    if (!https && !gh_str_starts_with(url, GH_STR("http://"))) {
        *out_https = gh_policy_is_production(explain->policy);
        *out_host = default_host(explain);
        *out_target = url;
        return url.len > 0 && url.ptr[0] == '/';
    }
    url = gh_str_skip(url, https ? 8 : 7);
    size_t len = 0;
    while (len < url.len && url.ptr[len] != '/' && url.ptr[len] != '?')
        len++;
    *out_https = https;
    *out_host = gh_str_first(url, len);
    *out_target = gh_str_skip(url, len);
    return len > 0;
}

static bool is_one_line(const char *text)
{
    return strpbrk(text, "\r\n") == NULL;
}

/* What a body's length and type are, where the caller does not say so with -H. */
static void put_body_fields(struct gh_buf *out, const struct explain *explain, bool has_type)
{
    if (!explain->body.ptr)
        return;
    if (!has_type)
        gh_buf_format(out, "Content-Type: %s\r\n",
                      explain->content_type ? explain->content_type : "application/json");
    gh_buf_format(out, "Content-Length: %zu\r\n", explain->body.len);
}

/* The bytes as a client would send them; the strict reader says what is wrong with them. */
static struct gh_str write_request(const struct explain *explain, struct gh_str host,
                                   struct gh_str target)
{
    size_t cap = strlen(explain->method) + host.len + target.len + 192 +
                 (explain->content_type ? strlen(explain->content_type) : 0);
    for (size_t i = 0; i < explain->header_count; i++)
        cap += strlen(explain->headers[i]) + 2;
    char *memory = gh_arena_alloc(explain->arena, cap);
    if (!memory)
        return (struct gh_str){0};
    struct gh_buf out = gh_buf_over(memory, cap);
    bool has_host = false, has_type = false;
    gh_buf_put(&out, gh_str_from_c(explain->method));
    gh_buf_put(&out, target.len && target.ptr[0] == '/' ? GH_STR(" ") : GH_STR(" /"));
    gh_buf_put(&out, target);
    gh_buf_put(&out, GH_STR(" HTTP/1.1\r\n"));
    for (size_t i = 0; i < explain->header_count; i++) {
        struct gh_str line = gh_str_from_c(explain->headers[i]);
        has_host |= gh_str_ieq(gh_str_first(line, 5), GH_STR("host:"));
        has_type |= gh_str_ieq(gh_str_first(line, 13), GH_STR("content-type:"));
        gh_buf_put(&out, line);
        gh_buf_put(&out, GH_STR("\r\n"));
    }
    if (!has_host) {
        gh_buf_put(&out, GH_STR("Host: "));
        gh_buf_put(&out, host);
        gh_buf_put(&out, GH_STR("\r\n"));
    }
    put_body_fields(&out, explain, has_type);
    gh_buf_put(&out, GH_STR("\r\n"));
    GH_ASSERT(!out.overflow);
    return gh_buf_str(&out);
}

static enum gh_http_error parse(struct explain *explain, struct gh_str bytes)
{
    const struct gh_limits_settings *limits = gh_policy_limits(explain->policy);
    const struct gh_codec_limits codec_limits = {
        .head_bytes_max = limits->request_head,
        .target_bytes_max = limits->target_length,
        .field_count_max = limits->header_count,
    };
    size_t scanned = 0, head_len = 0;
    enum gh_http_error error = GH_HTTP_ERROR_MALFORMED;
    if (gh_h1_scan_request_head(bytes, &scanned, &codec_limits, &head_len, &error) !=
        GH_H1_SCAN_DONE)
        return error;
    return gh_h1_parse_request_head(gh_str_first(bytes, head_len), &codec_limits, explain->arena,
                                    &explain->head);
}

/* ---- The run ---- */

static void add_step(struct explain *explain, enum gh_stage stage, struct gh_verdict verdict,
                     struct gh_str why)
{
    GH_ASSERT(explain->step_count < STEPS_MAX);
    explain->steps[explain->step_count++] =
        (struct step){stage, verdict, gh_arena_dup(explain->arena, why)};
}

static void on_step(void *context, enum gh_stage stage, struct gh_verdict verdict,
                    struct gh_str why)
{
    add_step(context, stage, verdict, why);
}

static bool goes_upstream(const struct explain *explain)
{
    return explain->verdict.kind == GH_VERDICT_NEXT &&
           explain->request.target == GH_TARGET_UPSTREAM;
}

/* The head of the answer; for an upstream's, one that says 200 and nothing else. */
static bool make_answer(struct explain *explain)
{
    bool replaced;
    struct gh_response_head silent = {.status = 200, .body = GH_BODY_LENGTH};
    struct gh_request *request = &explain->request;
    if (explain->verdict.kind == GH_VERDICT_NEXT && !goes_upstream(explain))
        request->reply.status = request->target == GH_TARGET_CSP_REPORT ? 204 : 200;
    return gh_policy_answer(request, goes_upstream(explain) ? &silent : NULL, &explain->answer,
                            &replaced);
}

static bool run(struct explain *explain, struct gh_str bytes)
{
    struct gh_request *request = &explain->request;
    gh_request_init(request);
    request->policy = explain->policy;
    request->arena = explain->arena;
    request->peer = &explain->peer;
    request->dry_run = true;
    request->ready = true;
    request->now_s = (uint64_t)time(NULL);
    for (size_t i = 0; i < sizeof(request->random); i++) /* ids that are plainly made up */
        request->random[i] = (uint8_t)(i + 1);
    enum gh_http_error error = parse(explain, bytes);
    if (error != GH_HTTP_ERROR_NONE) {
        enum gh_reason reason = gh_reason_of_http_error(error);
        gh_policy_refuse(request, GH_STAGE_READ, reason);
        explain->verdict = request->verdict;
        add_step(explain, GH_STAGE_READ, explain->verdict, gh_reason_facts(reason)->detail);
        return make_answer(explain);
    }
    request->head = &explain->head;
    request->body = explain->body;
    request->body_known = explain->body.ptr;
    add_step(explain, GH_STAGE_READ, (struct gh_verdict){GH_VERDICT_NEXT, GH_REASON_UNDECIDED},
             GH_STR("the head is well-formed"));
    explain->verdict = gh_policy_explain(request, on_step, explain);
    return make_answer(explain);
}

/* ---- Printing ---- */

static const char *target_name(enum gh_target_kind target)
{
    switch (target) {
    case GH_TARGET_NONE:
        return "none";
    case GH_TARGET_UPSTREAM:
        return "upstream";
    case GH_TARGET_HEALTHZ:
        return "healthz";
    case GH_TARGET_READYZ:
        return "readyz";
    case GH_TARGET_CSP_REPORT:
        return "csp_report";
    case GH_TARGET_ACME:
        return "acme";
    case GH_TARGET_METRICS:
        return "metrics";
    case GH_TARGET_SERVICE:
        return "identity";
    }
    return "none";
}

static struct gh_str upstream_name(const struct explain *explain)
{
    size_t index = explain->request.upstream;
    return index < explain->settings.upstreams.count ? explain->settings.upstreams.keys[index]
                                                     : GH_STR("");
}

static const char *verdict_word(struct gh_verdict verdict)
{
    return verdict.kind == GH_VERDICT_NEXT ? "pass" : "answer";
}

static void put_indented(struct gh_buf *out, struct gh_str lines)
{
    for (struct gh_str rest = lines; rest.ptr && rest.len;) {
        struct gh_str line = gh_str_split(&rest, '\n');
        if (line.len && line.ptr[line.len - 1] == '\r')
            line.len--;
        if (line.len) {
            gh_buf_put(out, GH_STR("  "));
            gh_buf_put(out, line);
            gh_buf_put(out, GH_STR("\n"));
        }
    }
}

static void put_decision(struct gh_buf *out, const struct explain *explain)
{
    if (goes_upstream(explain)) {
        gh_buf_put(out, GH_STR("\nThe upstream "));
        gh_buf_put(out, upstream_name(explain));
        gh_buf_put(out, GH_STR(" gets:\n"));
        put_indented(out, gh_policy_write_upstream_head(&explain->request));
        gh_buf_put(out, GH_STR("\nIts answer, if it says nothing else, goes on as:\n"));
    } else if (explain->verdict.kind == GH_VERDICT_NEXT &&
               explain->request.target == GH_TARGET_SERVICE) {
        gh_buf_put(out, GH_STR("\nThe identity service answers, at best with:\n"));
    } else if (explain->verdict.kind == GH_VERDICT_NEXT) {
        gh_buf_put(out, GH_STR("\nBuilt in ("));
        gh_buf_put(out, gh_str_from_c(target_name(explain->request.target)));
        gh_buf_put(out, GH_STR("), answered with:\n"));
    } else {
        gh_buf_put(out, GH_STR("\nThe gateway answers:\n"));
    }
}

static void put_text(struct gh_buf *out, const struct explain *explain)
{
    for (size_t i = 0; i < explain->step_count; i++) {
        const struct step *step = &explain->steps[i];
        gh_buf_format(out, "%-11.*s %-7s ", GH_STR_ARG(gh_stage_name(step->stage)),
                      verdict_word(step->verdict));
        gh_buf_put(out, step->why);
        gh_buf_put(out, GH_STR("\n"));
    }
    put_decision(out, explain);
    gh_buf_format(out, "  %u %.*s\n", explain->answer.status,
                  GH_STR_ARG(gh_status_text(explain->answer.status)));
    for (size_t i = 0; i < explain->answer.field_count; i++) {
        const struct gh_field *field = &explain->answer.fields[i];
        if (!field->dropped)
            gh_buf_format(out, "  %.*s: %.*s\n", GH_STR_ARG(field->name), GH_STR_ARG(field->value));
    }
    put_indented(out, explain->answer.block);
    if (explain->verdict.kind != GH_VERDICT_NEXT && explain->request.reply.body.len)
        gh_buf_format(out, "\n  %.*s\n", GH_STR_ARG(explain->request.reply.body));
}

static void put_json_header(struct gh_buf *out, struct gh_str name, struct gh_str value, bool first)
{
    gh_buf_put(out, first ? GH_STR("{") : GH_STR(",{"));
    gh_json_put_member(out, GH_STR("name"), name);
    gh_json_put_member(out, GH_STR("value"), value);
    gh_buf_put_char(out, '}');
}

static void put_json_headers(struct gh_buf *out, const struct gh_answer_head *answer)
{
    bool first = true;
    gh_buf_put_char(out, '[');
    for (size_t i = 0; i < answer->field_count; i++) {
        if (answer->fields[i].dropped)
            continue;
        put_json_header(out, answer->fields[i].name, answer->fields[i].value, first);
        first = false;
    }
    for (struct gh_str rest = answer->block; rest.ptr && rest.len;) {
        struct gh_str line = gh_str_split(&rest, '\n');
        size_t colon = gh_str_find_char(line, ':');
        if (colon == line.len)
            break;
        struct gh_str value = gh_str_skip(line, colon + 2);
        put_json_header(out, gh_str_first(line, colon), gh_str_first(value, value.len - 1), first);
        first = false;
    }
    gh_buf_put_char(out, ']');
}

static void put_json_steps(struct gh_buf *out, const struct explain *explain)
{
    gh_buf_put_char(out, '[');
    for (size_t i = 0; i < explain->step_count; i++) {
        const struct step *step = &explain->steps[i];
        bool passed = step->verdict.kind == GH_VERDICT_NEXT;
        gh_buf_put(out, i ? GH_STR(",{") : GH_STR("{"));
        gh_json_put_member(out, GH_STR("stage"), gh_stage_name(step->stage));
        gh_json_put_member(out, GH_STR("verdict"), gh_str_from_c(verdict_word(step->verdict)));
        if (!passed)
            gh_json_put_member(out, GH_STR("reason"), gh_reason_facts(step->verdict.reason)->word);
        gh_json_put_member(out, GH_STR("why"), step->why);
        gh_buf_put_char(out, '}');
    }
    gh_buf_put_char(out, ']');
}

static void put_json(struct gh_buf *out, const struct explain *explain)
{
    const struct gh_request *request = &explain->request;
    bool passed = explain->verdict.kind == GH_VERDICT_NEXT;
    gh_buf_put_char(out, '{');
    gh_json_put_member(out, GH_STR("decision"), gh_str_from_c(verdict_word(explain->verdict)));
    gh_json_put_member_u64(out, GH_STR("status"), explain->answer.status);
    if (!passed)
        gh_json_put_member(out, GH_STR("reason"), gh_reason_facts(explain->verdict.reason)->word);
    if (request->route)
        gh_json_put_member(out, GH_STR("route"), request->route->pattern);
    gh_json_put_member(out, GH_STR("target"),
                       gh_str_from_c(target_name(passed ? request->target : GH_TARGET_NONE)));
    if (goes_upstream(explain)) {
        gh_json_put_member(out, GH_STR("upstream"), upstream_name(explain));
        gh_json_put_member(out, GH_STR("upstream_head"), gh_policy_write_upstream_head(request));
    }
    gh_json_put_name(out, GH_STR("stages"));
    put_json_steps(out, explain);
    gh_json_put_name(out, GH_STR("headers"));
    put_json_headers(out, &explain->answer);
    gh_buf_put(out, GH_STR("}\n"));
}

static int print(const struct explain *explain)
{
    char *memory = gh_arena_alloc(explain->arena, OUTPUT_BYTES_MAX);
    if (!memory)
        return 2;
    struct gh_buf out = gh_buf_over(memory, OUTPUT_BYTES_MAX);
    if (explain->json)
        put_json(&out, explain);
    else
        put_text(&out, explain);
    bool written = !out.overflow && fwrite(out.ptr, 1, out.len, stdout) == out.len;
    return written && fflush(stdout) == 0 ? 0 : 2;
}

/* ---- The command ---- */

static int usage_error(const char *what)
{
    fprintf(stderr, "gatehouse explain: %s\n", what);
    return 2;
}

/* The body as it would be sent. False: it can't be read, or nobody would take as much. */
static bool read_body(struct explain *explain)
{
    if (!explain->body_file)
        return true;
    FILE *file = fopen(explain->body_file, "re");
    char *memory = file ? gh_arena_alloc(explain->arena, BODY_BYTES_MAX + 1) : NULL;
    size_t len = memory ? fread(memory, 1, BODY_BYTES_MAX + 1, file) : 0;
    bool good = memory && !ferror(file) && len <= BODY_BYTES_MAX;
    if (file)
        fclose(file);
    explain->body = gh_str_of(memory, len);
    return good;
}

static int explain_request(struct explain *explain)
{
    struct gh_str host, target;
    if (!read_body(explain))
        return usage_error("the file of --body can't be read, or is over 64 MiB");
    if (explain->content_type && !is_one_line(explain->content_type))
        return usage_error("--content-type takes one line");
    if (!read_url(explain, &explain->peer.tls, &host, &target))
        return usage_error("the URL must begin with https://, http:// or /");
    if (!gh_ip_parse(gh_str_from_c(explain->from ? explain->from : "127.0.0.1"), &explain->peer.ip))
        return usage_error("--from takes an IP address");
    explain->peer.tls_pair = -1;
    for (size_t i = 0; i < explain->header_count; i++)
        if (!is_one_line(explain->headers[i]))
            return usage_error("-H takes one line");
    struct gh_str bytes = write_request(explain, host, target);
    if (!bytes.ptr || !run(explain, bytes))
        return usage_error("out of memory");
    return print(explain);
}

static int load_and_explain(struct explain *explain)
{
    struct gh_config_load load;
    struct gh_str text;
    const char *message;
    if (!gh_config_file_read(explain->file, explain->arena, &text, &message)) {
        fprintf(stderr, "gatehouse: %s: %s\n", explain->file, message);
        return 2;
    }
    gh_config_load_init(&load, explain->arena, explain->file, gh_environment_get, NULL);
    if (gh_root_load(&load, text, NULL, &explain->settings)) {
        gh_input_documents_load(&load, &explain->settings);
        explain->policy = gh_root_compile(&load, &explain->settings, (int64_t)time(NULL));
    }
    if (!explain->policy || load.error_count > 0) {
        gh_problems_print(stderr, &load, gh_colour_wanted(stderr));
        return 2;
    }
    return explain_request(explain);
}

int gh_cmd_explain(int argc, char **argv)
{
    struct explain explain = {0};
    if (!read_options(argc, argv, &explain)) {
        fputs(HELP, stderr);
        return 2;
    }
    if (explain.help) {
        fputs(HELP, stdout);
        return 0;
    }
    if (!explain.file)
        explain.file = GH_CONFIG_FILE_DEFAULT;
    struct gh_arena arena;
    gh_arena_init(&arena, ARENA_BLOCK_BYTES, ARENA_BYTES_MAX);
    explain.arena = &arena;
    int status = load_and_explain(&explain);
    gh_arena_done(&arena);
    return status;
}
