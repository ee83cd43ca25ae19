/*
 * `gatehouse openapi`: lint audits a document and writes its constrained copy; rules prints the
 * table of rules. Files are read and written here, the rules are openapi/lint.h's.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "app/commands.h"
#include "crypto/hash.h"
#include "openapi/fix.h"

#define ARENA_BYTES_MAX ((size_t)1024 * 1024 * 1024)
#define MAPPINGS_MAX    64

static const char HELP[] =
    "Usage: gatehouse openapi lint FILE [OPTIONS]\n"
    "       gatehouse openapi rules\n"
    "\n"
    "Audits an OpenAPI document (3.0 or 3.1, YAML or JSON): inputs without bounds, operations\n"
    "without security. docs/openapi-lint.md lists the rules; `rules` prints them.\n"
    "\n"
    "  --format text|json|sarif|markdown   how findings are written (text)\n"
    "  --report FILE        also writes the Markdown page for the record\n"
    "  --date YYYY-MM-DD    of the record (today)\n"
    "  --severity error|warning   what is told and counts (warning: all)\n"
    "  --ignore RULE        leaves a rule out; may be repeated\n"
    "  --responses          judges the constraints of answers too\n"
    "  --schemas URI=FILE   reads a document that others refer to by URI; may be repeated\n"
    "  --fix OUT            writes a constrained copy; of several files: into the directory OUT\n"
    "  --evidence FILE      bounds seen in traffic (JSON Lines), from which --fix proposes\n"
    "  --help               this text\n"
    "\n"
    "Exit status: 0 nothing was found, or nothing is left in the constrained copy; 1 findings;\n"
    "2 wrong usage, or a document that can't be read.\n";

enum format { FORMAT_TEXT, FORMAT_JSON, FORMAT_SARIF, FORMAT_MARKDOWN };

struct words {
    const char *file, *report, *date, *fix, *evidence;
    enum format format;
    enum gh_lint_severity threshold;
    struct gh_openapi_mapping mappings[MAPPINGS_MAX];
    size_t mapping_count;
    struct gh_lint_options options;
};

/* ---- The command line ---- */

static bool read_format(struct words *words, const char *value)
{
    static const char *const NAMES[] = {"text", "json", "sarif", "markdown"};
    for (unsigned i = 0; i < 4; i++) {
        if (strcmp(NAMES[i], value) == 0) {
            words->format = (enum format)i;
            return true;
        }
    }
    return false;
}

static bool read_severity(struct words *words, const char *value)
{
    words->threshold = strcmp(value, "error") == 0 ? GH_LINT_ERROR : GH_LINT_WARNING;
    return words->threshold == GH_LINT_ERROR || strcmp(value, "warning") == 0;
}

static bool read_ignore(struct words *words, const char *value)
{
    enum gh_lint_rule rule = gh_lint_rule_find(gh_str_from_c(value));
    if (rule == GH_LINT_RULE_COUNT)
        return false;
    words->options.ignored[rule] = true;
    return true;
}

static bool read_mapping(struct words *words, const char *value)
{
    const char *equals = strrchr(value, '=');
    if (!equals || equals == value || !equals[1] || words->mapping_count == MAPPINGS_MAX)
        return false;
    words->mappings[words->mapping_count++] = (struct gh_openapi_mapping){
        gh_str_of(value, (size_t)(equals - value)), gh_str_from_c(equals + 1)};
    return true;
}

static bool is_date(const char *text)
{
    static const char SHAPE[] = "dddd-dd-dd";
    if (strlen(text) != sizeof(SHAPE) - 1)
        return false;
    for (size_t i = 0; SHAPE[i]; i++)
        if (SHAPE[i] == 'd' ? text[i] < '0' || text[i] > '9' : text[i] != '-')
            return false;
    return true;
}

static bool read_date(struct words *words, const char *value)
{
    words->date = value;
    return is_date(value);
}

static bool read_report(struct words *words, const char *value)
{
    words->report = value;
    return *value;
}

static bool read_fix(struct words *words, const char *value)
{
    words->fix = value;
    return *value;
}

static bool read_evidence(struct words *words, const char *value)
{
    words->evidence = value;
    return *value;
}

static const struct {
    const char *name;
    bool (*read)(struct words *words, const char *value);
} OPTIONS[] = {
    {"--format", read_format},   {"--report", read_report},     {"--date", read_date},
    {"--fix", read_fix},         {"--severity", read_severity}, {"--ignore", read_ignore},
    {"--schemas", read_mapping}, {"--evidence", read_evidence},
};

