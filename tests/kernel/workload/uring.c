/* io_uring: every way to read and write a file. */
#include "workload.h"

#include <liburing.h>

/* Newer than some headers. */
#define READ_MULTISHOT 49
#define READV_FIXED 60
#define WRITEV_FIXED 61

static struct io_uring ring;

static int ring_for(const char *path, int flags, unsigned int setup)
{
	must(io_uring_queue_init(64, &ring, setup) == 0);
	return opened(path, flags);
}

static struct io_uring_sqe *next(int number)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

	must(sqe);
	io_uring_sqe_set_data64(sqe, number);
	return sqe;
}

/* Submit all that was prepared and wait for every result. */
static void finish(const int *expected, int count)
{
	must(io_uring_submit(&ring) == count);
	for (int i = 0; i < count; i++) {
		struct io_uring_cqe *cqe;

		must(io_uring_wait_cqe(&ring, &cqe) == 0);
		if (cqe->res != expected[cqe->user_data])
			fprintf(stderr, "request %d: %d\n", (int)cqe->user_data, cqe->res);
		must(cqe->res == expected[cqe->user_data]);
		io_uring_cqe_seen(&ring, cqe);
	}
}

static void finish_all(int size)
{
	int expected[COUNT];

	for (int i = 0; i < COUNT; i++)
		expected[i] = size;
	finish(expected, COUNT);
}

static void end(int fd)
{
	io_uring_queue_exit(&ring);
	close(fd);
}

static void run_uring_read(const char *path)
{
	int fd = ring_for(path, O_RDONLY, 0);

	for (int i = 0; i < COUNT; i++)
		io_uring_prep_read(next(i), fd, buffer + i * SIZE, SIZE, i * STRIDE);
	finish_all(SIZE);
	end(fd);
}

static void run_uring_readv(const char *path)
{
	int fd = ring_for(path, O_RDONLY, 0);
	struct iovec two[] = {{buffer, 4000}, {buffer + 8192, 93}};

	for (int i = 0; i < COUNT; i++)
		io_uring_prep_readv(next(i), fd, two, 2, (COUNT - 1 - i) * STRIDE);
	finish_all(SIZE);
	end(fd);
}

static void run_uring_fixed(const char *path)
{
	int fd = ring_for(path, O_RDWR, 0);
	struct iovec all = {buffer, sizeof(buffer)};

	must(io_uring_register_buffers(&ring, &all, 1) == 0);
	for (int i = 0; i < COUNT; i++)
		io_uring_prep_read_fixed(next(i), fd, buffer + i * SIZE, SIZE, i * STRIDE, 0);
	finish_all(SIZE);
	for (int i = 0; i < COUNT; i++)
		io_uring_prep_write_fixed(next(i), fd, buffer + i * SIZE, SIZE, i * STRIDE, 0);
	finish_all(SIZE);
	end(fd);
}

/* Vectors within registered buffers: Linux 6.15. Where there is none, plain vectors. */
static void run_uring_vector_fixed(const char *path)
{
	int fd = ring_for(path, O_RDWR, 0);
	struct iovec all = {buffer, sizeof(buffer)}, two[] = {{buffer, 4000}, {buffer + 8192, 93}};
	struct io_uring_probe *probe = io_uring_get_probe_ring(&ring);
	int new = io_uring_opcode_supported(probe, WRITEV_FIXED);

	must(io_uring_register_buffers(&ring, &all, 1) == 0);
	for (int i = 0; i < COUNT; i++)
		io_uring_prep_rw(new ? READV_FIXED : IORING_OP_READV, next(i), fd, two, 2, i * STRIDE);
	finish_all(SIZE);
	for (int i = 0; i < COUNT; i++)
		io_uring_prep_rw(new ? WRITEV_FIXED : IORING_OP_WRITEV, next(i), fd, two, 2, i * STRIDE);
	finish_all(SIZE);
	io_uring_free_probe(probe);
	end(fd);
}

static void run_uring_registered(const char *path)
{
	int fd = ring_for(path, O_RDONLY, 0), files[] = {-1, -1, fd};

	must(io_uring_register_files(&ring, files, 3) == 0);
	for (int i = 0; i < COUNT; i++) {
		struct io_uring_sqe *sqe = next(i);

		io_uring_prep_read(sqe, 2, buffer, SIZE, i * STRIDE);
		sqe->flags |= IOSQE_FIXED_FILE;
	}
	close(fd);
	finish_all(SIZE);
	io_uring_queue_exit(&ring);
}

static void run_uring_write(const char *path)
{
	int fd = ring_for(path, O_WRONLY | O_CREAT, 0);

	for (int i = 0; i < COUNT; i++)
		io_uring_prep_write(next(i), fd, buffer, SIZE, i * STRIDE);
	finish_all(SIZE);
	end(fd);
}

