/* Drains the ring buffer into the spool file, and keeps house meanwhile, in a thread of its own. */
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "collector.h"

#define POLL_MS 50
#define BLOCK_BYTES (1 << 20) /* so many bytes are written at once at most */
#define FLUSHED 4096 /* slots at once: the kernel does not reschedule meanwhile */
#define BEGIN_TRIES 11 /* before a thread whose state the kernel has no room for is counted as lost */
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

static int take(void *context, const void *data, size_t bytes)
{
	struct sw_spool *spool = context;
	const struct sw_thread *thread = data;

	sw_spool_add(spool, data, bytes);
	if (thread->kind == SW_THREAD && thread->existed && thread->pid == thread->tid)
		add_running_program(spool, thread);
	return spool->waiting >= BLOCK_BYTES;
}

void sw_commit(struct sw_collector *c)
{
	uint32_t next = !c->shared->valid;

	c->shared->progress[next] = (struct sw_progress){c->ring.position, c->spool.done};
	__atomic_store_n(&c->shared->valid, next, __ATOMIC_RELEASE);
	sw_ring_release(&c->ring);
}

void sw_roll_back(struct sw_collector *c)
{
	const struct sw_progress *progress = &c->shared->progress[c->shared->valid];

	c->ring.position = progress->position;
	sw_spool_return(&c->spool, &progress->spooled);
}

int sw_drain(struct sw_collector *c, int last)
{
	int more, code;

	do {
		more = sw_ring_read(&c->ring, take, &c->spool);
		code = sw_spool_flush(&c->spool);
		if (code && !last) {
			sw_roll_back(c);
			return code;
		}
		sw_spool_lose(&c->spool);
		sw_commit(c);
	} while (more);
	return code;
}

static int sweep_threads(struct sw_collector *c, enum sw_sweep what, char *error)
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

int sw_begin_threads(struct sw_collector *c, char *error)
{
	/* Another recorder that begins, too, is in the way for microseconds, and out of it only when it runs again. */
	const struct timespec pause = {.tv_nsec = 1000000};
	int code;

	for (int try = 0; try < BEGIN_TRIES; try++) {
		c->control->left = 0;
		code = sweep_threads(c, SW_SWEEP_TRY, error);
		if (code || !c->control->left)
			return code;
		nanosleep(&pause, NULL);
	}
	return sweep_threads(c, SW_SWEEP_BEGIN, error);
}

int sw_end_threads(struct sw_collector *c, char *error)
{
	return sweep_threads(c, SW_SWEEP_END, error);
}

void sw_flush_heads(struct sw_collector *c, uint64_t idle_before_ns, uint64_t begun_before_ns)
{
	struct sw_flush flush = {
		.idle_before_ns = idle_before_ns, .begun_before_ns = begun_before_ns, .count = FLUSHED};

	for (; flush.first < sw_used_slots(c); flush.first += FLUSHED)
		sw_run_program(c, "flush_heads", &flush, sizeof(flush));
}

void sw_watch_positions(struct sw_collector *c, int wanted)
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
	sw_flush_heads(c, now - idle, now - c->options.age_ns);
	sw_watch_positions(c, c->control->shared);
	if (c->control->open_files > c->options.opens / 2)
		sw_run_program(c, "forget_closed", NULL, 0);
	if (c->options.filter.scope == SW_SCOPE_CGROUP && c->control->resweep) {
		c->control->resweep = 0;
		sw_begin_threads(c, error);
	}
}

static void *drain(void *context)
{
	struct sw_collector *c = context;
	uint64_t next = now_ns() + 1000000000ULL;
	uint64_t uncoalesced = 0;
	int code = 0;
	struct pollfd events[] = {{.fd = c->stop, .events = POLLIN}, {.fd = c->ring.wakeups, .events = POLLIN}};

	do {
		/* What cannot be written stays in the ring, which is then always readable. */
		poll(events, code ? 1 : 2, POLL_MS);
		if (c->control->shared)
			sw_watch_positions(c, 1);
		pthread_mutex_lock(&c->lock);
		code = sw_drain(c, 0);
		pthread_mutex_unlock(&c->lock);
		if (now_ns() >= next) {
			housekeep(c, &uncoalesced);
			next = now_ns() + 1000000000ULL;
		}
	} while (!(events[0].revents & POLLIN));
	return NULL;
}

void sw_collector_catch_up(struct sw_collector *c)
{
	pthread_mutex_lock(&c->lock);
	sw_drain(c, 0); /* what cannot be written now stays in the ring, for the thread */
	pthread_mutex_unlock(&c->lock);
}

int sw_drain_start(struct sw_collector *c, char *error)
{
	if (pthread_create(&c->drain, NULL, drain, c))
		return sw_fail(error, -EAGAIN, "cannot start a thread");
	c->draining = 1;
	return 0;
}

void sw_drain_stop(struct sw_collector *c)
{
	if (!c->draining)
		return;
	eventfd_write(c->stop, 1);
	pthread_join(c->drain, NULL);
	c->draining = 0;
}
