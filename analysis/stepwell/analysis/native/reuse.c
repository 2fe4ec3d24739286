/* Feeds the references of a trace to the samples of its files, its datasets and itself: `shards.c`. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "blocks.h"
#include "order.h"
#include "shards.h"

#define SCOPES 3 /* a file's own sample, its dataset's, the trace's */

struct sw_reuse_limits {
	uint32_t shift; /* log2 of the bytes in a block */
	uint32_t waiting; /* runs */
	uint32_t file_blocks, group_blocks; /* most blocks in one sample */
	uint32_t effort; /* references for each of the most blocks, before a sample is halved */
	uint32_t per_octave, windows;
	int64_t window_ns;
};

/* Where a file's references go: numbers of samples, SW_NO_NUMBER for none. */
struct sw_reuse_file {
	int64_t id;
	uint32_t samples[SCOPES];
	uint32_t unused;
};

struct sw_reuse {
	struct sw_reuse_limits limits;
	struct sw_order order;
	struct sw_numbers numbers;
	struct sw_reuse_file *files;
	struct sw_shards *samples;
	uint32_t file_count, sample_count;
};

struct sw_reuse_evidence {
	double rate, references, clock;
	double blocks, uses, uses_squared, once, gaps, gaps_log, gaps_of_uses_log, parts;
	double near; /* blocks whose uses are within a fifth, or one, of the mean */
	/* Blocks of two gaps and more; sums over them: their uses, and see `steadiness`. */
	double timed, timed_uses, timed_squared, unsteady, by_chance;
	double again, median, peak, peak_distance;
};

static int visit(void *context, const struct sw_access *access);

SW_API void sw_reuse_free(struct sw_reuse *reuse)
{
	for (uint32_t number = 0; reuse->samples && number < reuse->sample_count; number++)
		sw_shards_end(&reuse->samples[number]);
	sw_order_end(&reuse->order);
	free(reuse->numbers.ids);
	free(reuse->numbers.numbers);
	free(reuse->samples);
	free(reuse->files);
	free(reuse);
}

/* The samples are those of single files, then `groups` others, which get a curve. */
SW_API struct sw_reuse *sw_reuse_new(const struct sw_reuse_limits *limits, const struct sw_reuse_file *files,
				     uint32_t count, uint32_t alone, uint32_t groups)
{
	struct sw_reuse *reuse = calloc(1, sizeof(*reuse));
	int64_t *ids = malloc((count + 1) * sizeof(*ids));
	int bad;

	if (!reuse || !ids) {
		free(reuse);
		free(ids);
		return NULL;
	}
	reuse->limits = *limits;
	reuse->files = malloc((count + 1) * sizeof(*files));
	reuse->samples = calloc(alone + groups + 1, sizeof(*reuse->samples));
	bad = !reuse->files || !reuse->samples;
	if (!bad) {
		memcpy(reuse->files, files, count * sizeof(*files));
		for (uint32_t number = 0; number < count; number++)
			ids[number] = files[number].id;
		reuse->file_count = count;
		reuse->sample_count = alone + groups;
		for (uint32_t number = 0; number < alone + groups; number++)
			sw_shards_init(&reuse->samples[number],
				       number < alone ? limits->file_blocks : limits->group_blocks,
				       (number < alone ? limits->file_blocks : limits->group_blocks) * limits->effort);
		for (uint32_t number = alone; number < alone + groups; number++)
			bad |= sw_shards_curve(&reuse->samples[number], limits->per_octave, limits->windows);
	}
	bad = bad || sw_numbers_init(&reuse->numbers, ids, count) ||
	      sw_order_init(&reuse->order, limits->waiting, visit, reuse);
	free(ids);
	if (bad) {
		sw_reuse_free(reuse);
		return NULL;
	}
	return reuse;
}

static int visit(void *context, const struct sw_access *access)
{
	struct sw_reuse *reuse = context;
	const struct sw_reuse_file *file = &reuse->files[access->file];
	unsigned int shift = reuse->limits.shift;
	uint64_t seed = sw_file_seed(file->id), end = access->offset + access->size;
	uint64_t first = access->offset >> shift, last = (end - 1) >> shift;
	uint64_t highest = 0;

	for (int scope = 0; scope < SCOPES; scope++) {
		if (file->samples[scope] == SW_NO_NUMBER)
			continue;
		if (!access->write)
			reuse->samples[file->samples[scope]].references += (double)(last - first + 1);
		if (reuse->samples[file->samples[scope]].threshold > highest)
			highest = reuse->samples[file->samples[scope]].threshold;
	}
	for (uint64_t block = first; block <= last; block++) {
		struct sw_reference reference = {.hash = sw_block_hash(seed, block), .write = access->write};
		uint64_t start = block << shift;

		if (reference.hash >= highest)
			continue;
		reference.mask = sw_block_mask(access->offset > start ? access->offset - start : 0,
					       block == last ? end - start : 1ULL << shift, shift);
		reference.window = access->time_ns > 0 ? (uint32_t)(access->time_ns / reuse->limits.window_ns) : 0;
		for (int scope = 0; scope < SCOPES; scope++)
			if (file->samples[scope] != SW_NO_NUMBER &&
			    sw_shards_take(&reuse->samples[file->samples[scope]], &reference))
				return -1;
	}
	return 0;
}

/* Whether a run can be left out, because it is a single access of a block that nobody samples; counts it then. */
static int unsampled(struct sw_reuse *reuse, const struct sw_pending *run)
{
	const struct sw_reuse_file *file = &reuse->files[run->file];
	uint64_t hash = sw_block_hash(sw_file_seed(file->id), run->offset >> reuse->limits.shift);

	if (!sw_in_one_block(run, reuse->limits.shift))
		return 0;
	for (int scope = 0; scope < SCOPES; scope++)
		if (file->samples[scope] != SW_NO_NUMBER && hash < reuse->samples[file->samples[scope]].threshold)
			return 0;
	for (int scope = 0; scope < SCOPES; scope++)
		if (file->samples[scope] != SW_NO_NUMBER && !run->write)
			reuse->samples[file->samples[scope]].references++;
	return 1;
}

