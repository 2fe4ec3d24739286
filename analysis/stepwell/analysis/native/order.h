/* From runs, which are stored when they end, to accesses in the order of time; `order.c` tells how. */
#ifndef STEPWELL_ANALYSIS_ORDER_H
#define STEPWELL_ANALYSIS_ORDER_H

#include <stddef.h>
#include <stdint.h>

#include "trace/record.h"

struct sw_run_columns {
	const int64_t *file, *open;
	const uint8_t *op;
	const uint32_t *count;
	const int64_t *offset, *stride, *size, *tail, *start_ns, *span_ns;
};

struct sw_pending {
	int64_t start_ns, span_ns;
	uint64_t offset;
	int64_t stride;
	uint64_t size, tail;
	int64_t open;
	uint32_t count, next;
	uint32_t file; /* as whoever asked numbers files */
	uint8_t write;
};

/* A row, which is about file number `file`. */
static inline struct sw_pending sw_pending_of(const struct sw_run_columns *runs, uint64_t row, uint32_t file)
{
	return (struct sw_pending){
		.start_ns = runs->start_ns[row],
		.span_ns = runs->span_ns[row],
		.offset = (uint64_t)runs->offset[row],
		.stride = runs->stride[row],
		.size = (uint64_t)runs->size[row],
		.tail = (uint64_t)runs->tail[row],
		.open = runs->open[row],
		.count = runs->count[row],
		.file = file,
		.write = runs->op[row] == SW_WRITE,
	};
}

/* Whether a run is one access, within a block of 2^`shift` bytes. */
static inline int sw_in_one_block(const struct sw_pending *run, unsigned int shift)
{
	return run->count == 1 && run->tail && run->offset >> shift == (run->offset + run->tail - 1) >> shift;
}

struct sw_access {
	int64_t time_ns;
	uint64_t offset, size;
	int64_t open;
	uint32_t file;
	uint8_t write;
};

typedef int (*sw_visit)(void *context, const struct sw_access *access);

struct sw_turn {
	int64_t time_ns;
	uint32_t arrived, slot;
};

struct sw_order {
	struct sw_turn *heap;
	struct sw_pending *runs;
	uint32_t *idle; /* slots of `runs` without a run */
	uint32_t count, room, arrivals;
	int64_t latest_ns;
	uint64_t late; /* accesses given out after a later one */
	sw_visit visit;
	void *context;
};

int sw_order_init(struct sw_order *order, uint32_t room, sw_visit visit, void *context);
void sw_order_end(struct sw_order *order);
int sw_order_add(struct sw_order *order, const struct sw_pending *run);
int sw_order_flush(struct sw_order *order);

/* A table from the ids of files to 0, 1, 2 ... */
struct sw_numbers {
	int64_t *ids;
	uint32_t *numbers;
	uint64_t mask;
};

int sw_numbers_init(struct sw_numbers *table, const int64_t *ids, uint32_t count);
uint32_t sw_number(const struct sw_numbers *table, int64_t id);

#define SW_NO_NUMBER UINT32_MAX

#endif
