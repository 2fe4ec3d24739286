/*
 * The references of a trace to blocks, in the order of time, as numbers: what caches of any size and policy are then
 * simulated on, without another look at the trace. One block in 2^k can be followed instead of all: caches as much
 * smaller then miss as often (Waldspurger et al., "Cache Modeling and Optimization using Miniature Simulations",
 * USENIX ATC 2017).
 *
 * Readahead is modelled as Linux does it on demand (mm/readahead.c): one window for each open file, which begins at two
 * or four times the request, grows by as much while reading is sequential, is fetched when the reader reaches the one
 * before, and ends with a jump.
 */
#include <stdlib.h>

#include "blocks.h"
#include "order.h"
#include "references.h"

#define FULL (-2)

struct table {
	uint64_t *keys;
	uint32_t *numbers;
	uint64_t mask;
	uint32_t count;
};

/* Of one open file, in blocks. */
struct reader {
	uint64_t expected; /* block after the last access */
	uint64_t end; /* of the window */
	uint64_t marker; /* reading this block fetches the next window */
	uint64_t window;
};

struct sw_references {
	uint32_t shift;
	uint64_t threshold, most;
	uint64_t readahead; /* blocks */
	struct sw_order order;
	struct sw_numbers files;
	int64_t *file_ids;
	uint64_t *file_sizes;
	struct table blocks, opens;
	struct reader *readers;
	uint32_t reader_room;
	uint32_t *ids, *infos;
	uint64_t count, room;
	uint64_t seen; /* references by reads, followed or not */
};

static int table_grow(struct table *table)
{
	uint64_t room = table->mask ? 2 * (table->mask + 1) : 1024;
	uint64_t *keys = calloc(room, sizeof(*keys));
	uint32_t *numbers = calloc(room, sizeof(*numbers));

	if (!keys || !numbers) {
		free(keys);
		free(numbers);
		return -1;
	}
	for (uint64_t old = 0; table->mask && old <= table->mask; old++) {
		uint64_t at = table->keys[old] & (room - 1);

		if (!table->numbers[old])
			continue;
		while (numbers[at])
			at = (at + 1) & (room - 1);
		keys[at] = table->keys[old];
		numbers[at] = table->numbers[old];
	}
	free(table->keys);
	free(table->numbers);
	table->keys = keys;
	table->numbers = numbers;
	table->mask = room - 1;
	return 0;
}

/* The number of a key, from 0 in the order in which they come; below 0 when there is no memory. */
static int64_t number_of(struct table *table, uint64_t key)
{
	uint64_t at;

	if (2 * (uint64_t)table->count >= table->mask && table_grow(table))
		return -1;
	for (at = key & table->mask; table->numbers[at]; at = (at + 1) & table->mask)
		if (table->keys[at] == key)
			return table->numbers[at] - 1;
	table->keys[at] = key;
	table->numbers[at] = ++table->count;
	return table->count - 1;
}

static int note(struct sw_references *all, uint64_t hash, uint32_t info)
{
	int64_t id;

	if (hash >= all->threshold && all->threshold != UINT64_MAX)
		return 0;
	if (all->count == all->room) {
		uint64_t room = all->room ? 2 * all->room : 1 << 16;
		uint32_t *ids, *infos;

		if (all->count >= all->most)
			return FULL;
		ids = realloc(all->ids, room * sizeof(*ids));
		if (!ids)
			return -1;
		all->ids = ids;
		infos = realloc(all->infos, room * sizeof(*infos));
		if (!infos)
			return -1;
		all->infos = infos;
		all->room = room;
	}
	id = number_of(&all->blocks, hash);
	if (id < 0)
		return -1;
	all->ids[all->count] = (uint32_t)id;
	all->infos[all->count++] = info;
	return 0;
}

static struct reader *reader_of(struct sw_references *all, int64_t open)
{
	int64_t number = number_of(&all->opens, sw_mix((uint64_t)open));

	if (number < 0)
		return NULL;
	if (number >= all->reader_room) {
		uint32_t room = all->reader_room ? 2 * all->reader_room : 64;
		struct reader *readers = realloc(all->readers, room * sizeof(*readers));

		if (!readers)
			return NULL;
		for (uint32_t fresh = all->reader_room; fresh < room; fresh++)
			readers[fresh] = (struct reader){0};
		all->readers = readers;
		all->reader_room = room;
	}
	return &all->readers[number];
}

/* get_init_ra_size() and get_next_ra_size() of the kernel. */
static uint64_t first_window(uint64_t request, uint64_t most)
{
	uint64_t window = 1;

	while (window < request)
		window *= 2;
	if (window <= most / 32)
		return window * 4;
	return window <= most / 4 ? window * 2 : most;
}

static uint64_t next_window(uint64_t window, uint64_t most)
{
	if (window < most / 16)
		return window * 4;
	return window <= most / 2 ? window * 2 : most;
}