SW_API int sw_reuse_feed(struct sw_reuse *reuse, const struct sw_run_columns *runs, uint64_t rows)
{
	for (uint64_t row = 0; row < rows; row++) {
		uint32_t number = sw_number(&reuse->numbers, runs->file[row]);
		struct sw_pending run = sw_pending_of(runs, row, number);

		if (number == SW_NO_NUMBER || !run.count || unsampled(reuse, &run))
			continue;
		if (sw_order_add(&reuse->order, &run))
			return -1;
	}
	return 0;
}

SW_API int sw_reuse_finish(struct sw_reuse *reuse, uint64_t *late)
{
	int bad = sw_order_flush(&reuse->order);

	*late = reuse->order.late;
	return bad;
}

static double low_edge(uint32_t bucket, uint32_t per_octave)
{
	uint32_t octave = bucket < 2 * per_octave ? 0 : bucket / per_octave - 1;

	return (double)((uint64_t)(bucket - octave * per_octave) << octave);
}

/* The median of the distances, and the octave around the most frequent one. */
static void distances(const struct sw_shards *sample, struct sw_reuse_evidence *found)
{
	uint32_t buckets = SW_OCTAVES * SW_USES_PER_OCTAVE, half = SW_USES_PER_OCTAVE / 2;
	double sum = 0, best = 0;

	if (!sample->distances)
		return;
	for (uint32_t bucket = 0; bucket < buckets; bucket++)
		found->again += sample->distances[bucket];
	for (uint32_t bucket = 0; bucket < buckets && found->again > 0; bucket++) {
		double around = 0;

		for (uint32_t near = bucket < half ? 0 : bucket - half; near <= bucket + half && near < buckets; near++)
			around += sample->distances[near];
		if (around > best) {
			best = around;
			found->peak_distance = low_edge(bucket, SW_USES_PER_OCTAVE);
		}
		if (sum <= found->again / 2 && sum + sample->distances[bucket] > found->again / 2)
			found->median = low_edge(bucket, SW_USES_PER_OCTAVE);
		sum += sample->distances[bucket];
	}
	found->peak = found->again > 0 ? best / found->again : 0;
}

/*
 * How a block's gaps differ: the mean of ln(gap / their mean), 0 where they are all alike; and what is expected of it
 * where uses are independent: ln(k) less the sum of 1/i for i below k, of k gaps (each then is a Beta(1, k - 1) part of
 * them all; the mean of its logarithm is a difference of digamma functions).
 */
static void steadiness(const struct sw_block *block, struct sw_reuse_evidence *found)
{
	double uses = block->uses, gaps = uses - 1, span = block->clock - block->first, harmonic = 0;

	if (block->uses < 3 || span <= 0)
		return;
	if (block->uses > 32)
		harmonic = log(gaps - 1) + 0.5772156649 + 0.5 / (gaps - 1);
	else
		for (uint32_t i = 1; i < block->uses - 1; i++)
			harmonic += 1.0 / i;
	found->timed++;
	found->timed_uses += uses;
	found->timed_squared += uses * uses;
	found->unsteady += block->gaps_log / gaps - log(span / gaps);
	found->by_chance += log(gaps) - harmonic;
}

SW_API void sw_reuse_evidence(const struct sw_reuse *reuse, uint32_t first, uint32_t count,
			      struct sw_reuse_evidence *found)
{
	for (uint32_t number = 0; number < count; number++, found++) {
		const struct sw_shards *sample = &reuse->samples[first + number];
		double mean, near;

		*found = (struct sw_reuse_evidence){
			.rate = 1 / sample->weight, .references = sample->references, .clock = sample->clock};
		for (uint32_t at = 0; at < sample->count; at++) {
			const struct sw_block *block = &sample->blocks[at];

			if (!block->uses)
				continue;
			found->blocks++;
			found->uses += block->uses;
			found->uses_squared += (double)block->uses * block->uses;
			found->once += block->uses == 1;
			found->gaps += block->uses - 1;
			found->gaps_log += block->gaps_log;
			found->gaps_of_uses_log += block->gaps_log + (block->uses - 1) * log((double)block->uses);
			found->parts += __builtin_popcountll(block->ever);
			steadiness(block, found);
		}
		mean = found->blocks ? found->uses / found->blocks : 0;
		near = mean > 5 ? mean / 5 : 1;
		for (uint32_t at = 0; at < sample->count; at++) {
			double away = sample->blocks[at].uses - mean;

			found->near += sample->blocks[at].uses && away <= near && -away <= near;
		}
		distances(sample, found);
	}
}

/* How many blocks a sample holds; their uses go to `uses` where that is not NULL. */
SW_API uint32_t sw_reuse_uses(const struct sw_reuse *reuse, uint32_t number, uint32_t *uses)
{
	const struct sw_shards *sample = &reuse->samples[number];

	for (uint32_t at = 0; uses && at < sample->count; at++)
		uses[at] = sample->blocks[at].uses;
	return sample->count;
}

/* The curve's buckets and the windows of a sample that has them. */
SW_API void sw_reuse_curve(const struct sw_reuse *reuse, uint32_t number, double *curve, double *windows)
{
	const struct sw_shards *sample = &reuse->samples[number];

	memcpy(curve, sample->curve, (size_t)SW_OCTAVES * sample->per_octave * sizeof(*curve));
	memcpy(windows, sample->windows, sample->window_count * sizeof(*windows));
}
