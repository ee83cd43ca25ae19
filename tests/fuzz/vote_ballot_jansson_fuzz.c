/* The voting service's ballot: what list of options is one, and what body is a vote for one of it.
 */
#include "../../examples/vote/ballot.c"

#include <stdint.h>
#include <stdlib.h>

#include "base/assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_list(const uint8_t *data, size_t size)
{
    char *list = malloc(size + 1);
    GH_ASSERT(list);
    memcpy(list, data, size);
    list[size] = '\0';
    struct ballot ballot = {.count = 0};
    if (ballot_parse(list, &ballot)) {
        GH_ASSERT(ballot.count >= BALLOT_OPTIONS_MIN && ballot.count <= BALLOT_OPTIONS_MAX);
        for (size_t i = 0; i < ballot.count; i++)
            GH_ASSERT(ballot.options[i][0] && ballot_find(&ballot, ballot.options[i]) == i);
    } else {
        GH_ASSERT(ballot.count == 0);
    }
    free(list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ballot pets;
    const char *option = NULL;
    GH_ASSERT(ballot_parse("cats,dogs", &pets));
    enum ballot_verdict verdict = ballot_judge(&pets, (const char *)data, size, &option);
    GH_ASSERT((verdict == BALLOT_VALID) == (option != NULL));
    GH_ASSERT(!option || option == pets.options[0] || option == pets.options[1]);
    check_list(data, size);
    return 0;
}