static int read_ahead(struct sw_references *all, const struct sw_access *access, uint64_t seed, uint64_t first,
		      uint64_t last)
{
	struct reader *reader = reader_of(all, access->open);
	uint64_t file_end = (all->file_sizes[access->file] + (1ULL << all->shift) - 1) >> all->shift, from, to;
	int bad = 0;

	if (!reader)
		return -1;
	if (first != reader->expected && first + 1 != reader->expected) {
		*reader = (struct reader){.expected = last + 1};
		return 0;
	}
	reader->expected = last + 1;
	if (!reader->window) {
		reader->window = first_window(last - first + 1, all->readahead);
		from = first;
		reader->marker = last + 1;
	} else if (last >= reader->marker) {
		from = reader->end > last ? reader->end : last + 1;
		reader->window = next_window(reader->window, all->readahead);
		reader->marker = from;
	} else {
		return 0;
	}
	to = from + reader->window;
	reader->end = to;
	if (to > file_end)
		to = file_end;
	for (uint64_t block = from; block < to && !bad; block++)
		if (block < first || block > last)
			bad = note(all, sw_block_hash(seed, block), SW_AHEAD);
	return bad;
}

static int visit(void *context, const struct sw_access *access)
{
	struct sw_references *all = context;
	uint64_t seed = sw_file_seed(all->file_ids[access->file]), end = access->offset + access->size;
	uint64_t first = access->offset >> all->shift, last = (end - 1) >> all->shift;
	uint32_t begins = SW_BEGINS;
	int bad = 0;

	if (!access->write)
		all->seen += last - first + 1;
	for (uint64_t block = first; block <= last && !bad; block++) {
		uint64_t low = block == first ? access->offset : block << all->shift;
		uint64_t high = block == last ? end : (block + 1) << all->shift;

		bad = note(all, sw_block_hash(seed, block),
			   (access->write ? SW_WRITTEN : 0) | begins | (uint32_t)(high - low));
		/* Of a sampled access nobody knows the other blocks' fate: each counts as one. */
		if (all->threshold == UINT64_MAX)
			begins = 0;
	}
	if (!bad && all->readahead && !access->write)
		bad = read_ahead(all, access, seed, first, last);
	return bad;
}

SW_API void sw_references_free(struct sw_references *all)
{
	sw_order_end(&all->order);
	free(all->files.ids);
	free(all->files.numbers);
	free(all->file_ids);
	free(all->file_sizes);
	free(all->blocks.keys);
	free(all->blocks.numbers);
	free(all->opens.keys);
	free(all->opens.numbers);
	free(all->readers);
	free(all->ids);
	free(all->infos);
	free(all);
}

SW_API struct sw_references *sw_references_new(const int64_t *files, const int64_t *sizes, uint32_t count,
					       uint32_t shift, uint32_t halvings, uint64_t readahead, uint32_t waiting,
					       uint64_t most)
{
	struct sw_references *all = calloc(1, sizeof(*all));

	if (!all)
		return NULL;
	all->shift = shift;
	all->threshold = UINT64_MAX >> halvings;
	all->readahead = readahead;
	all->most = most;
	all->file_ids = malloc((count + 1) * sizeof(*all->file_ids));
	all->file_sizes = malloc((count + 1) * sizeof(*all->file_sizes));
	if (!all->file_ids || !all->file_sizes || sw_numbers_init(&all->files, files, count) ||
	    sw_order_init(&all->order, waiting, visit, all)) {
		sw_references_free(all);
		return NULL;
	}
	for (uint32_t number = 0; number < count; number++) {
		all->file_ids[number] = files[number];
		all->file_sizes[number] = sizes[number] > 0 ? (uint64_t)sizes[number] : 0;
	}
	return all;
}

/* Whether a run can be left out, because it is a single access of a block that is not followed; counts it then. */
static int unfollowed(struct sw_references *all, const struct sw_pending *run)
{
	if (all->threshold == UINT64_MAX || all->readahead || !sw_in_one_block(run, all->shift) ||
	    sw_block_hash(sw_file_seed(all->file_ids[run->file]), run->offset >> all->shift) < all->threshold)
		return 0;
	all->seen += !run->write;
	return 1;
}

SW_API int sw_references_feed(struct sw_references *all, const struct sw_run_columns *runs, uint64_t rows)
{
	for (uint64_t row = 0; row < rows; row++) {
		uint32_t number = sw_number(&all->files, runs->file[row]);
		struct sw_pending run = sw_pending_of(runs, row, number);
		int bad;

		if (number == SW_NO_NUMBER || !run.count || unfollowed(all, &run))
			continue;
		bad = sw_order_add(&all->order, &run);
		if (bad)
			return bad;
	}
	return 0;
}

/* How many references and blocks were noted, and how many references reads made; below 0 when there was no room. */
SW_API int sw_references_finish(struct sw_references *all, uint64_t *count, uint32_t *blocks, uint64_t *seen,
				uint64_t *late)
{
	int bad = sw_order_flush(&all->order);

	*count = all->count;
	*blocks = all->blocks.count;
	*seen = all->seen;
	*late = all->order.late;
	return bad;
}

SW_API void sw_references_take(const struct sw_references *all, uint32_t *ids, uint32_t *infos)
{
	for (uint64_t at = 0; at < all->count; at++) {
		ids[at] = all->ids[at];
		infos[at] = all->infos[at];
	}
}
