/*
 * Metrics: one row of cells per worker, written with plain relaxed stores by that worker alone and
 * summed at a scrape. A row is its own mapping, so that no two workers share a cache line and cells
 * that are never counted in cost no memory.
 *
 * Families and their label values are only ever added, under a lock that the hot path never takes.
 * Format: Prometheus text exposition format 0.0.4.
 */
#include "obs/metrics.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/assert.h"

#define FAMILIES_MAX 256

/* Upper bounds of the histogram's buckets, in microseconds and as they are written. */
static const struct {
    uint64_t us;
    const char *text;
} buckets[] = {
    {100, "0.0001"},  {250, "0.00025"}, {500, "0.0005"},  {1000, "0.001"},  {2500, "0.0025"},
    {5000, "0.005"},  {10000, "0.01"},  {25000, "0.025"}, {50000, "0.05"},  {100000, "0.1"},
    {250000, "0.25"}, {500000, "0.5"},  {1000000, "1"},   {2500000, "2.5"}, {5000000, "5"},
    {10000000, "10"}, {30000000, "30"}, {60000000, "60"},
};
#define BUCKET_COUNT (sizeof buckets / sizeof buckets[0])
/* A histogram's cells: one per bucket, one for what is above all of them, the sum. */
#define CELL_ABOVE      BUCKET_COUNT
#define CELL_SUM        (BUCKET_COUNT + 1)
#define HISTOGRAM_CELLS (BUCKET_COUNT + 2)

struct label_value {
    char *text; /* NULL: the family has no labels */
    size_t len;
    gh_metric_id slot;
};

struct family {
    enum gh_metric_kind kind;
    const char *name, *label_name;
    char *help;
    struct label_value *values;
    size_t value_count;
    gh_metric_id other; /* of labelled families: set aside so that a full table can't lose counts */
    bool other_used;
};

struct source {
    gh_metrics_source *write;
    void *context;
};

struct gh_metrics {
    unsigned worker_count;
    _Atomic uint64_t *rows[GH_METRICS_WORKERS_MAX];
    pthread_mutex_t lock; /* guards all below */
    struct family families[FAMILIES_MAX];
    size_t family_count;
    size_t cells_used;
    struct source sources[GH_METRICS_SOURCES_MAX];
    size_t source_count;
};

#define ROW_BYTES (GH_METRICS_SLOTS_MAX * sizeof(uint64_t))

enum gh_err gh_metrics_open(unsigned worker_count, struct gh_metrics **out_metrics)
{
    GH_ASSERT(worker_count >= 1 && worker_count <= GH_METRICS_WORKERS_MAX);
    struct gh_metrics *metrics = calloc(1, sizeof *metrics);
    if (!metrics)
        return GH_ERR_MEMORY;
    pthread_mutex_init(&metrics->lock, NULL);
    for (; metrics->worker_count < worker_count; metrics->worker_count++) {
        void *row =
            mmap(NULL, ROW_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (row == MAP_FAILED) {
            gh_metrics_close(metrics);
            return GH_ERR_MEMORY;
        }
        metrics->rows[metrics->worker_count] = row;
    }
    *out_metrics = metrics;
    return GH_OK;
}

static void family_done(struct family *family)
{
    for (size_t i = 0; i < family->value_count; i++)
        free(family->values[i].text);
    free(family->values);
    free(family->help);
}

void gh_metrics_close(struct gh_metrics *metrics)
{
    if (!metrics)
        return;
    for (size_t i = 0; i < metrics->family_count; i++)
        family_done(&metrics->families[i]);
    for (unsigned i = 0; i < metrics->worker_count; i++)
        munmap((void *)metrics->rows[i], ROW_BYTES);
    pthread_mutex_destroy(&metrics->lock);
    free(metrics);
}

/* ---- Defining ---- */

static bool is_name(const char *name)
{
    if (!*name || (*name >= '0' && *name <= '9'))
        return false;
    for (; *name; name++) {
        char c = gh_ascii_lower(*name);
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '_')
            return false;
    }
    return true;
}

static size_t cells_of(enum gh_metric_kind kind)
{
    return kind == GH_METRIC_HISTOGRAM ? HISTOGRAM_CELLS : 1;
}

static bool take_cells(struct gh_metrics *metrics, enum gh_metric_kind kind, gh_metric_id *out_slot)
{
    size_t count = cells_of(kind);
    if (count > GH_METRICS_SLOTS_MAX - metrics->cells_used)
        return false;
    *out_slot = (gh_metric_id)metrics->cells_used;
    metrics->cells_used += count;
    return true;
}

