/* QR codes as SVG: one path, no styles or scripts that a strict policy would refuse. */
#ifndef GH_API_QR_SVG_H
#define GH_API_QR_SVG_H

#include "base/arena.h"

/* `text` without NUL, at most 1 KiB. ptr NULL: it does not fit, or the arena is full. */
struct gh_str gh_qr_svg(struct gh_arena *arena, struct gh_str text);

#endif
