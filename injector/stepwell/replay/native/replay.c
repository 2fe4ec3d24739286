/*
 * Issues recorded accesses again: as many threads as were recorded, each in its recorded order and at its recorded
 * times. Runs are expanded one access at a time; runs of one thread that overlap are merged by the number of access.
 */
#define _GNU_SOURCE
#include "order.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define STACK_BYTES (128UL << 10)
#define MOST_BYTES (INT_MAX & ~4095UL) /* MAX_RW_COUNT: Linux transfers no more in one call */
#define KEPT_BYTES (8UL << 20) /* what a buffer keeps in memory between accesses */
#define LEAD_NS 200000000UL /* from the start of the first thread to the first access */
#define NAP_NS 50000000UL /* longest sleep at once, so that a stop is noticed */
#define SPIN_NS 60000UL /* before its time a thread stops sleeping: waking up takes about this long */

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif

/* A recorded thread on its way. Its first worker issues its accesses; it hands asynchronous ones to the others. */
struct reader {
	struct replay *replay;
	const struct sw_reader *plan;
	struct sw_order order;
	atomic_uint workers; /* that have not ended */
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t given, taking;
	struct sw_issue handed;
	uint64_t handed_due_ns;
	uint32_t idle;
	int full, over; /* something is handed; nothing more will be */
};

struct worker {
	struct reader *reader;
	pthread_t thread;
	char *buffer;
	size_t buffer_bytes;
	_Atomic uint64_t done;
	struct sw_outcome result;
	int started, first;
};

struct replay {
	struct sw_plan plan;
	struct reader *readers;
	struct worker *workers;
	uint32_t worker_count, null;
	uint64_t begin_ns;
	atomic_int stop;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t ended;
	uint32_t running; /* workers */
	unsigned char *finished; /* by rank */
	uint32_t in_order; /* the threads of all ranks below have finished */
	pthread_mutex_t opening;
	atomic_uint undirect;
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000UL + (uint64_t)now.tv_nsec;
}

/* Open a file below a directory; neither `..` nor a symbolic link leads out of it. Returns minus errno. */
SW_API int sw_open_below(int directory, const char *path, int flags, unsigned int mode)
{
	struct open_how how = {
		.flags = (uint64_t)(flags | O_CLOEXEC),
		.mode = flags & O_CREAT ? mode : 0,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	long fd = syscall(SYS_openat2, directory, path, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

/* When an open file was made, in ns since 1970; 0 where the file system does not tell. Unlike an inode's number it is
 * not used again. */
SW_API int64_t sw_born_ns(int fd)
{
	struct statx about;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_BTIME, &about) || !(about.stx_mask & STATX_BTIME))
		return 0;
	return about.stx_btime.tv_sec * 1000000000L + about.stx_btime.tv_nsec;
}

/* ---- one access ---- */

/* The descriptor of an open file, or -1 - errno. */
static int opened(struct replay *replay, struct sw_target *target)
{
	int fd = __atomic_load_n(&target->fd, __ATOMIC_ACQUIRE);

	if (fd != -1)
		return fd;
	pthread_mutex_lock(&replay->opening);
	fd = target->fd;
	if (fd == -1) {
		const char *path = replay->plan.paths + target->path;

		fd = sw_open_below(replay->plan.directory, path, target->flags, 0);
		if (fd == -EINVAL && target->flags & O_DIRECT) {
			fd = sw_open_below(replay->plan.directory, path, target->flags & ~O_DIRECT, 0);
			atomic_fetch_add(&replay->undirect, 1);
		}
		fd = fd < 0 ? fd - 1 : fd;
		__atomic_store_n(&target->fd, fd, __ATOMIC_RELEASE);
	}
	pthread_mutex_unlock(&replay->opening);
	return fd;
}

static void used(struct sw_target *target)
{
	if (__atomic_sub_fetch(&target->left, 1, __ATOMIC_ACQ_REL) == 0 && target->fd >= 0)
		close(target->fd);
}

/*
 * Fault the pages in through a mapping of just them: what the kernel maps around a fault ends with the mapping, so that
 * no neighbour comes along that was not recorded. MADV_POPULATE_READ (Linux 5.14) fails where a touch would be fatal.
 */
static ssize_t fault(int fd, uint64_t offset, uint64_t size)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), first = offset & ~(page - 1);
	size_t bytes = offset + size - first;
	void *at = bytes ? mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, (off_t)first) : NULL;
	int error;

	if (!bytes)
		return 0;
	if (at == MAP_FAILED)
		return -1;
	error = madvise(at, (bytes + page - 1) & ~(page - 1), MADV_POPULATE_READ) ? errno : 0;
	munmap(at, bytes);
	errno = error;
	return error ? -1 : (ssize_t)size;
}

