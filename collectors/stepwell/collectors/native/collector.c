/* Loads the programs, attaches them, and drains the ring buffer into the spool file in a thread of its own. */
#define _GNU_SOURCE
#define _GNU_SOURCE /* O_PATH */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/membarrier.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "links.h"
#include "programs.h"
#include "spool.h"
#include "stepwell.h"

#define MAX_LINKS 128
#define POLL_MS 50
#define SCRATCHES 16 /* a processor: programs that may interrupt each other while they use one */
#define FLUSHED 4096 /* slots at once: the kernel does not reschedule meanwhile */
#define CROWDED_IDLE_NS 1000000000ULL /* when the map of open runs was full, idle ones end this early */

struct sw_collector {
	struct bpf_object *object;
	struct bpf_link *links[MAX_LINKS];
	int link_count;
	struct bpf_link *positions; /* read_pages or get_pages, attached while it is needed */
	struct sw_slot *slots;
	struct ring_buffer *ring;
	struct sw_control *control;
	struct sw_options options;
	struct sw_spool spool;
	pthread_mutex_t lock; /* the spool, and whoever drains */
	pthread_t drain;
	int draining;
	int under; /* descriptor of the directory that is asked for, or -1 */
	int stop; /* an eventfd: the drain is to end */
	int processors;
	uint32_t features;
};

static int fail(char *error, int code, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(error, SW_ERROR_BYTES, format, arguments);
	va_end(arguments);
	return code;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000ULL + now.tv_nsec;
}

/* The last that libbpf had to say, for the error message: the verifier's reason stands at the end of its log. */
static __thread char said[SW_ERROR_BYTES * 3 / 4];

