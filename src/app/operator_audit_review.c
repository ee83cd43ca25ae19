/* `audit review`: the monthly review of a deployment, from its own log. */
#include <stdlib.h>
#include <string.h>

#include "app/operator_audit.h"
#include "audit/review.h"
#include "identity/audit_read.h"
#include "identity/secret_status.h"

#define REVIEW_ARENA_BYTES_MAX (32u * 1024 * 1024)
#define DAY_US                 86400000000ull

/* Its networks, and what is looked for in free texts, are read in clear. */
static enum gh_err note_reading(struct gh_operator *op, const struct gh_audit_query *query)
{
    struct gh_identity_call call;
    gh_operator_call(op, &call);
    enum gh_identity_result result = gh_audit_read_note(&call, query, false);
    gh_operator_call_end(op, &call);
    if (result == GH_IDENTITY_OK)
        return GH_OK;
    fprintf(op->err, "gatehouse: nothing is shown, since the reading can't be audited\n");
    return GH_ERR_REFUSED;
}

static enum gh_err add_records(struct gh_operator *op, struct gh_audit_review *review)
{
    const struct gh_identity *identity = gh_identity_host_identity(op->host);
    struct gh_audit_query query = {.every_chain = true,
                                   .since_us = review->since_us,
                                   .until_us = review->until_us,
                                   .oldest_first = true,
                                   .limit = GH_AUDIT_PAGE_ROWS};
    struct gh_audit_entries page = {0};
    enum gh_err err = note_reading(op, &query);
    while (err == GH_OK) {
        page = (struct gh_audit_entries){0};
        gh_arena_reset(&op->arena);
        err = gh_audit_log_page(identity, &op->arena, &query, &page);
        for (size_t i = 0; err == GH_OK && i < page.count; i++) {
            gh_audit_review_add(review, &page.items[i].record);
            query.after_seq = page.items[i].position;
        }
        if (page.count < GH_AUDIT_PAGE_ROWS)
            break;
    }
    return err;
}

/* Those that make something new; retired ones are not due. */
static enum gh_err add_secrets(struct gh_operator *op, const struct gh_audit_command *command,
                               struct gh_arena *arena, struct gh_audit_review *review)
{
    const struct gh_identity *identity = gh_identity_host_identity(op->host);
    struct gh_secret_schedule schedule = {
        .rotate_after_us = command->rotate_after_ms * 1000,
        .tokens_after_us = op->settings->tokens.rotate_after_ms * 1000,
    };
    struct gh_secret_status status;
    enum gh_err err = gh_secret_status(identity->vault, identity->store, &schedule, command->now_us,
                                       arena, &status);
    if (err != GH_OK)
        return err;
    struct gh_review_secret *secrets = gh_arena_zalloc(arena, status.count + 1, sizeof(*secrets));
    if (!secrets)
        return GH_ERR_MEMORY;
    review->secrets = secrets;
    for (size_t i = 0; i < status.count; i++) {
        const struct gh_secret_state *state = &status.secrets[i];
        if (state->retired || !state->due_us)
            continue;
        uint64_t now_us = command->now_us;
        secrets[review->secret_count++] = (struct gh_review_secret){
            .purpose = gh_str_from_c(gh_secret_purpose_name(state->purpose)),
            .age_days = now_us > state->since_us ? (now_us - state->since_us) / DAY_US : 0,
            .due_in_days = state->due_us > now_us ? (state->due_us - now_us) / DAY_US : 0,
            .overdue = state->overdue,
        };
    }
    return GH_OK;
}

static enum gh_err fill(struct gh_operator *op, const struct gh_audit_command *command,
                        struct gh_arena *arena, struct gh_audit_review *review)
{
    uint64_t until_us = command->until_us ? command->until_us : command->now_us + 1;
    uint64_t since_us =
        command->since_us - command->since_us % DAY_US; /* days as people have them */
    if (!gh_audit_review_begin(review, arena, since_us, until_us))
        return GH_ERR_MEMORY;
    review->title = op->settings->public_url;
    enum gh_err err = add_records(op, review);
    if (err == GH_OK)
        err = gh_operator_audit_check(op, GH_STR(""), &review->verdict);
    review->verified = err == GH_OK;
    return err == GH_OK ? add_secrets(op, command, arena, review) : err;
}

static enum gh_err write_page(struct gh_operator *op, const struct gh_audit_command *command,
                              const struct gh_audit_review *review)
{
    char *memory = malloc(GH_REVIEW_BYTES_MAX);
    struct gh_buf page = gh_buf_over(memory, memory ? GH_REVIEW_BYTES_MAX : 0);
    if (command->html)
        gh_audit_review_put_html(&page, review);
    else
        gh_audit_review_put_markdown(&page, review);
    enum gh_err err = page.overflow ? GH_ERR_MEMORY : GH_OK;
    if (err == GH_OK && (fwrite(page.ptr, 1, page.len, op->out) != page.len || fflush(op->out)))
        err = GH_ERR_IO;
    free(memory);
    return err;
}

int gh_operator_audit_review(struct gh_operator *op, const struct gh_audit_command *command)
{
    struct gh_arena arena;
    gh_arena_init(&arena, 256u * 1024, REVIEW_ARENA_BYTES_MAX);
    struct gh_audit_review *review = gh_arena_zalloc(&arena, 1, sizeof(*review));
    enum gh_err err = review ? fill(op, command, &arena, review) : GH_ERR_MEMORY;
    if (err == GH_OK)
        err = write_page(op, command, review);
    bool broken = err == GH_OK && review->verdict.fault != GH_AUDIT_FAULT_NONE;
    if (review)
        gh_audit_review_end(review);
    gh_arena_done(&arena);
    if (err != GH_OK)
        fprintf(op->err, "gatehouse: the review can't be written: %s\n", gh_err_text(err));
    return err == GH_OK && !broken ? 0 : 1;
}