/* False: wrong usage, which was told. */
static bool read_option(struct words *words, int argc, char **argv, int *at)
{
    const char *word = argv[*at];
    for (size_t i = 0; i < sizeof(OPTIONS) / sizeof(OPTIONS[0]); i++) {
        size_t len = strlen(OPTIONS[i].name);
        const char *value = NULL;
        if (strcmp(word, OPTIONS[i].name) == 0)
            value = *at + 1 < argc ? argv[++*at] : "";
        else if (strncmp(word, OPTIONS[i].name, len) == 0 && word[len] == '=')
            value = word + len + 1;
        if (!value)
            continue;
        if (OPTIONS[i].read(words, value))
            return true;
        fprintf(stderr, "gatehouse openapi lint: %s can't be \"%s\"\n", OPTIONS[i].name, value);
        return false;
    }
    if (strcmp(word, "--responses") == 0) {
        words->options.responses = true;
        return true;
    }
    if (words->file || (word[0] == '-' && word[1])) {
        fprintf(stderr, "gatehouse openapi lint: it does not take \"%s\"\n", word);
        return false;
    }
    words->file = word;
    return true;
}

/* ---- Files ---- */

/* Reads what is no bigger than `max`. */
static enum gh_err read_file(struct gh_arena *arena, struct gh_str path, size_t max,
                             struct gh_str *out_text)
{
    struct gh_str name = gh_arena_dup(arena, path);
    FILE *file = name.ptr ? fopen(name.ptr, "re") : NULL;
    size_t len = 0, room = 0;
    char *memory = NULL;
    if (!file)
        return !name.ptr ? GH_ERR_MEMORY : errno == ENOENT ? GH_ERR_NOT_FOUND : GH_ERR_IO;
    do {
        room = room ? 2 * room : 64u * 1024;
        char *bigger = gh_arena_alloc(arena, room + 1);
        if (!bigger) {
            fclose(file);
            return GH_ERR_MEMORY;
        }
        if (len)
            memcpy(bigger, memory, len);
        memory = bigger;
        len += fread(memory + len, 1, room - len, file);
    } while (len == room && len <= max);
    bool failed = ferror(file) != 0;
    fclose(file);
    if (failed)
        return GH_ERR_IO;
    *out_text = gh_str_of(memory, len);
    return len > max ? GH_ERR_FULL : GH_OK;
}

static enum gh_err read_document(void *context, struct gh_arena *arena, struct gh_str path,
                                 struct gh_str *out_text)
{
    (void)context;
    return read_file(arena, path, GH_OPENAPI_FILE_BYTES_MAX, out_text);
}

/* The directory of a path with its "/", or nothing. */
static struct gh_str directory_of(struct gh_str path)
{
    while (path.len && path.ptr[path.len - 1] != '/')
        path.len--;
    return path;
}

static bool leads_up(struct gh_str path)
{
    for (struct gh_str rest = path; rest.ptr;)
        if (gh_str_eq(gh_str_split(&rest, '/'), GH_STR("..")))
            return true;
    return gh_str_starts_with(path, GH_STR("/"));
}

/* Only the document and what stands beside it and below is copied. */
static bool is_copied(const struct gh_fix *fix, size_t index)
{
    struct gh_str home = directory_of(fix->texts[0].file->path);
    struct gh_str path = fix->texts[index].file->path;
    return index == 0 || (gh_str_starts_with(path, home) && !leads_up(gh_str_skip(path, home.len)));
}

/* Texts of the constrained copy where it has them, under the names of the originals. */
static enum gh_err read_fixed(void *context, struct gh_arena *arena, struct gh_str path,
                              struct gh_str *out_text)
{
    const struct gh_fix *fix = context;
    for (size_t i = 0; i < fix->count; i++) {
        if (gh_str_eq(fix->texts[i].file->path, path) && is_copied(fix, i)) {
            *out_text = fix->texts[i].text;
            return GH_OK;
        }
    }
    return read_document(NULL, arena, path, out_text);
}

static int complain(const char *what, const char *path)
{
    fprintf(stderr, "gatehouse openapi lint: %s %s: %s\n", what, path, strerror(errno));
    return 2;
}

/* ---- Loading ---- */

