/*
 * A process that waits for the recorder's death. If that comes before the trace's end, the keeper takes what is still
 * in the kernel, all runs that were open included, into the spool file, and ends the trace.
 */
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "collector.h"
#include "links.h"

#define NAME "stepwell-keeper"

/* Whoever looks for the recorder by its command line is not to find the keeper. */
static void rename_process(void)
{
	unsigned long begin, end;
	char text[4096];
	FILE *file = fopen("/proc/self/stat", "re");
	size_t bytes = file ? fread(text, 1, sizeof(text) - 1, file) : 0;
	char *at;

	if (file)
		fclose(file);
	text[bytes] = 0;
	prctl(PR_SET_NAME, NAME);
	at = strrchr(text, ')'); /* the second of proc(5)'s fields; the command line's bounds are the 48th and 49th */
	for (int field = 2; at && field < 48; field++)
		at = strchr(at + 1, ' ');
	if (!at || sscanf(at, "%lu %lu", &begin, &end) != 2 || end <= begin || !begin)
		return;
	memset((char *)begin, 0, end - begin);
	snprintf((char *)begin, end - begin, NAME);
}

/* All descriptors but those of maps, programs and files that the end needs. */
static void close_unneeded(struct sw_collector *c, int recorder)
{
	int kept[512], count = 0;
	struct bpf_program *program;
	struct bpf_map *map;

	kept[count++] = recorder;
	kept[count++] = c->options.spool;
	kept[count++] = c->options.reserve;
	bpf_object__for_each_map(map, c->object) if (bpf_map__fd(map) >= 0 && count < 256) kept[count++] =
		bpf_map__fd(map);
	bpf_object__for_each_program(program, c->object) if (bpf_program__fd(program) >= 0 && count < 512)
		kept[count++] = bpf_program__fd(program);
	sw_close_others(kept, count);
}

static void keep(struct sw_collector *c, int recorder)
{
	char error[SW_ERROR_BYTES], byte;
	sigset_t all;
	ssize_t got;

	sigfillset(&all); /* what ends the recorder, by a terminal or by a shutdown, is for it to end well */
	sigprocmask(SIG_SETMASK, &all, NULL);
	setsid();
	rename_process();
	close_unneeded(c, recorder);
	do {
		got = read(recorder, &byte, 1);
	} while (got < 0 && errno == EINTR);
	if (got || !c->shared->begun || c->shared->ended)
		return;
	sw_end_recording(c);
	sw_roll_back(c);
	sw_end_trace(c, "\"interrupted\": true", error);
}

int sw_keeper_start(struct sw_collector *c, char *error)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC))
		return sw_fail(error, -errno, "no pipe: %s", strerror(errno));
	c->keeper_end = ends[1];
	c->keeper = fork();
	if (!c->keeper) {
		keep(c, ends[0]);
		_exit(0);
	}
	close(ends[0]);
	c->control->keeper = c->keeper;
	return c->keeper < 0 ? sw_fail(error, -errno, "no process: %s", strerror(errno)) : 0;
}

void sw_keeper_dismiss(struct sw_collector *c)
{
	if (c->keeper <= 0)
		return;
	while (write(c->keeper_end, "", 1) < 0 && errno == EINTR)
		;
	close(c->keeper_end);
	while (waitpid(c->keeper, NULL, 0) < 0 && errno == EINTR)
		;
	c->keeper = 0;
}
