/*
 * The coalescer: joins accesses into runs, in plain C without libc.
 *
 * Compiled into the BPF programs, the FUSE collector and a native test library, so that the very code that runs in the
 * kernel is property-tested in user space. Lossless: access i of a run starts at offset + i * stride (mod 2^64), asked
 * for `requested` bytes and got `size`, the last one `tail`.
 *
 * The includer calls sw_add() with a function that takes each finished run.
 */
#ifndef STEPWELL_RUN_H
#define STEPWELL_RUN_H

#include "record.h"

#define SW_INLINE static inline __attribute__((always_inline))

/* One access, as a collector saw it. */
struct sw_access {
	uint64_t seq; /* number among all accesses of the thread */
	uint64_t start_ns;
	uint64_t latency_ns;
	uint64_t offset;
	uint64_t requested;
	uint64_t size;
	uint32_t filled; /* pages put into the page cache */
	uint8_t waited; /* the thread slept */
	uint8_t flags;
};

/* What of an access is needed to take it out of a run of two again. */
struct sw_last {
	uint64_t latency_ns;
	uint64_t first_latency_ns;
	uint32_t filled;
	uint8_t waited;
};

/* A run that may still grow. `run.count` is 0 when there is none. */
struct sw_head {
	struct sw_run run;
	struct sw_last last;
};

/* log2 bucket of a latency; branches instead of a loop so that the BPF verifier sees straight code. */
SW_INLINE uint32_t sw_bucket(uint64_t ns)
{
	uint32_t bucket = 0;
	uint64_t v = ns >> SW_BUCKET_SHIFT;

	if (v >> (SW_BUCKETS - 1))
		return SW_BUCKETS - 1;
	if (v >> 16) {
		v >>= 16;
		bucket = 16;
	}
	if (v >> 8) {
		v >>= 8;
		bucket += 8;
	}
	if (v >> 4) {
		v >>= 4;
		bucket += 4;
	}
	if (v >> 2) {
		v >>= 2;
		bucket += 2;
	}
	return bucket + (uint32_t)(v >> 1);
}

/* Add one latency to a run: sum, largest, histogram, and the part that was waiting. */
SW_INLINE void sw_time(struct sw_run *run, uint64_t latency_ns, uint32_t waited)
{
	uint32_t bucket = sw_bucket(latency_ns);

	run->latency_ns += latency_ns;
	if (latency_ns > run->latency_max_ns)
		run->latency_max_ns = latency_ns;
	if (waited) {
		run->waited += 1;
		run->wait_ns += latency_ns;
	}
	if (bucket < SW_BUCKETS)
		run->histogram[bucket] += 1;
}

SW_INLINE void sw_account(struct sw_head *head, const struct sw_access *access)
{
	struct sw_run *run = &head->run;

	head->last.first_latency_ns = head->last.latency_ns;
	head->last.latency_ns = access->latency_ns;
	head->last.filled = access->filled;
	head->last.waited = access->waited;
	run->filled += access->filled;
	run->tail = access->size;
	if (!(access->flags & SW_ASYNC))
		sw_time(run, access->latency_ns, access->waited);
}

/* Does the access continue the run? The size may only fall short at the run's end. */
SW_INLINE int sw_fits(const struct sw_run *run, const struct sw_access *access)
{
	uint64_t last = run->offset + (run->count - 1) * (uint64_t)run->stride;

	return access->requested == run->requested && access->flags == run->flags && run->tail == run->size &&
	       run->count != UINT32_MAX && access->size <= run->size && access->seq > run->seq + run->seq_span &&
	       access->start_ns >= run->start_ns + run->span_ns &&
	       (run->count == 1 || access->offset - last == (uint64_t)run->stride);
}

/*
 * Should a run of two give its second access to the one that follows? Yes when that one starts where the second ended
 * and the two of the run do not touch: a probe elsewhere before a sequential read is not part of it.
 */
