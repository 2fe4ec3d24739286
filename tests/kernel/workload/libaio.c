/* Linux's own asynchronous I/O. */
#include "workload.h"

#include <libaio.h>
#include <pthread.h>

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

/* The kernel takes the first two, refuses the third, and never sees the fourth; that one is handed over again. */
static void run_aio_refused(const char *path)
{
	int fd = opened(path, O_RDONLY);
	struct iocb iocbs[4], *pointers[] = {&iocbs[0], &iocbs[1], &iocbs[2], &iocbs[3]};
	struct io_event events[4];
	io_context_t context = NULL;

	must(io_setup(4, &context) == 0);
	for (int i = 0; i < 4; i++)
		io_prep_pread(&iocbs[i], fd, buffer, SIZE, i % 3 * STRIDE);
	iocbs[2].u.c.offset = -5;
	iocbs[3].u.c.offset = 2 * STRIDE;
	must(io_submit(context, 4, pointers) == 2);
	must(io_submit(context, 1, pointers + 2) == -EINVAL);
	must(io_submit(context, 1, pointers + 3) == 1);
	must(io_getevents(context, 3, 3, events, NULL) == 3);
	io_destroy(context);
	close(fd);
}

static void *reap(void *context)
{
	struct io_event event;

	for (int i = 0; i < 1009; i++)
		must(io_getevents(*(io_context_t *)context, 1, 1, &event, NULL) == 1 && (long)event.res == PAGE);
	return NULL;
}

/* One thread hands over, another takes what is done, often before the first comes back. */
static void run_aio_threads(const char *path)
{
	int fd = opened(path, O_RDONLY);
	static struct iocb iocbs[1009];
	io_context_t context = NULL;
	pthread_t reaper;

	must(io_setup(1009, &context) == 0 && pthread_create(&reaper, NULL, reap, &context) == 0);
	for (int i = 0; i < 1009; i++) {
		struct iocb *one = &iocbs[i];

		io_prep_pread(one, fd, buffer, PAGE, 0);
		must(io_submit(context, 1, &one) == 1);
	}
	must(pthread_join(reaper, NULL) == 0);
	io_destroy(context);
	close(fd);
}

#define ONE(name) {#name, run_##name}

const struct workload libaio[] = {
	ONE(aio_pread),	  ONE(aio_preadv),	ONE(aio_pwrite),
	ONE(aio_pwritev), ONE(aio_end_of_file), ONE(aio_sync),
	ONE(aio_refused), ONE(aio_threads),	{},
};
