/*
 * What a slow storage is told and what it tells: one page of shared memory that `slow.py` reads and writes as well, and
 * the log of its reads behind it.
 */
#ifndef SLOW_H
#define SLOW_H

#include <linux/fuse.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define MOST_BYTES (1 << 20)
#define LOGGED (1 << 20)

/*
 * All may be changed while it runs but those that the kernel is told at the beginning. In the order of `slow.Settings`,
 * which says what each means.
 */
#define SETTINGS(EACH)        \
	EACH(latency_us)      \
	EACH(open_us)         \
	EACH(lookup_us)       \
	EACH(getattr_us)      \
	EACH(jitter_us)       \
	EACH(seed)            \
	EACH(bytes_s)         \
	EACH(total_bytes_s)   \
	EACH(slow_inode)      \
	EACH(slow_percent)    \
	EACH(fail_at)         \
	EACH(fail_permille)   \
	EACH(fail_errno)      \
	EACH(hang_at)         \
	EACH(die_at)          \
	EACH(keeps)           \
	EACH(valid_ms)        \
	EACH(direct)          \
	EACH(refuse_direct)   \
	EACH(servers)         \
	EACH(request_bytes)   \
	EACH(readahead_bytes) \
	EACH(background)      \
	EACH(async_direct)

struct settings {
#define EACH(name) _Atomic uint64_t name;
	SETTINGS(EACH)
#undef EACH
};

/* In the order of `slow.COUNTERS`. */
struct counters {
	_Atomic uint64_t lookups, getattrs, opens, reads, bytes, in_flight, most_in_flight, failed, hung;
};

/* A read: the inode it is of in the source, and when (CLOCK_MONOTONIC) it was asked and answered; 0 is not yet. */
struct logged {
	uint64_t inode, offset, size, begin_ns;
	_Atomic uint64_t end_ns;
};

struct control {
	union {
		struct {
			struct settings settings;
			struct counters counters;
			_Atomic uint64_t ready;
		};
		char page[4096];
	};
	struct logged log[LOGGED];
};

extern struct control *control;

_Noreturn void die(const char *what);

/* pace.c: how long things take, and what goes wrong. */
enum fate { ANSWERED, FAILED, HUNG };

uint64_t now_ns(void);
void take(uint64_t us);
enum fate begin_read(uint64_t inode, uint64_t offset, uint64_t size, uint64_t *number);
void end_read(uint64_t number, uint64_t began_ns, uint64_t inode, uint64_t bytes);

/* tree.c: the source's files, by the numbers that the kernel knows them by; functions return errno values. */
void tree_begin(const char *source);
uint64_t tree_inode(uint64_t node);
int tree_look_up(uint64_t parent, const char *name, struct fuse_entry_out *out);
int tree_describe(uint64_t node, struct fuse_attr *attr);
int tree_open(uint64_t node, int flags, int *fd);
int tree_list(uint64_t handle, uint64_t offset, char *data, size_t room, size_t *used);
int tree_link(uint64_t node, char *data, size_t room, size_t *used);
int tree_space(struct fuse_kstatfs *out);

#endif
