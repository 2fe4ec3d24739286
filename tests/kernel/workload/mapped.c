/* Memory mappings: which pages are touched, and how. Mapped at 2 MiB boundaries, so that what the kernel maps around a
 * fault does not depend on where there was room. */
#include "workload.h"

#include <sys/mman.h>
#include <sys/socket.h>

#define HUGE (2UL << 20)
#define PAGES 29 /* of COUNT * STRIDE bytes */

static volatile char *map(int fd, size_t bytes, off_t offset, int protection, int flags)
{
	char *room = mmap(NULL, bytes + HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	char *at = (char *)(((uintptr_t)room + HUGE - 1) & ~(HUGE - 1));

	must(room != MAP_FAILED);
	must(mmap(at, bytes, protection, flags | MAP_FIXED, fd, offset) == at);
	return at;
}

static void fill(int fd)
{
	must(pread(fd, buffer, sizeof(buffer), 0) > 0);
}

/* Into the cache page by page: a store maps all pages that were brought in together. */
static void fill_by_page(int fd)
{
	drop(fd);
	must(posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM) == 0);
	for (int i = 0; i < PAGES; i++)
		must(pread(fd, buffer, PAGE, i * PAGE) > 0);
}

/* Every page in turn, all of them in the page cache. */
static void run_mmap(const char *path)
{
	int fd = opened(path, O_RDONLY);
	volatile char *at = map(fd, COUNT * STRIDE, 0, PROT_READ, MAP_SHARED);

	must(fsync(fd) == 0); /* pages being written back are not mapped around */
	for (int i = 0; i < PAGES; i++)
		(void)at[i * PAGE];
	close(fd);
}

/* A file larger than 4 GiB, mapped far within, touched at strides. */
static void run_mmap_far(const char *path)
{
	int fd = opened(path, O_RDONLY);
	volatile char *at = map(fd, 1UL << 40, 1UL << 33, PROT_READ, MAP_SHARED);

	must(madvise((void *)at, 1UL << 40, MADV_RANDOM) == 0);
	for (long i = 0; i < 7; i++)
		(void)at[i * (5L << 30)];
	close(fd);
}

/* Not in the cache, no reading ahead: each touch waits for its one page. */
static void run_mmap_cold(const char *path)
{
	int fd = opened(path, O_RDONLY);
	volatile char *at = map(fd, COUNT * STRIDE, 0, PROT_READ, MAP_SHARED);

	must(madvise((void *)at, COUNT * STRIDE, MADV_RANDOM) == 0);
	drop(fd);
	for (int i = 0; i < COUNT; i++)
		(void)at[i * 5 % COUNT * PAGE];
	close(fd);
}

/* Not in the cache: neighbours come along. */
static void run_mmap_ahead(const char *path)
{
	int fd = opened(path, O_RDONLY);
	volatile char *at = map(fd, COUNT * STRIDE, 0, PROT_READ, MAP_SHARED);

	drop(fd);
	for (int i = 0; i < PAGES; i++)
		(void)at[i * PAGE];
	close(fd);
}

static void run_mmap_store(const char *path)
{
	int fd = opened(path, O_RDWR);
	volatile char *at = map(fd, COUNT * STRIDE, 0, PROT_READ | PROT_WRITE, MAP_SHARED);

	fill_by_page(fd);
	for (int i = 0; i < 7; i++)
		at[i * 3 * PAGE] = 1;
	close(fd);
}

static void run_mmap_private(const char *path)
{
	int fd = opened(path, O_RDONLY);
	volatile char *at = map(fd, COUNT * STRIDE, 0, PROT_READ | PROT_WRITE, MAP_PRIVATE);

	for (int i = 0; i < 7; i++)
		at[(i * 3 + 1) * PAGE] = 1;
	for (int i = 0; i < 7; i++)
		at[(i * 3 + 1) * PAGE] = 2;
	close(fd);
}

static void run_mmap_populate(const char *path)
{
	int fd = opened(path, O_RDONLY);
	volatile char *at = map(fd, COUNT * STRIDE, 0, PROT_READ, MAP_SHARED | MAP_POPULATE);

	for (int i = 0; i < PAGES; i++)
		(void)at[i * PAGE];
	close(fd);
}

/* Brought in first, touched then: the touches are the accesses. */
static void run_mmap_willneed(const char *path)
{
	int fd = opened(path, O_RDONLY);
	volatile char *at = map(fd, COUNT * STRIDE, 0, PROT_READ, MAP_SHARED);

	drop(fd);
	must(madvise((void *)at, COUNT * STRIDE, MADV_WILLNEED) == 0);
	fill(fd);
	for (int i = 0; i < PAGES; i++)
		(void)at[i * PAGE];
	close(fd);
}

/* The mapping is what a call reads from: into a pipe, and into a file. */
static void run_mmap_buffer(const char *path)
{
	int fd = opened(path, O_RDONLY), out = beside(path, ".out", O_WRONLY | O_CREAT), pipes[2];
	volatile char *at = map(fd, COUNT * STRIDE, 0, PROT_READ, MAP_SHARED);

	must(pipe(pipes) == 0);
	must(write(pipes[1], (char *)at + 7, SIZE) == SIZE);
	must(write(out, (char *)at + 17 * PAGE, SIZE) == SIZE);
	close(out);
	close(fd);
}

/* A store into a page that a load before did not map: two faults. */
static void run_mmap_load_store(const char *path)
{
	int fd = opened(path, O_RDWR);
	volatile char *at = map(fd, COUNT * STRIDE, 0, PROT_READ | PROT_WRITE, MAP_SHARED);

	(void)at[20 * PAGE];
	must(madvise((void *)(at + 16 * PAGE), 13 * PAGE, MADV_DONTNEED) == 0);
	at[20 * PAGE] = 1;
	close(fd);
}

/* The mapping outlives its descriptor. */
static void run_mmap_closed(const char *path)
{
	int fd = opened(path, O_RDONLY);
	volatile char *at = map(fd, COUNT * STRIDE, 0, PROT_READ, MAP_SHARED);

	close(fd);
	(void)at[20 * PAGE];
	(void)at[0];
}

#define ONE(name) {#name, run_##name}

const struct workload mapped[] = {
	ONE(mmap),	   ONE(mmap_far),      ONE(mmap_cold),	     ONE(mmap_store),
	ONE(mmap_private), ONE(mmap_populate), ONE(mmap_willneed),   ONE(mmap_buffer),
	ONE(mmap_closed),  ONE(mmap_ahead),    ONE(mmap_load_store), {},
};
