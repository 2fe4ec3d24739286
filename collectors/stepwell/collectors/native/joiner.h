/*
 * Joins accesses of many heads into runs, in user space and bounded memory: one open run per (thread, open file,
 * operation), as in the kernel. Nothing is lost when there are more heads than are kept: the one not used for longest
 * is ended, and begins anew.
 */
#ifndef STEPWELL_JOINER_H
#define STEPWELL_JOINER_H

#include "collectors/native/stepwell.h"

struct sw_joiner;

/* What is known of an access's place in a run that was taken apart. */
enum sw_place {
	SW_ANYWHERE = 0,
	SW_EDGE = 1, /* first or last: continues a run only after one that is inside */
	SW_INSIDE = 2,
};

/* One access and whose it is. */
struct sw_owned {
	struct sw_access access;
	uint64_t open;
	uint32_t thread;
	uint8_t op;
	uint8_t place; /* enum sw_place */
	uint16_t reserved;
};

/* Finished runs; the caller empties it. One access ends at most two runs. */
struct sw_runs {
	struct sw_run *runs;
	struct sw_run_short *short_runs;
	size_t room; /* of each of the two */
	size_t run_count;
	size_t short_count;
};

/* `heads` open runs are kept at most, a multiple of 8. NULL without memory. */
SW_API struct sw_joiner *sw_joiner_new(size_t heads);
/* Joins accesses for as long as there is room for the runs they may end; returns how many it took. */
SW_API size_t sw_joiner_add(struct sw_joiner *joiner, const struct sw_owned *accesses, size_t count,
			    struct sw_runs *out);
/* Ends open runs for as long as there is room; returns 1 when none is left. */
SW_API int sw_joiner_end(struct sw_joiner *joiner, struct sw_runs *out);
SW_API void sw_joiner_free(struct sw_joiner *joiner);

#endif
