/* Memory for very many things of one size, found by number, in large pages, because they are met in any order. */
#ifndef STEPWELL_ANALYSIS_POOL_H
#define STEPWELL_ANALYSIS_POOL_H

#include <stddef.h>
#include <stdint.h>

#define SW_SLAB 8192 /* things whose memory is got at once; what is not used of it yet takes none */

struct sw_pool {
	size_t bytes; /* of a thing */
	void **slabs;
	uint32_t slab_count;
	uint32_t count; /* things there are; they do not move */
};

/* Returns 0 without memory. */
int sw_pool_init(struct sw_pool *pool, size_t bytes, uint32_t most);
void sw_pool_end(struct sw_pool *pool);
/* One more thing, of which there were fewer than `most`; its number is the count before. Returns 0 without memory. */
int sw_pool_grow(struct sw_pool *pool);

static inline void *sw_pool_at(const struct sw_pool *pool, uint32_t number)
{
	return (char *)pool->slabs[number / SW_SLAB] + number % SW_SLAB * pool->bytes;
}

#endif
