#define _GNU_SOURCE
#include "pool.h"

#include "below.h"
#include "residency.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BUFFER_BYTES (1UL << 20) /* of a worker: larger requests are read in several calls */
#define STACK_BYTES (128UL << 10)
#define LASTS_NS 700000000UL /* a file is opened again after this, as it may have been replaced */
#define IDLE_NS 50000000UL /* one that no request needs is closed after this: while it is open no mount goes away */
#define TIDY_NS 25000000UL /* it is looked for such files once in so long, while there are any */
#define TOUCH_BYTES                                                                                       \
	(128UL << 10) /* waits for a page in every so many: what FUSE and block devices split by at least \
		       */

/* Faster than this from the first byte to the last, it came from memory: half of what one core copies here. */
#define MEMORY_BYTES_NS 4UL
#define MEMORY_NS 15000UL
#define CLIENT_NS 1000000UL /* a client that answers within this had it in its own cache */

struct file {
	struct file *next;
	uint64_t size, dev, ino, opened_ns, used_ns;
	uint32_t root, users;
	int fd;
	char path[];
};

struct job {
	struct job *next;
	uint64_t number, offset, size;
	uint32_t root, kind;
	char path[];
};

struct sw_pool {
	pthread_mutex_t lock; /* of all that follows */
	pthread_cond_t given;
	struct job *first, **last;
	struct file *files;
	char **roots;
	uint32_t root_count, workers, idle, queued, most_workers;
	struct sw_done *done;
	uint32_t done_count, done_room;
	int event, tidying;
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000UL + (uint64_t)now.tv_nsec;
}

/* Whether a job has an open file of its own: a client reads ahead of one that goes through a file. */
static int is_alone(const struct job *job)
{
	return job->kind == SW_BLOCK || job->kind == SW_TOUCH;
}

/* Take the files that are over their time out of the table; the lock is held. */
static struct file *expired(struct sw_pool *pool)
{
	struct file **at = &pool->files, *over = NULL;
	uint64_t now = now_ns();

	while (*at) {
		struct file *file = *at;

		if (!file->users && (now - file->opened_ns > LASTS_NS || now - file->used_ns > IDLE_NS)) {
			*at = file->next;
			file->next = over;
			over = file;
		} else {
			at = &file->next;
		}
	}
	return over;
}

/* Without the lock: closing can take as long as the storage likes. */
static void close_all(struct file *file)
{
	while (file) {
		struct file *next = file->next;

		close(file->fd);
		free(file);
		file = next;
	}
}

static int open_job(const char *root, const char *path, struct file *file)
{
	struct stat st;
	int directory = sw_below_root(root), error = 0;

	if (directory < 0)
		return directory;
	file->fd = sw_below_file(directory, path);
	close(directory);
	if (file->fd < 0)
		return file->fd;
	if (fstat(file->fd, &st))
		error = -errno;
	if (error) {
		close(file->fd);
		return error;
	}
	posix_fadvise(file->fd, 0, 0, POSIX_FADV_RANDOM); /* no more than is asked for */
	file->size = (uint64_t)st.st_size;
	file->dev = st.st_dev;
	file->ino = st.st_ino;
	return 0;
}

/* The open file of a job; two workers may open the same at once. */
static struct file *take_file(struct sw_pool *pool, const struct job *job, int *error, uint64_t *opened)
{
	struct file *file, *over;
	const char *root;
	size_t bytes = strlen(job->path) + 1;

	pthread_mutex_lock(&pool->lock);
	over = expired(pool);
	for (file = is_alone(job) ? NULL : pool->files; file; file = file->next)
		if (file->root == job->root && !strcmp(file->path, job->path) && now_ns() - file->opened_ns <= LASTS_NS)
			break;
	if (file)
		file->users++;
	root = pool->roots[job->root];
	pthread_mutex_unlock(&pool->lock);
	close_all(over);
	if (file)
		return file;
	file = calloc(1, sizeof(*file) + bytes);
	*error = file ? open_job(root, job->path, file) : -ENOMEM;
	if (*error) {
		free(file);
		return NULL;
	}
	*opened = 1;
	memcpy(file->path, job->path, bytes);
	file->root = job->root;
	file->users = 1;
	file->opened_ns = is_alone(job) ? 0 : now_ns();
	pthread_mutex_lock(&pool->lock);
	file->next = pool->files;
	pool->files = file;
	pthread_mutex_unlock(&pool->lock);
	return file;
}

/* Bytes read, or -errno. */
static int64_t read_range(int fd, uint64_t offset, uint64_t size, char *buffer)
{
	uint64_t read = 0;

	while (read < size) {
		uint64_t part = size - read < BUFFER_BYTES ? size - read : BUFFER_BYTES;
		ssize_t got = pread(fd, buffer, part, (off_t)(offset + read));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (!got)
			break;
		read += (uint64_t)got;
	}
	return (int64_t)read;
}

