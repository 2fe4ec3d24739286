/* See Documentation/bpf/ringbuf.rst of the kernel for the layout. */
#include "ring.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

int sw_ring_open(struct sw_ring *ring, int map, uint64_t bytes)
{
	struct epoll_event event = {.events = EPOLLIN};
	size_t page = sysconf(_SC_PAGESIZE);
	void *address;

	ring->wakeups = -1;
	address = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, map, 0);
	if (address == MAP_FAILED)
		return -errno;
	ring->consumed = address;
	/* The kernel maps the data twice, one after the other, so that no record is in two parts. */
	address = mmap(NULL, page + 2 * bytes, PROT_READ, MAP_SHARED, map, page);
	if (address == MAP_FAILED)
		return -errno;
	ring->produced = address;
	ring->data = (const char *)address + page;
	ring->bytes = bytes;
	ring->position = *ring->consumed;
	ring->wakeups = epoll_create1(EPOLL_CLOEXEC);
	if (ring->wakeups < 0 || epoll_ctl(ring->wakeups, EPOLL_CTL_ADD, map, &event))
		return -errno;
	return 0;
}

int sw_ring_read(struct sw_ring *ring, sw_ring_take take, void *context)
{
	uint64_t end = __atomic_load_n(ring->produced, __ATOMIC_ACQUIRE);
	int enough = 0;

	while (ring->position < end && !enough) {
		const char *record = ring->data + (ring->position & (ring->bytes - 1));
		uint32_t header = __atomic_load_n((const uint32_t *)record, __ATOMIC_ACQUIRE);
		uint32_t bytes = header & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);

		if (header & BPF_RINGBUF_BUSY_BIT)
			break;
		if (!(header & BPF_RINGBUF_DISCARD_BIT))
			enough = take(context, record + BPF_RINGBUF_HDR_SZ, bytes);
		ring->position += (bytes + BPF_RINGBUF_HDR_SZ + 7) & ~7ULL;
	}
	return enough;
}

void sw_ring_release(struct sw_ring *ring)
{
	__atomic_store_n(ring->consumed, ring->position, __ATOMIC_RELEASE);
}

void sw_ring_close(struct sw_ring *ring)
{
	size_t page = sysconf(_SC_PAGESIZE);

	if (ring->consumed)
		munmap(ring->consumed, page);
	if (ring->produced)
		munmap((void *)ring->produced, page + 2 * ring->bytes);
	if (ring->wakeups >= 0)
		close(ring->wakeups);
}
