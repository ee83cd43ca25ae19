#include "audit/checkpoint.h"

#include "audit/base64.h"
#include "audit/note_key.h"
#include "audit/time_text.h"
#include "base/num.h"
#include "base/utf8.h"
#include "json/canonical.h"

/* What begins a signature line: an em dash and a space. */
#define SIGNATURE_MARK "\xe2\x80\x94 "
/* Signatures of other kinds than ours may be long (post-quantum ones are near 5 kB). */
enum { SIGNATURE_BYTES_MAX = 8 * 1024 };

/* ---- Writing ---- */

static bool is_in_range(const struct gh_audit_checkpoint *checkpoint)
{
    return gh_note_is_key_name(checkpoint->origin) && checkpoint->seq > 0 &&
           checkpoint->seq <= GH_JSON_SAFE_INTEGER_MAX && checkpoint->first_seq > 0 &&
           checkpoint->first_seq <= checkpoint->seq + 1 &&
           checkpoint->time_us <= GH_AUDIT_TIME_US_MAX;
}

static void put_text(struct gh_buf *buf, const struct gh_audit_checkpoint *checkpoint)
{
    gh_buf_put(buf, checkpoint->origin);
    gh_buf_put_char(buf, '\n');
    gh_buf_put_u64(buf, checkpoint->seq);
    gh_buf_put_char(buf, '\n');
    gh_base64_put(buf, checkpoint->hash, GH_SHA256_BYTES);
    if (checkpoint->chain > 1) {
        gh_buf_put(buf, GH_STR("\nchain "));
        gh_buf_put_u64(buf, checkpoint->chain);
    }
    gh_buf_put(buf, GH_STR("\nfirst "));
    gh_buf_put_u64(buf, checkpoint->first_seq);
    gh_buf_put_char(buf, ' ');
    gh_base64_put(buf, checkpoint->first_prev_hash, GH_SHA256_BYTES);
    gh_buf_put(buf, GH_STR("\ntime "));
    gh_audit_put_time(buf, checkpoint->time_us);
    gh_buf_put_char(buf, '\n');
}

enum gh_err gh_audit_put_checkpoint(struct gh_buf *buf,
                                    const struct gh_audit_checkpoint *checkpoint,
                                    struct gh_str name, const struct gh_pkey *key)
{
    if (gh_pkey_alg(key) != GH_PKEY_ED25519 || !gh_pkey_is_private(key) ||
        !gh_note_is_key_name(name) || !is_in_range(checkpoint))
        return GH_ERR_INVALID;
    uint8_t typed_key[GH_NOTE_TYPED_KEY_BYTES],
        signature[GH_NOTE_KEY_ID_BYTES + GH_PKEY_SIGNATURE_BYTES_MAX];
    uint32_t key_id;
    size_t start = buf->len, len;
    enum gh_err err = gh_note_find_key_id(name, key, typed_key, &key_id);
    if (err)
        return err;
    put_text(buf, checkpoint);
    struct gh_str text = gh_str_skip(gh_buf_str(buf), start);
    err = gh_pkey_sign(key, text, signature + GH_NOTE_KEY_ID_BYTES, &len);
    if (err)
        return err;
    gh_note_write_key_id(signature, key_id);
    gh_buf_put(buf, GH_STR("\n" SIGNATURE_MARK));
    gh_buf_put(buf, name);
    gh_buf_put_char(buf, ' ');
    gh_base64_put(buf, signature, GH_NOTE_KEY_ID_BYTES + len);
    gh_buf_put_char(buf, '\n');
    return buf->overflow ? GH_ERR_FULL : GH_OK;
}

/* ---- Reading ---- */

static bool read_hash(struct gh_str text, uint8_t out[GH_SHA256_BYTES])
{
    size_t len;
    return gh_base64_decode(text, out, GH_SHA256_BYTES, &len) && len == GH_SHA256_BYTES;
}

