#include "app/audit_notes.h"

#include <stdlib.h>
#include <string.h>

#define READ_BYTES (64u * 1024)

enum gh_err gh_audit_notes_read(FILE *in, size_t bytes_max, struct gh_arena *arena,
                                struct gh_str *out_text)
{
    char *text = NULL;
    size_t len = 0, got = 0;
    FILE *copy = open_memstream(&text, &len);
    char *piece = malloc(READ_BYTES);
    enum gh_err err = copy && piece ? GH_OK : GH_ERR_MEMORY;
    size_t total = 0;
    while (err == GH_OK && (got = fread(piece, 1, READ_BYTES, in)) > 0) {
        total += got;
        if (total > bytes_max)
            err = GH_ERR_FULL;
        else
            fwrite(piece, 1, got, copy);
    }
    if (copy && fclose(copy) != 0 && err == GH_OK)
        err = GH_ERR_MEMORY;
    if (err == GH_OK && ferror(in))
        err = GH_ERR_IO;
    if (err == GH_OK) {
        *out_text = gh_arena_dup(arena, gh_str_of(text, len));
        err = out_text->ptr ? GH_OK : GH_ERR_MEMORY;
    }
    free(piece);
    free(text);
    return err;
}

static size_t count_notes(struct gh_str text)
{
    struct gh_str note;
    size_t count = 0;
    while (gh_audit_next_note(&text, &note))
        count++;
    return count;
}

enum gh_err gh_audit_notes_open(struct gh_arena *arena, struct gh_str text,
                                const struct gh_audit_verifier *verifiers, size_t verifier_count,
                                const struct gh_audit_checkpoint **out_items, size_t *out_count)
{
    size_t count = count_notes(text), used = 0;
    struct gh_audit_checkpoint *items = gh_arena_zalloc(arena, count + 1, sizeof(*items));
    struct gh_str note;
    if (!items)
        return GH_ERR_MEMORY;
    while (gh_audit_next_note(&text, &note)) {
        enum gh_audit_note judged =
            gh_audit_checkpoint_open(note, verifiers, verifier_count, &items[used]);
        bool good = judged == GH_AUDIT_NOTE_GOOD ||
                    (judged == GH_AUDIT_NOTE_UNKNOWN_KEY && verifier_count == 0);
        if (!good)
            return GH_ERR_INVALID;
        used++;
    }
    *out_items = items;
    *out_count = used;
    return GH_OK;
}

static void release(struct gh_audit_verifier *items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        gh_pkey_unref(items[i].key);
}

enum gh_err gh_audit_verifiers_read(struct gh_arena *arena, struct gh_str text,
                                    struct gh_audit_verifier **out_items, size_t *out_count)
{
    size_t lines = 1, count = 0;
    for (size_t i = 0; i < text.len; i++)
        lines += text.ptr[i] == '\n';
    struct gh_audit_verifier *items = gh_arena_zalloc(arena, lines, sizeof(*items));
    if (!items)
        return GH_ERR_MEMORY;
    for (struct gh_str rest = text; rest.ptr;) {
        struct gh_str line = gh_str_trim_ows(gh_str_split(&rest, '\n'));
        if (gh_str_ends_with(line, GH_STR("\r")))
            line.len--;
        if (!line.len || line.ptr[0] == '#')
            continue;
        if (!gh_audit_verifier_parse(arena, line, &items[count])) {
            release(items, count);
            return GH_ERR_INVALID;
        }
        count++;
    }
    *out_items = items;
    *out_count = count;
    return count ? GH_OK : GH_ERR_INVALID;
}