static struct family *find_family(struct gh_metrics *metrics, const char *name)
{
    for (size_t i = 0; i < metrics->family_count; i++) {
        if (strcmp(metrics->families[i].name, name) == 0)
            return &metrics->families[i];
    }
    return NULL;
}

static bool is_same_family(const struct family *family, enum gh_metric_kind kind,
                           const char *label_name)
{
    if (family->kind != kind || !family->label_name != !label_name)
        return false;
    return !label_name || strcmp(family->label_name, label_name) == 0;
}

/* The one series of a family without labels, or the slot of "other". */
static enum gh_err family_init(struct gh_metrics *metrics, struct family *family)
{
    gh_metric_id slot;
    family->values = calloc(family->label_name ? GH_METRICS_LABELS_MAX : 1, sizeof *family->values);
    if (!family->values)
        return GH_ERR_MEMORY;
    if (!take_cells(metrics, family->kind, &slot))
        return GH_ERR_FULL;
    if (family->label_name) {
        family->other = slot;
    } else {
        family->values[0].slot = slot;
        family->value_count = 1;
    }
    return GH_OK;
}

static enum gh_err add_family(struct gh_metrics *metrics, enum gh_metric_kind kind,
                              const char *name, const char *help, const char *label_name,
                              struct family **out_family)
{
    GH_ASSERT(is_name(name) && (!label_name || is_name(label_name)));
    if (metrics->family_count == FAMILIES_MAX)
        return GH_ERR_FULL;
    struct family family = {.kind = kind, .name = name, .label_name = label_name};
    family.help = strdup(help);
    enum gh_err err = family.help ? family_init(metrics, &family) : GH_ERR_MEMORY;
    if (err) {
        family_done(&family);
        return err;
    }
    metrics->families[metrics->family_count] = family;
    *out_family = &metrics->families[metrics->family_count++];
    return GH_OK;
}

/* The slot of a label value, made when it is new and there is room, else that of "other". */
static gh_metric_id slot_of(struct gh_metrics *metrics, struct family *family, struct gh_str label)
{
    for (size_t i = 0; i < family->value_count; i++) {
        struct label_value *value = &family->values[i];
        if (gh_str_eq(gh_str_of(value->text, value->len), label))
            return value->slot;
    }
    struct label_value value = {.len = label.len};
    if (!gh_str_eq(label, GH_STR("other")) && family->value_count < GH_METRICS_LABELS_MAX &&
        (value.text = strndup(label.ptr ? label.ptr : "", label.len)) != NULL) {
        value.len = strlen(value.text);
        if (take_cells(metrics, family->kind, &value.slot)) {
            family->values[family->value_count++] = value;
            return value.slot;
        }
        free(value.text);
    }
    family->other_used = true;
    return family->other;
}

enum gh_err gh_metrics_define(struct gh_metrics *metrics, enum gh_metric_kind kind,
                              const char *name, const char *help, const char *label_name,
                              const struct gh_str *labels, size_t label_count,
                              gh_metric_id *out_slots)
{
    enum gh_err err = GH_OK;
    pthread_mutex_lock(&metrics->lock);
    struct family *family = find_family(metrics, name);
    if (!family)
        err = add_family(metrics, kind, name, help, label_name, &family);
    else if (!is_same_family(family, kind, label_name))
        err = GH_ERR_INVALID;
    if (!err && !label_name)
        out_slots[0] = family->values[0].slot;
    for (size_t i = 0; !err && label_name && i < label_count; i++)
        out_slots[i] = slot_of(metrics, family, labels[i]);
    pthread_mutex_unlock(&metrics->lock);
    return err;
}

/* ---- Counting ---- */

/* A cell has one writer, so that load and store need not be one step; atomic only for readers. */
static void cell_add(struct gh_metrics *metrics, unsigned worker, size_t cell, uint64_t amount)
{
    GH_ASSERT(worker < metrics->worker_count && cell < GH_METRICS_SLOTS_MAX);
    _Atomic uint64_t *at = &metrics->rows[worker][cell];
    atomic_store_explicit(at, atomic_load_explicit(at, memory_order_relaxed) + amount,
                          memory_order_relaxed);
}

void gh_metric_add(struct gh_metrics *metrics, unsigned worker, gh_metric_id slot, uint64_t amount)
{
    cell_add(metrics, worker, slot, amount);
}

void gh_metric_gauge_add(struct gh_metrics *metrics, unsigned worker, gh_metric_id slot,
                         int64_t amount)
{
    /* Modulo 2^64: a worker that subtracts more than it added makes the sum right all the same. */
    cell_add(metrics, worker, slot, (uint64_t)amount);
}

