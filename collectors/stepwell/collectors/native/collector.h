/* The inside of a collector: shared by the files that make it. */
#ifndef STEPWELL_COLLECTOR_H
#define STEPWELL_COLLECTOR_H

#include <bpf/libbpf.h>
#include <pthread.h>

#include "spool.h"
#include "stepwell.h"

#define MAX_LINKS 128

struct sw_collector {
	struct bpf_object *object;
	struct bpf_link *links[MAX_LINKS];
	int link_count;
	struct bpf_link *positions; /* read_pages or get_pages, attached while it is needed */
	struct sw_slot *slots;
	struct ring_buffer *ring;
	struct sw_control *control;
	struct sw_options options;
	struct sw_spool spool;
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
/* Run a program that is attached nowhere. Returns 0 or -errno. */
int sw_run_program(struct sw_collector *c, const char *name, const void *argument, size_t bytes);

#endif