/* "chain <number>", of others than the first. */
static bool read_chain(struct gh_str line, uint32_t *out)
{
    uint64_t chain;
    if (!gh_num_parse_u64(gh_str_skip(line, 6), UINT32_MAX, &chain) || chain < 2)
        return false;
    *out = (uint32_t)chain;
    return true;
}

/* "first <seq> <hash>" */
static bool read_first(struct gh_str line, struct gh_audit_checkpoint *checkpoint)
{
    if (!gh_str_starts_with(line, GH_STR("first ")))
        return false;
    struct gh_str hash = gh_str_skip(line, 6);
    struct gh_str seq = gh_str_split(&hash, ' ');
    return hash.ptr && gh_num_parse_u64(seq, checkpoint->seq + 1, &checkpoint->first_seq) &&
           checkpoint->first_seq > 0 && read_hash(hash, checkpoint->first_prev_hash);
}

static bool read_time(struct gh_str line, uint64_t *out_time_us)
{
    return gh_str_starts_with(line, GH_STR("time ")) &&
           gh_audit_parse_time(gh_str_skip(line, 5), out_time_us);
}

/* The lines behind the hash. */
static bool read_extensions(struct gh_str rest, struct gh_audit_checkpoint *out)
{
    struct gh_str line = gh_str_split(&rest, '\n');
    out->chain = 1;
    if (gh_str_starts_with(line, GH_STR("chain "))) {
        if (!read_chain(line, &out->chain) || !rest.ptr)
            return false;
        line = gh_str_split(&rest, '\n');
    }
    if (!rest.ptr || !read_first(line, out) || !read_time(gh_str_split(&rest, '\n'), &out->time_us))
        return false;
    while (rest.ptr)
        if (gh_str_split(&rest, '\n').len == 0)
            return false;
    return true;
}

/* `text` ends with its newline. */
static bool read_text(struct gh_str text, struct gh_audit_checkpoint *out)
{
    struct gh_str rest = gh_str_first(text, text.len - 1), lines[3];
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        lines[i] = gh_str_split(&rest, '\n');
        if (!rest.ptr)
            return false;
    }
    out->origin = lines[0];
    return lines[0].len > 0 && gh_num_parse_u64(lines[1], GH_JSON_SAFE_INTEGER_MAX, &out->seq) &&
           out->seq > 0 && read_hash(lines[2], out->hash) && read_extensions(rest, out);
}

static bool has_only_text(struct gh_str note)
{
    for (size_t i = 0; i < note.len; i++)
        if ((unsigned char)note.ptr[i] < 0x20 && note.ptr[i] != '\n')
            return false;
    return gh_utf8_is_valid(note);
}

/* Text and signature lines, both with their last newline; the last empty line parts them. */
static bool split_note(struct gh_str note, struct gh_str *out_text, struct gh_str *out_signatures)
{
    if (note.len < 4 || note.ptr[note.len - 1] != '\n' || !has_only_text(note))
        return false;
    for (size_t at = note.len - 2; at > 0; at--) {
        if (note.ptr[at] != '\n' || note.ptr[at - 1] != '\n')
            continue;
        *out_text = gh_str_first(note, at);
        *out_signatures = gh_str_skip(note, at + 1);
        return true;
    }
    return false;
}

static const struct gh_audit_verifier *find_verifier(const struct gh_audit_verifier *verifiers,
                                                     size_t count, struct gh_str name,
                                                     uint32_t key_id)
{
    for (size_t i = 0; i < count; i++)
        if (verifiers[i].key_id == key_id && gh_str_eq(verifiers[i].name, name))
            return &verifiers[i];
    return NULL;
}

