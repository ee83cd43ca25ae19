#include "identity/store_trace.h"

struct traced_tx {
    struct gh_tx tx; /* first */
    struct gh_tx *inner;
    struct gh_store_trace *trace;
};

static struct gh_tx *note(struct gh_tx *tx, const char *name)
{
    struct traced_tx *traced = (struct traced_tx *)tx;
    gh_buf_put(&traced->trace->text, gh_str_from_c(name));
    gh_buf_put_char(&traced->trace->text, ' ');
    return traced->inner;
}

#define PASS_1(name, type_a)                                                                       \
    static enum gh_err name(struct gh_tx *tx, type_a a)                                            \
    {                                                                                              \
        struct gh_tx *inner = note(tx, #name);                                                     \
        return inner->ops->name(inner, a);                                                         \
    }
#define PASS_2(name, type_a, type_b)                                                               \
    static enum gh_err name(struct gh_tx *tx, type_a a, type_b b)                                  \
    {                                                                                              \
        struct gh_tx *inner = note(tx, #name);                                                     \
        return inner->ops->name(inner, a, b);                                                      \
    }

PASS_1(account_insert, const struct gh_account *)
PASS_2(account_by_id, struct gh_str, struct gh_account *)
PASS_2(account_by_email, const uint8_t *, struct gh_account *)
PASS_1(account_update, const struct gh_account *)
PASS_1(session_insert, const struct gh_session_row *)
PASS_1(ticket_insert, const struct gh_ticket *)
PASS_1(ticket_delete, const uint8_t *)
PASS_2(tickets_delete_of, struct gh_str, enum gh_ticket_purpose)
PASS_2(throttle_get, const uint8_t *, struct gh_throttle_row *)
PASS_1(throttle_put, const struct gh_throttle_row *)
PASS_1(throttle_delete, const uint8_t *)
PASS_1(device_put, const struct gh_device_row *)
PASS_2(device_get, const uint8_t *, struct gh_device_row *)
PASS_1(mail_insert, const struct gh_mail_row *)
PASS_1(audit_append, const struct gh_audit_row *)
PASS_2(person_key_get, struct gh_str, struct gh_person_key_row *)
PASS_1(person_key_insert, const struct gh_person_key_row *)
PASS_1(person_key_delete, struct gh_str)

static const struct gh_tx_ops TX_OPS = {
    .account_insert = account_insert,
    .account_by_id = account_by_id,
    .account_by_email = account_by_email,
    .account_update = account_update,
    .session_insert = session_insert,
    .ticket_insert = ticket_insert,
    .ticket_delete = ticket_delete,
    .tickets_delete_of = tickets_delete_of,
    .throttle_get = throttle_get,
    .throttle_put = throttle_put,
    .throttle_delete = throttle_delete,
    .device_put = device_put,
    .device_get = device_get,
    .mail_insert = mail_insert,
    .audit_append = audit_append,
    .person_key_get = person_key_get,
    .person_key_insert = person_key_insert,
    .person_key_delete = person_key_delete,
};

struct wrapped {
    struct gh_store_trace *trace;
    gh_store_unit *unit;
    void *args;
};

static enum gh_err run_traced(struct gh_tx *tx, void *args)
{
    struct wrapped *wrapped = args;
    struct traced_tx traced = {.tx = {.ops = &TX_OPS, .arena = tx->arena, .chain = tx->chain},
                               .inner = tx,
                               .trace = wrapped->trace};
    return wrapped->unit(&traced.tx, wrapped->args);
}

static enum gh_err run(struct gh_store *store, gh_store_unit *unit, void *args,
                       struct gh_arena *arena)
{
    struct gh_store_trace *trace = (struct gh_store_trace *)store;
    struct wrapped wrapped = {trace, unit, args};
    gh_buf_put(&trace->text, GH_STR("run("));
    enum gh_err err = trace->inner->ops->run(trace->inner, run_traced, &wrapped, arena);
    gh_buf_put(&trace->text, GH_STR(") "));
    return err;
}

static enum gh_err read(struct gh_store *store, gh_store_unit *unit, void *args,
                        struct gh_arena *arena)
{
    struct gh_store_trace *trace = (struct gh_store_trace *)store;
    struct wrapped wrapped = {trace, unit, args};
    gh_buf_put(&trace->text, GH_STR("read("));
    enum gh_err err = trace->inner->ops->read(trace->inner, run_traced, &wrapped, arena);
    gh_buf_put(&trace->text, GH_STR(") "));
    return err;
}

static void close_nothing(struct gh_store *store)
{
    (void)store;
}

static enum gh_err scrub(struct gh_store *store)
{
    struct gh_store_trace *trace = (struct gh_store_trace *)store;
    gh_buf_put(&trace->text, GH_STR("scrub "));
    return trace->inner->ops->scrub(trace->inner);
}

static const struct gh_store_ops STORE_OPS = {
    .run = run, .run_bulk = run, .read = read, .scrub = scrub, .close = close_nothing};

void gh_store_trace_init(struct gh_store_trace *trace, struct gh_store *inner)
{
    *trace = (struct gh_store_trace){.store = {&STORE_OPS}, .inner = inner};
    trace->text = gh_buf_over(trace->memory, sizeof(trace->memory));
}

struct gh_str gh_store_trace_take(struct gh_store_trace *trace)
{
    struct gh_str text = gh_buf_str(&trace->text);
    trace->text.len = 0;
    return text;
}
