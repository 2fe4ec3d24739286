/*
 * The native library as Python sees it (ctypes). Functions that can fail return 0 or -errno and put one sentence into
 * `error`, which holds SW_ERROR_BYTES.
 */
#ifndef STEPWELL_H
#define STEPWELL_H

#include <stddef.h>

#include "collectors/ebpf/shared.h"

#define SW_API __attribute__((visibility("default")))
#define SW_ERROR_BYTES 4096
#define SW_MAX_TARGETS 1024

struct sw_collector;

/* A number of struct sw_totals and its public name. */
struct sw_counted {
	const char *name;
	uint64_t offset;
};

struct sw_options {
	const char *object; /* path of access.bpf.o */
	const char *under; /* only files below this directory; or NULL */
	int32_t spool; /* descriptor of the spool file */
	int32_t reserve; /* descriptor of a file that takes the room for the trace's end */
	uint32_t ring_bytes; /* power of two */
	uint32_t heads; /* open runs that are kept at once */
	uint32_t opens; /* open files that are kept at once */
	uint32_t target_count;
	const uint32_t *targets; /* processes, for SW_SCOPE_TREE */
	uint64_t age_ns; /* a run is sent at the latest so long after it began, or after its last access */
	const struct sw_counted *losses; /* what the trace's end says was lost */
	const struct sw_counted *degraded; /* ... and kept less well */
	uint32_t loss_count;
	uint32_t degraded_count;
	struct sw_filter filter;
};

/* What the programs that run on this kernel can do. */
enum sw_feature {
	SW_ON_FUNCTIONS = 1, /* system calls are seen at the kernel's functions, not at the tracepoints of all calls */
	SW_PAGE_FAULTS = 2,
	SW_POSITIONS = 4, /* exact positions of shared descriptors */
	SW_URING = 8,
};

/* What has been seen and what was lost, until now. */
struct sw_totals {
	struct sw_counters kernel;
	uint64_t lost_recursion; /* program runs that the kernel skipped */
	uint64_t lost_spool; /* accesses that could not be written */
	uint64_t lost_spool_records;
	uint64_t open_files; /* known at the moment, some perhaps closed */
};

SW_API int sw_collector_open(const struct sw_options *options, struct sw_collector **out, char *error);
/* enum sw_feature bits */
SW_API uint32_t sw_collector_features(const struct sw_collector *collector);
SW_API int sw_collector_start(struct sw_collector *collector, char *error);
SW_API int sw_collector_totals(struct sw_collector *collector, struct sw_totals *totals);
/* Bring what is in the ring buffer into the spool file now, rather than within 50 ms. */
SW_API void sw_collector_catch_up(struct sw_collector *collector);
/* Copies at most `max` runs that are open in the kernel; returns how many. */
SW_API long sw_collector_open_runs(struct sw_collector *collector, struct sw_run *runs, size_t max);
/* Copies the calls under way that read much, at most SW_CALLS; returns how many. */
SW_API long sw_collector_calls(struct sw_collector *collector, struct sw_call *calls);
SW_API int sw_collector_meta(struct sw_collector *collector, const char *json, size_t bytes);
/* `facts` are members of a JSON object that go into the trace's end. */
SW_API int sw_collector_stop(struct sw_collector *collector, const char *facts, char *error);
SW_API void sw_collector_free(struct sw_collector *collector);

/* Can this program of the object be loaded here? */
SW_API int sw_probe(const char *object, const char *program, char *error);
/* Give up the ambient capabilities, so that a command run next does not have them. */
SW_API int sw_drop_ambient(void);
/* Join accesses of one head into runs, with the code that runs in the kernel. Returns how many runs came out. */
SW_API size_t sw_coalesce(const struct sw_access *accesses, size_t count, struct sw_run *runs);

#endif
