/*
 * Runs are stored in the order of their ends, and overlap. A heap holds a bounded number of them by the time of their
 * next access, and gives out the earliest access when it is full. That is the order of time exactly as long as no run
 * comes after more than `room` runs that began later; of such a late one the accesses follow at once, and are counted.
 * Accesses within a run are spread evenly over its time. Those of the same time keep the order in which runs came.
 */
#include <stdlib.h>

#include "map.h"
#include "order.h"

int sw_order_init(struct sw_order *order, uint32_t room, sw_visit visit, void *context)
{
	*order = (struct sw_order){.room = room, .visit = visit, .context = context, .latest_ns = INT64_MIN};
	order->heap = calloc(room, sizeof(*order->heap));
	order->runs = calloc(room, sizeof(*order->runs));
	order->idle = calloc(room, sizeof(*order->idle));
	if (!order->heap || !order->runs || !order->idle)
		return -1;
	for (uint32_t slot = 0; slot < room; slot++)
		order->idle[slot] = slot;
	return 0;
}

void sw_order_end(struct sw_order *order)
{
	free(order->heap);
	free(order->runs);
	free(order->idle);
}

static int before(struct sw_turn one, struct sw_turn other)
{
	return one.time_ns < other.time_ns || (one.time_ns == other.time_ns && one.arrived < other.arrived);
}

static void sift_down(struct sw_order *order, struct sw_turn turn)
{
	uint32_t at = 0;

	for (;;) {
		uint32_t child = 2 * at + 1;

		if (child >= order->count)
			break;
		if (child + 1 < order->count && before(order->heap[child + 1], order->heap[child]))
			child++;
		if (!before(order->heap[child], turn))
			break;
		order->heap[at] = order->heap[child];
		at = child;
	}
	order->heap[at] = turn;
}

static void sift_up(struct sw_order *order, struct sw_turn turn)
{
	uint32_t at = order->count++;

	while (at && before(turn, order->heap[(at - 1) / 2])) {
		order->heap[at] = order->heap[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	order->heap[at] = turn;
}

static int64_t time_of(const struct sw_pending *run)
{
	if (run->count < 2 || !run->next)
		return run->start_ns;
	return run->start_ns + (int64_t)((double)run->span_ns * run->next / (run->count - 1));
}

/* Gives out the earliest access. */
static int step(struct sw_order *order)
{
	struct sw_turn turn = order->heap[0];
	struct sw_pending *run = &order->runs[turn.slot];
	struct sw_access access = {
		.time_ns = turn.time_ns,
		.offset = run->offset + (uint64_t)run->stride * run->next,
		.size = run->next + 1 == run->count ? run->tail : run->size,
		.open = run->open,
		.file = run->file,
		.write = run->write,
	};

	if (turn.time_ns < order->latest_ns)
		order->late++;
	else
		order->latest_ns = turn.time_ns;
	if (++run->next < run->count) {
		turn.time_ns = time_of(run);
		sift_down(order, turn);
	} else {
		order->count--;
		order->idle[order->count] = turn.slot;
		if (order->count)
			sift_down(order, order->heap[order->count]);
	}
	/* Wrapped offsets and sizes below 0 are no places in a file. */
	if (!access.size || access.offset > INT64_MAX || access.size > INT64_MAX - access.offset)
		return 0;
	return order->visit(order->context, &access);
}

int sw_order_add(struct sw_order *order, const struct sw_pending *run)
{
	uint32_t slot;
	int bad = 0;

	while (order->count == order->room && !bad)
		bad = step(order);
	if (bad)
		return bad;
	slot = order->idle[order->count];
	order->runs[slot] = *run;
	sift_up(order, (struct sw_turn){.time_ns = run->start_ns, .arrived = order->arrivals++, .slot = slot});
	return 0;
}

int sw_order_flush(struct sw_order *order)
{
	int bad = 0;

	while (order->count && !bad)
		bad = step(order);
	return bad;
}

int sw_numbers_init(struct sw_numbers *table, const int64_t *ids, uint32_t count)
{
	uint64_t room = 16;

	while (room < 2 * (uint64_t)count)
		room *= 2;
	table->mask = room - 1;
	table->ids = calloc(room, sizeof(*table->ids));
	table->numbers = malloc(room * sizeof(*table->numbers));
	if (!table->ids || !table->numbers)
		return -1;
	for (uint64_t at = 0; at < room; at++)
		table->numbers[at] = SW_NO_NUMBER;
	for (uint32_t number = 0; number < count; number++) {
		uint64_t at = sw_mix((uint64_t)ids[number]) & table->mask;

		while (table->numbers[at] != SW_NO_NUMBER && table->ids[at] != ids[number])
			at = (at + 1) & table->mask;
		table->ids[at] = ids[number];
		table->numbers[at] = number;
	}
	return 0;
}

uint32_t sw_number(const struct sw_numbers *table, int64_t id)
{
	uint64_t at = sw_mix((uint64_t)id) & table->mask;

	while (table->numbers[at] != SW_NO_NUMBER && table->ids[at] != id)
		at = (at + 1) & table->mask;
	return table->numbers[at];
}
