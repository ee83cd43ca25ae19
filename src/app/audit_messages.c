#include "app/audit_messages.h"

#include <unistd.h>

#include "audit/chain.h"
#include "audit/format.h"
#include "identity/audit_key.h"

/* A webhook takes so much in one POST. */
#define POST_BYTES_MAX (512u * 1024)

static bool is_syslog(enum gh_audit_place place)
{
    return place == GH_AUDIT_PLACE_SYSLOG_LOCAL || place == GH_AUDIT_PLACE_SYSLOG_UDP ||
           place == GH_AUDIT_PLACE_SYSLOG_TCP || place == GH_AUDIT_PLACE_SYSLOG_TLS;
}

static enum gh_err put_syslog(const struct gh_audit_message_form *form, struct gh_arena *arena,
                              struct gh_buf *buf, const struct gh_audit_row *row)
{
    char memory[GH_AUDIT_LINE_BYTES_MAX];
    struct gh_buf line = gh_buf_over(memory, sizeof(memory));
    struct gh_audit_syslog_origin origin = {.host = form->host, .pid = (uint64_t)getpid()};
    if (form->format == GH_AUDIT_EXPORT_CEF)
        return gh_audit_put_syslog_cef(buf, row, NULL, &origin);
    enum gh_err err = gh_audit_put_line(arena, &line, row, (struct gh_str){NULL, 0});
    return err == GH_OK ? gh_audit_put_syslog(buf, row, &origin, gh_buf_str(&line)) : err;
}

/* One row as this place has it. */
static enum gh_err put_row(const struct gh_audit_message_form *form, struct gh_arena *arena,
                           struct gh_buf *buf, const struct gh_audit_row *row)
{
    bool is_file = form->place == GH_AUDIT_PLACE_FILE;
    if (form->checkpoints && is_file) {
        struct gh_str note = gh_audit_note_of(arena, row->record.metadata);
        gh_buf_put(buf, note);
        gh_buf_put_char(buf, '\n'); /* an empty line between them */
        return note.ptr ? GH_OK : GH_ERR_INVALID;
    }
    if (is_syslog(form->place))
        return put_syslog(form, arena, buf, row);
    if (form->format != GH_AUDIT_EXPORT_CEF)
        return gh_audit_put_line(arena, buf, row, (struct gh_str){NULL, 0});
    enum gh_err err = gh_audit_put_cef(buf, row, NULL);
    gh_buf_put_char(buf, '\n');
    return err;
}

/* Counted with the page that goes on behind them. */
static void note_passed(const struct gh_audit_message_page *page, struct gh_audit_messages *out)
{
    bool whole = !page->count || out->through == page->rows[page->count - 1].record.seq;
    if (!whole || !page->passed.count)
        return;
    out->left_out += page->passed.count;
    out->left_out_seq = page->passed.last_seq;
    if (page->passed.last_seq > out->through)
        out->through = page->passed.last_seq;
}

enum gh_err gh_audit_messages_put(const struct gh_audit_message_form *form,
                                  const struct gh_audit_message_page *page, struct gh_arena *arena,
                                  struct gh_buf *buf, struct gh_audit_messages *out)
{
    bool is_hook = form->place == GH_AUDIT_PLACE_WEBHOOK;
    for (size_t i = 0; i < page->count; i++) {
        size_t before = buf->len;
        if (is_hook)
            gh_buf_put_char(buf, out->count ? ',' : '[');
        size_t begin = buf->len;
        bool is_full =
            buf->cap - begin < GH_AUDIT_FORMATTED_BYTES_MAX || (is_hook && begin > POST_BYTES_MAX);
        enum gh_err err = is_full ? GH_OK : put_row(form, arena, buf, &page->rows[i]);
        if (is_full || err == GH_ERR_INVALID || err == GH_ERR_FULL) {
            buf->len = before;
            buf->overflow = false;
        }
        if (is_full)
            break;
        if (err == GH_OK) {
            out->items[out->count++] = gh_str_of(buf->ptr + begin, buf->len - begin);
        } else if (err == GH_ERR_INVALID || err == GH_ERR_FULL) {
            out->left_out++;
            out->left_out_seq = page->rows[i].record.seq;
        } else {
            return err;
        }
        out->through = page->rows[i].record.seq;
    }
    note_passed(page, out);
    if (is_hook && out->count) {
        gh_buf_put_char(buf, ']');
        out->items[0] = gh_buf_str(buf);
    }
    return GH_OK;
}
