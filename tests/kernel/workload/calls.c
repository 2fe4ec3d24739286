/* Each system call that reads or writes, as it is meant to be used. */
#include "workload.h"

#include <sys/uio.h>

static const struct iovec two[] = {{buffer, 4000}, {buffer + 8192, 93}};

static void run_read(const char *path)
{
	int fd = opened(path, O_RDONLY);

	for (int i = 0; i < COUNT; i++)
		must(read(fd, buffer, SIZE) == SIZE);
	close(fd);
}

static void run_read_to_end(const char *path)
{
	int fd = opened(path, O_RDONLY);

	while (read(fd, buffer, 8191) > 0)
		;
	close(fd);
}

static void run_lseek(const char *path)
{
	int fd = opened(path, O_RDONLY);

	for (int i = 0; i < COUNT; i++) {
		must(lseek(fd, (COUNT - 1 - i) * STRIDE, SEEK_SET) >= 0);
		must(read(fd, buffer, SIZE) == SIZE);
	}
	close(fd);
}

static void run_pread64(const char *path)
{
	int fd = opened(path, O_RDONLY);

	for (int i = 0; i < COUNT; i++)
		must(pread(fd, buffer, SIZE, i * STRIDE) == SIZE);
	close(fd);
}

static void run_readv(const char *path)
{
	int fd = opened(path, O_RDONLY);

	for (int i = 0; i < COUNT; i++)
		must(readv(fd, two, 2) == SIZE);
	close(fd);
}

static void run_preadv(const char *path)
{
	int fd = opened(path, O_RDONLY);

	for (int i = 0; i < COUNT; i++)
		must(preadv(fd, two, 2, i * STRIDE) == SIZE);
	close(fd);
}

static void run_preadv2(const char *path)
{
	int fd = opened(path, O_RDONLY);

	for (int i = 0; i < COUNT; i++)
		must(preadv2(fd, two, 2, i * STRIDE, RWF_HIPRI) == SIZE);
	close(fd);
}

static void run_preadv2_position(const char *path)
{
	int fd = opened(path, O_RDONLY);

	for (int i = 0; i < COUNT; i++)
		must(preadv2(fd, two, 2, -1, 0) == SIZE);
	close(fd);
}

/* Not in the cache: refused. Then read by waiting, then there. */
static void run_preadv2_nowait(const char *path)
{
	int fd = opened(path, O_RDONLY);

	must(posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM) == 0);
	drop(fd);
	fails_with(preadv2(fd, two, 2, STRIDE, RWF_NOWAIT), EAGAIN);
	must(preadv2(fd, two, 2, STRIDE, 0) == SIZE);
	must(preadv2(fd, two, 2, STRIDE, RWF_NOWAIT) == SIZE);
	close(fd);
}

static void run_write(const char *path)
{
	int fd = opened(path, O_WRONLY | O_CREAT);

	for (int i = 0; i < COUNT; i++)
		must(write(fd, buffer, SIZE) == SIZE);
	close(fd);
}

static void run_pwrite64(const char *path)
{
	int fd = opened(path, O_WRONLY | O_CREAT);

	for (int i = 0; i < COUNT; i++)
		must(pwrite(fd, buffer, SIZE, i * STRIDE) == SIZE);
	close(fd);
}

static void run_writev(const char *path)
{
	int fd = opened(path, O_WRONLY | O_CREAT);

	for (int i = 0; i < COUNT; i++)
		must(writev(fd, two, 2) == SIZE);
	close(fd);
}

static void run_pwritev(const char *path)
{
	int fd = opened(path, O_WRONLY | O_CREAT);

	for (int i = 0; i < COUNT; i++)
		must(pwritev(fd, two, 2, i * STRIDE) == SIZE);
	close(fd);
}

static void run_pwritev2(const char *path)
{
	int fd = opened(path, O_WRONLY | O_CREAT);

	for (int i = 0; i < COUNT; i++)
		must(pwritev2(fd, two, 2, i * STRIDE, RWF_DSYNC) == SIZE);
	close(fd);
}

static void run_append(const char *path)
{
	int fd = opened(path, O_WRONLY | O_APPEND);

	for (int i = 0; i < COUNT; i++)
		must(write(fd, buffer, SIZE) == SIZE);
	close(fd);
}

/* Linux appends whatever the offset says. */
static void run_append_pwrite(const char *path)
{
	int fd = opened(path, O_WRONLY | O_APPEND);

	for (int i = 0; i < COUNT; i++)
		must(pwrite(fd, buffer, SIZE, i) == SIZE);
	close(fd);
}

static void run_append_once(const char *path)
{
	int fd = opened(path, O_WRONLY);

	for (int i = 0; i < COUNT; i++)
		must(pwritev2(fd, two, 2, i, RWF_APPEND) == SIZE);
	must(pwritev2(fd, two, 2, -1, RWF_APPEND) == SIZE);
	close(fd);
}

/* Read and written through one descriptor: the position is common. */
static void run_update(const char *path)
{
	int fd = opened(path, O_RDWR);

	for (int i = 0; i < COUNT; i++) {
		must(read(fd, buffer, SIZE) == SIZE);
		must(write(fd, buffer, 11) == 11);
	}
	close(fd);
}

static void run_direct(const char *path)
{
	int fd = opened(path, O_RDONLY | O_DIRECT);

	for (int i = 0; i < COUNT; i++)
		must(pread(fd, buffer, PAGE, i * 3 % COUNT * PAGE) == PAGE);
	must(pread(fd, buffer, 2 * PAGE, 28 * PAGE) == COUNT * STRIDE - 28 * PAGE);
	close(fd);
}

static void run_direct_write(const char *path)
{
	int fd = opened(path, O_WRONLY | O_CREAT | O_DIRECT);

	for (int i = 0; i < COUNT; i++)
		must(pwrite(fd, buffer, PAGE, i * PAGE) == PAGE);
	close(fd);
}

#define ONE(name) {#name, run_##name}

const struct workload calls[] = {
	ONE(read),	     ONE(read_to_end),	ONE(lseek),
	ONE(pread64),	     ONE(readv),	ONE(preadv),
	ONE(preadv2),	     ONE(write),	ONE(preadv2_position),
	ONE(preadv2_nowait), ONE(pwrite64),	ONE(writev),
	ONE(pwritev),	     ONE(pwritev2),	ONE(append),
	ONE(append_pwrite),  ONE(append_once),	ONE(update),
	ONE(direct),	     ONE(direct_write), {},
};
