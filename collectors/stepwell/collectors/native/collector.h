/* The inside of a collector: shared by the files that make it. */
#ifndef STEPWELL_COLLECTOR_H
#define STEPWELL_COLLECTOR_H

#include <bpf/libbpf.h>
#include <pthread.h>

#include "ring.h"
#include "spool.h"
#include "stepwell.h"

#define MAX_LINKS 128

/* How far recording has come: the file has what the ring buffer held before `position`. */
struct sw_progress {
	uint64_t position;
	struct sw_spooled spooled;
};

/*
 * Shared with the keeper, which goes on from here if this process dies. One of the two is valid at any moment, so that
 * position and file change together.
 */
struct sw_shared {
	struct sw_progress progress[2];
	uint32_t valid;
	uint32_t begun; /* the trace has begun, there is something to keep */
	uint32_t ended; /* the trace's end is in the file */
};

struct sw_collector {
	struct bpf_object *object;
	struct bpf_link *links[MAX_LINKS];
	int link_count;
	struct bpf_link *positions; /* read_pages or get_pages, attached while it is needed */
	struct sw_slot *slots;
	struct sw_ring ring;
	struct sw_control *control;
	struct sw_options options;
	struct sw_spool spool;
	struct sw_shared *shared;
	pid_t keeper;
	int keeper_end; /* of a pipe: the keeper sees it close, or a byte if it is not needed any more */
	pthread_mutex_t lock; /* the spool, and whoever drains */
	pthread_t drain;
	int draining;
	int under; /* descriptor of the directory that is asked for, or -1 */
	int stop; /* an eventfd: the drain is to end */
	int processors;
	uint32_t features;
};

/* Put a sentence into `error` and return `code`. */
int sw_fail(char *error, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Load the programs and make their maps ready. */
int sw_set_up(struct sw_collector *c, char *error);
size_t sw_slot_bytes(const struct sw_collector *c);
/* How many slots, from the first, were ever taken. */
uint32_t sw_used_slots(const struct sw_collector *c);
/* Run a program that is attached nowhere. Returns 0 or -errno. */
int sw_run_program(struct sw_collector *c, const char *name, const void *argument, size_t bytes);

/* drain.c: from the ring buffer into the spool file. */
/* With `last`, what cannot be written is lost; else it stays in the ring. Returns 0 or -errno. */
int sw_drain(struct sw_collector *c, int last);
/* Remember how far the spool file has come. */
void sw_commit(struct sw_collector *c);
/* Go back to what is remembered. */
void sw_roll_back(struct sw_collector *c);
int sw_drain_start(struct sw_collector *c, char *error);
void sw_drain_stop(struct sw_collector *c);
/* Go through all threads of the machine: mark those that are wanted; say how those that are traced fared. */
int sw_begin_threads(struct sw_collector *c, char *error);
int sw_end_threads(struct sw_collector *c, char *error);
/* End runs idle, and send runs begun, before these times. */
void sw_flush_heads(struct sw_collector *c, uint64_t idle_before_ns, uint64_t begun_before_ns);
/* Positions of shared descriptors cost every read of the machine a little: watched only where there are any. */
void sw_watch_positions(struct sw_collector *c, int wanted);

/* end.c */
/* From now on no program records anything. */
void sw_end_recording(struct sw_collector *c);
/* Bring in all that is in the kernel and write the trace's end, with further `facts`, members of a JSON object. */
int sw_end_trace(struct sw_collector *c, const char *facts, char *error);

/* keeper.c */
/* Start the process that ends the trace should this one be killed. */
int sw_keeper_start(struct sw_collector *c, char *error);
void sw_keeper_dismiss(struct sw_collector *c);

#endif