void gh_metric_observe_us(struct gh_metrics *metrics, unsigned worker, gh_metric_id slot,
                          uint64_t microseconds)
{
    size_t bucket = 0;
    while (bucket < BUCKET_COUNT && microseconds > buckets[bucket].us)
        bucket++;
    cell_add(metrics, worker, slot + bucket, 1);
    cell_add(metrics, worker, slot + CELL_SUM, microseconds);
}

/* ---- Writing ---- */

static uint64_t cell_sum(const struct gh_metrics *metrics, size_t cell)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < metrics->worker_count; i++)
        sum += atomic_load_explicit(&metrics->rows[i][cell], memory_order_relaxed);
    return sum;
}

/* In help only backslash and newline are escaped, in a label value the quote too. */
static void write_escaped(FILE *out, struct gh_str text, bool is_label)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '\n') {
            fputs("\\n", out);
            continue;
        }
        if (c == '\\' || (is_label && c == '"'))
            fputc('\\', out);
        fputc(c, out);
    }
}

/* "{label="value",le="0.1"}", as much of it as there is. */
static void write_labels(FILE *out, const struct family *family, struct gh_str value,
                         const char *le)
{
    if (!family->label_name && !le)
        return;
    fputc('{', out);
    if (family->label_name) {
        fprintf(out, "%s=\"", family->label_name);
        write_escaped(out, value, true);
        fputc('"', out);
    }
    if (le)
        fprintf(out, "%sle=\"%s\"", family->label_name ? "," : "", le);
    fputc('}', out);
}

static void write_histogram(const struct gh_metrics *metrics, FILE *out,
                            const struct family *family, struct gh_str label, gh_metric_id slot)
{
    uint64_t count = 0;
    for (size_t i = 0; i <= CELL_ABOVE; i++) {
        count += cell_sum(metrics, slot + i);
        fprintf(out, "%s_bucket", family->name);
        write_labels(out, family, label, i < BUCKET_COUNT ? buckets[i].text : "+Inf");
        fprintf(out, " %" PRIu64 "\n", count);
    }
    uint64_t sum = cell_sum(metrics, slot + CELL_SUM);
    fprintf(out, "%s_sum", family->name);
    write_labels(out, family, label, NULL);
    fprintf(out, " %" PRIu64 ".%06" PRIu64 "\n%s_count", sum / 1000000, sum % 1000000,
            family->name);
    write_labels(out, family, label, NULL);
    fprintf(out, " %" PRIu64 "\n", count);
}

static void write_series(const struct gh_metrics *metrics, FILE *out, const struct family *family,
                         struct gh_str label, gh_metric_id slot)
{
    if (family->kind == GH_METRIC_HISTOGRAM) {
        write_histogram(metrics, out, family, label, slot);
        return;
    }
    uint64_t sum = cell_sum(metrics, slot);
    fputs(family->name, out);
    write_labels(out, family, label, NULL);
    if (family->kind == GH_METRIC_GAUGE)
        fprintf(out, " %" PRId64 "\n", (int64_t)sum);
    else
        fprintf(out, " %" PRIu64 "\n", sum);
}

static void write_family(const struct gh_metrics *metrics, FILE *out, const struct family *family)
{
    static const char *const kinds[] = {"counter", "gauge", "histogram"};
    fprintf(out, "# HELP %s ", family->name);
    write_escaped(out, gh_str_from_c(family->help), false);
    fprintf(out, "\n# TYPE %s %s\n", family->name, kinds[family->kind]);
    for (size_t i = 0; i < family->value_count; i++) {
        const struct label_value *value = &family->values[i];
        write_series(metrics, out, family, gh_str_of(value->text, value->len), value->slot);
    }
    if (family->other_used)
        write_series(metrics, out, family, GH_STR("other"), family->other);
}

void gh_metrics_write(struct gh_metrics *metrics, FILE *out)
{
    struct source sources[GH_METRICS_SOURCES_MAX];
    pthread_mutex_lock(&metrics->lock);
    for (size_t i = 0; i < metrics->family_count; i++)
        write_family(metrics, out, &metrics->families[i]);
    size_t source_count = metrics->source_count;
    memcpy(sources, metrics->sources, sizeof sources);
    pthread_mutex_unlock(&metrics->lock);
    for (size_t i = 0; i < source_count; i++)
        sources[i].write(sources[i].context, out);
}

void gh_metrics_add_source(struct gh_metrics *metrics, gh_metrics_source *source, void *context)
{
    pthread_mutex_lock(&metrics->lock);
    GH_ASSERT(metrics->source_count < GH_METRICS_SOURCES_MAX);
    metrics->sources[metrics->source_count++] = (struct source){source, context};
    pthread_mutex_unlock(&metrics->lock);
}
