/* Blocks of files: their hash, and how much of one an access touches. */
#ifndef STEPWELL_ANALYSIS_BLOCKS_H
#define STEPWELL_ANALYSIS_BLOCKS_H

#include <stdint.h>

#include "map.h"

/* Two rounds, so that neither numbered files nor numbered blocks line up. */
static inline uint64_t sw_block_hash(uint64_t file_seed, uint64_t block)
{
	return sw_mix(file_seed ^ (block + 1) * 0x9e3779b97f4a7c15ULL);
}

static inline uint64_t sw_file_seed(int64_t file)
{
	return sw_mix((uint64_t)file + 0x9e3779b97f4a7c15ULL);
}

/* The 64ths of a block that begin in [low, high), both counted from the block's start. */
static inline uint64_t sw_block_mask(uint64_t low, uint64_t high, unsigned int shift)
{
	uint64_t part = 1ULL << (shift - 6), first = (low + part - 1) / part, end = (high + part - 1) / part;

	if (first >= end)
		return 0;
	return (end - first == 64 ? UINT64_MAX : (1ULL << (end - first)) - 1) << first;
}

#endif
