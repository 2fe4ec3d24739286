/* Attaches the programs and drains the ring buffer into the spool file in a thread of its own. */
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/membarrier.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "collector.h"
#include "links.h"

#define POLL_MS 50
#define FLUSHED 4096 /* slots at once: the kernel does not reschedule meanwhile */
#define CROWDED_IDLE_NS 1000000000ULL /* when the map of open runs was full, idle ones end this early */

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000ULL + now.tv_nsec;
}

/* The program that was running already has no exec record: its command line is read from /proc. */
static void add_running_program(struct sw_spool *spool, const struct sw_thread *thread)
{
	struct {
		struct sw_exec exec;
		char text[2048];
	} record = {.exec = {.kind = SW_EXEC, .thread = thread->thread, .start_ns = thread->start_ns}};
	char path[64];
	ssize_t bytes;
	int file;

	snprintf(path, sizeof(path), "/proc/%u/cmdline", thread->pid);
	file = open(path, O_RDONLY | O_CLOEXEC);
	bytes = file < 0 ? 0 : read(file, record.text, sizeof(record.text));
	if (file >= 0)
		close(file);
	memcpy(record.exec.comm, thread->comm, sizeof(record.exec.comm));
	sw_spool_add(spool, &record, sizeof(record.exec) + (bytes > 0 ? bytes : 0));
}

static int take(void *context, void *data, size_t bytes)
{
	struct sw_spool *spool = context;
	const struct sw_thread *thread = data;

	sw_spool_add(spool, data, bytes);
	if (thread->kind == SW_THREAD && thread->existed && thread->pid == thread->tid)
		add_running_program(spool, thread);
	return 0;
}

static int run_sweep(struct sw_collector *c, enum sw_sweep what, char *error)
{
	struct bpf_program *program = bpf_object__find_program_by_name(c->object, "sweep_tasks");
	struct bpf_link *link = bpf_program__attach_iter(program, NULL);
	char rest[256];
	int file, code = 0;

	if (!link)
		return sw_fail(error, -errno, "cannot go through the machine's threads: %s", strerror(errno));
	c->control->sweep = what;
	file = bpf_iter_create(bpf_link__fd(link));
	if (file < 0) {
		code = sw_fail(error, -errno, "cannot go through the machine's threads: %s", strerror(errno));
	} else {
		while (read(file, rest, sizeof(rest)) > 0)
			;
		close(file);
	}
	bpf_link__destroy(link);
	return code;
}

static void flush_heads(struct sw_collector *c, uint64_t idle_before_ns, uint64_t begun_before_ns)
{
	struct sw_flush flush = {
		.idle_before_ns = idle_before_ns, .begun_before_ns = begun_before_ns, .count = FLUSHED};

	for (; flush.first < c->options.heads; flush.first += FLUSHED)
		sw_run_program(c, "flush_heads", &flush, sizeof(flush));
}

/* Positions of shared descriptors cost every read of the machine a little: watched only where there are any. */
static void watch_positions(struct sw_collector *c, int wanted)
{
	struct bpf_program *program = bpf_object__find_program_by_name(c->object, "read_pages");

	if (!bpf_program__autoload(program))
		program = bpf_object__find_program_by_name(c->object, "get_pages");
	if (wanted && !c->positions && bpf_program__autoload(program)) {
		c->positions = bpf_program__attach(program);
	} else if (!wanted && c->positions) {
		bpf_link__destroy(c->positions);
		c->positions = NULL;
	}
}

/* Once a second: end idle runs, send old ones, and mark threads that came into the cgroup. */
static void housekeep(struct sw_collector *c, uint64_t *uncoalesced)
{
	uint64_t now = now_ns();
	uint64_t idle = c->options.age_ns;
	struct sw_totals totals;
	char error[SW_ERROR_BYTES];

	if (!sw_collector_totals(c, &totals)) {
		if (totals.kernel.uncoalesced != *uncoalesced && idle > CROWDED_IDLE_NS)
			idle = CROWDED_IDLE_NS;
		*uncoalesced = totals.kernel.uncoalesced;
	}
	flush_heads(c, now - idle, now - c->options.age_ns);
	watch_positions(c, c->control->shared);
	if (c->control->open_files > c->options.opens / 2)
		sw_run_program(c, "forget_closed", NULL, 0);
	if (c->options.filter.scope == SW_SCOPE_CGROUP && c->control->resweep) {
		c->control->resweep = 0;
		run_sweep(c, SW_SWEEP_BEGIN, error);
	}
}