static enum gh_audit_note judge_signature(struct gh_str text, struct gh_str line,
                                          const struct gh_audit_verifier *verifiers, size_t count)
{
    uint8_t bytes[SIGNATURE_BYTES_MAX];
    size_t len;
    if (!gh_str_starts_with(line, GH_STR(SIGNATURE_MARK)))
        return GH_AUDIT_NOTE_MALFORMED;
    struct gh_str signature = gh_str_skip(line, sizeof(SIGNATURE_MARK) - 1);
    struct gh_str name = gh_str_split(&signature, ' ');
    if (!signature.ptr || !gh_note_is_key_name(name) ||
        !gh_base64_decode(signature, bytes, sizeof(bytes), &len) || len <= GH_NOTE_KEY_ID_BYTES)
        return GH_AUDIT_NOTE_MALFORMED;
    const struct gh_audit_verifier *verifier =
        find_verifier(verifiers, count, name, gh_note_read_key_id(bytes));
    if (!verifier)
        return GH_AUDIT_NOTE_UNKNOWN_KEY;
    struct gh_str value =
        gh_str_of((const char *)bytes + GH_NOTE_KEY_ID_BYTES, len - GH_NOTE_KEY_ID_BYTES);
    return gh_pkey_verify(verifier->key, text, value) ? GH_AUDIT_NOTE_GOOD : GH_AUDIT_NOTE_FORGED;
}

/* All of them: malformed counts more than forged, forged more than good. */
static enum gh_audit_note judge_signatures(struct gh_str text, struct gh_str lines,
                                           const struct gh_audit_verifier *verifiers, size_t count)
{
    size_t seen[GH_AUDIT_NOTE_FORGED + 1] = {0};
    struct gh_str rest = gh_str_first(lines, lines.len - 1);
    for (size_t i = 0; rest.ptr; i++) {
        if (i == GH_AUDIT_NOTE_SIGNATURES_MAX)
            return GH_AUDIT_NOTE_MALFORMED;
        seen[judge_signature(text, gh_str_split(&rest, '\n'), verifiers, count)]++;
    }
    if (seen[GH_AUDIT_NOTE_MALFORMED])
        return GH_AUDIT_NOTE_MALFORMED;
    if (seen[GH_AUDIT_NOTE_FORGED])
        return GH_AUDIT_NOTE_FORGED;
    return seen[GH_AUDIT_NOTE_GOOD] ? GH_AUDIT_NOTE_GOOD : GH_AUDIT_NOTE_UNKNOWN_KEY;
}

enum gh_audit_note gh_audit_checkpoint_open(struct gh_str note,
                                            const struct gh_audit_verifier *verifiers, size_t count,
                                            struct gh_audit_checkpoint *out)
{
    struct gh_str text, signatures;
    struct gh_audit_checkpoint checkpoint = {0};
    if (!split_note(note, &text, &signatures) || signatures.len == 0 ||
        !read_text(text, &checkpoint))
        return GH_AUDIT_NOTE_MALFORMED;
    enum gh_audit_note judgement = judge_signatures(text, signatures, verifiers, count);
    if (judgement == GH_AUDIT_NOTE_GOOD || judgement == GH_AUDIT_NOTE_UNKNOWN_KEY)
        *out = checkpoint;
    return judgement;
}

bool gh_audit_next_note(struct gh_str *rest, struct gh_str *out_note)
{
    while (rest->len && *rest->ptr == '\n')
        *rest = gh_str_skip(*rest, 1);
    if (rest->len == 0)
        return false;
    const struct gh_str mark = GH_STR(SIGNATURE_MARK);
    size_t end = gh_str_find(*rest, GH_STR("\n\n" SIGNATURE_MARK));
    end = end == rest->len ? end : end + 2;
    for (struct gh_str line = gh_str_skip(*rest, end); gh_str_starts_with(line, mark);
         line = gh_str_skip(*rest, end)) {
        size_t len = gh_str_find_char(line, '\n');
        end += len == line.len ? len : len + 1;
    }
    *out_note = gh_str_first(*rest, end);
    *rest = gh_str_skip(*rest, end);
    return true;
}
