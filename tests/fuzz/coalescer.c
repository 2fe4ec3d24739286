/*
 * libFuzzer target: whatever accesses and flushes come, the runs give back every access and latency.
 *
 * The bytes are read as steps. A step makes an access by its distance from the one before, so that runs form, or from
 * raw numbers; or it flushes the head, as age and close do; or it adds the latency of an asynchronous access, which a
 * run of its own carries.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "trace/run.h"

#define STEPS 4096

struct input {
	const uint8_t *at;
	size_t left;
};

/* Accesses that are not yet in a run that was sent, oldest first. */
struct waiting {
	struct sw_access accesses[STEPS];
	size_t first;
	size_t end;
};

static uint64_t take(struct input *input, size_t bytes)
{
	uint64_t value = 0;

	if (bytes > input->left)
		bytes = input->left;
	memcpy(&value, input->at, bytes);
	input->at += bytes;
	input->left -= bytes;
	return value;
}

static void require(int holds)
{
	if (!holds)
		abort();
}

/* The bucket as the definition tells it: [2^(k+8), 2^(k+9)) ns, open at both ends. */
static uint32_t bucket(uint64_t ns)
{
	uint32_t log2 = ns ? 63 - __builtin_clzll(ns) : 0;

	if (log2 < SW_BUCKET_SHIFT)
		return 0;
	return log2 - SW_BUCKET_SHIFT < SW_BUCKETS ? log2 - SW_BUCKET_SHIFT : SW_BUCKETS - 1;
}

static void add_times(struct sw_run *to, const struct sw_access *access)
{
	to->filled += access->filled;
	if (access->flags & SW_ASYNC)
		return;
	to->latency_ns += access->latency_ns;
	if (to->latency_max_ns < access->latency_ns)
		to->latency_max_ns = access->latency_ns;
	to->waited += access->waited;
	to->wait_ns += access->waited ? access->latency_ns : 0;
	to->histogram[bucket(access->latency_ns)] += 1;
}

static void check_times(const struct sw_run *run, const struct sw_run *expected, uint32_t bytes)
{
	require(run->latency_ns == expected->latency_ns);
	require(run->latency_max_ns == expected->latency_max_ns);
	require(run->wait_ns == expected->wait_ns);
	require(run->waited == expected->waited);
	require(run->filled == expected->filled);
	if (bytes == SW_RUN_BYTES)
		require(!memcmp(run->histogram, expected->histogram, sizeof(run->histogram)));
	else
		require(bytes == SW_RUN_SHORT_BYTES && (run->count <= 2 || run->flags & SW_ASYNC));
}

/* Takes the run's accesses from those waiting and compares each. */
static void check_run(struct waiting *waiting, const struct sw_run *run, uint32_t bytes)
{
	const struct sw_access *own = &waiting->accesses[waiting->first];
	struct sw_run expected = {0};
	uint32_t last = run->count - 1;

	require(run->count > 0 && run->count <= waiting->end - waiting->first);
	require(run->kind == (bytes == SW_RUN_BYTES ? SW_RUN : SW_RUN_SHORT));
	require(run->tail <= run->size);
	require(run->seq == own[0].seq && run->seq_span == own[last].seq - own[0].seq);
	require(run->start_ns == own[0].start_ns && run->span_ns == own[last].start_ns - own[0].start_ns);
	for (uint32_t i = 0; i < run->count; i++) {
		require(own[i].offset == run->offset + i * (uint64_t)run->stride);
		require(own[i].requested == run->requested);
		require(own[i].size == (i == last ? run->tail : run->size));
		require(own[i].flags == run->flags);
		if (i)
			require(own[i].seq > own[i - 1].seq && own[i].start_ns >= own[i - 1].start_ns);
		add_times(&expected, &own[i]);
	}
	check_times(run, &expected, bytes);
	waiting->first += run->count;
}

/* Takes a run that carries nothing but latencies: those added since the last one, `since`. */
static void check_late(struct sw_run *since, const struct sw_run *run, uint32_t bytes)
{
	require(run->count == 0 && run->kind == SW_RUN && bytes == SW_RUN_BYTES);
	check_times(run, since, bytes);
	memset(since, 0, sizeof(*since));
}

/* Sizes that meet often, and any. */
static uint64_t take_size(struct input *input)
{
	uint8_t choice = take(input, 1);

	return choice < 224 ? (uint64_t)(choice & 7) * 4096 : take(input, 8);
}

static void next_access(struct input *input, struct sw_access *access, uint8_t step)
{
	uint64_t previous_size = access->size;

	access->seq += step & 8 ? take(input, 1) : 1;
	access->start_ns += step & 16 ? (uint64_t)(int16_t)take(input, 2) : 1;
	access->latency_ns = step & 32 ? take(input, 8) : take(input, 1) << 6;
	access->waited = step >> 7;
	access->filled = step & 64 ? take(input, 1) : 0;
	switch (take(input, 1) & 7) {
	case 0: /* anywhere, of any size, of another kind */
		access->offset = take(input, 8);
		access->requested = take_size(input);
		access->size = access->requested;
		access->flags = take(input, 1) & 7;
		break;
	case 1: /* less than was asked for */
		access->offset += previous_size;
		access->size = access->requested ? take(input, 8) % access->requested : 0;
		break;
	case 2:
		access->offset -= access->requested;
		break;
	case 3:
		access->offset += 2 * access->requested;
		break;
	case 4:
		break;
	case 5:
		access->offset += previous_size;
		break;
	default:
		access->offset += access->requested;
		access->size = access->requested;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static struct waiting all;
	struct waiting *waiting = &all;
	struct input input = {data, bytes};
	struct sw_access access = {0}, done = {0};
	struct sw_run late = {.flags = SW_ASYNC}, since = {0};
	struct sw_head head = {0};

	waiting->first = waiting->end = 0;
	while (input.left && waiting->end < STEPS) {
		uint8_t step = take(&input, 1);

		if ((step & 7) == 7 && head.run.count) {
			check_run(waiting, &head.run, sw_seal(&head.run));
			head.run.count = 0;
			sw_clear_times(&head.run);
			continue;
		}
		if ((step & 7) == 6) { /* an asynchronous access is done */
			done.latency_ns = take(&input, 1 + (step >> 5));
			sw_time(&late, done.latency_ns, 0);
			add_times(&since, &done);
			if (step & 8) {
				check_late(&since, &late, sw_seal(&late));
				sw_clear_times(&late);
			}
			continue;
		}
		next_access(&input, &access, step);
		waiting->accesses[waiting->end++] = access;
		sw_add(&head, &access, check_run, waiting);
	}
	if (head.run.count)
		check_run(waiting, &head.run, sw_seal(&head.run));
	require(waiting->first == waiting->end);
	return 0;
}