static ssize_t issue(struct worker *worker, int fd, const struct sw_issue *access)
{
	off_t offset = (off_t)access->offset;
	size_t most = access->requested < worker->buffer_bytes ? access->requested : worker->buffer_bytes;
	ssize_t got;

	switch (access->op) {
	case SW_READ:
		got = pread(fd, worker->buffer, most, offset);
		break;
	case SW_WRITE:
		return pwrite(fd, worker->buffer, most, offset);
	case SW_MMAP:
		return fault(fd, access->offset, access->size);
	default: /* what copies within the kernel does not stop at a buffer of ours */
		return sendfile((int)worker->reader->replay->null, fd, &offset, access->requested);
	}
	if (got > (ssize_t)KEPT_BYTES) {
		int error = errno;

		madvise(worker->buffer, worker->buffer_bytes, MADV_DONTNEED);
		errno = error;
	}
	return got;
}

static void perform(struct worker *worker, const struct sw_issue *access, uint64_t due_ns)
{
	struct replay *replay = worker->reader->replay;
	struct sw_target *target = &replay->plan.targets[access->target];
	struct sw_outcome *result = &worker->result;
	struct sw_tally *tally = &result->ops[access->op];
	uint64_t began, took, late;
	int fd = opened(replay, target), error = -1 - fd;
	ssize_t got = -1;

	began = now_ns();
	if (fd >= 0) {
		got = issue(worker, fd, access);
		error = errno;
	}
	took = now_ns() - began;
	used(target);
	late = due_ns && began > due_ns ? began - due_ns : 0;
	result->late += late >= replay->plan.late_ns && late;
	result->late_ns += late;
	if (late > result->late_max_ns)
		result->late_max_ns = late;
	if (began + took - replay->begin_ns > result->elapsed_ns)
		result->elapsed_ns = began + took - replay->begin_ns;
	if (got < 0) {
		result->errors[error < SW_ERRNOS ? error : SW_ERRNOS - 1]++;
	} else {
		tally->accesses++;
		tally->bytes += (uint64_t)got;
		tally->other_size += (uint64_t)got != access->size;
		tally->latency_ns += took;
		if (took > tally->latency_max_ns)
			tally->latency_max_ns = took;
		tally->histogram[sw_bucket(took)]++;
	}
	atomic_fetch_add_explicit(&worker->done, 1, memory_order_relaxed);
}

/* ---- threads ---- */

/* Sleep, then watch the clock, until a time; 0 when the replay was stopped before. */
static int wait_until(struct replay *replay, uint64_t due_ns)
{
	for (;;) {
		uint64_t now = now_ns(), wake;
		struct timespec at;

		if (atomic_load_explicit(&replay->stop, memory_order_relaxed))
			return 0;
		if (now >= due_ns)
			return 1;
		if (due_ns - now <= SPIN_NS)
			continue;
		wake = due_ns - now > NAP_NS ? now + NAP_NS : due_ns - SPIN_NS;
		at = (struct timespec){.tv_sec = (time_t)(wake / 1000000000UL), .tv_nsec = (long)(wake % 1000000000UL)};
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
	}
}

/* As fast as possible, a thread still begins only after those that had ended before it. */
static void wait_for_turn(struct reader *reader)
{
	struct replay *replay = reader->replay;

	pthread_mutex_lock(&replay->lock);
	while (replay->in_order < reader->plan->after && !atomic_load(&replay->stop))
		pthread_cond_wait(&replay->ended, &replay->lock);
	pthread_mutex_unlock(&replay->lock);
}

static void finish(struct reader *reader)
{
	struct replay *replay = reader->replay;

	pthread_mutex_lock(&replay->lock);
	replay->running--;
	if (atomic_fetch_sub(&reader->workers, 1) == 1) {
		replay->finished[reader->plan->rank] = 1;
		while (replay->in_order < replay->plan.reader_count && replay->finished[replay->in_order])
			replay->in_order++;
	}
	pthread_cond_broadcast(&replay->ended);
	pthread_mutex_unlock(&replay->lock);
}

/* Hand an asynchronous access to a worker; with none left the thread waits, as in a full queue. */
static void hand(struct reader *reader, const struct sw_issue *access, uint64_t due_ns)
{
	pthread_mutex_lock(&reader->lock);
	while ((reader->full || !reader->idle) && !atomic_load(&reader->replay->stop))
		pthread_cond_wait(&reader->taking, &reader->lock);
	reader->handed = *access;
	reader->handed_due_ns = due_ns;
	reader->full = 1;
	pthread_cond_signal(&reader->given);
	pthread_mutex_unlock(&reader->lock);
}