static void *drain(void *context)
{
	struct sw_collector *c = context;
	uint64_t next = now_ns() + 1000000000ULL;
	uint64_t uncoalesced = 0;
	struct pollfd events[] = {{.fd = c->stop, .events = POLLIN},
				  {.fd = ring_buffer__epoll_fd(c->ring), .events = POLLIN}};

	do {
		poll(events, 2, POLL_MS);
		if (c->control->shared)
			watch_positions(c, 1);
		pthread_mutex_lock(&c->lock);
		ring_buffer__consume(c->ring);
		sw_spool_flush(&c->spool);
		pthread_mutex_unlock(&c->lock);
		if (now_ns() >= next) {
			housekeep(c, &uncoalesced);
			next = now_ns() + 1000000000ULL;
		}
	} while (!(events[0].revents & POLLIN));
	return NULL;
}

int sw_collector_open(const struct sw_options *options, struct sw_collector **out, char *error)
{
	struct sw_collector *c = calloc(1, sizeof(*c));
	int code;

	if (!c)
		return sw_fail(error, -ENOMEM, "out of memory");
	c->options = *options;
	c->spool.file = options->spool;
	c->under = -1;
	c->processors = libbpf_num_possible_cpus();
	c->stop = eventfd(0, EFD_CLOEXEC);
	pthread_mutex_init(&c->lock, NULL);
	code = c->stop < 0 ? sw_fail(error, -errno, "no file descriptor: %s", strerror(errno)) : sw_set_up(c, error);
	if (!code) {
		c->ring = ring_buffer__new(bpf_object__find_map_fd_by_name(c->object, "ring"), take, &c->spool, NULL);
		if (!c->ring)
			code = sw_fail(error, -errno, "cannot map the ring buffer: %s", strerror(errno));
	}
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
	watch_positions(c, 1);
	code = run_sweep(c, SW_SWEEP_BEGIN, error);
	if (code)
		return code;
	ring_buffer__consume(c->ring); /* while what was found running still runs and has a command line */
	if (pthread_create(&c->drain, NULL, drain, c))
		return sw_fail(error, -EAGAIN, "cannot start a thread");
	c->draining = 1;
	return 0;
}

int sw_collector_meta(struct sw_collector *c, const char *json, size_t bytes)
{
	int code;

	pthread_mutex_lock(&c->lock);
	code = sw_spool_meta(&c->spool, json, bytes);
	pthread_mutex_unlock(&c->lock);
	return code;
}

static void end_drain(struct sw_collector *c)
{
	if (!c->draining)
		return;
	eventfd_write(c->stop, 1);
	pthread_join(c->drain, NULL);
	c->draining = 0;
}

static void detach(struct sw_collector *c)
{
	if (c->positions)
		c->links[c->link_count++] = c->positions;
	c->positions = NULL;
	sw_release_links(c->links, c->link_count, c->features & SW_ON_FUNCTIONS);
	c->link_count = 0;
}

int sw_collector_stop(struct sw_collector *c, char *error)
{
	int code;

	c->control->ended = 1;
	syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0); /* until no program runs that has not seen that */
	end_drain(c);
	detach(c);
	code = run_sweep(c, SW_SWEEP_END, error);
	flush_heads(c, UINT64_MAX, UINT64_MAX);
	ring_buffer__consume(c->ring);
	sw_spool_end(&c->spool);
	return code;
}

void sw_collector_free(struct sw_collector *c)
{
	if (!c)
		return;
	if (c->control && c->control != MAP_FAILED)
		c->control->ended = 1;
	end_drain(c);
	detach(c);
	if (c->slots && c->slots != MAP_FAILED)
		munmap(c->slots, sw_slot_bytes(c));
	if (c->control && c->control != MAP_FAILED)
		munmap(c->control, sizeof(*c->control));
	if (c->stop >= 0)
		close(c->stop);
	if (c->under >= 0)
		close(c->under);
	ring_buffer__free(c->ring);
	bpf_object__close(c->object);
	sw_spool_free(&c->spool);
	pthread_mutex_destroy(&c->lock);
	free(c);
}
