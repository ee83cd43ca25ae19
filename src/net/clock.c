/* Reading the clocks, and moving them in test builds; see clock.h. */
#include "net/clock.h"

#include <time.h>

#include "net/loop.h"

#ifdef GH_TEST_CLOCK
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"

/* The one mutable global of this module: gh_wall_now_us() has no object to keep it in, and release
   builds do not have it. Written once. */
static struct {
    pthread_once_t once;
    const _Atomic int64_t *offset_ms;
} test_clock = {.once = PTHREAD_ONCE_INIT};

static void map_test_clock(void)
{
    const char *path = getenv("GATEHOUSE_TEST_CLOCK");
    if (!path || !*path)
        return;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    /* A test that asked for its clock and does not get it would test nothing. */
    GH_ASSERT(fd >= 0 && fstat(fd, &status) == 0 && status.st_size >= 8);
    void *page = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, fd, 0);
    GH_ASSERT(page != MAP_FAILED);
    close(fd);
    test_clock.offset_ms = (const _Atomic int64_t *)page;
}

int64_t gh_clock_offset_ms(void)
{
    pthread_once(&test_clock.once, map_test_clock);
    return test_clock.offset_ms ? atomic_load_explicit(test_clock.offset_ms, memory_order_relaxed)
                                : 0;
}
#else
int64_t gh_clock_offset_ms(void)
{
    return 0;
}
#endif

static uint64_t read_us(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000 +
           (uint64_t)(gh_clock_offset_ms() * 1000);
}

uint64_t gh_clock_monotonic_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

uint64_t gh_wall_now_us(void)
{
    return read_us(CLOCK_REALTIME);
}