static int64_t let_read(int fd, uint64_t offset, uint64_t size, char *buffer)
{
	int error = posix_fadvise(fd, (off_t)offset, (off_t)size, POSIX_FADV_WILLNEED);

	for (uint64_t at = 0; !error && at < size; at += TOUCH_BYTES)
		if (pread(fd, buffer, 1, (off_t)(offset + at)) < 0)
			error = errno;
	if (!error && pread(fd, buffer, 1, (off_t)(offset + size - 1)) < 0)
		error = errno;
	return error ? -error : (int64_t)size;
}

/* Past the page cache where the file system can: a page that is in there is not asked for. */
static int64_t touch(int fd, uint64_t offset, uint64_t size, char *buffer)
{
	ssize_t got;

	fcntl(fd, F_SETFL, O_DIRECT);
	do
		got = pread(fd, buffer, SW_PAGE, (off_t)offset);
	while (got < 0 && errno == EINTR);
	return got < 0 ? -errno : got ? (int64_t)size : 0;
}

static uint64_t bytes_of(int64_t pages, uint64_t size)
{
	uint64_t bytes = (uint64_t)pages * SW_PAGE;

	return bytes < size ? bytes : size;
}

static void bring(const struct job *job, int fd, uint64_t size, char *buffer, struct sw_done *done)
{
	int64_t (*const how)(int, uint64_t, uint64_t, char *) = job->kind == SW_WILLNEED ? let_read
								: job->kind == SW_TOUCH	 ? touch
											 : read_range;
	int64_t before = sw_resident_pages(fd, job->offset, size), got;
	uint64_t began = now_ns(), took;

	done->resident = before < 0 ? 0 : bytes_of(before, size);
	if (done->resident == size)
		return;
	got = how(fd, job->offset, size, buffer);
	if (got < 0) {
		done->error = (int32_t)-got;
		return;
	}
	took = now_ns() - began;
	if (job->kind == SW_TOUCH ? took < CLIENT_NS : before < 0 && took < MEMORY_NS + (uint64_t)got / MEMORY_BYTES_NS)
		done->resident = (uint64_t)got;
	done->brought = (uint64_t)got > done->resident ? (uint64_t)got - done->resident : 0;
	if (job->kind == SW_WILLNEED && before >= 0) {
		/* what the kernel did not read, because it is more than it reads ahead, did not come */
		int64_t after = sw_resident_pages(fd, job->offset, size);
		uint64_t there = after < before ? 0 : bytes_of(after, size) - done->resident;

		done->brought = there < done->brought ? there : done->brought;
	}
}

static void do_job(struct sw_pool *pool, const struct job *job, char *buffer, struct sw_done *done)
{
	struct file *file, *over;
	uint64_t size;
	int error = 0;

	*done = (struct sw_done){.number = job->number, .kind = job->kind, .begin_ns = now_ns()};
	file = take_file(pool, job, &error, &done->opened);
	done->end_ns = now_ns();
	if (file) {
		done->file_size = file->size;
		done->dev = file->dev;
		done->ino = file->ino;
		size = job->offset >= file->size	      ? 0
		       : job->size < file->size - job->offset ? job->size
							      : file->size - job->offset;
		if (job->kind == SW_LOOK) {
			int64_t pages = sw_resident_pages(file->fd, job->offset, size);

			done->resident = pages < 0 ? size : bytes_of(pages, size);
		} else if (job->kind == SW_DROP) {
			error = -posix_fadvise(file->fd, (off_t)job->offset, (off_t)size, POSIX_FADV_DONTNEED);
		} else if (size) {
			bring(job, file->fd, size, buffer, done);
		}
		done->end_ns = now_ns();
		pthread_mutex_lock(&pool->lock);
		file->users--;
		file->used_ns = done->end_ns;
		if (size == file->size) /* all of it: of thousands of small files none needs to stay open */
			file->opened_ns = 0;
		over = expired(pool);
		pthread_mutex_unlock(&pool->lock);
		close_all(over);
	}
	if (error)
		done->error = -error;
}

