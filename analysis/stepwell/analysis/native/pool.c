#include "pool.h"

#include <stdlib.h>
#include <sys/mman.h>

#define LINE 64 /* bytes, of the processor's cache */
#define HUGE_PAGE (2 << 20)

int sw_pool_init(struct sw_pool *pool, size_t bytes, uint32_t most)
{
	*pool = (struct sw_pool){.bytes = (bytes + LINE - 1) / LINE * LINE, .slab_count = most / SW_SLAB + 1};
	pool->slabs = calloc(pool->slab_count, sizeof(*pool->slabs));
	return pool->slabs != NULL;
}

void sw_pool_end(struct sw_pool *pool)
{
	for (uint32_t i = 0; pool->slabs && i < pool->slab_count; i++)
		free(pool->slabs[i]);
	free(pool->slabs);
}

int sw_pool_grow(struct sw_pool *pool)
{
	void **slab = &pool->slabs[pool->count / SW_SLAB];

	if (!*slab) {
		size_t bytes = (SW_SLAB * pool->bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;

		*slab = aligned_alloc(HUGE_PAGE, bytes);
		if (!*slab)
			return 0;
		madvise(*slab, bytes, MADV_HUGEPAGE);
	}
	pool->count += 1;
	return 1;
}
