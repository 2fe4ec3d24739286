/*
 * Workers that bring ranges of files into the page cache, each with one request at a time, so that a hung one holds up
 * no other. Files are opened below a root only and closed within about a second.
 */
#ifndef STEPWELL_POOL_H
#define STEPWELL_POOL_H

#include <stdint.h>

enum sw_kind {
	SW_READ, /* read into a discarded buffer what is not resident */
	SW_WILLNEED, /* let the kernel read it ahead, and wait until it is there */
	SW_LOOK, /* only tell what is resident */
	SW_DROP, /* let the range be evicted */
	SW_BLOCK, /* the same as SW_READ, by an open file of its own */
	SW_TOUCH, /* have the mount's client fetch all of it by asking for its first page, past the page cache */
};

struct sw_done {
	uint64_t number;
	uint64_t brought; /* bytes that came and had not been resident */
	uint64_t resident; /* bytes of the range that had been, for SW_LOOK that are */
	uint64_t file_size;
	uint64_t dev, ino;
	uint64_t begin_ns, end_ns;
	int32_t error;
	uint32_t kind;
	uint64_t opened; /* 1 when the file was opened for it: inotify tells this, too */
};

struct sw_pool;

/* NULL and errno when there is no memory; *event becomes readable when something is done. */
struct sw_pool *sw_pool_begin(uint32_t most_workers, int *event);

/* The number of a directory, absolute and free of symbolic links, or -errno. */
int sw_pool_root(struct sw_pool *pool, const char *path);

/* 0, or -errno: -EAGAIN when every worker is busy and no further one can be started. */
int sw_pool_submit(struct sw_pool *pool, uint64_t number, uint32_t root, const char *path, uint64_t offset,
		   uint64_t size, uint32_t kind);

/* Move what is done to `done`, at most `room`; how many. */
uint32_t sw_pool_take(struct sw_pool *pool, struct sw_done *done, uint32_t room);

/* A descriptor of a directory below a root, or -errno. */
int sw_open_directory(const char *root, const char *path);

#endif