static int remember(enum libbpf_print_level level, const char *format, va_list arguments)
{
	size_t used = strlen(said), bytes, room = sizeof(said) - 1;
	char *text;

	if (level > LIBBPF_WARN || vasprintf(&text, format, arguments) < 0)
		return 0;
	bytes = strlen(text);
	if (bytes > room)
		bytes = room;
	if (used > room - bytes) {
		memmove(said, said + used - (room - bytes), room - bytes);
		used = room - bytes;
	}
	memcpy(said + used, text + strlen(text) - bytes, bytes);
	said[used + bytes] = 0;
	free(text);
	return 0;
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

static struct bpf_program *find(struct bpf_object *object, const char *name)
{
	return bpf_object__find_program_by_name(object, name);
}

static int run_sweep(struct sw_collector *c, enum sw_sweep what, char *error)
{
	struct bpf_program *program = find(c->object, "sweep_tasks");
	struct bpf_link *link = bpf_program__attach_iter(program, NULL);
	char rest[256];
	int file, code = 0;

	if (!link)
		return fail(error, -errno, "cannot go through the machine's threads: %s", strerror(errno));
	c->control->sweep = what;
	file = bpf_iter_create(bpf_link__fd(link));
	if (file < 0) {
		code = fail(error, -errno, "cannot go through the machine's threads: %s", strerror(errno));
	} else {
		while (read(file, rest, sizeof(rest)) > 0)
			;
		close(file);
	}
	bpf_link__destroy(link);
	return code;
}

static int run_program(struct sw_collector *c, const char *name, const void *argument, size_t bytes)
{
	LIBBPF_OPTS(bpf_test_run_opts, options, .ctx_in = argument, .ctx_size_in = bytes);

	return bpf_prog_test_run_opts(bpf_program__fd(find(c->object, name)), &options);
}

static void flush_heads(struct sw_collector *c, uint64_t idle_before_ns, uint64_t begun_before_ns)
{
	struct sw_flush flush = {
		.idle_before_ns = idle_before_ns, .begun_before_ns = begun_before_ns, .count = FLUSHED};

	for (; flush.first < c->options.heads; flush.first += FLUSHED)
		run_program(c, "flush_heads", &flush, sizeof(flush));
}

/* Positions of shared descriptors cost every read of the machine a little: watched only where there are any. */
static void watch_positions(struct sw_collector *c, int wanted)
{
	struct bpf_program *program = find(c->object, "read_pages");

	if (!bpf_program__autoload(program))
		program = find(c->object, "get_pages");
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
		run_program(c, "forget_closed", NULL, 0);
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

static size_t slot_bytes(const struct sw_collector *c)
{
	return (size_t)c->options.heads * sizeof(struct sw_slot);
}

/* The directory stays open, so that its inode keeps its address. */
static int find_under(struct sw_collector *c)
{
	struct sw_under under;

	c->under = open(c->options.under, O_PATH | O_DIRECTORY | O_CLOEXEC);
	under.descriptor = c->under;
	return c->under < 0 || run_program(c, "find_under", &under, sizeof(under));
}

/* Fill a queue with the numbers of all that is free. */
static int fill(struct sw_collector *c, const char *queue, uint32_t count)
{
	struct bpf_map *map = bpf_object__find_map_by_name(c->object, queue);

	for (uint32_t i = 0; i < count; i++)
		if (bpf_map__update_elem(map, NULL, 0, &i, sizeof(i), BPF_ANY))
			return -1;
	return 0;
}

static int set_up(struct sw_collector *c, char *error)
{
	struct sw_options *o = &c->options;
	struct sw_knobs knobs = {
		.filter = o->filter,
		.runs_bytes = o->ring_bytes - o->ring_bytes / 8,
		.wakeup_bytes = o->ring_bytes / 8,
	};
	const struct {
		const char *map;
		uint32_t entries;
	} sizes[] = {
		{"ring", o->ring_bytes},
		{"opens", o->opens},
		{"slots", o->heads},
		{"heads", o->heads},
		{"free_slots", o->heads},
		{"scratches", c->processors * SCRATCHES},
		{"free_scratches", c->processors * SCRATCHES},
	};
	struct bpf_map *map;

	c->object = bpf_object__open_file(o->object, NULL);
	if (!c->object)
		return fail(error, -errno, "cannot read %s: %s", o->object, strerror(errno));
	knobs.filter.under = o->under != NULL;
	for (long bytes = sysconf(_SC_PAGESIZE); bytes > 1; bytes >>= 1)
		knobs.page_shift += 1;
	c->features = sw_choose_programs(c->object);
	knobs.preempted = (c->features & SW_ON_FUNCTIONS) != 0;
	map = bpf_object__find_map_by_name(c->object, ".rodata.knobs");
	if (!map || bpf_map__set_initial_value(map, &knobs, sizeof(knobs)))
		return fail(error, -EINVAL, "%s and this library are of different versions", o->object);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
		bpf_map__set_max_entries(bpf_object__find_map_by_name(c->object, sizes[i].map), sizes[i].entries);
	said[0] = 0;
	if (bpf_object__load(c->object)) {
		int code = -errno;

		return fail(error, code, "the kernel refuses the programs: %s\n%s", strerror(-code), said);
	}
	map = bpf_object__find_map_by_name(c->object, "targets");
	for (uint32_t i = 0; i < o->target_count; i++) {
		uint8_t one = 1;

		if (bpf_map__update_elem(map, &o->targets[i], sizeof(uint32_t), &one, sizeof(one), BPF_ANY))
			return fail(error, -errno, "cannot note process %u: %s", o->targets[i], strerror(errno));
	}
	c->control = mmap(NULL, sizeof(*c->control), PROT_READ | PROT_WRITE, MAP_SHARED,
			  bpf_object__find_map_fd_by_name(c->object, ".bss"), 0);
	if (c->control == MAP_FAILED)
		return fail(error, -errno, "cannot map the programs' variables: %s", strerror(errno));
	c->slots = mmap(NULL, slot_bytes(c), PROT_READ, MAP_SHARED, bpf_object__find_map_fd_by_name(c->object, "slots"),
			0);
	if (c->slots == MAP_FAILED)
		return fail(error, -errno, "cannot map the open runs: %s", strerror(errno));
	if (o->under && find_under(c))
		return fail(error, -errno, "cannot find %s: %s", o->under, strerror(errno));
	if (fill(c, "free_slots", o->heads) || fill(c, "free_scratches", c->processors * SCRATCHES))
		return fail(error, -errno, "cannot list the free places: %s", strerror(errno));
	c->ring = ring_buffer__new(bpf_object__find_map_fd_by_name(c->object, "ring"), take, &c->spool, NULL);
	if (!c->ring)
		return fail(error, -errno, "cannot map the ring buffer: %s", strerror(errno));
	return 0;
}

int sw_collector_open(const struct sw_options *options, struct sw_collector **out, char *error)
{
	struct sw_collector *c = calloc(1, sizeof(*c));
	int code;

	if (!c)
		return fail(error, -ENOMEM, "out of memory");
	libbpf_set_print(remember);
	c->options = *options;
	c->spool.file = options->spool;
	c->under = -1;
	c->processors = libbpf_num_possible_cpus();
	c->stop = eventfd(0, EFD_CLOEXEC);
	pthread_mutex_init(&c->lock, NULL);
	code = c->stop < 0 ? fail(error, -errno, "no file descriptor: %s", strerror(errno)) : set_up(c, error);
	if (code) {
		sw_collector_free(c);
		return code;
	}
	*out = c;
	return 0;
}

uint32_t sw_collector_features(const struct sw_collector *c)
{
	return c->features;
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

	bpf_object__for_each_program(program, c->object)
	{
		struct bpf_link *link;

		if (!bpf_program__autoload(program) || !is_attached_at_start(program))
			continue;
		link = bpf_program__attach(program);
		if (!link)
			return fail(error, -errno, "cannot attach %s: %s", bpf_program__name(program), strerror(errno));
		c->links[c->link_count++] = link;
	}
	watch_positions(c, 1);
	if (run_sweep(c, SW_SWEEP_BEGIN, error))
		return -errno;
	ring_buffer__consume(c->ring); /* while what was found running still runs and has a command line */
	if (pthread_create(&c->drain, NULL, drain, c))
		return fail(error, -EAGAIN, "cannot start a thread");
	c->draining = 1;
	return 0;
}

int sw_collector_totals(struct sw_collector *c, struct sw_totals *totals)
{
	struct sw_counters *each = calloc(c->processors, sizeof(*each));
	uint64_t *sum = (uint64_t *)&totals->kernel;
	struct bpf_program *program;
	uint32_t zero = 0;
	int code;

	memset(totals, 0, sizeof(*totals));
	if (!each)
		return -ENOMEM;
	code = bpf_map_lookup_elem(bpf_object__find_map_fd_by_name(c->object, "counters"), &zero, each);
	for (int i = 0; i < c->processors; i++)
		for (size_t k = 0; k < sizeof(*each) / sizeof(uint64_t); k++)
			sum[k] += ((uint64_t *)&each[i])[k];
	free(each);
	bpf_object__for_each_program(program, c->object)
	{
		struct bpf_prog_info info = {};
		uint32_t bytes = sizeof(info);

		if (!bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &bytes))
			totals->lost_recursion += info.recursion_misses;
	}
	totals->lost_spool = c->spool.lost_accesses;
	totals->lost_spool_records = c->spool.lost_records;
	totals->open_files = c->control->open_files;
	totals->spooled_bytes = c->spool.written;
	totals->spool_error = c->spool.error;
	return code;
}

long sw_collector_open_runs(struct sw_collector *c, struct sw_run *runs, size_t max)
{
	size_t count = 0;

	for (uint32_t i = 0; i < c->options.heads && count < max; i++) {
		const volatile struct sw_slot *slot = &c->slots[i];
		uint32_t closed = slot->closed;
		struct sw_slot copy;

		if (!slot->key.file || !slot->head.run.count)
			continue;
		atomic_thread_fence(memory_order_acquire);
		memcpy(&copy, (const void *)slot, sizeof(copy));
		atomic_thread_fence(memory_order_acquire);
		if (slot->opened == closed && copy.key.file)
			runs[count++] = copy.head.run;
	}
	return count;
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
		munmap(c->slots, slot_bytes(c));
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

int sw_probe(const char *object, const char *name, char *error)
{
	struct bpf_object *o;
	struct bpf_program *program;
	int code = 0;

	libbpf_set_print(remember);
	said[0] = 0;
	o = bpf_object__open_file(object, NULL);
	if (!o)
		return fail(error, -errno, "cannot read %s: %s", object, strerror(errno));
	bpf_object__for_each_program(program, o)
		bpf_program__set_autoload(program, !strcmp(bpf_program__name(program), name));
	if (!bpf_object__find_program_by_name(o, name))
		code = fail(error, -ENOENT, "no program %s", name);
	else if (bpf_object__load(o))
		code = fail(error, -errno, "%s\n%s", strerror(errno), said);
	bpf_object__close(o);
	return code;
}
