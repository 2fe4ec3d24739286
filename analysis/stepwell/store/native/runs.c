/*
 * Columns out of run records that lie anywhere in memory: each record is read once, in the order in which its address
 * is given. Doing it column by column instead takes five times as long, because all records pass through the
 * processor's cache for every column.
 */
#include <stddef.h>
#include <stdint.h>

#include "trace/record.h"

#define AHEAD 8 /* records: by then the one that is fetched now has come */

struct sw_run_columns {
	uint8_t *op, *flags;
	uint32_t *thread, *count;
	uint64_t *open;
	uint64_t *seq, *seq_span, *start_ns, *span_ns, *offset;
	int64_t *stride;
	uint64_t *requested, *size, *size_minus_tail, *latency_ns, *latency_minus_max_ns, *wait_ns;
	uint32_t *waited, *filled;
	uint8_t *has_histogram;
	int32_t *first_bucket; /* where each run's buckets begin, and behind the last one where they end */
	uint32_t *buckets;
};

/*
 * Whether Linux can have meant it: file offsets are signed 64-bit numbers there (loff_t), no access ends above the
 * largest, and no run transfers more bytes. `requested` alone is as large as the program wanted.
 */
static int possible(const struct sw_run *run)
{
	uint64_t all = run->open | run->seq | run->seq_span | run->start_ns | run->span_ns | run->offset | run->size |
		       run->tail | run->latency_ns | run->latency_max_ns | run->wait_ns;
	int64_t steps = run->count ? run->count - 1 : 0, way, last, end;
	uint64_t largest = run->size > run->tail ? run->size : run->tail;

	return run->op <= SW_COPY && all <= INT64_MAX && !__builtin_mul_overflow(steps, run->stride, &way) &&
	       !__builtin_add_overflow((int64_t)run->offset, way, &last) && last >= 0 &&
	       !__builtin_add_overflow(last, (int64_t)largest, &end) &&
	       !__builtin_mul_overflow((int64_t)run->count, (int64_t)run->size, &end);
}

/* Buckets up to the last that is not 0: most accesses are quick, and 24 numbers a run are more than all the rest. */
static int32_t used(const struct sw_run *run)
{
	int32_t buckets = SW_BUCKETS;

	while (buckets && !run->histogram[buckets - 1])
		buckets--;
	return buckets;
}

/* Fill the columns, times counted from the origin; return how many of the runs were possible, which alone are there. */
__attribute__((visibility("default"))) size_t sw_run_columns(const struct sw_run *const *runs, size_t number,
							     uint64_t origin_ns, const struct sw_run_columns *to)
{
	size_t at = 0;
	int32_t bucket = 0;

	for (size_t i = 0; i < number; i++) {
		const struct sw_run *run = runs[i];

		if (i + AHEAD < number) {
			__builtin_prefetch(runs[i + AHEAD]);
			__builtin_prefetch((const char *)runs[i + AHEAD] + 64);
		}
		if (!possible(run))
			continue;
		to->op[at] = run->op;
		to->flags[at] = run->flags;
		to->thread[at] = run->thread;
		to->count[at] = run->count;
		to->open[at] = run->open;
		to->seq[at] = run->seq;
		to->seq_span[at] = run->seq_span;
		to->start_ns[at] = run->start_ns - origin_ns;
		to->span_ns[at] = run->span_ns;
		to->offset[at] = run->offset;
		to->stride[at] = run->stride;
		to->requested[at] = run->requested;
		to->size[at] = run->size;
		to->size_minus_tail[at] = run->size - run->tail;
		to->latency_ns[at] = run->latency_ns;
		to->latency_minus_max_ns[at] = run->latency_ns - run->latency_max_ns;
		to->wait_ns[at] = run->wait_ns;
		to->waited[at] = run->waited;
		to->filled[at] = run->filled;
		to->first_bucket[at] = bucket;
		to->has_histogram[at] = run->kind == SW_RUN; /* a short record ends before its histogram */
		if (run->kind == SW_RUN) {
			for (int32_t k = 0, end = used(run); k < end; k++)
				to->buckets[bucket++] = run->histogram[k];
		}
		at++;
	}
	to->first_bucket[at] = bucket;
	return at;
}
