/*
 * Memory that is kept for later, and is nobody's until then: under AddressSanitizer touching it is
 * an error, as touching freed memory is. Elsewhere this is nothing.
 */
#ifndef GH_BASE_POISON_H
#define GH_BASE_POISON_H

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define GH_HAS_POISON 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) && !defined(GH_HAS_POISON)
#define GH_HAS_POISON 1
#endif

#ifdef GH_HAS_POISON
#include <sanitizer/asan_interface.h>
#define gh_poison(memory, bytes)   __asan_poison_memory_region((memory), (bytes))
#define gh_unpoison(memory, bytes) __asan_unpoison_memory_region((memory), (bytes))
#else
#define gh_poison(memory, bytes)   ((void)(memory), (void)(bytes))
#define gh_unpoison(memory, bytes) ((void)(memory), (void)(bytes))
#endif

#endif
