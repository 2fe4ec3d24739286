/* Detaching programs, without waiting for the kernel. */
#define _GNU_SOURCE
#include "links.h"

#include <bpf/libbpf.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static int by_number(const void *one, const void *other)
{
	return *(const int *)one - *(const int *)other;
}

void sw_close_others(int *kept, size_t count)
{
	int next = 0;

	qsort(kept, count, sizeof(*kept), by_number);
	for (size_t i = 0; i < count; i++) {
		if (kept[i] > next)
			close_range(next, kept[i] - 1, 0);
		next = kept[i] + 1;
	}
	close_range(next, ~0U, 0);
}

/*
 * The kernel takes about a tenth of a second for each of its functions that a program is detached from, and whoever
 * closes the last descriptor waits for that. So an orphan holds the links until this process has closed them and the
 * descriptor `done` of a pipe. Without memory for it, this process waits itself.
 */
static void leave_to_orphan(struct bpf_link **links, size_t count, int done, int wait)
{
	int *kept = calloc(count + 1, sizeof(*kept));
	pid_t child = kept ? fork() : -1;
	char rest;

	if (child) {
		free(kept);
		if (child > 0)
			waitpid(child, NULL, 0);
		return;
	}
	if (fork())
		_exit(0);
	setsid();
	for (size_t i = 0; i < count; i++)
		kept[i] = bpf_link__fd(links[i]);
	kept[count] = wait;
	close(done);
	sw_close_others(kept, count + 1);
	while (read(wait, &rest, 1) > 0)
		;
	_exit(0);
}

void sw_release_links(struct bpf_link **links, size_t count, int slowly)
{
	int ends[2] = {-1, -1};

	if (slowly && count && !pipe2(ends, O_CLOEXEC)) {
		leave_to_orphan(links, count, ends[1], ends[0]);
		close(ends[0]);
	}
	for (size_t i = 0; i < count; i++)
		bpf_link__destroy(links[i]);
	if (ends[1] >= 0)
		close(ends[1]);
}
