/* workload DIRECTORY NAME...: run the named workloads one after the other, each on DIRECTORY/NAME. */
#include "workload.h"

#include <limits.h>

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
