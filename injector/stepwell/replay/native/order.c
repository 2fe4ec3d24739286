/* Merges the runs of a thread, which overlap where it read in several places by turns, by the number of access. */
#include "order.h"

#include <errno.h>
#include <stdlib.h>

static int earlier(const struct sw_cursor *a, const struct sw_cursor *b)
{
	return a->seq < b->seq || (a->seq == b->seq && a->step < b->step);
}

static void sink(struct sw_cursor *heap, uint32_t count)
{
	struct sw_cursor moving = heap[0];
	uint32_t at = 0, child;

	for (; (child = 2 * at + 1) < count; at = child) {
		if (child + 1 < count && earlier(&heap[child + 1], &heap[child]))
			child++;
		if (earlier(&moving, &heap[child]))
			break;
		heap[at] = heap[child];
	}
	heap[at] = moving;
}

static int push(struct sw_order *order, struct sw_cursor new)
{
	uint32_t at = order->begun;

	if (at == order->room) {
		uint32_t room = order->room ? 2 * order->room : 8;
		struct sw_cursor *heap = realloc(order->heap, room * sizeof(*heap));

		if (!heap)
			return -ENOMEM;
		order->heap = heap;
		order->room = room;
	}
	for (; at && earlier(&new, &order->heap[(at - 1) / 2]); at = (at - 1) / 2)
		order->heap[at] = order->heap[(at - 1) / 2];
	order->heap[at] = new;
	order->begun++;
	return 0;
}

/* Where access i lies between 0 and the span; the view `accesses` says the same. */
static uint64_t between(uint64_t span, uint32_t i, uint32_t count)
{
	return i ? (uint64_t)((double)i * ((double)span / (double)(count - 1)) + 0.5) : 0;
}

int sw_next(struct sw_order *order, struct sw_issue *access)
{
	const struct sw_step *steps = order->steps;
	struct sw_cursor *top;
	const struct sw_step *step;
	uint32_t i;

	while (order->taken < order->count && (!order->begun || steps[order->taken].seq <= order->heap[0].seq)) {
		int error = push(order, (struct sw_cursor){&steps[order->taken], steps[order->taken].seq, 0});

		if (error)
			return error;
		order->taken++;
	}
	if (!order->begun)
		return 0;
	top = &order->heap[0];
	step = top->step;
	i = top->next++;
	*access = (struct sw_issue){
		.offset = step->offset + i * (uint64_t)step->stride,
		.requested = step->requested,
		.size = i == step->count - 1 ? step->tail : step->size,
		.start_ns = step->start_ns + between(step->span_ns, i, step->count),
		.target = step->target,
		.op = step->op,
		.async = step->async,
	};
	if (top->next == step->count)
		*top = order->heap[--order->begun];
	else
		top->seq = step->seq + between(step->seq_span, top->next, step->count);
	sink(order->heap, order->begun);
	return 1;
}
