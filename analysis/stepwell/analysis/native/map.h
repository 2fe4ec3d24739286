/* What the one-pass algorithms share: a hash of 64-bit keys. */
#ifndef STEPWELL_ANALYSIS_MAP_H
#define STEPWELL_ANALYSIS_MAP_H

#include <stdint.h>

#define SW_API __attribute__((visibility("default")))

/* The finaliser of SplitMix64 (Steele, Lea, Flood 2014): every bit of the key changes about half of the bits. */
static inline uint64_t sw_mix(uint64_t key)
{
	key = (key ^ (key >> 30)) * 0xbf58476d1ce4e5b9ULL;
	key = (key ^ (key >> 27)) * 0x94d049bb133111ebULL;
	return key ^ (key >> 31);
}

#endif
