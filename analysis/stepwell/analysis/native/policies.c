/*
 * Caches of blocks by policy: least recently used, first in first out, clock, SIEVE (Zhang et al., "SIEVE is Simpler
 * than LRU", NSDI 2024), S3-FIFO (Yang et al., "FIFO Queues are All You Need for Cache Eviction", SOSP 2023), and the
 * bound of all of them: Belady's MIN, which knows the future and may refuse a block.
 *
 * Writes leave their block in the cache and are not counted. What is read ahead enters like a miss, unless it is there.
 */
#include <stdlib.h>

#include "map.h"
#include "references.h"

#define NONE UINT32_MAX
#define GROUPS 8

enum policy { LRU, FIFO, CLOCK, SIEVE, S3FIFO, MIN };
enum queue { OUT, MAIN, SMALL, GHOST, QUEUES };

struct sw_outcome {
	uint64_t accesses, access_hits, references, hits, bytes, byte_hits, fetched, fetched_ahead;
	uint64_t group_references[GROUPS], group_hits[GROUPS]; /* by the block's number: for the error of sampling */
};

struct block {
	uint32_t newer, older;
	uint8_t queue, used;
};

struct list {
	uint32_t newest, oldest, count;
};

struct cache {
	struct block *blocks;
	struct list lists[QUEUES];
	enum policy policy;
	uint32_t capacity, small; /* blocks; of them in the small queue */
	uint32_t hand;
};

static void remove_block(struct cache *cache, uint32_t id)
{
	struct block *block = &cache->blocks[id];
	struct list *list = &cache->lists[block->queue];

	if (block->newer == NONE)
		list->newest = block->older;
	else
		cache->blocks[block->newer].older = block->older;
	if (block->older == NONE)
		list->oldest = block->newer;
	else
		cache->blocks[block->older].newer = block->newer;
	list->count--;
	block->queue = OUT;
}

static void push(struct cache *cache, uint32_t id, enum queue queue)
{
	struct list *list = &cache->lists[queue];

	cache->blocks[id].queue = queue;
	cache->blocks[id].newer = NONE;
	cache->blocks[id].older = list->newest;
	if (list->newest == NONE)
		list->oldest = id;
	else
		cache->blocks[list->newest].newer = id;
	list->newest = id;
	list->count++;
}

static void move(struct cache *cache, uint32_t id, enum queue queue)
{
	remove_block(cache, id);
	push(cache, id, queue);
}

static void evict_sieve(struct cache *cache)
{
	uint32_t id = cache->hand == NONE ? cache->lists[MAIN].oldest : cache->hand;

	while (cache->blocks[id].used) {
		cache->blocks[id].used = 0;
		id = cache->blocks[id].newer;
		if (id == NONE)
			id = cache->lists[MAIN].oldest;
	}
	cache->hand = cache->blocks[id].newer;
	remove_block(cache, id);
}

/* Those used since the last time round are spared, one use less each time. */
static void evict_second_chance(struct cache *cache)
{
	for (;;) {
		uint32_t id = cache->lists[MAIN].oldest;

		if (!cache->blocks[id].used) {
			remove_block(cache, id);
			return;
		}
		cache->blocks[id].used--;
		move(cache, id, MAIN);
	}
}

static void evict_s3fifo(struct cache *cache)
{
	while (cache->lists[SMALL].count && (cache->lists[SMALL].count >= cache->small || !cache->lists[MAIN].count)) {
		uint32_t id = cache->lists[SMALL].oldest;

		if (cache->blocks[id].used <= 1) {
			move(cache, id, GHOST);
			if (cache->lists[GHOST].count > cache->capacity - cache->small)
				remove_block(cache, cache->lists[GHOST].oldest);
			return;
		}
		cache->blocks[id].used = 0;
		move(cache, id, MAIN);
		if (cache->lists[MAIN].count > cache->capacity - cache->small)
			break;
	}
	evict_second_chance(cache);
}

static void evict(struct cache *cache)
{
	switch (cache->policy) {
	case SIEVE:
		evict_sieve(cache);
		break;
	case S3FIFO:
		evict_s3fifo(cache);
		break;
	case CLOCK:
		evict_second_chance(cache);
		break;
	default:
		remove_block(cache, cache->lists[MAIN].oldest);
	}
}

static int inside(const struct cache *cache, uint32_t id)
{
	return cache->blocks[id].queue == MAIN || cache->blocks[id].queue == SMALL;
}

static void insert(struct cache *cache, uint32_t id)
{
	enum queue queue = cache->policy == S3FIFO ? SMALL : MAIN;

	if (cache->lists[MAIN].count + cache->lists[SMALL].count >= cache->capacity)
		evict(cache);
	if (cache->blocks[id].queue == GHOST) {
		remove_block(cache, id);
		queue = MAIN;
	}
	cache->blocks[id].used = 0;
	push(cache, id, queue);
}

