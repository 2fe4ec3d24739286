/* Reads of one size, so many at once, each of them timed. */
#ifndef STEPWELL_MEASURE_H
#define STEPWELL_MEASURE_H

#include <stdint.h>

struct sw_place {
	uint64_t offset;
	int32_t fd;
	uint32_t reserved;
};

/* CLOCK_MONOTONIC; end_ns is 0 while it is under way, begin_ns before. */
struct sw_timed {
	uint64_t begin_ns;
	_Atomic uint64_t end_ns;
	int64_t bytes; /* or -errno */
};

struct sw_measure;

/*
 * Threads begin to read the places in their order, none later than `deadline_ns`. All that they use is theirs: whoever
 * began may go. NULL and errno when so many threads or so much memory are not to be had.
 */
struct sw_measure *sw_measure_begin(const struct sw_place *places, uint32_t count, uint64_t block, uint32_t threads,
				    uint64_t deadline_ns);

/* Wait until all threads have ended, at most so long; how many have not. */
uint32_t sw_measure_wait(struct sw_measure *measure, uint32_t milliseconds);

/* Begin no further read. */
void sw_measure_stop(struct sw_measure *measure);

/* The reads as they are now, one for each place. */
void sw_measure_timed(struct sw_measure *measure, struct sw_timed *timed);

/* Begin no further read, and forget it: the last thread to end frees what is left. */
void sw_measure_end(struct sw_measure *measure);

#endif
