/* What Python hands to the replaying threads, and what it gets back; `library.py` declares the same to ctypes. */
#ifndef STEPWELL_REPLAY_H
#define STEPWELL_REPLAY_H

#include "trace/run.h"

#define SW_API __attribute__((visibility("default")))

#define SW_OPS 6
#define SW_ERRNOS 134 /* EHWPOISON, the highest of Linux, and one more */

/* A run to issue again. Steps of one thread lie together, in the order of `seq`. */
struct sw_step {
	uint64_t seq;
	uint64_t seq_span;
	uint64_t start_ns; /* since the first access of the replay */
	uint64_t span_ns;
	uint64_t offset;
	int64_t stride;
	uint64_t requested;
	uint64_t size;
	uint64_t tail;
	uint32_t count;
	uint32_t target;
	uint32_t op;
	uint32_t async; /* issued without waiting for the result */
};

/* An open file of the trace: opened when it is first needed, closed after its last access. */
struct sw_target {
	uint64_t left; /* accesses still to come, of all threads */
	uint64_t path; /* where its path begins in the table of paths */
	int32_t flags; /* of open(2) */
	int32_t fd; /* -1 before it is opened, below that -1 - errno if it cannot be */
};

/* A recorded thread. */
struct sw_reader {
	uint64_t first; /* its first step */
	uint64_t steps;
	uint64_t buffer; /* most bytes it asks for at once */
	uint32_t workers; /* threads: itself, and as many as it had asynchronous accesses under way */
	uint32_t rank; /* its place among all threads in the order of their recorded ends */
	uint32_t after; /* how many of those ended before it began */
	uint32_t reserved;
};

struct sw_plan {
	const struct sw_step *steps;
	struct sw_target *targets;
	const char *paths;
	const struct sw_reader *readers;
	uint32_t reader_count;
	int32_t directory;
	double pace; /* recorded nanoseconds a nanosecond; 0: as fast as possible */
	uint64_t late_ns; /* from which delay on a start counts as late */
};

struct sw_tally {
	uint64_t accesses;
	uint64_t bytes;
	uint64_t other_size; /* transferred other than recorded */
	uint64_t latency_ns;
	uint64_t latency_max_ns;
	uint64_t histogram[SW_BUCKETS];
};

struct sw_outcome {
	struct sw_tally ops[SW_OPS];
	uint64_t errors[SW_ERRNOS];
	uint64_t undirect; /* files opened without O_DIRECT because their file system refuses it */
	uint64_t late;
	uint64_t late_ns; /* sum over all accesses */
	uint64_t late_max_ns;
	uint64_t elapsed_ns; /* from the first access's time to the end of the last */
};

#endif
