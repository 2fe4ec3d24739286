/*
 * SHARDS (Waldspurger, Park, Garthwaite, Ahmad: "Efficient MRC Construction with SHARDS", FAST 2015): blocks whose hash
 * is below a threshold are followed exactly, and their reuse distances, divided by the rate of sampling, are those of
 * all. Fixed size: when there are too many blocks, the threshold is halved, which forgets about half of them; a
 * reference counts as many as it stood for when it came, so that nothing has to be rescaled (the paper lowers the
 * threshold block by block instead). So it is when the sample has cost too many references. Whoever is left was
 * followed from the start: counts of uses are exact.
 *
 * A Fenwick tree over the positions of last references counts the blocks that came after one. Positions are renumbered
 * when they run out.
 *
 * A block's uses are the reads of one of its 64ths, drawn by lot from those that are ever read: so reuse is that of
 * bytes, whatever the size of the reads. Small reads that go through a block are one use, though many references, and
 * a record that is read again does not make its neighbours read again. A 64th that wins the
 * lot from another one was never read before: its uses are counted from the first on.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "shards.h"

#define FIRST_ROOM 8
#define LEAST 8 /* blocks, and part of the most blocks, that are kept whatever they cost */
#define POSITIONS 4 /* times the blocks, between two renumberings */

void sw_shards_init(struct sw_shards *shards, uint32_t most, uint32_t effort)
{
	*shards = (struct sw_shards){.threshold = UINT64_MAX,
				     .weight = 1,
				     .most = most,
				     .least = most / LEAST > LEAST ? most / LEAST : LEAST,
				     .effort = effort};
}

int sw_shards_curve(struct sw_shards *shards, uint32_t per_octave, uint32_t windows)
{
	shards->per_octave = per_octave;
	shards->window_count = windows;
	shards->curve = calloc((size_t)SW_OCTAVES * per_octave, sizeof(*shards->curve));
	shards->windows = calloc(windows, sizeof(*shards->windows));
	return shards->curve && shards->windows ? 0 : -1;
}

void sw_shards_end(struct sw_shards *shards)
{
	free(shards->blocks);
	free(shards->table);
	free(shards->tree);
	free(shards->owners);
	free(shards->distances);
	free(shards->curve);
	free(shards->windows);
}

/* Distances below 2 * per_octave have a bucket each; above, each octave has `per_octave` of them. */
uint32_t sw_distance_bucket(double distance, uint32_t per_octave)
{
	uint64_t whole = (uint64_t)distance;
	uint32_t octave = 0;

	while (whole >= 2 * (uint64_t)per_octave) {
		whole /= 2;
		octave++;
	}
	octave = octave * per_octave + (uint32_t)whole;
	return octave < SW_OCTAVES * per_octave ? octave : SW_OCTAVES * per_octave - 1;
}

static void enter(struct sw_shards *shards, uint32_t number)
{
	uint64_t at = shards->blocks[number].hash & (2 * (uint64_t)shards->room - 1);

	while (shards->table[at])
		at = (at + 1) & (2 * (uint64_t)shards->room - 1);
	shards->table[at] = number + 1;
}

/* Gives blocks the positions 1, 2 ... in their order. */
static void renumber(struct sw_shards *shards)
{
	uint32_t last = 0;

	for (uint32_t at = 1; at <= shards->position; at++) {
		uint32_t owner = shards->owners[at];

		if (!owner)
			continue;
		shards->owners[++last] = owner;
		shards->blocks[owner - 1].position = last;
	}
	memset(shards->owners + last + 1, 0, (shards->positions - last) * sizeof(*shards->owners));
	shards->position = last;
	for (uint32_t at = 1; at <= shards->positions; at++)
		shards->tree[at] = at <= last;
	for (uint32_t at = 1; at <= shards->positions; at++) {
		uint32_t parent = at + (at & -at);

		if (parent <= shards->positions)
			shards->tree[parent] += shards->tree[at];
	}
}

static int grow(struct sw_shards *shards)
{
	uint32_t room = shards->room ? shards->room * 2 : FIRST_ROOM;
	uint32_t positions = POSITIONS * room;
	struct sw_block *blocks = realloc(shards->blocks, room * sizeof(*blocks));
	uint32_t *owners, *table, *tree;

	if (!blocks)
		return -1;
	shards->blocks = blocks;
	owners = realloc(shards->owners, (positions + 1) * sizeof(*owners));
	if (!owners)
		return -1;
	shards->owners = owners;
	table = calloc(2 * (size_t)room, sizeof(*table));
	tree = malloc((positions + 1) * sizeof(*tree));
	if (!table || !tree) {
		free(table);
		free(tree);
		return -1;
	}
	free(shards->table);
	free(shards->tree);
	shards->table = table;
	shards->tree = tree;
	shards->room = room;
	shards->positions = positions;
	for (uint32_t number = 0; number < shards->count; number++)
		enter(shards, number);
	renumber(shards);
	return 0;
}