static void issue_all(struct worker *worker)
{
	struct reader *reader = worker->reader;
	struct replay *replay = reader->replay;
	double pace = replay->plan.pace;
	struct sw_issue access;
	int more;

	if (pace == 0)
		wait_for_turn(reader);
	while (!atomic_load(&replay->stop) && (more = sw_next(&reader->order, &access))) {
		uint64_t due = 0;

		if (more < 0) {
			worker->result.errors[-more]++;
			break;
		}
		if (pace > 0) {
			due = replay->begin_ns + (uint64_t)((double)access.start_ns / pace);
			if (!wait_until(replay, due))
				break;
		}
		if (access.async)
			hand(reader, &access, due);
		else
			perform(worker, &access, due);
	}
	pthread_mutex_lock(&reader->lock);
	reader->over = 1;
	pthread_cond_broadcast(&reader->given);
	pthread_mutex_unlock(&reader->lock);
}

static void issue_handed(struct worker *worker)
{
	struct reader *reader = worker->reader;

	pthread_mutex_lock(&reader->lock);
	for (;;) {
		struct sw_issue access;
		uint64_t due;

		reader->idle++;
		pthread_cond_signal(&reader->taking);
		while (!reader->full && !reader->over)
			pthread_cond_wait(&reader->given, &reader->lock);
		reader->idle--;
		if (!reader->full || atomic_load(&reader->replay->stop))
			break;
		access = reader->handed;
		due = reader->handed_due_ns;
		reader->full = 0;
		pthread_cond_signal(&reader->taking);
		pthread_mutex_unlock(&reader->lock);
		perform(worker, &access, due);
		pthread_mutex_lock(&reader->lock);
	}
	pthread_mutex_unlock(&reader->lock);
}

static void *work(void *of)
{
	struct worker *worker = of;

	prctl(PR_SET_TIMERSLACK, 1UL);
	if (worker->first && wait_until(worker->reader->replay, worker->reader->replay->begin_ns))
		issue_all(worker);
	else if (!worker->first)
		issue_handed(worker);
	finish(worker->reader);
	return NULL;
}

