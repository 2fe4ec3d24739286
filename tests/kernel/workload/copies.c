/* Calls that move bytes inside the kernel. */
#include "workload.h"

#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

static void drain(int fd, size_t bytes)
{
	while (bytes) {
		ssize_t n = read(fd, buffer, bytes);

		must(n > 0);
		bytes -= n;
	}
}

static void run_sendfile_socket(const char *path)
{
	int fd = opened(path, O_RDONLY), sockets[2];

	must(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0);
	for (int i = 0; i < COUNT; i++) {
		must(sendfile(sockets[1], fd, NULL, SIZE) == SIZE);
		drain(sockets[0], SIZE);
	}
	close(fd);
}

static void run_sendfile_pipe(const char *path)
{
	int fd = opened(path, O_RDONLY), pipes[2];

	must(pipe(pipes) == 0);
	for (int i = 0; i < COUNT; i++) {
		off_t offset = i * STRIDE;

		must(sendfile(pipes[1], fd, &offset, SIZE) == SIZE && offset == i * STRIDE + SIZE);
		drain(pipes[0], SIZE);
	}
	close(fd);
}

/* The last one gets what is left. */
static void run_sendfile_file(const char *path)
{
	int fd = opened(path, O_RDONLY), out = beside(path, ".out", O_WRONLY | O_CREAT);

	for (int i = 0; i < 3; i++)
		must(sendfile(out, fd, NULL, 50021) == (i < 2 ? 50021 : COUNT * STRIDE - 2 * 50021));
	must(sendfile(out, fd, NULL, 50021) == 0);
	close(out);
	close(fd);
}

static void run_splice(const char *path)
{
	int fd = opened(path, O_RDONLY), out = beside(path, ".out", O_WRONLY | O_CREAT), pipes[2];

	must(pipe(pipes) == 0);
	for (int i = 0; i < COUNT; i++) {
		must(splice(fd, NULL, pipes[1], NULL, SIZE, 0) == SIZE);
		must(splice(pipes[0], NULL, out, NULL, SIZE, SPLICE_F_MOVE) == SIZE);
	}
	close(out);
	close(fd);
}

/* Asks for more than a pipe holds, from an offset of its own; writes the pieces at an offset too. */
static void run_splice_offset(const char *path)
{
	int fd = opened(path, O_RDONLY), out = beside(path, ".out", O_WRONLY | O_CREAT), pipes[2];
	off64_t from = 7, to = 13;

	must(pipe(pipes) == 0);
	must(splice(fd, &from, pipes[1], NULL, 100003, 0) == 65536 - 7);
	must(splice(pipes[0], NULL, out, &to, 100003, 0) == 65536 - 7);
	must(from == 65536 && to == 65536 + 6);
	close(out);
	close(fd);
}

static void run_copy(const char *path)
{
	int fd = opened(path, O_RDONLY), out = beside(path, ".out", O_WRONLY | O_CREAT);

	for (int i = 0; i < COUNT; i++)
		must(copy_file_range(fd, NULL, out, NULL, SIZE, 0) == SIZE);
	close(out);
	close(fd);
}

static void run_copy_offset(const char *path)
{
	int fd = opened(path, O_RDONLY), out = beside(path, ".out", O_WRONLY | O_CREAT);

	for (int i = 0; i < COUNT; i++) {
		off64_t from = i * STRIDE, to = (COUNT - 1 - i) * SIZE;

		must(copy_file_range(fd, &from, out, &to, SIZE, 0) == SIZE);
	}
	close(out);
	close(fd);
}

/* From pipe to pipe and from memory: nothing of it touches the file, but for one read. */
static void run_tee(const char *path)
{
	int fd = opened(path, O_RDONLY), one[2], two[2];
	struct iovec memory = {buffer, SIZE};

	must(pipe(one) == 0 && pipe(two) == 0);
	must(read(fd, buffer, SIZE) == SIZE);
	for (int i = 0; i < COUNT; i++) {
		must(vmsplice(one[1], &memory, 1, 0) == SIZE);
		must(tee(one[0], two[1], SIZE, 0) == SIZE);
		drain(one[0], SIZE);
		drain(two[0], SIZE);
	}
	close(fd);
}

static void run_copy_failing(const char *path)
{
	int fd = opened(path, O_RDONLY), append = beside(path, ".out", O_WRONLY | O_CREAT | O_APPEND), pipes[2];

	must(pipe(pipes) == 0 && write(pipes[1], buffer, SIZE) == SIZE);
	fails_with(copy_file_range(fd, NULL, append, NULL, SIZE, 0), EBADF);
	fails_with(sendfile(append, fd, NULL, SIZE), EINVAL);
	fails_with(splice(pipes[0], NULL, append, NULL, SIZE, 0), EINVAL);
	close(append);
	close(fd);
}

#define ONE(name) {#name, run_##name}

const struct workload copies[] = {
	ONE(sendfile_socket), ONE(sendfile_pipe), ONE(sendfile_file), ONE(splice), ONE(splice_offset), ONE(copy),
	ONE(copy_offset),     ONE(tee),		  ONE(copy_failing),  {},
};