static void print_problems(const struct gh_openapi_problems *problems)
{
    for (size_t i = 0; i < problems->count; i++) {
        const struct gh_openapi_problem *problem = &problems->items[i];
        fprintf(stderr, "%.*s:%u:%u: %s: %.*s%s%.*s\n", GH_STR_ARG(problem->file), problem->line,
                problem->column, problem->severity == GH_OPENAPI_ERROR ? "error" : "warning",
                GH_STR_ARG(problem->what), problem->remedy.len ? "; " : "",
                GH_STR_ARG(problem->remedy));
    }
    if (problems->error_count + problems->warning_count > problems->count)
        fputs("further problems are not shown\n", stderr);
}

/* `fix` NULL: as it is on disk. */
static const struct gh_openapi *load(struct gh_arena *arena, const struct words *words,
                                     const struct gh_fix *fix)
{
    struct gh_openapi_source source = {.context = (void *)fix,
                                       .read = fix ? read_fixed : read_document,
                                       .mappings = words->mappings,
                                       .mapping_count = words->mapping_count};
    struct gh_openapi_options options = {.responses = words->options.responses};
    struct gh_openapi_problems *problems = gh_arena_zalloc(arena, 1, sizeof(*problems));
    if (!problems)
        return NULL;
    const struct gh_openapi *openapi =
        gh_openapi_load(arena, &source, gh_str_from_c(words->file), &options, problems);
    if (!fix || !openapi)
        print_problems(problems);
    return openapi;
}

static bool read_evidence_file(struct gh_arena *arena, struct words *words,
                               struct gh_evidence *evidence)
{
    struct gh_str text;
    unsigned line = 0;
    const char *what = "";
    if (!words->evidence)
        return true;
    enum gh_err err =
        read_file(arena, gh_str_from_c(words->evidence), GH_OPENAPI_FILE_BYTES_MAX, &text);
    if (err == GH_OK)
        err = gh_evidence_parse(arena, text, evidence, &line, &what);
    words->options.evidence = evidence;
    if (err == GH_ERR_INVALID)
        fprintf(stderr, "%s:%u: error: %s\n", words->evidence, line, what);
    else if (err != GH_OK)
        fprintf(stderr, "gatehouse openapi lint: %s: %s\n", words->evidence, gh_err_text(err));
    return err == GH_OK;
}

/* ---- Writing ---- */

