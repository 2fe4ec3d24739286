/* The ring buffer's reader. Unlike libbpf's, it frees what it has read only when told to, so that nothing is lost
 * between the ring and the disk. */
#ifndef STEPWELL_RING_H
#define STEPWELL_RING_H

#include <stddef.h>
#include <stdint.h>

struct sw_ring {
	uint64_t *consumed; /* shared with the kernel: what it may write over */
	const uint64_t *produced;
	const char *data;
	uint64_t bytes; /* of data, a power of two */
	uint64_t position; /* what has been read */
	int wakeups; /* an epoll descriptor, readable when the kernel has woken the reader up */
};

/* Takes one record; other than 0 when no more are wanted. */
typedef int (*sw_ring_take)(void *context, const void *record, size_t bytes);

/* Maps the ring buffer of descriptor `map`. Returns 0 or -errno. */
int sw_ring_open(struct sw_ring *ring, int map, uint64_t bytes);
/* Reads on from `position` until no whole record is left (returns 0) or `take` wants no more (what it returned). */
int sw_ring_read(struct sw_ring *ring, sw_ring_take take, void *context);
/* Frees what is before `position`. */
void sw_ring_release(struct sw_ring *ring);
void sw_ring_close(struct sw_ring *ring);

#endif
