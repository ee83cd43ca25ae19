#include "gateway/input_counters.h"

#include "gateway/exchange.h"
#include "policy/input.h"

/* The last is for all that are not named. */
static const struct gh_str RULES[] = {
    GH_STR_INIT("required"),
    GH_STR_INIT("undeclared"),
    GH_STR_INIT("syntax"),
    GH_STR_INIT("style"),
    GH_STR_INIT("content_type"),
    GH_STR_INIT("too_complex"),
    GH_STR_INIT("type"),
    GH_STR_INIT("enum"),
    GH_STR_INIT("const"),
    GH_STR_INIT("multipleOf"),
    GH_STR_INIT("maximum"),
    GH_STR_INIT("exclusiveMaximum"),
    GH_STR_INIT("minimum"),
    GH_STR_INIT("exclusiveMinimum"),
    GH_STR_INIT("maxLength"),
    GH_STR_INIT("minLength"),
    GH_STR_INIT("pattern"),
    GH_STR_INIT("format"),
    GH_STR_INIT("maxItems"),
    GH_STR_INIT("minItems"),
    GH_STR_INIT("uniqueItems"),
    GH_STR_INIT("maxContains"),
    GH_STR_INIT("minContains"),
    GH_STR_INIT("contains"),
    GH_STR_INIT("maxProperties"),
    GH_STR_INIT("minProperties"),
    GH_STR_INIT("dependentRequired"),
    GH_STR_INIT("propertyNames"),
    GH_STR_INIT("additionalProperties"),
    GH_STR_INIT("unevaluatedProperties"),
    GH_STR_INIT("unevaluatedItems"),
    GH_STR_INIT("allOf"),
    GH_STR_INIT("anyOf"),
    GH_STR_INIT("oneOf"),
    GH_STR_INIT("not"),
    GH_STR_INIT("readOnly"),
    GH_STR_INIT("writeOnly"),
    GH_STR_INIT("discriminator"),
    GH_STR_INIT("false"),
    GH_STR_INIT("other"),
};
#define RULE_COUNT (sizeof(RULES) / sizeof(RULES[0]))

static enum gh_err define(struct gh_metrics *metrics, struct gh_arena *arena, const char *name,
                          const char *help, const char *label, const struct gh_str *labels,
                          size_t count, gh_metric_id **out_slots)
{
    *out_slots = gh_arena_zalloc(arena, count, sizeof(**out_slots));
    return *out_slots ? gh_metrics_define(metrics, GH_METRIC_COUNTER, name, help, label, labels,
                                          count, *out_slots)
                      : GH_ERR_MEMORY;
}

enum gh_err gh_input_counters_define(struct gh_metrics *metrics, const struct gh_policy *policy,
                                     struct gh_arena *arena, struct gh_input_counters *out_counters)
{
    size_t count = 0;
    const struct gh_input_api *api = gh_policy_input_apis(policy, &count);
    *out_counters = (struct gh_input_counters){0};
    if (!count)
        return GH_OK;
    struct gh_str *labels = gh_arena_zalloc(arena, count, sizeof(*labels));
    if (!labels)
        return GH_ERR_MEMORY;
    for (; api; api = api->next)
        for (size_t i = 0; i < api->operation_count; i++)
            labels[api->operations[i].number] = api->operations[i].label;
    const struct {
        const char *name, *help;
        gh_metric_id **slots;
    } families[] = {
        {"gatehouse_input_checked_total", "Requests judged by an OpenAPI document, by operation.",
         &out_counters->checked},
        {"gatehouse_input_violations_total",
         "Requests that were not as declared, refused or observed, by operation.",
         &out_counters->violations},
        {"gatehouse_input_answers_checked_total",
         "Answers looked at by an OpenAPI document, by operation.", &out_counters->answers_checked},
        {"gatehouse_input_answers_violations_total",
         "Answers that were not as declared, by operation.", &out_counters->answers_violated},
    };
    enum gh_err err = GH_OK;
    for (size_t i = 0; i < sizeof(families) / sizeof(families[0]) && err == GH_OK; i++)
        err = define(metrics, arena, families[i].name, families[i].help, "operation", labels, count,
                     families[i].slots);
    if (err == GH_OK)
        err = define(metrics, arena, "gatehouse_input_rules_total",
                     "Violations of requests and answers, by rule.", "rule", RULES, RULE_COUNT,
                     &out_counters->rules);
    return err;
}

static void add(const struct gh_exchange *exchange, gh_metric_id slot)
{
    gh_metric_add(exchange->worker->shared->metrics, exchange->worker->index, slot, 1);
}

static void count_rules(const struct gh_exchange *exchange, const struct gh_input_report *report)
{
    const struct gh_input_counters *counters = &exchange->pin->snapshot->input;
    for (size_t i = 0; i < report->count; i++) {
        size_t rule = 0;
        while (rule < RULE_COUNT - 1 && !gh_str_eq(RULES[rule], report->violations[i].rule))
            rule++;
        add(exchange, counters->rules[rule]);
    }
}

void gh_input_count(const struct gh_exchange *exchange)
{
    const struct gh_input *input = exchange->request.input;
    const struct gh_input_counters *counters = &exchange->pin->snapshot->input;
    if (!input->operation || !input->judged || input->gave_up)
        return;
    add(exchange, counters->checked[input->operation->number]);
    if (input->reason == GH_REASON_UNDECIDED)
        return;
    add(exchange, counters->violations[input->operation->number]);
    count_rules(exchange, &input->checked.report);
}

void gh_input_count_answer(const struct gh_exchange *exchange, const struct gh_input_report *report)
{
    const struct gh_input *input = exchange->request.input;
    const struct gh_input_counters *counters = &exchange->pin->snapshot->input;
    add(exchange, counters->answers_checked[input->operation->number]);
    if (!report->count)
        return;
    add(exchange, counters->answers_violated[input->operation->number]);
    count_rules(exchange, report);
}