/* A thread that cannot be had ends the replay: half of the concurrency would be another workload. */
static int start(struct replay *replay, struct worker *worker, struct reader *reader, const pthread_attr_t *attributes)
{
	uint64_t bytes = reader->plan->buffer < MOST_BYTES ? reader->plan->buffer : MOST_BYTES;
	int error;

	worker->reader = reader;
	worker->buffer_bytes = bytes ? bytes : 1;
	worker->buffer = mmap(NULL, worker->buffer_bytes, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (worker->buffer == MAP_FAILED) {
		worker->buffer = NULL;
		return -ENOMEM;
	}
	error = pthread_create(&worker->thread, attributes, work, worker);
	worker->started = !error;
	replay->running += !error;
	return -error;
}

SW_API void sw_replay_stop(struct replay *replay)
{
	pthread_mutex_lock(&replay->lock);
	atomic_store(&replay->stop, 1);
	pthread_cond_broadcast(&replay->ended);
	pthread_mutex_unlock(&replay->lock);
	for (uint32_t i = 0; i < replay->plan.reader_count && replay->readers; i++) {
		struct reader *reader = &replay->readers[i];

		pthread_mutex_lock(&reader->lock);
		reader->over = 1;
		pthread_cond_broadcast(&reader->given);
		pthread_cond_broadcast(&reader->taking);
		pthread_mutex_unlock(&reader->lock);
	}
}

/* Wait until all threads have ended, at most so long; how many still run. */
SW_API uint32_t sw_replay_wait(struct replay *replay, uint32_t milliseconds)
{
	struct timespec until;
	uint64_t end = now_ns() + milliseconds * 1000000UL;
	uint32_t running;
	int timeout = 0;

	until = (struct timespec){.tv_sec = (time_t)(end / 1000000000UL), .tv_nsec = (long)(end % 1000000000UL)};
	pthread_mutex_lock(&replay->lock);
	while (replay->running && !timeout)
		timeout = pthread_cond_clockwait(&replay->ended, &replay->lock, CLOCK_MONOTONIC, &until);
	running = replay->running;
	pthread_mutex_unlock(&replay->lock);
	return running;
}

/* Accesses issued so far. */
SW_API uint64_t sw_replay_done(struct replay *replay)
{
	uint64_t done = 0;

	for (uint32_t i = 0; i < replay->worker_count; i++)
		done += atomic_load_explicit(&replay->workers[i].done, memory_order_relaxed);
	return done;
}

static void add(struct sw_outcome *sum, const struct sw_outcome *one)
{
	for (int op = 0; op < SW_OPS; op++) {
		struct sw_tally *to = &sum->ops[op];
		const struct sw_tally *from = &one->ops[op];

		to->accesses += from->accesses;
		to->bytes += from->bytes;
		to->other_size += from->other_size;
		to->latency_ns += from->latency_ns;
		if (from->latency_max_ns > to->latency_max_ns)
			to->latency_max_ns = from->latency_max_ns;
		for (int bucket = 0; bucket < SW_BUCKETS; bucket++)
			to->histogram[bucket] += from->histogram[bucket];
	}
	for (int error = 0; error < SW_ERRNOS; error++)
		sum->errors[error] += one->errors[error];
	sum->late += one->late;
	sum->late_ns += one->late_ns;
	if (one->late_max_ns > sum->late_max_ns)
		sum->late_max_ns = one->late_max_ns;
	if (one->elapsed_ns > sum->elapsed_ns)
		sum->elapsed_ns = one->elapsed_ns;
}

/* Stop, wait for what is under way, say what was done, and give everything back. */
SW_API void sw_replay_end(struct replay *replay, struct sw_outcome *result)
{
	memset(result, 0, sizeof(*result));
	sw_replay_stop(replay);
	for (uint32_t i = 0; i < replay->worker_count; i++) {
		struct worker *worker = &replay->workers[i];

		if (worker->started)
			pthread_join(worker->thread, NULL);
		if (worker->buffer)
			munmap(worker->buffer, worker->buffer_bytes);
		add(result, &worker->result);
	}
	result->undirect = replay->undirect;
	for (uint32_t i = 0; i < replay->plan.reader_count && replay->readers; i++)
		free(replay->readers[i].order.heap);
	close((int)replay->null);
	free(replay->finished);
	free(replay->readers);
	free(replay->workers);
	free(replay);
}

/* Begin a replay; what the plan points to stays the caller's and must stay. Returns 0 or minus errno. */
SW_API int sw_replay_begin(const struct sw_plan *plan, struct replay **begun)
{
	struct replay *replay = calloc(1, sizeof(*replay));
	struct sw_outcome nothing;
	pthread_attr_t attributes;
	sigset_t all, before;
	uint32_t workers = 0, at = 0;
	int null, error = 0;

	for (uint32_t i = 0; i < plan->reader_count; i++)
		workers += plan->readers[i].workers;
	null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (!replay || null < 0) {
		error = -errno;
		free(replay);
		return error;
	}
	replay->plan = *plan;
	replay->null = (uint32_t)null;
	pthread_mutex_init(&replay->lock, NULL);
	pthread_mutex_init(&replay->opening, NULL);
	pthread_cond_init(&replay->ended, NULL);
	replay->readers = calloc(plan->reader_count + 1, sizeof(*replay->readers));
	replay->workers = calloc(workers + 1, sizeof(*replay->workers));
	replay->finished = calloc(plan->reader_count + 1, 1);
	if (!replay->readers || !replay->workers || !replay->finished) {
		sw_replay_end(replay, &nothing);
		return -ENOMEM;
	}
	replay->worker_count = workers;
	/* Signals are for Python's main thread. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	pthread_mutex_lock(&replay->lock);
	replay->begin_ns = now_ns() + LEAD_NS + workers * 50000UL; /* creating a thread takes less */
	for (uint32_t i = 0; i < plan->reader_count; i++) {
		struct reader *reader = &replay->readers[i];

		*reader = (struct reader){.replay = replay, .plan = &plan->readers[i]};
		reader->order.steps = plan->steps + plan->readers[i].first;
		reader->order.count = plan->readers[i].steps;
		pthread_mutex_init(&reader->lock, NULL);
		pthread_cond_init(&reader->given, NULL);
		pthread_cond_init(&reader->taking, NULL);
		atomic_init(&reader->workers, plan->readers[i].workers);
		for (uint32_t k = 0; k < plan->readers[i].workers && !error; k++) {
			replay->workers[at].first = !k;
			error = start(replay, &replay->workers[at++], reader, &attributes);
		}
	}
	pthread_mutex_unlock(&replay->lock);
	pthread_attr_destroy(&attributes);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error) {
		sw_replay_end(replay, &nothing);
		return error;
	}
	*begun = replay;
	return 0;
}
