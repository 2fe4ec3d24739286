/* The coalescer in user space: for tests, and for collectors that see accesses one by one. */
#include <string.h>

#include "stepwell.h"

struct output {
	struct sw_run *runs;
	size_t count;
};

static void keep_run(struct output *output, const struct sw_run *run, uint32_t bytes)
{
	struct sw_run *to = &output->runs[output->count++];

	memset(to, 0, sizeof(*to));
	memcpy(to, run, bytes);
}

size_t sw_coalesce(const struct sw_access *accesses, size_t count, struct sw_run *runs)
{
	struct output output = {runs, 0};
	struct sw_head head;

	memset(&head, 0, sizeof(head));
	for (size_t i = 0; i < count; i++)
		sw_add(&head, &accesses[i], keep_run, &output);
	if (head.run.count)
		keep_run(&output, &head.run, sw_seal(&head.run));
	return output.count;
}
