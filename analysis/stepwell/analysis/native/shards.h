/* Reuse distances of sampled blocks: `shards.c` tells how. */
#ifndef STEPWELL_ANALYSIS_SHARDS_H
#define STEPWELL_ANALYSIS_SHARDS_H

#include <stdint.h>

#define SW_OCTAVES 40 /* reuse distances up to 2^40 blocks are told apart */
#define SW_USES_PER_OCTAVE 4

/* What is known of a block in the sample. Its hash is its name. */
struct sw_block {
	uint64_t hash;
	uint64_t ever; /* 64ths of the block that were read */
	double first, clock; /* of the first use and of the last */
	float gaps_log; /* sum over the gaps between uses of ln(gap) */
	uint32_t uses; /* reads of `part` */
	uint32_t position; /* grows with recency */
	uint16_t window;
	uint8_t part; /* the 64th whose uses stand for all that were read */
};

struct sw_shards {
	uint64_t threshold; /* blocks whose hash is below are sampled */
	double weight; /* references that one sampled stands for: 2^64 / threshold */
	double references; /* blocks that reads touched, sampled or not */
	double clock; /* uses, estimated */
	struct sw_block *blocks;
	uint32_t *table; /* by hash: number of the block + 1 */
	uint32_t *tree; /* Fenwick tree over positions: 1 where a block is */
	uint32_t *owners; /* by position: number of the block + 1 */
	uint32_t count, room, most;
	uint32_t least; /* blocks that are kept whatever they cost */
	uint32_t effort, spent; /* references between two halvings of more than the least, and those since the last */
	uint32_t position, positions;
	float *distances; /* uses again, by distance; made when a block comes again */
	double *curve; /* references, by distance; only where a curve was asked for */
	double *windows; /* unique 64ths of blocks, by window of time */
	uint32_t per_octave, window_count;
};

struct sw_reference {
	uint64_t hash;
	uint64_t mask; /* 64ths of the block that begin inside the access */
	uint32_t window;
	uint8_t write;
};

void sw_shards_init(struct sw_shards *shards, uint32_t most, uint32_t effort);
int sw_shards_curve(struct sw_shards *shards, uint32_t per_octave, uint32_t windows);
void sw_shards_end(struct sw_shards *shards);
int sw_shards_take(struct sw_shards *shards, const struct sw_reference *reference);
uint32_t sw_distance_bucket(double distance, uint32_t per_octave);

#endif
