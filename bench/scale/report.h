/* The tables of a run, in Markdown on standard output, and what they have to satisfy. */
#ifndef GH_SCALE_REPORT_H
#define GH_SCALE_REPORT_H

#include "shape.h"

/* 0: all checks hold; 1: one does not; 2: no memory. */
int scale_report(const struct scale_shape *shape);

#endif
