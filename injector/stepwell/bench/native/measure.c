#define _GNU_SOURCE
#include "measure.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <time.h>

#define SW_API __attribute__((visibility("default")))
#define STACK_BYTES (128UL << 10)
#define BUFFER_BYTES (1UL << 20) /* of a thread: a larger block is read into it several times over, in one call */
#define MOST_PARTS 64

struct sw_measure {
	struct sw_place *places;
	struct sw_timed *timed;
	uint64_t block, deadline_ns, buffer_bytes, mapped_bytes;
	char *buffers;
	uint32_t count;
	_Atomic uint32_t next, begun;
	_Atomic int stopped;
	pthread_mutex_t lock;
	pthread_cond_t ended;
	uint32_t running;
	int forgotten;
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000UL + (uint64_t)now.tv_nsec;
}

static void release(struct sw_measure *measure)
{
	munmap(measure->buffers, measure->mapped_bytes);
	pthread_cond_destroy(&measure->ended);
	pthread_mutex_destroy(&measure->lock);
	free(measure->places);
	free(measure->timed);
	free(measure);
}

static void *read_places(void *given)
{
	struct sw_measure *measure = given;
	char *buffer = measure->buffers + measure->begun++ * measure->buffer_bytes;
	struct iovec parts[MOST_PARTS];
	int count = (int)(measure->block / measure->buffer_bytes), last;

	for (int i = 0; i < count; i++)
		parts[i] = (struct iovec){buffer, measure->buffer_bytes};
	while (!measure->stopped && now_ns() < measure->deadline_ns) {
		uint32_t number = measure->next++;
		struct sw_timed *timed;
		ssize_t got;

		if (number >= measure->count)
			break;
		timed = &measure->timed[number];
		timed->begin_ns = now_ns();
		got = preadv(measure->places[number].fd, parts, count, (off_t)measure->places[number].offset);
		timed->bytes = got < 0 ? -errno : got;
		timed->end_ns = now_ns();
	}
	pthread_mutex_lock(&measure->lock);
	last = !--measure->running && measure->forgotten;
	pthread_cond_signal(&measure->ended);
	pthread_mutex_unlock(&measure->lock);
	if (last)
		release(measure);
	return NULL;
}

static int start(struct sw_measure *measure, uint32_t threads)
{
	pthread_attr_t small;
	sigset_t all, before;
	int error = 0;

	pthread_attr_init(&small);
	pthread_attr_setdetachstate(&small, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&small, STACK_BYTES);
	/* Signals are for Python's thread. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pthread_mutex_lock(&measure->lock);
	while (!error && measure->running < threads) {
		pthread_t thread;

		error = pthread_create(&thread, &small, read_places, measure);
		measure->running += !error;
	}
	pthread_mutex_unlock(&measure->lock);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&small);
	return error;
}

static void *copied(const void *from, size_t bytes)
{
	void *copy = malloc(bytes);

	return copy ? memcpy(copy, from, bytes) : NULL;
}

SW_API struct sw_measure *sw_measure_begin(const struct sw_place *places, uint32_t count, uint64_t block,
					   uint32_t threads, uint64_t deadline_ns)
{
	struct sw_measure *measure = calloc(1, sizeof(*measure));
	pthread_condattr_t monotonic;
	int error;

	if (!measure)
		return NULL;
	measure->count = count;
	measure->block = block;
	measure->deadline_ns = deadline_ns;
	measure->buffer_bytes = block < BUFFER_BYTES ? block : BUFFER_BYTES;
	measure->mapped_bytes = threads * measure->buffer_bytes;
	measure->buffers = mmap(NULL, measure->mapped_bytes, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (measure->buffers == MAP_FAILED) {
		free(measure);
		return NULL;
	}
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&measure->ended, &monotonic);
	pthread_mutex_init(&measure->lock, NULL);
	measure->places = copied(places, count * sizeof(*places));
	measure->timed = calloc(count, sizeof(*measure->timed));
	error = measure->places && measure->timed ? start(measure, threads) : ENOMEM;
	if (error) {
		sw_measure_end(measure);
		errno = error;
		return NULL;
	}
	return measure;
}

SW_API uint32_t sw_measure_wait(struct sw_measure *measure, uint32_t milliseconds)
{
	uint64_t until = now_ns() + milliseconds * 1000000UL;
	struct timespec at = {(time_t)(until / 1000000000UL), (long)(until % 1000000000UL)};
	uint32_t running;

	pthread_mutex_lock(&measure->lock);
	while (measure->running && !pthread_cond_timedwait(&measure->ended, &measure->lock, &at))
		;
	running = measure->running;
	pthread_mutex_unlock(&measure->lock);
	return running;
}

SW_API void sw_measure_stop(struct sw_measure *measure)
{
	measure->stopped = 1;
}

SW_API void sw_measure_timed(struct sw_measure *measure, struct sw_timed *timed)
{
	for (uint32_t i = 0; i < measure->count; i++) {
		timed[i].end_ns = measure->timed[i].end_ns; /* first: what it says has ended is written as a whole */
		timed[i].begin_ns = measure->timed[i].begin_ns;
		timed[i].bytes = measure->timed[i].bytes;
	}
}

SW_API void sw_measure_end(struct sw_measure *measure)
{
	int last;

	measure->stopped = 1;
	pthread_mutex_lock(&measure->lock);
	measure->forgotten = 1;
	last = !measure->running;
	pthread_mutex_unlock(&measure->lock);
	if (last)
		release(measure);
}
