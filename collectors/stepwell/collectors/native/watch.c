/* What can be seen of a collector while it runs. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "collector.h"

uint32_t sw_collector_features(const struct sw_collector *c)
{
	return c->features;
}

int sw_collector_totals(struct sw_collector *c, struct sw_totals *totals)
{
	struct sw_counters *each = calloc(c->processors, sizeof(*each));
	uint64_t *sum = (uint64_t *)&totals->kernel;
	struct bpf_program *program;
	uint32_t zero = 0;
	int code;

	memset(totals, 0, sizeof(*totals));
	if (!each)
		return -ENOMEM;
	code = bpf_map_lookup_elem(bpf_object__find_map_fd_by_name(c->object, "counters"), &zero, each);
	for (int i = 0; i < c->processors; i++)
		for (size_t k = 0; k < sizeof(*each) / sizeof(uint64_t); k++)
			sum[k] += ((uint64_t *)&each[i])[k];
	free(each);
	bpf_object__for_each_program(program, c->object)
	{
		struct bpf_prog_info info = {};
		uint32_t bytes = sizeof(info);

		if (!bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &bytes))
			totals->lost_recursion += info.recursion_misses;
	}
	totals->lost_spool = c->spool.done.lost_accesses;
	totals->lost_spool_records = c->spool.done.lost_records;
	totals->open_files = c->control->open_files;
	return code;
}

uint32_t sw_used_slots(const struct sw_collector *c)
{
	uint32_t used = __atomic_load_n(&c->control->used_slots, __ATOMIC_RELAXED);

	return used < c->options.heads ? used : c->options.heads;
}

long sw_collector_calls(struct sw_collector *c, struct sw_call *calls)
{
	size_t count = 0;

	for (size_t i = 0; i < SW_CALLS; i++) {
		const volatile struct sw_call *call = &c->control->calls[i];
		uint64_t start_ns = call->start_ns;

		if (!start_ns)
			continue;
		atomic_thread_fence(memory_order_acquire);
		memcpy(&calls[count], (const void *)call, sizeof(*call));
		atomic_thread_fence(memory_order_acquire);
		count += call->start_ns == start_ns && calls[count].start_ns == start_ns;
	}
	return count;
}

long sw_collector_open_runs(struct sw_collector *c, struct sw_run *runs, size_t max)
{
	uint32_t used = sw_used_slots(c);
	size_t count = 0;

	for (uint32_t i = 0; i < used && count < max; i++) {
		const volatile struct sw_slot *slot = &c->slots[i];
		uint32_t closed = slot->closed;
		struct sw_slot copy;

		if (!slot->key.file || !slot->head.run.count)
			continue;
		atomic_thread_fence(memory_order_acquire);
		memcpy(&copy, (const void *)slot, sizeof(copy));
		atomic_thread_fence(memory_order_acquire);
		if (slot->opened == closed && copy.key.file)
			runs[count++] = copy.head.run;
	}
	return count;
}
