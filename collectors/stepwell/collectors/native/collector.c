/* A collector's life: opened, started, stopped, freed. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "collector.h"
#include "links.h"

static int open_ring(struct sw_collector *c, char *error)
{
	int map = bpf_object__find_map_fd_by_name(c->object, "ring");
	int code = sw_ring_open(&c->ring, map, c->options.ring_bytes);

	if (code)
		return sw_fail(error, code, "cannot map the ring buffer: %s", strerror(-code));
	sw_commit(c);
	return 0;
}

int sw_collector_open(const struct sw_options *options, struct sw_collector **out, char *error)
{
	struct sw_collector *c = calloc(1, sizeof(*c));
	int code;

	if (!c)
		return sw_fail(error, -ENOMEM, "out of memory");
	c->options = *options;
	c->spool.file = options->spool;
	c->spool.done.end = lseek(options->spool, 0, SEEK_END);
	c->under = -1;
	c->ring.wakeups = -1;
	c->keeper_end = -1;
	c->processors = libbpf_num_possible_cpus();
	c->stop = eventfd(0, EFD_CLOEXEC);
	c->shared = mmap(NULL, sizeof(*c->shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_mutex_init(&c->lock, NULL);
	if (c->stop < 0)
		code = sw_fail(error, -errno, "no file descriptor: %s", strerror(errno));
	else if (c->shared == MAP_FAILED)
		code = sw_fail(error, -errno, "out of memory");
	else
		code = sw_set_up(c, error);
	if (!code)
		code = open_ring(c, error);
	if (!code)
		code = sw_keeper_start(c, error);
	if (code) {
		sw_collector_free(c);
		return code;
	}
	*out = c;
	return 0;
}

/* Those that are attached only when needed, or never, are left out. */
static int is_attached_at_start(const struct bpf_program *program)
{
	const char *name = bpf_program__name(program);

	return bpf_program__type(program) == BPF_PROG_TYPE_TRACING &&
	       bpf_program__expected_attach_type(program) != BPF_TRACE_ITER && strcmp(name, "read_pages") != 0 &&
	       strcmp(name, "get_pages") != 0;
}

int sw_collector_start(struct sw_collector *c, char *error)
{
	struct bpf_program *program;
	int code;

	bpf_object__for_each_program(program, c->object)
	{
		struct bpf_link *link;

		if (!bpf_program__autoload(program) || !is_attached_at_start(program))
			continue;
		link = bpf_program__attach(program);
		if (!link)
			return sw_fail(error, -errno, "cannot attach %s: %s", bpf_program__name(program),
				       strerror(errno));
		c->links[c->link_count++] = link;
	}
	sw_watch_positions(c, 1);
	code = sw_begin_threads(c, error);
	if (code)
		return code;
	c->shared->begun = 1;
	sw_drain(c, 0); /* while what was found running still runs and has a command line */
	return sw_drain_start(c, error);
}

int sw_collector_meta(struct sw_collector *c, const char *json, size_t bytes)
{
	int code;

	pthread_mutex_lock(&c->lock);
	code = sw_spool_meta(&c->spool, json, bytes);
	if (!code)
		sw_commit(c);
	pthread_mutex_unlock(&c->lock);
	return code;
}

static void detach(struct sw_collector *c)
{
	if (c->positions)
		c->links[c->link_count++] = c->positions;
	c->positions = NULL;
	sw_release_links(c->links, c->link_count, c->features & SW_ON_FUNCTIONS);
	c->link_count = 0;
}

int sw_collector_stop(struct sw_collector *c, const char *facts, char *error)
{
	int code;

	sw_end_recording(c);
	sw_drain_stop(c);
	detach(c);
	code = sw_end_trace(c, facts, error);
	sw_keeper_dismiss(c);
	return code;
}

void sw_collector_free(struct sw_collector *c)
{
	if (!c)
		return;
	if (c->control && c->control != MAP_FAILED)
		c->control->ended = 1;
	sw_drain_stop(c);
	detach(c);
	sw_keeper_dismiss(c);
	if (c->slots && c->slots != MAP_FAILED)
		munmap(c->slots, sw_slot_bytes(c));
	if (c->control && c->control != MAP_FAILED)
		munmap(c->control, sizeof(*c->control));
	if (c->shared != MAP_FAILED)
		munmap(c->shared, sizeof(*c->shared));
	if (c->stop >= 0)
		close(c->stop);
	if (c->under >= 0)
		close(c->under);
	sw_ring_close(&c->ring);
	bpf_object__close(c->object);
	sw_spool_free(&c->spool);
	pthread_mutex_destroy(&c->lock);
	free(c);
}
