/* The accesses of one thread in their order, out of its runs. */
#ifndef STEPWELL_REPLAY_ORDER_H
#define STEPWELL_REPLAY_ORDER_H

#include "replay.h"

/* A run that has begun, and its next access. */
struct sw_cursor {
	const struct sw_step *step;
	uint64_t seq;
	uint32_t next;
};

struct sw_order {
	const struct sw_step *steps; /* by `seq` */
	uint64_t count;
	uint64_t taken; /* steps begun */
	struct sw_cursor *heap; /* runs begun and not ended, the least `seq` first; the caller frees it */
	uint32_t begun, room;
};

struct sw_issue {
	uint64_t offset, requested, size, start_ns;
	uint32_t target, op, async;
};

/* The next access: 1, 0 at the end, or minus errno. */
int sw_next(struct sw_order *order, struct sw_issue *access);

#endif
