/* The page to vote on, built into the program from page/ by embed.py. */
#ifndef VOTE_PAGE_H
#define VOTE_PAGE_H

#include <stddef.h>

struct page_file {
    const char *path; /* of the URL */
    const char *media_type;
    const char *bytes;
    size_t size;
};

extern const struct page_file page_files[];
extern const size_t page_file_count;

#endif
