#include "policy/hop.h"

static bool is_option(struct gh_str token)
{
    return gh_str_ieq(token, GH_STR("close")) || gh_str_ieq(token, GH_STR("keep-alive")) ||
           gh_str_ieq(token, GH_STR("upgrade"));
}

bool gh_hop_has_nominated(const struct gh_fields *fields)
{
    const struct gh_field *line = gh_fields_find(fields, GH_FIELD_CONNECTION);
    for (; line; line = gh_fields_find_next(fields, line)) {
        struct gh_str token;
        for (struct gh_str rest = line->value; gh_str_next_list_item(&rest, &token);)
            if (!is_option(token))
                return true;
    }
    return false;
}

bool gh_hop_is_nominated(const struct gh_fields *fields, struct gh_str name)
{
    const struct gh_field *line = gh_fields_find(fields, GH_FIELD_CONNECTION);
    for (; line; line = gh_fields_find_next(fields, line)) {
        struct gh_str token;
        for (struct gh_str rest = line->value; gh_str_next_list_item(&rest, &token);)
            if (gh_str_ieq(token, name))
                return true;
    }
    return false;
}
