#include "app/progress.h"

#include <inttypes.h>

#include "net/loop.h"

#define FROM_MS   1000
#define EVERY_MS  200
#define BAR_CELLS 30

static const char CELLS[BAR_CELLS + 1] = "##############################";
static const char BLANKS[BAR_CELLS + 1] = "                              ";

void gh_progress_begin(struct gh_progress *progress, FILE *out, const char *what)
{
    *progress = (struct gh_progress){.out = out, .what = what, .begun_ms = gh_monotonic_now_ms()};
}

void gh_progress_show(struct gh_progress *progress, uint64_t done, uint64_t all)
{
    uint64_t now_ms = gh_monotonic_now_ms();
    if (!all || now_ms < progress->begun_ms + FROM_MS || (now_ms < progress->next_ms && done < all))
        return;
    if (done > all)
        done = all;
    unsigned cells = (unsigned)(done * BAR_CELLS / all);
    fprintf(progress->out, "\r%s [%.*s%.*s] %3u%%  %" PRIu64 " of %" PRIu64, progress->what,
            (int)cells, CELLS, (int)(BAR_CELLS - cells), BLANKS, (unsigned)(done * 100 / all), done,
            all);
    fflush(progress->out);
    progress->next_ms = now_ms + EVERY_MS;
    progress->shown = true;
}

void gh_progress_end(struct gh_progress *progress)
{
    if (progress->shown)
        fputc('\n', progress->out);
    progress->shown = false;
}