static void tell(struct sw_pool *pool, const struct sw_done *done)
{
	uint64_t one = 1;

	pthread_mutex_lock(&pool->lock);
	pool->done[pool->done_count++] = *done; /* sw_pool_submit() made room */
	pthread_mutex_unlock(&pool->lock);
	while (write(pool->event, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

/* The next job, once there is one; meanwhile files are closed in time, by one of the idle. The lock is held. */
static struct job *next_job(struct sw_pool *pool)
{
	struct job *job;

	pool->idle++;
	while (!pool->first) {
		uint64_t until = now_ns() + TIDY_NS;
		struct timespec limit = {(time_t)(until / 1000000000UL), (long)(until % 1000000000UL)};
		struct file *over;

		if (!pool->files || pool->tidying) {
			pthread_cond_wait(&pool->given, &pool->lock);
			continue;
		}
		pool->tidying = 1;
		pthread_cond_timedwait(&pool->given, &pool->lock, &limit);
		pool->tidying = 0;
		over = expired(pool);
		if (over) {
			pool->idle--; /* closing may hang: another one takes the job that this one was woken for, and
					 tidies */
			pthread_cond_signal(&pool->given);
			pthread_mutex_unlock(&pool->lock);
			close_all(over);
			pthread_mutex_lock(&pool->lock);
			pool->idle++;
		}
	}
	pool->idle--;
	job = pool->first;
	pool->first = job->next;
	if (!pool->first)
		pool->last = &pool->first;
	pool->queued--;
	if (pool->files && !pool->tidying)
		pthread_cond_signal(&pool->given);
	return job;
}

static void *work(void *given)
{
	struct sw_pool *pool = given;
	char *buffer = aligned_alloc(SW_PAGE, BUFFER_BYTES); /* as reading past the page cache wants it */
	struct sw_done done;

	for (;;) {
		struct job *job;

		pthread_mutex_lock(&pool->lock);
		job = next_job(pool);
		pthread_mutex_unlock(&pool->lock);
		if (buffer)
			do_job(pool, job, buffer, &done);
		else
			done = (struct sw_done){.number = job->number, .kind = job->kind, .error = ENOMEM};
		free(job);
		tell(pool, &done);
	}
	return NULL;
}

static int start_worker(struct sw_pool *pool)
{
	pthread_attr_t attributes;
	sigset_t all, before;
	pthread_t thread;
	int error;

	/* Signals are for the main thread. */
	sigfillset(&all);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&thread, &attributes, work, pool);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	if (!error)
		pool->workers++;
	return error;
}

static int make_room(struct sw_pool *pool)
{
	uint32_t room = pool->done_count + pool->queued + pool->workers + 2;
	struct sw_done *larger;

	if (room <= pool->done_room)
		return 0;
	larger = realloc(pool->done, 2 * room * sizeof(*larger));
	if (!larger)
		return -ENOMEM;
	pool->done = larger;
	pool->done_room = 2 * room;
	return 0;
}

#define PUBLIC __attribute__((visibility("default")))

PUBLIC struct sw_pool *sw_pool_begin(uint32_t most_workers, int *event)
{
	struct sw_pool *pool = calloc(1, sizeof(*pool));
	pthread_condattr_t attributes;

	if (!pool)
		return NULL;
	pool->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (pool->event < 0) {
		free(pool);
		return NULL;
	}
	pthread_mutex_init(&pool->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&pool->given, &attributes);
	pthread_condattr_destroy(&attributes);
	pool->last = &pool->first;
	pool->most_workers = most_workers;
	*event = pool->event;
	return pool;
}

PUBLIC int sw_pool_root(struct sw_pool *pool, const char *path)
{
	char *kept = strdup(path);
	int number = -ENOMEM;
	char **larger;

	if (!kept)
		return -ENOMEM;
	pthread_mutex_lock(&pool->lock);
	larger = realloc(pool->roots, (pool->root_count + 1) * sizeof(*larger));
	if (larger) {
		number = (int)pool->root_count++;
		pool->roots = larger;
		pool->roots[number] = kept;
	}
	pthread_mutex_unlock(&pool->lock);
	if (number < 0)
		free(kept);
	return number;
}

PUBLIC int sw_pool_submit(struct sw_pool *pool, uint64_t number, uint32_t root, const char *path, uint64_t offset,
			  uint64_t size, uint32_t kind)
{
	size_t bytes = strlen(path) + 1;
	struct job *job = malloc(sizeof(*job) + bytes);
	int error;

	if (!job)
		return -ENOMEM;
	*job = (struct job){.number = number, .offset = offset, .size = size, .root = root, .kind = kind};
	memcpy(job->path, path, bytes);
	pthread_mutex_lock(&pool->lock);
	error = make_room(pool);
	if (!error && pool->queued >= pool->idle && (pool->workers >= pool->most_workers || start_worker(pool)))
		error = -EAGAIN;
	if (error) {
		pthread_mutex_unlock(&pool->lock);
		free(job);
		return error;
	}
	*pool->last = job;
	pool->last = &job->next;
	pool->queued++;
	pthread_cond_signal(&pool->given);
	pthread_mutex_unlock(&pool->lock);
	return 0;
}

PUBLIC uint32_t sw_pool_take(struct sw_pool *pool, struct sw_done *done, uint32_t room)
{
	uint32_t count;

	pthread_mutex_lock(&pool->lock);
	count = pool->done_count < room ? pool->done_count : room;
	memcpy(done, pool->done, count * sizeof(*done));
	pool->done_count -= count;
	memmove(pool->done, pool->done + count, pool->done_count * sizeof(*done));
	pthread_mutex_unlock(&pool->lock);
	return count;
}

PUBLIC int sw_open_directory(const char *root, const char *path)
{
	int directory = sw_below_root(root), fd;

	if (directory < 0)
		return directory;
	fd = sw_below_directory(directory, path);
	close(directory);
	return fd;
}
