/*
 * Nanoseconds to parse and to check a JSON body, for bench/validation.py. Not a test: it prints.
 *
 *     schema_validate_bench SCHEMA BODIES     (one body a line)
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/assert.h"
#include "schema/schema.h"

/* The best of so many rounds is printed: others use the machine too, and leave it to us for a few
   milliseconds at a time. */
#define ROUNDS         500
#define ROUND_NS       2000000u
#define BODIES_MAX     1024
#define FILE_BYTES_MAX (1u << 22)
#define ARENA_BYTES    (64u * 1024)

struct bench {
    const struct gh_schemas *schemas;
    uint32_t schema;
    struct gh_str bodies[BODIES_MAX];
    struct gh_json_doc docs[BODIES_MAX]; /* parsed before, for the check alone */
    size_t count, bytes;
    struct gh_arena scratch; /* of one body */
};

static uint64_t clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static struct gh_str read_file(struct gh_arena *arena, const char *path)
{
    FILE *file = fopen(path, "rb");
    char *text = gh_arena_alloc(arena, FILE_BYTES_MAX);
    if (!file || !text) {
        fprintf(stderr, "%s can't be read\n", path);
        exit(1);
    }
    size_t len = fread(text, 1, FILE_BYTES_MAX, file);
    fclose(file);
    return gh_str_of(text, len);
}

static void parse(struct bench *bench, size_t i, struct gh_json_doc *doc)
{
    enum gh_json_status status =
        gh_json_parse(&bench->scratch, bench->bodies[i], &gh_json_small, doc, NULL);
    GH_ASSERT(status == GH_JSON_OK);
}

static void check(struct bench *bench, const struct gh_json_doc *doc)
{
    struct gh_schema_report report;
    enum gh_schema_outcome outcome =
        gh_schema_check(bench->schemas, bench->schema, doc, gh_json_root(doc),
                        &gh_schema_check_usual, &bench->scratch, &report);
    GH_ASSERT(outcome == GH_SCHEMA_VALID);
}

static void run_parse(struct bench *bench, size_t i)
{
    struct gh_json_doc doc;
    parse(bench, i, &doc);
    gh_arena_reset(&bench->scratch);
}

static void run_check(struct bench *bench, size_t i)
{
    check(bench, &bench->docs[i]);
    gh_arena_reset(&bench->scratch);
}

static void run_both(struct bench *bench, size_t i)
{
    struct gh_json_doc doc;
    parse(bench, i, &doc);
    check(bench, &doc);
    gh_arena_reset(&bench->scratch);
}

static double best_ns(struct bench *bench, void (*run)(struct bench *bench, size_t i))
{
    double best = 1e9;
    for (unsigned round = 0; round < ROUNDS; round++) {
        uint64_t start = clock_ns(), now = start, done = 0;
        for (; now - start < ROUND_NS; now = clock_ns(), done += bench->count) {
            for (size_t i = 0; i < bench->count; i++)
                run(bench, i);
        }
        double ns = (double)(now - start) / (double)done;
        best = ns < best ? ns : best;
    }
    return best;
}

static void load_schema(struct bench *bench, struct gh_arena *arena, const char *path)
{
    struct gh_schema_options options = {.assert_formats = true};
    struct gh_schema_error error;
    struct gh_json_doc *doc = gh_arena_alloc(arena, sizeof(*doc));
    struct gh_schemas *schemas = gh_schemas_new(arena, &options);
    enum gh_json_status status =
        gh_json_parse(arena, read_file(arena, path), &gh_json_small, doc, NULL);
    GH_ASSERT(doc && schemas && status == GH_JSON_OK);
    enum gh_err err =
        gh_schemas_add(schemas, GH_STR("test:/schema"), doc, GH_SCHEMA_IS_SCHEMA, &error);
    if (err == GH_OK)
        err = gh_schemas_compile(schemas, GH_STR("test:/schema"), &bench->schema, &error);
    if (err != GH_OK) {
        fprintf(stderr, "%s%.*s: %.*s\n", path, GH_STR_ARG(error.pointer), GH_STR_ARG(error.text));
        exit(1);
    }
    bench->schemas = schemas;
}

static void load_bodies(struct bench *bench, struct gh_arena *arena, const char *path)
{
    struct gh_str rest = read_file(arena, path);
    while (rest.len && bench->count < BODIES_MAX) {
        struct gh_str line = gh_str_split(&rest, '\n');
        if (!line.len)
            continue;
        enum gh_json_status status =
            gh_json_parse(arena, line, &gh_json_small, &bench->docs[bench->count], NULL);
        GH_ASSERT(status == GH_JSON_OK);
        bench->bodies[bench->count++] = line;
        bench->bytes += line.len;
    }
    GH_ASSERT(bench->count);
}

int main(int argc, char **argv)
{
    static struct bench bench;
    struct gh_arena arena;
    if (argc != 3)
        return 2;
    gh_arena_init(&arena, 1 << 20, 64 << 20);
    gh_arena_init(&bench.scratch, ARENA_BYTES, 16 * ARENA_BYTES);
    load_schema(&bench, &arena, argv[1]);
    load_bodies(&bench, &arena, argv[2]);
    printf("{\"bytes\": %zu, ", bench.bytes / bench.count);
    printf("\"parse\": %.1f, ", best_ns(&bench, run_parse));
    printf("\"check\": %.1f, ", best_ns(&bench, run_check));
    printf("\"both\": %.1f}\n", best_ns(&bench, run_both));
    gh_arena_done(&bench.scratch);
    gh_arena_done(&arena);
    return 0;
}
