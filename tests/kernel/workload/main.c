/* workload DIRECTORY NAME...: run the named workloads one after the other, each on DIRECTORY/NAME. */
#include "workload.h"

#include <limits.h>
#include <sched.h>
#include <sys/mman.h>
#include <time.h>

#define SECONDS 30

char buffer[1 << 20];

int opened(const char *path, int flags)
{
	int fd = open(path, flags, 0600);

	must(fd >= 0);
	return fd;
}

int beside(const char *path, const char *suffix, int flags)
{
	char name[PATH_MAX];

	snprintf(name, sizeof(name), "%s%s", path, suffix);
	return opened(name, flags);
}

void drop(int fd)
{
	off_t bytes = lseek(fd, 0, SEEK_END);
	char *at = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);
	time_t deadline = time(NULL) + SECONDS;
	unsigned char *cached = malloc(bytes / PAGE + 1);
	int left;

	must(at != MAP_FAILED && cached && lseek(fd, 0, SEEK_SET) == 0);
	do {
		must(time(NULL) < deadline && sched_yield() == 0);
		must(fsync(fd) == 0 && posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0);
		must(mincore(at, bytes, cached) == 0);
		left = 0;
		for (off_t i = 0; i * PAGE < bytes; i++)
			left += cached[i] & 1;
	} while (left);
	free(cached);
	munmap(at, bytes);
}

static void run(const char *directory, const char *name)
{
	static const struct workload *const tables[] = {calls, limits, copies, mapped, uring, libaio};
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++)
		for (const struct workload *one = tables[i]; one->name; one++)
			if (!strcmp(one->name, name)) {
				one->run(path);
				return;
			}
	fprintf(stderr, "no workload %s\n", name);
	exit(2);
}

int main(int argc, char **argv)
{
	for (int i = 2; i < argc; i++)
		run(argv[1], argv[i]);
	return 0;
}
