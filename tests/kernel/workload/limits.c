/* What lies at the edges: ends of files, holes, huge offsets, failures, and what is no regular file. */
#include "workload.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static void run_end_of_file(const char *path)
{
	int fd = opened(path, O_RDONLY);
	off_t end = lseek(fd, 0, SEEK_END);

	must(pread(fd, buffer, SIZE, end - 7) == 7);
	must(pread(fd, buffer, SIZE, end) == 0);
	must(pread(fd, buffer, SIZE, end + 13) == 0);
	must(pread(fd, buffer, 0, 17) == 0);
	must(pread(fd, buffer, SIZE, (1LL << 62) + 19) == 0);
	must(pread(fd, buffer, SIZE, INT64_MAX - SIZE) == 0);
	close(fd);
}

/* A file of a few TiB that holds nothing. */
static void run_hole(const char *path)
{
	int fd = opened(path, O_RDWR | O_CREAT);

	must(ftruncate(fd, (1LL << 42) + 1) == 0);
	for (int i = 0; i < COUNT; i++)
		must(pread(fd, buffer, SIZE, (1LL << 32) - 7 + (off_t)i * STRIDE) == SIZE);
	must(pread(fd, buffer, SIZE, 1LL << 42) == 1);
	must(pwrite(fd, buffer, SIZE, (1LL << 41) + 3) == SIZE);
	close(fd);
}

/* Only where a file may be that large (tmpfs, xfs). */
static void run_huge(const char *path)
{
	int fd = opened(path, O_RDWR | O_CREAT);

	must(ftruncate(fd, (1LL << 62) + 5 * STRIDE) == 0);
	for (int i = 0; i < 7; i++)
		must(pread(fd, buffer, SIZE, (1LL << 62) + (off_t)i * STRIDE) == (i < 5 ? SIZE : 0));
	must(pread(fd, buffer, SIZE, 0) == SIZE);
	close(fd);
}

static void run_sparse(const char *path)
{
	int fd = opened(path, O_RDONLY);

	must(lseek(fd, 1LL << 33, SEEK_SET) == 1LL << 33);
	for (int i = 0; i < COUNT; i++)
		must(read(fd, buffer, SIZE) == SIZE);
	close(fd);
}

static void run_failing(const char *path)
{
	int fd = opened(path, O_RDONLY);
	int blind = opened(path, O_WRONLY);
	char *edge = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	must(edge != MAP_FAILED && munmap(edge + PAGE, PAGE) == 0);
	fails_with(pread(fd, edge + PAGE, SIZE, 0), EFAULT);
	fails_with(pread(fd, buffer, SIZE, -1), EINVAL);
	fails_with(write(fd, buffer, SIZE), EBADF);
	fails_with(read(blind, buffer, SIZE), EBADF);
	fails_with(read(1023, buffer, SIZE), EBADF);
	must(pread(fd, edge + PAGE - 11, SIZE, 29) == 11);
	close(blind);
	close(fd);
}

/* Everything that can be read and is no file with data. */
static void run_irregular(const char *path)
{
	int pipes[2], sockets[2], directory, device, process;

	must(pipe(pipes) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0);
	must(write(pipes[1], buffer, SIZE) == SIZE && read(pipes[0], buffer, SIZE) == SIZE);
	must(write(sockets[1], buffer, SIZE) == SIZE && read(sockets[0], buffer, SIZE) == SIZE);
	device = opened("/dev/zero", O_RDWR);
	must(read(device, buffer, SIZE) == SIZE && write(device, buffer, SIZE) == SIZE);
	process = opened("/proc/self/stat", O_RDONLY);
	must(read(process, buffer, SIZE) > 0);
	directory = opened("/sys/kernel/mm", O_RDONLY);
	fails_with(read(directory, buffer, SIZE), EISDIR);
	process = opened("/sys/kernel/mm/transparent_hugepage/enabled", O_RDONLY);
	must(read(process, buffer, SIZE) > 0);
	(void)path;
}

#ifdef __x86_64__
/* The table of 32-bit calls, which a 64-bit program reaches too. */
static long call_32(long number, long a, long b, long c)
{
	long result;

	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"(number), "b"(a), "c"(b), "d"(c)
			 : "memory", "r8", "r9", "r10", "r11");
	return result;
}

static void run_compat(const char *path)
{
	char *low = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	int fd = opened(path, O_RDONLY);

	must(low != MAP_FAILED);
	for (int i = 0; i < COUNT; i++)
		must(call_32(3 /* read */, fd, (long)low, SIZE) == SIZE);
	must(pread(fd, buffer, SIZE, 0) == SIZE);
	close(fd);
}
#endif

/* Reads as `path` and takes `microseconds` of processor time in between. */
static void run_busy(const char *path)
{
	int fd = opened(path, O_RDONLY);

	for (int i = 0; i < 1009; i++)
		must(pread(fd, buffer, SIZE, i % COUNT * STRIDE) == SIZE);
	close(fd);
}

/* Nothing of the file is in the page cache, and nothing is read ahead: every page is waited for. */
static void run_cold(const char *path)
{
	int fd = opened(path, O_RDONLY);

	drop(fd);
	must(posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM) == 0);
	for (int i = 0; i < COUNT; i++)
		must(pread(fd, buffer, PAGE, i * PAGE) == PAGE);
	for (int i = 0; i < COUNT; i++)
		must(pread(fd, buffer, PAGE, i * PAGE) == PAGE);
	close(fd);
}

#define ONE(name) {#name, run_##name}

const struct workload limits[] = {
	ONE(end_of_file),
	ONE(hole),
	ONE(huge),
	ONE(sparse),
	ONE(failing),
	ONE(irregular),
	ONE(busy),
	ONE(cold),
#ifdef __x86_64__
	ONE(compat),
#endif
	{},
};
