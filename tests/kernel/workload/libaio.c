/* Linux's own asynchronous I/O. */
#include "workload.h"

#include <libaio.h>

static void finish(struct iocb *iocbs, int count, long result)
{
	struct iocb *pointers[COUNT];
	struct io_event events[COUNT];
	io_context_t context = NULL;

	must(io_setup(COUNT, &context) == 0);
	for (int i = 0; i < count; i++)
		pointers[i] = &iocbs[i];
	must(io_submit(context, count, pointers) == count);
	must(io_getevents(context, count, count, events, NULL) == count);
	for (int i = 0; i < count; i++)
		must((long)events[i].res == result);
	io_destroy(context);
}

static void run_aio_pread(const char *path)
{
	int fd = opened(path, O_RDONLY | O_DIRECT);
	struct iocb iocbs[COUNT];

	for (int i = 0; i < COUNT; i++)
		io_prep_pread(&iocbs[i], fd, buffer + i * PAGE, PAGE, i * 5 % COUNT * PAGE);
	finish(iocbs, COUNT, PAGE);
	close(fd);
}

static void run_aio_preadv(const char *path)
{
	int fd = opened(path, O_RDONLY);
	struct iovec two[] = {{buffer, 4000}, {buffer + 8192, 93}};
	struct iocb iocbs[COUNT];

	for (int i = 0; i < COUNT; i++)
		io_prep_preadv(&iocbs[i], fd, two, 2, i * STRIDE);
	finish(iocbs, COUNT, SIZE);
	close(fd);
}

static void run_aio_pwrite(const char *path)
{
	int fd = opened(path, O_WRONLY | O_CREAT);
	struct iocb iocbs[COUNT];

	for (int i = 0; i < COUNT; i++)
		io_prep_pwrite(&iocbs[i], fd, buffer, SIZE, i * STRIDE);
	finish(iocbs, COUNT, SIZE);
	close(fd);
}

static void run_aio_pwritev(const char *path)
{
	int fd = opened(path, O_WRONLY | O_CREAT);
	struct iovec two[] = {{buffer, 4000}, {buffer + 8192, 93}};
	struct iocb iocbs[COUNT];

	for (int i = 0; i < COUNT; i++)
		io_prep_pwritev(&iocbs[i], fd, two, 2, i * STRIDE);
	finish(iocbs, COUNT, SIZE);
	close(fd);
}

static void run_aio_end_of_file(const char *path)
{
	int fd = opened(path, O_RDONLY);
	struct iocb iocb;

	io_prep_pread(&iocb, fd, buffer, SIZE, COUNT * STRIDE - 7);
	finish(&iocb, 1, 7);
	io_prep_pread(&iocb, fd, buffer, SIZE, COUNT * STRIDE);
	finish(&iocb, 1, 0);
	close(fd);
}

static void run_aio_sync(const char *path)
{
	int fd = opened(path, O_RDWR);
	struct iocb iocb;

	io_prep_fsync(&iocb, fd);
	finish(&iocb, 1, 0);
	io_prep_pread(&iocb, fd, buffer, SIZE, STRIDE);
	finish(&iocb, 1, SIZE);
	close(fd);
}

#define ONE(name) {#name, run_##name}

const struct workload libaio[] = {
	ONE(aio_pread), ONE(aio_preadv), ONE(aio_pwrite), ONE(aio_pwritev), ONE(aio_end_of_file), ONE(aio_sync), {},
};
