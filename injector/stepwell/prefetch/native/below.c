#define _GNU_SOURCE
#include "below.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int below(int root, const char *path, unsigned long flags)
{
	struct open_how how = {.flags = flags | O_NOFOLLOW | O_CLOEXEC,
			       .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
	int fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));

	return fd < 0 ? -errno : fd;
}

int sw_below_root(const char *path)
{
	int fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int sw_below_directory(int root, const char *path)
{
	return below(root, path, O_RDONLY | O_DIRECTORY);
}

/* Looked at before it is opened: opening a device or a FIFO is noticed by what is behind it. */
int sw_below_file(int root, const char *path)
{
	int place = below(root, path, O_PATH), fd;
	struct stat st;
	char again[32];

	if (place < 0)
		return place;
	if (fstat(place, &st)) {
		fd = -errno;
	} else if (!S_ISREG(st.st_mode)) {
		fd = S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	} else {
		snprintf(again, sizeof(again), "/proc/self/fd/%d", place);
		fd = open(again, O_RDONLY | O_CLOEXEC | O_NOATIME);
		if (fd < 0 && errno == EPERM) /* only the owner may leave the time of access as it is */
			fd = open(again, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			fd = -errno;
	}
	close(place);
	return fd;
}
