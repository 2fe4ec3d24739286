#include "slow.h"
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#define BLOCK (4 << 20)
#define BLOCKS (1 << 20)

/* Which blocks were read from, by a hash that few share. */
static _Atomic char kept[BLOCKS];

/* When the line that all reads share is free again. */
static uint64_t line_free_ns;
static pthread_mutex_t line = PTHREAD_MUTEX_INITIALIZER;

uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

static void wait_until(uint64_t ns)
{
	struct timespec at = {ns / 1000000000, ns % 1000000000};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
		;
}

void take(uint64_t us)
{
	if (us)
		wait_until(now_ns() + us * 1000);
}

/* A number in (0, 1] for each read, the same for the same seed: Steele, Lea, Flood, "SplitMix", OOPSLA 2014. */
static double chance(uint64_t number, uint64_t stream)
{
	uint64_t z = (control->settings.seed * 2 + stream) * 0xD1342543DE82EF95 + number * 0x9E3779B97F4A7C15;

	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
	z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
	return ((z ^ (z >> 31)) >> 11) * 0x1p-53 + 0x1p-53;
}

enum fate begin_read(uint64_t inode, uint64_t offset, uint64_t size, uint64_t *number)
{
	struct settings *set = &control->settings;
	struct counters *count = &control->counters;
	uint64_t flying = ++count->in_flight, most = count->most_in_flight;

	*number = ++count->reads;
	control->log[(*number - 1) % LOGGED] = (struct logged){inode, offset, size, now_ns(), 0};
	while (flying > most && !atomic_compare_exchange_weak(&count->most_in_flight, &most, flying))
		;
	if (*number == set->die_at)
		_exit(0);
	if (*number == set->hang_at) {
		count->hung++;
		return HUNG;
	}
	if (*number == set->fail_at || chance(*number, 0) * 1000 <= set->fail_permille) {
		count->failed++;
		return FAILED;
	}
	return ANSWERED;
}

/* When a read of so many bytes, which began then, has its answer: what it waits alone, then the line that all share. */
static uint64_t due_ns(uint64_t number, uint64_t began_ns, uint64_t inode, uint64_t bytes)
{
	struct settings *set = &control->settings;
	double ns = set->latency_us * 1e3 - set->jitter_us * 1e3 * log(chance(number, 1));
	/* Its first byte can be on the line when the latency has passed. */
	uint64_t due, ready = began_ns + set->latency_us * 1000;

	if (set->bytes_s)
		ns += bytes * 1e9 / set->bytes_s;
	if (inode == set->slow_inode)
		ns *= set->slow_percent / 100.0;
	due = began_ns + (uint64_t)ns;
	if (set->total_bytes_s) {
		pthread_mutex_lock(&line);
		line_free_ns = (line_free_ns > ready ? line_free_ns : ready) + bytes * 1e9 / set->total_bytes_s;
		due = due > line_free_ns ? due : line_free_ns;
		pthread_mutex_unlock(&line);
	}
	return due;
}

static int was_kept(uint64_t inode, uint64_t offset)
{
	return control->settings.keeps &&
	       atomic_exchange(&kept[(inode * 0x9E3779B97F4A7C15 + offset / BLOCK) % BLOCKS], 1);
}

/* Lets the time of a read pass. */
void end_read(uint64_t number, uint64_t began_ns, uint64_t inode, uint64_t bytes)
{
	struct logged *logged = &control->log[(number - 1) % LOGGED];

	if (!was_kept(inode, logged->offset))
		wait_until(due_ns(number, began_ns, inode, bytes));
	control->counters.bytes += bytes;
	control->counters.in_flight--;
	logged->end_ns = now_ns();
}