static void put_digest(const struct gh_openapi_file *file, char out[2 * GH_SHA256_BYTES + 1])
{
    uint8_t digest[GH_SHA256_BYTES];
    gh_sha256(file->text, digest);
    for (size_t i = 0; i < GH_SHA256_BYTES; i++)
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

static struct gh_str today(char out[16])
{
    time_t now = time(NULL);
    struct tm parts;
    if (!gmtime_r(&now, &parts) || strftime(out, 16, "%Y-%m-%d", &parts) == 0)
        return GH_STR("");
    return gh_str_from_c(out);
}

static bool close_written(FILE *file)
{
    bool good = fflush(file) == 0 && !ferror(file);
    return fclose(file) == 0 && good;
}

static int write_file(const char *path, struct gh_str text)
{
    FILE *file = fopen(path, "we");
    if (!file)
        return complain("can't write", path);
    fwrite(text.ptr, 1, text.len, file);
    return close_written(file) ? 0 : complain("can't write", path);
}

static int write_report(const char *path, const struct gh_lint_record *record)
{
    FILE *file = fopen(path, "we");
    if (!file)
        return complain("can't write", path);
    gh_lint_write_markdown(file, record);
    return close_written(file) ? 0 : complain("can't write", path);
}

static void print_findings(enum format format, const struct gh_lint_record *record)
{
    switch (format) {
    case FORMAT_TEXT:
        gh_lint_write_text(stdout, record);
        return;
    case FORMAT_JSON:
        gh_lint_write_json(stdout, record);
        return;
    case FORMAT_SARIF:
        gh_lint_write_sarif(stdout, record);
        return;
    case FORMAT_MARKDOWN:
        gh_lint_write_markdown(stdout, record);
        return;
    }
}

/* ---- The constrained copy ---- */

static bool make_directories(char *path)
{
    for (char *slash = path + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = 0;
        bool good = mkdir(path, 0777) == 0 || errno == EEXIST;
        *slash = '/';
        if (!good)
            return false;
    }
    return true;
}

/* Of several files: those beside the document and below it, under their own names. */
static int write_beside(struct gh_arena *arena, const struct words *words, const struct gh_fix *fix)
{
    struct gh_str home = directory_of(fix->texts[0].file->path);
    for (size_t i = 0; i < fix->count; i++) {
        struct gh_str path = fix->texts[i].file->path, name = gh_str_skip(path, home.len);
        if (!is_copied(fix, i)) {
            fprintf(stderr, "gatehouse openapi lint: %.*s is not below %s and was not copied\n",
                    GH_STR_ARG(path), words->file);
            continue;
        }
        struct gh_str target = gh_arena_format(arena, "%s/%.*s", words->fix, GH_STR_ARG(name));
        if (!target.ptr || !make_directories((char *)target.ptr))
            return complain("can't write", words->fix);
        int status = write_file(target.ptr, fix->texts[i].text);
        if (status)
            return status;
    }
    return 0;
}

/* Makes the copy, looks whether it is good, and only then writes it. 0, or the exit status. */
static int fix_document(struct gh_arena *arena, const struct words *words,
                        struct gh_lint_record *record)
{
    struct gh_fix fix;
    if (gh_fix_make(arena, record->openapi, record->report, &fix) != GH_OK) {
        fputs("gatehouse openapi lint: out of memory\n", stderr);
        return 2;
    }
    const struct gh_openapi *copy = load(arena, words, &fix);
    record->fixed = copy ? gh_lint_run(arena, copy, &words->options) : NULL;
    if (!record->fixed) {
        fputs("gatehouse openapi lint: the constrained copy can't be used and was not written\n",
              stderr);
        return 2;
    }
    size_t edit_count = 0;
    for (size_t i = 0; i < fix.count; i++)
        edit_count += is_copied(&fix, i) ? fix.texts[i].edit_count : 0;
    int status = fix.count > 1 ? write_beside(arena, words, &fix)
                               : write_file(words->fix, fix.texts[0].text);
    if (status == 0)
        fprintf(stderr, "%zu constraints were put into %s, whose score is %u of 100.\n", edit_count,
                words->fix, record->fixed->score);
    return status;
}

/* ---- The commands ---- */

static int lint_with(struct gh_arena *arena, struct words *words)
{
    char digest[2 * GH_SHA256_BYTES + 1], date[16];
    struct gh_evidence evidence;
    if (!read_evidence_file(arena, words, &evidence))
        return 2;
    struct gh_lint_record record = {.options = &words->options,
                                    .threshold = words->threshold,
                                    .file = gh_str_from_c(words->file)};
    record.openapi = load(arena, words, NULL);
    if (!record.openapi)
        return 2;
    record.report = gh_lint_run(arena, record.openapi, &words->options);
    if (!record.report) {
        fputs("gatehouse openapi lint: out of memory\n", stderr);
        return 2;
    }
    put_digest(record.openapi->files[0], digest);
    record.digest = gh_str_from_c(digest);
    record.date = words->date ? gh_str_from_c(words->date) : today(date);
    int status = words->fix ? fix_document(arena, words, &record) : 0;
    if (status == 0 && words->report)
        status = write_report(words->report, &record);
    print_findings(words->format, &record);
    if (status || fflush(stdout) != 0 || ferror(stdout))
        return 2;
    const struct gh_lint_report *last = record.fixed ? record.fixed : record.report;
    return gh_lint_count(last, words->threshold) ? 1 : 0;
}

static int lint(int argc, char **argv)
{
    struct words words = {.threshold = GH_LINT_WARNING};
    struct gh_arena arena;
    for (int i = 2; i < argc; i++)
        if (!read_option(&words, argc, argv, &i))
            return 2;
    if (!words.file) {
        fputs(HELP, stderr);
        return 2;
    }
    gh_arena_init(&arena, 64u * 1024, ARENA_BYTES_MAX);
    int status = lint_with(&arena, &words);
    gh_arena_done(&arena);
    return status;
}

int gh_cmd_openapi(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            fputs(HELP, stdout);
            return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 2;
        }
    }
    if (argc == 2 && strcmp(argv[1], "rules") == 0) {
        gh_lint_write_rules(stdout);
        return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 2;
    }
    if (argc >= 2 && strcmp(argv[1], "lint") == 0)
        return lint(argc, argv);
    fputs(HELP, stderr);
    return 2;
}