SW_INLINE int sw_yields(const struct sw_run *run, const struct sw_access *access)
{
	return run->count == 2 && access->requested == run->requested && access->flags == run->flags &&
	       run->tail == run->size && run->size != 0 && access->size <= run->size &&
	       (uint64_t)run->stride != run->size && access->seq > run->seq + run->seq_span &&
	       access->start_ns >= run->start_ns + run->span_ns &&
	       access->offset == run->offset + (uint64_t)run->stride + run->size;
}

SW_INLINE void sw_extend(struct sw_head *head, const struct sw_access *access)
{
	struct sw_run *run = &head->run;

	if (run->count == 1)
		run->stride = (int64_t)(access->offset - run->offset);
	run->count += 1;
	run->seq_span = access->seq - run->seq;
	run->span_ns = access->start_ns - run->start_ns;
	sw_account(head, access);
}

SW_INLINE void sw_clear_times(struct sw_run *run)
{
	run->latency_ns = 0;
	run->latency_max_ns = 0;
	run->wait_ns = 0;
	run->waited = 0;
	run->filled = 0;
	for (int i = 0; i < SW_BUCKETS; i++)
		run->histogram[i] = 0;
}

/* Start a run with one access; op, thread and open are the owner's to keep. */
SW_INLINE void sw_begin(struct sw_head *head, const struct sw_access *access)
{
	struct sw_run *run = &head->run;

	run->flags = access->flags;
	run->count = 1;
	run->seq = access->seq;
	run->seq_span = 0;
	run->start_ns = access->start_ns;
	run->span_ns = 0;
	run->offset = access->offset;
	run->stride = 0;
	run->requested = access->requested;
	run->size = access->size;
	sw_clear_times(run);
	head->last.latency_ns = 0;
	sw_account(head, access);
}

/* Take the second access out of a run of two, which then holds the first alone; the second is returned. */
SW_INLINE void sw_shed(struct sw_head *head, struct sw_access *second)
{
	struct sw_run *run = &head->run;
	struct sw_last last = head->last;
	uint32_t first_waited = run->waited - (last.waited ? 1 : 0);
	uint32_t first_filled = run->filled - last.filled;

	second->seq = run->seq + run->seq_span;
	second->start_ns = run->start_ns + run->span_ns;
	second->latency_ns = last.latency_ns;
	second->offset = run->offset + (uint64_t)run->stride;
	second->requested = run->requested;
	second->size = run->tail;
	second->filled = last.filled;
	second->waited = last.waited;
	second->flags = run->flags;

	run->count = 1;
	run->stride = 0;
	run->seq_span = 0;
	run->span_ns = 0;
	run->tail = run->size;
	sw_clear_times(run);
	run->filled = first_filled;
	if (!(run->flags & SW_ASYNC))
		sw_time(run, last.first_latency_ns, first_waited);
}

/*
 * How many bytes of the run are worth sending: one of at most two accesses goes without its histogram, which sum and
 * maximum imply.
 */
SW_INLINE uint32_t sw_seal(struct sw_run *run)
{
	if (run->count && (run->count <= 2 || (run->flags & SW_ASYNC))) {
		run->kind = SW_RUN_SHORT;
		return SW_RUN_SHORT_BYTES;
	}
	run->kind = SW_RUN;
	return SW_RUN_BYTES;
}

/*
 * Add one access. `emit(context, run, bytes)` receives every run that it ends, in the order of their accesses. A macro,
 * because BPF knows no function pointers.
 */
#define sw_add(head, access, emit, context)                                         \
	do {                                                                        \
		if ((head)->run.count && !sw_fits(&(head)->run, access)) {          \
			if (sw_yields(&(head)->run, access)) {                      \
				struct sw_access second;                            \
				sw_shed(head, &second);                             \
				emit(context, &(head)->run, sw_seal(&(head)->run)); \
				sw_begin(head, &second);                            \
			} else {                                                    \
				emit(context, &(head)->run, sw_seal(&(head)->run)); \
				(head)->run.count = 0;                              \
			}                                                           \
		}                                                                   \
		if ((head)->run.count)                                              \
			sw_extend(head, access);                                    \
		else                                                                \
			sw_begin(head, access);                                     \
	} while (0)

#endif
