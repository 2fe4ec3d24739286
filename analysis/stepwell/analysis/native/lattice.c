#include "lattice.h"

#include <stdlib.h>
#include <string.h>

#include "heads.h"

static int compare(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return (left > right) - (left < right);
}

static uint64_t common(uint64_t a, uint64_t b)
{
	while (b) {
		uint64_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

/* How many values have the remainder that most have, if it is more than half (R. S. Boyer and J S. Moore, "MJRTY",
 * 1991). */
static uint64_t together(const uint64_t *value, uint64_t number, uint64_t distance)
{
	uint64_t most = 0, votes = 0, found = 0;

	for (uint64_t i = 0; i < number; i++) {
		uint64_t rest = value[i] % distance;

		if (!votes)
			most = rest;
		votes += rest == most ? 1 : -1;
	}
	for (uint64_t i = 0; i < number; i++)
		found += value[i] % distance == most;
	return found;
}

/*
 * What is foreign parts neighbours, but not all of them: the distances of three in a row have the lattice's own as
 * their greatest common divisor more often than not (6/pi^2 of all pairs have no other one: Dirichlet, 1849).
 */
uint64_t sw_lattice(const uint64_t *samples, uint64_t number, uint64_t percent, uint64_t *places, uint64_t *on)
{
	uint64_t sorted[SW_SAMPLES], widest = 0, kept = 0;

	memcpy(sorted, samples, number * sizeof(*samples));
	qsort(sorted, number, sizeof(*sorted), compare);
	for (uint64_t i = 0; i < number; i++)
		if (!kept || sorted[i] != sorted[kept - 1])
			sorted[kept++] = sorted[i];
	for (uint64_t i = 2; i < kept; i++) {
		uint64_t distance = common(sorted[i] - sorted[i - 1], sorted[i - 1] - sorted[i - 2]), found;

		if (distance <= widest)
			continue;
		found = together(sorted, kept, distance);
		if (100 * found >= percent * kept) {
			widest = distance;
			*on = found;
		}
	}
	*places = kept;
	return widest;
}
