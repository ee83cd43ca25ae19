#include "audit/record.h"

#include <stdio.h>

#include "crypto/hash.h"
#include "json/writer.h"

static const struct gh_str SUCCESS = GH_STR_INIT("success");
static const struct gh_str FAILURE = GH_STR_INIT("failure");

struct gh_str gh_audit_outcome_name(enum gh_audit_outcome outcome)
{
    return outcome == GH_AUDIT_SUCCESS ? SUCCESS : FAILURE;
}

bool gh_audit_outcome_parse(struct gh_str name, enum gh_audit_outcome *out)
{
    if (!gh_str_eq(name, SUCCESS) && !gh_str_eq(name, FAILURE))
        return false;
    *out = gh_str_eq(name, SUCCESS) ? GH_AUDIT_SUCCESS : GH_AUDIT_FAILURE;
    return true;
}

void gh_audit_session_hash(struct gh_str session_id, char out[GH_AUDIT_SESSION_LEN + 1])
{
    uint8_t hash[GH_SHA256_BYTES];
    gh_sha256(session_id, hash);
    struct gh_buf buf = gh_buf_over(out, GH_AUDIT_SESSION_LEN);
    gh_buf_put_hex_bytes(&buf, hash, GH_AUDIT_SESSION_LEN / 2);
    out[GH_AUDIT_SESSION_LEN] = 0;
}

/* The civil date of a day since 1970 (H. Hinnant, "chrono-compatible low-level date algorithms",
   civil_from_days). */
static void date_of(uint64_t days, unsigned *out_year, unsigned *out_month, unsigned *out_day)
{
    uint64_t shifted = days + 719468;
    uint64_t era = shifted / 146097, of_era = shifted - era * 146097;
    uint64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    uint64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    uint64_t month = (5 * of_year + 2) / 153;
    *out_day = (unsigned)(of_year - (153 * month + 2) / 5 + 1);
    *out_month = (unsigned)(month < 10 ? month + 3 : month - 9);
    *out_year = (unsigned)(year + era * 400 + (*out_month <= 2));
}

void gh_audit_put_time(struct gh_buf *buf, uint64_t time_us)
{
    uint64_t seconds = time_us / 1000000, of_day = seconds % 86400;
    unsigned year, month, day;
    date_of(seconds / 86400, &year, &month, &day);
    gh_buf_format(buf, "%04u-%02u-%02uT%02u:%02u:%02u.%06uZ", year, month, day,
                  (unsigned)(of_day / 3600), (unsigned)(of_day / 60 % 60), (unsigned)(of_day % 60),
                  (unsigned)(time_us % 1000000));
}

static void put_text(struct gh_buf *buf, struct gh_str name, struct gh_str value)
{
    if (value.len) {
        gh_json_put_member(buf, name, value);
        return;
    }
    gh_json_put_name(buf, name);
    gh_buf_put(buf, GH_STR("null"));
}

void gh_audit_record_put_json(struct gh_buf *buf, const struct gh_audit_record *record)
{
    char time[GH_AUDIT_TIME_LEN + 1];
    struct gh_buf time_buf = gh_buf_over(time, sizeof(time));
    gh_audit_put_time(&time_buf, record->time_us);
    gh_buf_put_char(buf, '{');
    gh_json_put_member_u64(buf, GH_STR("seq"), record->seq);
    if (gh_audit_chain_of(record) > 1)
        gh_json_put_member_u64(buf, GH_STR("chain"), record->chain);
    gh_json_put_member(buf, GH_STR("time"), gh_buf_str(&time_buf));
    gh_json_put_member(buf, GH_STR("event_type"), gh_audit_event_facts(record->event)->name);
    put_text(buf, GH_STR("user_id"), record->user_id);
    put_text(buf, GH_STR("actor_id"), record->actor_id);
    put_text(buf, GH_STR("ip_address"), record->ip_address);
    put_text(buf, GH_STR("user_agent"), record->user_agent);
    put_text(buf, GH_STR("session"), record->session);
    put_text(buf, GH_STR("request_id"), record->request_id);
    gh_json_put_member(buf, GH_STR("outcome"), gh_audit_outcome_name(record->outcome));
    gh_json_put_name(buf, GH_STR("metadata"));
    gh_json_put_tame(buf, record->metadata.len ? record->metadata : GH_STR("{}"));
    gh_buf_put_char(buf, '}');
}