static void run_uring_writev(const char *path)
{
	int fd = ring_for(path, O_WRONLY | O_CREAT, 0);
	struct iovec two[] = {{buffer, 4000}, {buffer + 8192, 93}};

	for (int i = 0; i < COUNT; i++)
		io_uring_prep_writev(next(i), fd, two, 2, i * STRIDE);
	finish_all(SIZE);
	end(fd);
}

/* One after the other: each reads where the last one ended. */
static void run_uring_position(const char *path)
{
	int fd = ring_for(path, O_RDONLY, 0), expected[] = {SIZE};

	for (int i = 0; i < COUNT; i++) {
		io_uring_prep_read(next(0), fd, buffer, SIZE, -1);
		finish(expected, 1);
	}
	end(fd);
}

static void run_uring_append(const char *path)
{
	int fd = ring_for(path, O_WRONLY | O_APPEND, 0), expected[] = {SIZE};

	for (int i = 0; i < COUNT; i++) {
		io_uring_prep_write(next(0), fd, buffer, SIZE, i);
		finish(expected, 1);
	}
	end(fd);
}

/* A chain that breaks at its third link: what follows never happens. */
static void run_uring_linked(const char *path)
{
	int fd = ring_for(path, O_RDONLY, 0), blind = opened(path, O_WRONLY);
	int expected[] = {SIZE, SIZE, -EBADF, -ECANCELED, SIZE};

	for (int i = 0; i < 5; i++) {
		struct io_uring_sqe *sqe = next(i);

		io_uring_prep_read(sqe, i == 2 ? blind : fd, buffer, SIZE, i * STRIDE);
		if (i < 3)
			sqe->flags |= IOSQE_IO_LINK;
	}
	finish(expected, 5);
	close(blind);
	end(fd);
}

static void run_uring_polled(const char *path)
{
	int fd = ring_for(path, O_RDONLY, IORING_SETUP_SQPOLL);

	for (int i = 0; i < COUNT; i++)
		io_uring_prep_read(next(i), fd, buffer + i * SIZE, SIZE, i * STRIDE);
	finish_all(SIZE);
	end(fd);
}

/* Done by worker threads of the kernel. */
static void run_uring_async(const char *path)
{
	int fd = ring_for(path, O_RDONLY, 0);

	for (int i = 0; i < COUNT; i++) {
		struct io_uring_sqe *sqe = next(i);

		io_uring_prep_read(sqe, fd, buffer + i * SIZE, SIZE, i * STRIDE);
		sqe->flags |= IOSQE_ASYNC;
	}
	finish_all(SIZE);
	end(fd);
}

static void run_uring_end_of_file(const char *path)
{
	int fd = ring_for(path, O_RDONLY, 0), expected[] = {SIZE, 7, 0, 0};
	off_t size = lseek(fd, 0, SEEK_END);

	io_uring_prep_read(next(0), fd, buffer, SIZE, size - SIZE - 7);
	io_uring_prep_read(next(1), fd, buffer, SIZE, size - 7);
	io_uring_prep_read(next(2), fd, buffer, SIZE, size);
	io_uring_prep_read(next(3), fd, buffer, SIZE, (1LL << 62) + 19);
	finish(expected, 4);
	end(fd);
}

/* Among reads that succeed, some that the kernel refuses: misaligned. */
static void run_uring_direct(const char *path)
{
	int fd = ring_for(path, O_RDONLY | O_DIRECT, 0), expected[COUNT];

	for (int i = 0; i < COUNT; i++) {
		int bad = i % 11 == 5;

		expected[i] = bad ? -EINVAL : PAGE;
		io_uring_prep_read(next(i), fd, buffer + i * PAGE, PAGE, i * PAGE + (bad ? 3 : 0));
	}
	finish(expected, COUNT);
	end(fd);
}

/* Only files that can be polled may be read that way. */
static void run_uring_multishot(const char *path)
{
	int fd = ring_for(path, O_RDONLY, 0), expected[] = {-EBADFD, SIZE};
	struct io_uring_buf_reg group = {.ring_entries = 2, .bgid = 7};
	struct io_uring_sqe *sqe = next(0);
	void *room;

	must(posix_memalign(&room, PAGE, PAGE) == 0);
	group.ring_addr = (uintptr_t)room;
	must(io_uring_register_buf_ring(&ring, &group, 0) == 0);
	io_uring_prep_rw(READ_MULTISHOT, sqe, fd, NULL, 0, -1);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = 7;
	io_uring_prep_read(next(1), fd, buffer, SIZE, STRIDE);
	finish(expected, 2);
	end(fd);
}

#define ONE(name) {#name, run_##name}

const struct workload uring[] = {
	ONE(uring_read),	ONE(uring_readv),	 ONE(uring_fixed),     ONE(uring_registered),
	ONE(uring_write),	ONE(uring_writev),	 ONE(uring_position),  ONE(uring_append),
	ONE(uring_linked),	ONE(uring_polled),	 ONE(uring_async),     ONE(uring_direct),
	ONE(uring_end_of_file), ONE(uring_vector_fixed), ONE(uring_multishot), {},
};
