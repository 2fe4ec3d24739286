/*
 * How many of the samples of a stream, one of `scale`, as many lines explain: the lengths of the first rows of the
 * tableau that Schensted's insertion makes (C. Greene, "An Extension of Schensted's Theorem", 1974). Falling ones rise
 * mirrored.
 */
#ifndef STEPWELL_ANALYSIS_LINES_H
#define STEPWELL_ANALYSIS_LINES_H

#include <stdint.h>

/* For each number of lines up to SW_LINES; values are taken ^ `mirror`. */
void sw_lines(const uint64_t *samples, uint64_t number, uint64_t scale, uint64_t mirror, uint64_t *lines);

#endif
