#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crypto/hash.h"
#include "crypto/secret.h"

/* Sanitizers leave mlock out. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CAN_LOCK 0
#else
#define CAN_LOCK 1
#endif

/* The flags of the mapping that `address` lies in, as the kernel shows them. */
static void flags_of(const void *address, char *out, size_t cap)
{
    char line[1024];
    bool here = false;
    FILE *maps = fopen("/proc/self/smaps", "re");
    assert_non_null(maps);
    out[0] = '\0';
    while (fgets(line, sizeof(line), maps)) {
        unsigned long first, end;
        if (sscanf(line, "%lx-%lx ", &first, &end) == 2)
            here = (uintptr_t)address >= first && (uintptr_t)address < end;
        else if (here && strncmp(line, "VmFlags:", 8) == 0)
            snprintf(out, cap, "%.*s", (int)cap - 1, line + 8);
    }
    fclose(maps);
}

static void is_zeroed_and_aligned_for_its_size(void **state)
{
    (void)state;
    static const size_t SIZES[] = {1, 8, 32, 48, 64, 4096, 5000};
    for (size_t i = 0; i < sizeof(SIZES) / sizeof(SIZES[0]); i++) {
        unsigned char *secret = gh_secret_alloc(SIZES[i]);
        assert_non_null(secret);
        for (size_t at = 0; at < SIZES[i]; at++)
            assert_int_equal(secret[at], 0);
        if (SIZES[i] % 16 == 0)
            assert_int_equal((uintptr_t)secret % 16, 0);
        gh_secret_free(secret);
    }
    gh_secret_free(NULL);
}

static void is_locked_and_in_no_dump_and_no_child(void **state)
{
    (void)state;
    char flags[256];
    struct rlimit limit;
    char *secret = gh_secret_alloc(64);
    assert_non_null(secret);
    strcpy(secret, "key");
    flags_of(secret, flags, sizeof(flags));
    assert_non_null(strstr(flags, " dd")); /* MADV_DONTDUMP */
    assert_non_null(strstr(flags, " dc")); /* MADV_DONTFORK */
    assert_int_equal(getrlimit(RLIMIT_MEMLOCK, &limit), 0);
    if (CAN_LOCK && (geteuid() == 0 || limit.rlim_cur > 65536))
        assert_non_null(strstr(flags, " lo"));
    gh_secret_free(secret);
}

/* In a process of its own: how it ends is what is looked at. */
static int signal_of(void (*what)(void))
{
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct rlimit none = {0, 0};
        signal(SIGSEGV, SIG_DFL); /* sanitizers have handlers */
        setrlimit(RLIMIT_CORE, &none);
        what();
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void read_behind_it(void)
{
    volatile char *secret = gh_secret_alloc(64);
    if (secret && secret[64] == 'x')
        _exit(1);
}

static void read_within_it(void)
{
    volatile char *secret = gh_secret_alloc(64);
    if (secret && secret[63] == 'x')
        _exit(1);
}

static void who_reads_too_far_ends(void **state)
{
    (void)state;
    assert_int_equal(signal_of(read_within_it), 0);
    assert_int_equal(signal_of(read_behind_it), SIGSEGV);
}

static int set_up(void **state)
{
    (void)state;
    gh_crypto_init();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_zeroed_and_aligned_for_its_size),
        cmocka_unit_test(is_locked_and_in_no_dump_and_no_child),
        cmocka_unit_test(who_reads_too_far_ends),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
