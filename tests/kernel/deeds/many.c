/* Many threads, many reads: what Python is too slow for. Each waits for a line on standard input, and answers. */
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SIZE 4093

static int file;
static pthread_barrier_t all;

static void wait_for_line(void)
{
	char line[16];

	if (!fgets(line, sizeof(line), stdin))
		exit(0);
}

static void answer(void)
{
	puts(".");
	fflush(stdout);
}

static void *read_thrice(void *number)
{
	char bytes[11];

	pthread_barrier_wait(&all);
	for (int i = 0; i < 3; i++)
		if (pread(file, bytes, sizeof(bytes), (long)number + i * SIZE) < 0)
			abort();
	return NULL;
}

static void threads(long count)
{
	pthread_attr_t small;
	pthread_t one;

	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 65536);
	pthread_attr_setdetachstate(&small, PTHREAD_CREATE_DETACHED);
	pthread_barrier_init(&all, NULL, count);
	for (long i = 1; i < count; i++)
		if (pthread_create(&one, &small, read_thrice, (void *)i))
			abort();
	read_thrice(0);
	pthread_exit(NULL);
}

/* At random, or one after the other from where the last call ended. */
static void transfers(long count, int at_random, long blocks)
{
	static char bytes[SIZE];
	static unsigned long state = 1;
	static long next;

	for (long end = next + count; next < end; next++) {
		state = state * 6364136223846793005UL + 1442695040888963407UL;
		if (pread(file, bytes, SIZE, (at_random ? (long)(state >> 33) % blocks : next % blocks) * SIZE) < 0)
			abort();
	}
}

int main(int argc, char **argv)
{
	long count = argc == 4 ? atol(argv[3]) : 0;
	long blocks;

	if (argc != 4)
		return 2;
	file = open(argv[2], O_RDONLY);
	blocks = lseek(file, 0, SEEK_END) / SIZE;
	if (!strcmp(argv[1], "threads"))
		threads(count);
	for (;;) {
		wait_for_line();
		transfers(count, !strcmp(argv[1], "random"), blocks);
		answer();
	}
}