/* Halves the sample. */
static void thin(struct sw_shards *shards)
{
	uint32_t kept = 0;

	shards->threshold /= 2;
	shards->spent = 0;
	shards->weight *= 2;
	memset(shards->table, 0, 2 * (size_t)shards->room * sizeof(*shards->table));
	for (uint32_t number = 0; number < shards->count; number++) {
		uint32_t position = shards->blocks[number].position;

		if (shards->blocks[number].hash >= shards->threshold) {
			shards->owners[position] = 0;
			continue;
		}
		shards->blocks[kept] = shards->blocks[number];
		shards->owners[position] = ++kept;
	}
	shards->count = kept;
	for (uint32_t number = 0; number < kept; number++)
		enter(shards, number);
	renumber(shards);
}

static void set(struct sw_shards *shards, uint32_t at, uint32_t change)
{
	for (; at <= shards->positions; at += at & -at)
		shards->tree[at] += change;
}

/* How many blocks were referenced after the one at a position. */
static uint32_t after(const struct sw_shards *shards, uint32_t at)
{
	uint32_t below = 0;

	for (; at; at -= at & -at)
		below += shards->tree[at];
	return shards->count - below;
}

/*
 * The 64th of those in a mask that the lot falls on: the least, in an order of all that the block's hash gives. Numbers
 * are compared by their lowest bit first, so that the lot is nearly even among those that lie side by side, too.
 */
static uint8_t drawn(uint64_t mask, uint64_t hash)
{
	static const uint64_t odd[] = {0xaaaaaaaaaaaaaaaa, 0xcccccccccccccccc, 0xf0f0f0f0f0f0f0f0,
				       0xff00ff00ff00ff00, 0xffff0000ffff0000, 0xffffffff00000000};

	for (unsigned int bit = 0; bit < 6; bit++) {
		uint64_t half = mask & (hash >> bit & 1 ? odd[bit] : ~odd[bit]);

		if (half)
			mask = half;
	}
	return (uint8_t)__builtin_ctzll(mask);
}

static void use(struct sw_shards *shards, struct sw_block *block, const struct sw_reference *reference, double distance)
{
	if (reference->mask & ~block->ever) {
		uint8_t part = drawn(block->ever | reference->mask, block->hash);

		if (!block->ever || part != block->part) {
			block->part = part;
			block->uses = 0;
			block->gaps_log = 0;
		}
		block->ever |= reference->mask;
	}
	if (reference->mask >> block->part & 1 || !block->uses) {
		shards->clock += shards->weight;
		if (block->uses++) {
			double gap = shards->clock - block->clock;

			block->gaps_log += logf((float)(gap > 1 ? gap : 1));
			shards->distances[sw_distance_bucket(distance, SW_USES_PER_OCTAVE)] += shards->weight;
		} else {
			block->first = shards->clock;
		}
		block->clock = shards->clock;
	}
	if (shards->windows && block->window != reference->window && reference->window < shards->window_count) {
		shards->windows[reference->window] += shards->weight;
		block->window = (uint16_t)reference->window;
	}
}

static struct sw_block *find(const struct sw_shards *shards, uint64_t hash)
{
	uint64_t at = hash & (2 * (uint64_t)shards->room - 1);

	if (!shards->room)
		return NULL;
	while (shards->table[at] && shards->blocks[shards->table[at] - 1].hash != hash)
		at = (at + 1) & (2 * (uint64_t)shards->room - 1);
	return shards->table[at] ? &shards->blocks[shards->table[at] - 1] : NULL;
}

static struct sw_block *insert(struct sw_shards *shards, uint64_t hash)
{
	if (shards->count == shards->most) {
		thin(shards);
		if (hash >= shards->threshold)
			return NULL;
	}
	if (shards->count == shards->room && grow(shards))
		return NULL;
	shards->blocks[shards->count] = (struct sw_block){.hash = hash, .window = UINT16_MAX};
	enter(shards, shards->count++);
	return &shards->blocks[shards->count - 1];
}

/* Takes a reference whose hash is below the threshold, or was when it was chosen. */
int sw_shards_take(struct sw_shards *shards, const struct sw_reference *reference)
{
	struct sw_block *block;
	double distance = 0;
	int seen;

	if (++shards->spent > shards->effort && shards->count > shards->least)
		thin(shards);
	if (reference->hash >= shards->threshold)
		return 0;
	block = find(shards, reference->hash);
	seen = block != NULL;
	if (!block) {
		block = insert(shards, reference->hash);
		if (!block)
			return reference->hash < shards->threshold ? -1 : 0;
	} else if (block->position != shards->position) {
		distance = after(shards, block->position) * shards->weight;
		set(shards, block->position, -1);
		shards->owners[block->position] = 0;
		block->position = 0;
	}
	if (seen && !shards->distances) {
		shards->distances = calloc((size_t)SW_OCTAVES * SW_USES_PER_OCTAVE, sizeof(*shards->distances));
		if (!shards->distances)
			return -1;
	}
	if (!reference->write) {
		if (shards->curve && seen)
			shards->curve[sw_distance_bucket(distance, shards->per_octave)] += shards->weight;
		use(shards, block, reference, distance);
	}
	if (block->position)
		return 0;
	if (shards->position == shards->positions) {
		uint32_t number = (uint32_t)(block - shards->blocks);

		renumber(shards);
		block = &shards->blocks[number];
	}
	block->position = ++shards->position;
	shards->owners[block->position] = (uint32_t)(block - shards->blocks) + 1;
	set(shards, block->position, 1);
	return 0;
}
