/* What a verification goes by: the names of faults, and the bound of what may be unsigned. */
#include "audit/verify.h"

/* What may be unsigned at least. */
#define UNSIGNED_RECORDS 10000

struct gh_str gh_audit_fault_name(enum gh_audit_fault fault)
{
    static const struct gh_str NAMES[GH_AUDIT_FAULT_COUNT] = {
#define X(id, name, text) GH_STR_INIT(name),
        GH_AUDIT_FAULTS(X)
#undef X
    };
    return NAMES[fault];
}

struct gh_str gh_audit_fault_text(enum gh_audit_fault fault)
{
    static const struct gh_str TEXTS[GH_AUDIT_FAULT_COUNT] = {
#define X(id, name, text) GH_STR_INIT(text),
        GH_AUDIT_FAULTS(X)
#undef X
    };
    return TEXTS[fault];
}

uint64_t gh_audit_unsigned_records_max(uint64_t checkpoint_records)
{
    if (checkpoint_records > UINT64_MAX / GH_AUDIT_UNSIGNED_CHECKPOINTS)
        return UINT64_MAX;
    uint64_t records = GH_AUDIT_UNSIGNED_CHECKPOINTS * checkpoint_records;
    return records > UNSIGNED_RECORDS ? records : UNSIGNED_RECORDS;
}
