#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>

#include "obs/metrics.h"

/* ---- A small reader of the exposition format, strict about what a scraper needs ---- */

#define SERIES_MAX 2048

struct series {
    char key[256]; /* name and labels as written */
    double value;
};

struct scrape {
    char *text;
    struct series series[SERIES_MAX];
    size_t count;
};

static bool is_name_char(char c)
{
    c = gh_ascii_lower(c);
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

/* Moves behind `name="value"` pairs and the brace; fails the test on anything else. */
static const char *skip_labels(const char *at)
{
    for (;;) {
        assert_true(is_name_char(*at));
        while (is_name_char(*at))
            at++;
        assert_int_equal(at[0], '=');
        assert_int_equal(at[1], '"');
        for (at += 2; *at != '"'; at++) {
            assert_true(*at && *at != '\n');
            if (*at == '\\') {
                at++;
                assert_true(*at == '\\' || *at == '"' || *at == 'n');
            }
        }
        at++;
        if (*at == '}')
            return at + 1;
        assert_int_equal(*at, ',');
        at++;
    }
}

static void read_sample(struct scrape *scrape, const char *line)
{
    const char *at = line;
    while (is_name_char(*at))
        at++;
    assert_true(at > line);
    if (*at == '{')
        at = skip_labels(at + 1);
    assert_int_equal(*at, ' ');
    assert_true(scrape->count < SERIES_MAX);
    struct series *series = &scrape->series[scrape->count++];
    assert_true((size_t)(at - line) < sizeof series->key);
    memcpy(series->key, line, (size_t)(at - line));
    series->key[at - line] = 0;
    char *end;
    series->value = strtod(at + 1, &end);
    assert_int_equal(*end, 0);
    for (size_t i = 0; i + 1 < scrape->count; i++)
        assert_string_not_equal(scrape->series[i].key, series->key);
}

static void scrape_metrics(struct gh_metrics *metrics, struct scrape *scrape)
{
    size_t len = 0;
    memset(scrape, 0, sizeof *scrape);
    FILE *out = open_memstream(&scrape->text, &len);
    assert_non_null(out);
    gh_metrics_write(metrics, out);
    fclose(out);
    assert_true(len > 0 && scrape->text[len - 1] == '\n');
    char *copy = strdup(scrape->text), *rest = copy;
    for (char *line; (line = strsep(&rest, "\n")) && *line;) {
        if (*line != '#')
            read_sample(scrape, line);
        else
            assert_true(strncmp(line, "# HELP ", 7) == 0 || strncmp(line, "# TYPE ", 7) == 0);
    }
    free(copy);
}

static double value_of(const struct scrape *scrape, const char *key)
{
    for (size_t i = 0; i < scrape->count; i++) {
        if (strcmp(scrape->series[i].key, key) == 0)
            return scrape->series[i].value;
    }
    fail_msg("no series %s in\n%s", key, scrape->text);
    return 0;
}

static struct scrape scraped; /* too large for the stack of a test */

static int metrics_setup(void **state)
{
    return gh_metrics_open(3, (struct gh_metrics **)state) == GH_OK ? 0 : -1;
}

static int metrics_teardown(void **state)
{
    gh_metrics_close(*state);
    free(scraped.text);
    scraped.text = NULL;
    return 0;
}

static const struct gh_str colours[] = {GH_STR_INIT("red"), GH_STR_INIT("green")};

/* ---- Tests ---- */

static void counters_are_summed_over_workers(void **state)
{
    struct gh_metrics *metrics = *state;
    gh_metric_id plain, by_colour[2];
    assert_int_equal(
        gh_metrics_define(metrics, GH_METRIC_COUNTER, "a_total", "A.", NULL, NULL, 0, &plain),
        GH_OK);
    assert_int_equal(gh_metrics_define(metrics, GH_METRIC_COUNTER, "b_total", "B.", "colour",
                                       colours, 2, by_colour),
                     GH_OK);
    gh_metric_add(metrics, 0, plain, 2);
    gh_metric_add(metrics, 2, plain, 5);
    gh_metric_add(metrics, 1, by_colour[1], 1);
    scrape_metrics(metrics, &scraped);
    assert_true(value_of(&scraped, "a_total") == 7);
    assert_true(value_of(&scraped, "b_total{colour=\"red\"}") == 0);
    assert_true(value_of(&scraped, "b_total{colour=\"green\"}") == 1);
    assert_non_null(strstr(scraped.text, "# HELP a_total A.\n# TYPE a_total counter\n"));
}

static void a_gauge_may_fall_on_another_worker_than_it_rose_on(void **state)
{
    struct gh_metrics *metrics = *state;
    gh_metric_id gauge;
    assert_int_equal(
        gh_metrics_define(metrics, GH_METRIC_GAUGE, "open", "Open.", NULL, NULL, 0, &gauge), GH_OK);
    gh_metric_gauge_add(metrics, 0, gauge, 3);
    gh_metric_gauge_add(metrics, 1, gauge, -1);
    scrape_metrics(metrics, &scraped);
    assert_true(value_of(&scraped, "open") == 2);
    gh_metric_gauge_add(metrics, 1, gauge, -4);
    free(scraped.text);
    scrape_metrics(metrics, &scraped);
    assert_true(value_of(&scraped, "open") == -2);
}

static void a_histogram_counts_cumulatively_up_to_inclusive_bounds(void **state)
{
    struct gh_metrics *metrics = *state;
    gh_metric_id slots[2];
    assert_int_equal(gh_metrics_define(metrics, GH_METRIC_HISTOGRAM, "t_seconds", "T.", "colour",
                                       colours, 2, slots),
                     GH_OK);
    gh_metric_observe_us(metrics, 0, slots[0], 100);
    gh_metric_observe_us(metrics, 1, slots[0], 101);
    gh_metric_observe_us(metrics, 2, slots[0], 61000000);
    scrape_metrics(metrics, &scraped);
    assert_true(value_of(&scraped, "t_seconds_bucket{colour=\"red\",le=\"0.0001\"}") == 1);
    assert_true(value_of(&scraped, "t_seconds_bucket{colour=\"red\",le=\"0.00025\"}") == 2);
    assert_true(value_of(&scraped, "t_seconds_bucket{colour=\"red\",le=\"60\"}") == 2);
    assert_true(value_of(&scraped, "t_seconds_bucket{colour=\"red\",le=\"+Inf\"}") == 3);
    assert_true(value_of(&scraped, "t_seconds_count{colour=\"red\"}") == 3);
    assert_true(value_of(&scraped, "t_seconds_sum{colour=\"red\"}") == 61.000201);
    assert_true(value_of(&scraped, "t_seconds_count{colour=\"green\"}") == 0);
}

static void label_values_and_help_are_escaped(void **state)
{
    struct gh_metrics *metrics = *state;
    static const struct gh_str odd[] = {GH_STR_INIT("a\"b\\c\nd"), GH_STR_INIT("")};
    gh_metric_id slots[2];
    assert_int_equal(gh_metrics_define(metrics, GH_METRIC_COUNTER, "odd_total",
                                       "one\\two\n\"three\"", "value", odd, 2, slots),
                     GH_OK);
    gh_metric_add(metrics, 0, slots[0], 1);
    scrape_metrics(metrics, &scraped);
    assert_true(value_of(&scraped, "odd_total{value=\"a\\\"b\\\\c\\nd\"}") == 1);
    assert_true(value_of(&scraped, "odd_total{value=\"\"}") == 0);
    assert_non_null(strstr(scraped.text, "# HELP odd_total one\\\\two\\n\"three\"\n"));
}

static void defining_again_keeps_values_and_appends_labels(void **state)
{
    struct gh_metrics *metrics = *state;
    static const struct gh_str more[] = {GH_STR_INIT("blue"), GH_STR_INIT("red")};
    gh_metric_id first[2], again[2];
    assert_int_equal(
        gh_metrics_define(metrics, GH_METRIC_COUNTER, "c_total", "C.", "colour", colours, 2, first),
        GH_OK);
    gh_metric_add(metrics, 0, first[0], 4);
    assert_int_equal(
        gh_metrics_define(metrics, GH_METRIC_COUNTER, "c_total", "C.", "colour", more, 2, again),
        GH_OK);
    assert_int_equal(again[1], first[0]);
    assert_true(again[0] != first[0] && again[0] != first[1]);
    scrape_metrics(metrics, &scraped);
    assert_true(value_of(&scraped, "c_total{colour=\"red\"}") == 4);
    assert_true(value_of(&scraped, "c_total{colour=\"blue\"}") == 0);
}

static void refuses_a_name_in_use_for_another_kind_or_label(void **state)
{
    struct gh_metrics *metrics = *state;
    gh_metric_id slot[2] = {77, 77};
    gh_metric_id first;
    assert_int_equal(
        gh_metrics_define(metrics, GH_METRIC_COUNTER, "d_total", "D.", NULL, NULL, 0, &first),
        GH_OK);
    assert_int_equal(
        gh_metrics_define(metrics, GH_METRIC_GAUGE, "d_total", "D.", NULL, NULL, 0, slot),
        GH_ERR_INVALID);
    assert_int_equal(
        gh_metrics_define(metrics, GH_METRIC_COUNTER, "d_total", "D.", "colour", colours, 2, slot),
        GH_ERR_INVALID);
    assert_int_equal(slot[0], 77);
}

static gh_metric_id define_numbered(struct gh_metrics *metrics, const char *name, size_t number)
{
    char text[16];
    snprintf(text, sizeof text, "v%zu", number);
    struct gh_str label = gh_str_from_c(text);
    gh_metric_id slot;
    assert_int_equal(
        gh_metrics_define(metrics, GH_METRIC_COUNTER, name, "N.", "n", &label, 1, &slot), GH_OK);
    return slot;
}

static void label_values_over_the_cap_share_other(void **state)
{
    struct gh_metrics *metrics = *state;
    for (size_t i = 0; i < GH_METRICS_LABELS_MAX; i++)
        gh_metric_add(metrics, 0, define_numbered(metrics, "n_total", i), 1);
    gh_metric_id over = define_numbered(metrics, "n_total", 9001);
    assert_int_equal(define_numbered(metrics, "n_total", 9002), over);
    gh_metric_add(metrics, 0, over, 3);
    scrape_metrics(metrics, &scraped);
    assert_true(value_of(&scraped, "n_total{n=\"other\"}") == 3);
    assert_true(value_of(&scraped, "n_total{n=\"v255\"}") == 1);
    assert_int_equal(scraped.count, GH_METRICS_LABELS_MAX + 1);
}

static void a_full_table_refuses_families_and_keeps_old_ones(void **state)
{
    struct gh_metrics *metrics = *state;
    static char names[128][16];
    enum gh_err err = GH_OK;
    size_t defined = 0;
    struct gh_str labels[200];
    static char texts[200][8];
    gh_metric_id slots[200];
    for (size_t i = 0; i < 200; i++) {
        snprintf(texts[i], sizeof texts[i], "l%zu", i);
        labels[i] = gh_str_from_c(texts[i]);
    }
    for (; defined < 128; defined++) {
        snprintf(names[defined], sizeof names[defined], "h%zu", defined);
        err = gh_metrics_define(metrics, GH_METRIC_HISTOGRAM, names[defined], "H.", "l", labels,
                                200, slots);
        if (err)
            break;
    }
    assert_int_equal(err, GH_ERR_FULL);
    assert_true(defined >= 4);
    assert_int_equal(
        gh_metrics_define(metrics, GH_METRIC_HISTOGRAM, "h0", "H.", "l", labels, 200, slots),
        GH_OK);
}

static void write_extra(void *context, FILE *out)
{
    fprintf(out, "# TYPE extra gauge\nextra %d\n", *(int *)context);
}

static void sources_write_at_each_scrape(void **state)
{
    struct gh_metrics *metrics = *state;
    int value = 12;
    gh_metrics_add_source(metrics, write_extra, &value);
    scrape_metrics(metrics, &scraped);
    assert_true(value_of(&scraped, "extra") == 12);
}

struct counting_thread {
    struct gh_metrics *metrics;
    unsigned worker;
    gh_metric_id slot;
};

static void *count_up(void *arg)
{
    struct counting_thread *thread = arg;
    for (int i = 0; i < 10000; i++)
        gh_metric_add(thread->metrics, thread->worker, thread->slot, 1);
    return NULL;
}

static void workers_count_at_the_same_time_and_nothing_is_lost(void **state)
{
    struct gh_metrics *metrics = *state;
    gh_metric_id slot;
    assert_int_equal(
        gh_metrics_define(metrics, GH_METRIC_COUNTER, "w_total", "W.", NULL, NULL, 0, &slot),
        GH_OK);
    struct counting_thread threads[3];
    pthread_t ids[3];
    for (unsigned i = 0; i < 3; i++) {
        threads[i] = (struct counting_thread){metrics, i, slot};
        assert_int_equal(pthread_create(&ids[i], NULL, count_up, &threads[i]), 0);
    }
    for (int i = 0; i < 20; i++) {
        scrape_metrics(metrics, &scraped);
        assert_true(value_of(&scraped, "w_total") <= 30000);
        free(scraped.text);
    }
    for (unsigned i = 0; i < 3; i++)
        pthread_join(ids[i], NULL);
    scrape_metrics(metrics, &scraped);
    assert_true(value_of(&scraped, "w_total") == 30000);
}

#define METRICS_TEST(name) cmocka_unit_test_setup_teardown(name, metrics_setup, metrics_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        METRICS_TEST(counters_are_summed_over_workers),
        METRICS_TEST(a_gauge_may_fall_on_another_worker_than_it_rose_on),
        METRICS_TEST(a_histogram_counts_cumulatively_up_to_inclusive_bounds),
        METRICS_TEST(label_values_and_help_are_escaped),
        METRICS_TEST(defining_again_keeps_values_and_appends_labels),
        METRICS_TEST(refuses_a_name_in_use_for_another_kind_or_label),
        METRICS_TEST(label_values_over_the_cap_share_other),
        METRICS_TEST(a_full_table_refuses_families_and_keeps_old_ones),
        METRICS_TEST(sources_write_at_each_scrape),
        METRICS_TEST(workers_count_at_the_same_time_and_nothing_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