static void hit(struct cache *cache, uint32_t id)
{
	uint8_t most = cache->policy == S3FIFO ? 3 : 1;

	if (cache->policy == LRU)
		move(cache, id, MAIN);
	else if (cache->blocks[id].used < most)
		cache->blocks[id].used++;
}

static void count(struct sw_outcome *found, uint32_t id, uint32_t info, int there, int *whole)
{
	if (info & SW_AHEAD) {
		found->fetched_ahead += !there;
		return;
	}
	if (info & SW_WRITTEN)
		return;
	if (info & SW_BEGINS) {
		found->accesses++;
		found->access_hits += there;
		*whole = there;
	} else if (*whole && !there) {
		found->access_hits--;
		*whole = 0;
	}
	found->references++;
	found->hits += there;
	found->bytes += info & SW_BYTES;
	found->byte_hits += there ? info & SW_BYTES : 0;
	found->fetched += !there;
	found->group_references[id % GROUPS]++;
	found->group_hits[id % GROUPS] += there;
}

struct future {
	uint64_t next;
	uint32_t id;
};

static void heap_push(struct future *heap, uint64_t at, struct future one)
{
	for (; at && heap[(at - 1) / 2].next < one.next; at = (at - 1) / 2)
		heap[at] = heap[(at - 1) / 2];
	heap[at] = one;
}

static struct future heap_pop(struct future *heap, uint64_t count)
{
	struct future top = heap[0], last = heap[--count];
	uint64_t at = 0;

	for (uint64_t child = 1; child < count; child = 2 * at + 1) {
		if (child + 1 < count && heap[child + 1].next > heap[child].next)
			child++;
		if (heap[child].next <= last.next)
			break;
		heap[at] = heap[child];
		at = child;
	}
	heap[at] = last;
	return top;
}

/* The block that is needed last goes, be it the new one. `next` is where each block is needed next. */
static int simulate_min(const uint32_t *ids, const uint32_t *infos, uint64_t length, uint32_t blocks, uint32_t capacity,
			struct sw_outcome *found)
{
	uint64_t *next = malloc((blocks + 1) * sizeof(*next)), *following = malloc((length + 1) * sizeof(*following));
	struct future *heap = malloc((length + 1) * sizeof(*heap));
	uint8_t *there = calloc(blocks + 1, 1);
	uint64_t waiting = 0;
	uint32_t held = 0;
	int whole = 0, bad = !next || !following || !heap || !there;

	for (uint32_t id = 0; !bad && id < blocks; id++)
		next[id] = UINT64_MAX;
	for (uint64_t at = length; !bad && at-- > 0;) {
		following[at] = next[ids[at]];
		next[ids[at]] = at;
	}
	for (uint64_t at = 0; !bad && at < length; at++) {
		uint32_t id = ids[at];

		count(found, id, infos[at], there[id], &whole);
		next[id] = following[at];
		heap_push(heap, waiting++, (struct future){.next = next[id], .id = id});
		held += !there[id];
		there[id] = 1;
		while (held > capacity) {
			struct future last = heap_pop(heap, waiting--);

			if (!there[last.id] || next[last.id] != last.next)
				continue;
			there[last.id] = 0;
			held--;
		}
	}
	free(next);
	free(following);
	free(heap);
	free(there);
	return bad ? -1 : 0;
}

/* Ids are below `blocks`. */
SW_API int sw_simulate(const uint32_t *ids, const uint32_t *infos, uint64_t length, uint32_t blocks, uint32_t policy,
		       uint32_t capacity, struct sw_outcome *found)
{
	struct cache cache = {.policy = policy, .capacity = capacity ? capacity : 1, .hand = NONE};
	int whole = 0;

	*found = (struct sw_outcome){0};
	if (policy == MIN)
		return simulate_min(ids, infos, length, blocks, cache.capacity, found);
	cache.small = cache.capacity / 10 ? cache.capacity / 10 : 1;
	cache.blocks = calloc(blocks + 1, sizeof(*cache.blocks));
	if (!cache.blocks)
		return -1;
	for (int queue = 0; queue < QUEUES; queue++)
		cache.lists[queue] = (struct list){.newest = NONE, .oldest = NONE};
	for (uint64_t at = 0; at < length; at++) {
		uint32_t id = ids[at];
		int there = inside(&cache, id);

		count(found, id, infos[at], there, &whole);
		if (!there)
			insert(&cache, id);
		else if (!(infos[at] & SW_AHEAD))
			hit(&cache, id);
	}
	free(cache.blocks);
	return 0;
}
