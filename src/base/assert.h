/*
 * GH_ASSERT states what only a bug of ours can break. It is on in every build: a process whose own
 * invariants do not hold must not go on deciding who may enter.
 */
#ifndef GH_BASE_ASSERT_H
#define GH_BASE_ASSERT_H

_Noreturn void gh_assert_failed(const char *condition, const char *file, int line);

#define GH_ASSERT(condition)                                                                       \
    ((condition) ? (void)0 : gh_assert_failed(#condition, __FILE__, __LINE__))

#endif
