/*
 * The program under measurement: threads that repeat one system call and time it themselves, a batch at a time.
 *
 *     loop CALL FILE THREADS BATCHES CALLS RATE RESULT
 *
 * CALL is sequential or random (pread of 4 KiB of FILE, which is read into the page cache first) or getppid. Each
 * thread makes BATCHES batches of CALLS calls; RATE is the calls a second of all threads together, 0 for as many as
 * they can. RESULT gets one line a batch: nanoseconds, those spent waiting for the rate left out.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BLOCK 4096
#define PACED 1000 /* calls between two looks at the clock */

struct job {
	const char *call;
	int file;
	uint64_t blocks;
	uint64_t first;
	long batches;
	long calls;
	double rate; /* of this thread */
	uint64_t *ns;
	pthread_barrier_t *ready;
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void sleep_until(uint64_t ns)
{
	struct timespec until = {ns / 1000000000, ns % 1000000000};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
		;
}

static void *work(void *argument)
{
	struct job *job = argument;
	int is_random = !strcmp(job->call, "random"), is_read = is_random || !strcmp(job->call, "sequential");
	uint64_t state = 88172645463325252ULL + job->first, block = job->first, begun, made = 0;
	static __thread char buffer[BLOCK];

	pthread_barrier_wait(job->ready);
	begun = now_ns();
	for (long batch = 0; batch < job->batches; batch++) {
		uint64_t start = now_ns(), waited = 0;

		for (long i = 0; i < job->calls; i++) {
			if (job->rate > 0 && made % PACED == 0) {
				uint64_t before = now_ns();

				sleep_until(begun + (uint64_t)(made / job->rate * 1e9));
				waited += now_ns() - before;
			}
			made += 1;
			if (!is_read) {
				getppid();
				continue;
			}
			if (is_random) {
				state ^= state << 13;
				state ^= state >> 7;
				state ^= state << 17;
				block = state;
			}
			if (pread(job->file, buffer, BLOCK, (off_t)(block++ % job->blocks) * BLOCK) != BLOCK)
				die("pread");
		}
		job->ns[batch] = now_ns() - start - waited;
	}
	return NULL;
}

static uint64_t load(int file)
{
	static char buffer[1 << 20];
	struct stat stat;

	if (fstat(file, &stat))
		die("fstat");
	while (read(file, buffer, sizeof(buffer)) > 0)
		;
	return stat.st_size / BLOCK;
}

int main(int count, char **arguments)
{
	int file, threads;
	long batches;
	pthread_barrier_t ready;
	pthread_t *running;
	struct job *jobs;
	uint64_t blocks;
	FILE *result;

	if (count != 8) {
		fprintf(stderr, "usage: loop CALL FILE THREADS BATCHES CALLS RATE RESULT\n");
		return 2;
	}
	file = open(arguments[2], O_RDONLY);
	if (file < 0)
		die(arguments[2]);
	blocks = load(file);
	threads = atoi(arguments[3]);
	batches = atol(arguments[4]);
	jobs = calloc(threads, sizeof(*jobs));
	running = calloc(threads, sizeof(*running));
	pthread_barrier_init(&ready, NULL, threads);
	for (int i = 0; i < threads; i++) {
		jobs[i] = (struct job){arguments[1],
				       file,
				       blocks,
				       blocks / threads * i,
				       batches,
				       atol(arguments[5]),
				       atof(arguments[6]) / threads,
				       calloc(batches, sizeof(uint64_t)),
				       &ready};
		if (pthread_create(&running[i], NULL, work, &jobs[i]))
			die("pthread_create");
	}
	for (int i = 0; i < threads; i++)
		pthread_join(running[i], NULL);
	result = fopen(arguments[7], "w");
	if (!result)
		die(arguments[7]);
	for (int i = 0; i < threads; i++)
		for (long batch = 0; batch < batches; batch++)
			fprintf(result, "%llu\n", (unsigned long long)jobs[i].ns[batch]);
	if (fclose(result))
		die(arguments[7]);
	return 0;
}
