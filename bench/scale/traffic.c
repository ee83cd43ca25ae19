#include "traffic.h"

uint32_t scale_question_bytes(const struct gh_limit_rule *const *rules, uint32_t count)
{
    uint32_t arguments = 3 + (1 + count) + (2 + 4 * count);
    uint32_t bytes = 1 + scale_digits(arguments) + 2;
    bytes += scale_bulk_bytes(7) + scale_bulk_bytes(40); /* EVALSHA and the script's hash */
    bytes += scale_bulk_bytes(scale_digits(1 + count));
    bytes +=
        scale_bulk_bytes(SCALE_SECRET_NAME_BYTES) + scale_bulk_bytes(GH_REDIS_LIMITS_SECRET_BYTES);
    bytes += scale_bulk_bytes(1); /* how many are charged together */
    for (uint32_t i = 0; i < count; i++) {
        const struct gh_limit_rule *rule = rules[i];
        bool gcra = rule->kind == GH_LIMIT_GCRA;
        bool log = !gcra && rule->count <= GH_LIMIT_LOG_COUNT_MAX;
        uint64_t second = gcra ? rule->step / 1000000u : log ? rule->window_ms : rule->step;
        uint64_t third = gcra ? rule->step % 1000000u : log ? 0 : rule->unit;
        bytes += scale_bulk_bytes(GH_REDIS_LIMITS_KEY_BYTES) + scale_bulk_bytes(1);
        bytes += scale_bulk_bytes(scale_digits(gcra ? rule->burst : rule->count));
        bytes += scale_bulk_bytes(scale_digits(second)) + scale_bulk_bytes(scale_digits(third));
    }
    return bytes;
}

/* ":<digits>\r\n" */
static uint32_t number_bytes(uint64_t number)
{
    return 3 + scale_digits(number);
}

uint32_t scale_answer_bytes(const struct gh_limit_decision *decisions, uint32_t count)
{
    uint32_t bytes = 1 + scale_digits(4 * count) + 2;
    for (uint32_t i = 0; i < count; i++) {
        const struct gh_limit_decision *decision = &decisions[i];
        bytes += number_bytes(decision->allowed) + number_bytes(decision->remaining);
        bytes += number_bytes(decision->retry_after_ms) + number_bytes(decision->reset_ms);
    }
    return bytes;
}
