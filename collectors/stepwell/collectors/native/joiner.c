#include "joiner.h"

#include <stdlib.h>
#include <string.h>

/* Heads that share a place: as many as are looked through for one access. */
#define WAYS 8
/* No sum over one run passes this, so that the store, which keeps signed numbers, can hold it. */
#define LARGEST_SUM ((uint64_t)1 << 62)
#define MOST_RUNS_PER_ACCESS 2

struct slot {
	struct sw_head head;
	uint64_t used; /* when, in accesses */
	uint8_t place; /* of the last access */
};

struct sw_joiner {
	size_t sets;
	size_t ended; /* slots that sw_joiner_end() has passed */
	uint64_t now;
	struct slot slots[];
};

struct sw_joiner *sw_joiner_new(size_t heads)
{
	struct sw_joiner *joiner;

	if (heads < WAYS || heads % WAYS)
		return NULL;
	joiner = calloc(1, sizeof(*joiner) + heads * sizeof(joiner->slots[0]));
	if (joiner)
		joiner->sets = heads / WAYS;
	return joiner;
}

void sw_joiner_free(struct sw_joiner *joiner)
{
	free(joiner);
}

static void keep(struct sw_runs *out, const struct sw_run *run, uint32_t bytes)
{
	if (bytes == SW_RUN_SHORT_BYTES)
		memcpy(&out->short_runs[out->short_count++], run, bytes);
	else
		memcpy(&out->runs[out->run_count++], run, bytes);
}

static int has_room(const struct sw_runs *out, size_t runs)
{
	return out->room - out->run_count >= runs && out->room - out->short_count >= runs;
}

static void end_run(struct slot *slot, struct sw_runs *out)
{
	if (slot->head.run.count)
		keep(out, &slot->head.run, sw_seal(&slot->head.run));
	slot->head.run.count = 0;
}

/* splitmix64's finalizer: every bit of the key moves every bit of the place. */
static uint64_t mixed(uint64_t key)
{
	key = (key ^ (key >> 30)) * 0xbf58476d1ce4e5b9;
	key = (key ^ (key >> 27)) * 0x94d049bb133111eb;
	return key ^ (key >> 31);
}

static int is_of(const struct sw_run *run, const struct sw_owned *owned)
{
	return run->count && run->open == owned->open && run->thread == owned->thread && run->op == owned->op;
}

static struct slot *slot_of(struct sw_joiner *joiner, const struct sw_owned *owned, struct sw_runs *out)
{
	uint64_t hash = mixed(owned->open ^ mixed((uint64_t)owned->thread << 8 | owned->op));
	struct slot *set = &joiner->slots[hash % joiner->sets * WAYS];
	struct slot *oldest = set;

	for (struct slot *slot = set; slot < set + WAYS; slot++) {
		if (is_of(&slot->head.run, owned))
			return slot;
		if (slot->used < oldest->used)
			oldest = slot;
	}
	end_run(oldest, out);
	oldest->head.run.open = owned->open;
	oldest->head.run.thread = owned->thread;
	oldest->head.run.op = owned->op;
	return oldest;
}

static int is_full(const struct sw_run *run, const struct sw_access *access)
{
	return run->latency_ns + access->latency_ns >= LARGEST_SUM ||
	       (run->size && run->count >= LARGEST_SUM / run->size);
}

size_t sw_joiner_add(struct sw_joiner *joiner, const struct sw_owned *accesses, size_t count, struct sw_runs *out)
{
	size_t done;

	for (done = 0; done < count && has_room(out, MOST_RUNS_PER_ACCESS); done++) {
		const struct sw_owned *owned = &accesses[done];
		struct slot *slot = slot_of(joiner, owned, out);

		slot->used = ++joiner->now;
		if ((owned->place == SW_EDGE && slot->place != SW_INSIDE) || is_full(&slot->head.run, &owned->access))
			end_run(slot, out);
		slot->place = owned->place;
		sw_add(&slot->head, &owned->access, keep, out);
	}
	joiner->ended = 0;
	return done;
}

int sw_joiner_end(struct sw_joiner *joiner, struct sw_runs *out)
{
	for (; joiner->ended < joiner->sets * WAYS; joiner->ended++) {
		if (!has_room(out, 1))
			return 0;
		end_run(&joiner->slots[joiner->ended], out);
	}
	return 1;
}
