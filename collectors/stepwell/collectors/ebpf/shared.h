/*
 * What the BPF programs and the native loader agree on beside the records: knobs, counters, and the shape of an open
 * run in the `heads` map. Plain C types.
 */
#ifndef STEPWELL_SHARED_H
#define STEPWELL_SHARED_H

#include "trace/run.h"

enum sw_scope { SW_SCOPE_TREE, SW_SCOPE_CGROUP, SW_SCOPE_ALL };

/* What to record; set before the programs are loaded. */
struct sw_filter {
	uint32_t scope;
	uint32_t self; /* process that is never recorded */
	uint64_t cgroup; /* id (inode number) of the cgroup */
	int32_t cgroup_subsystem; /* index in css_set.subsys, or -1 for the unified hierarchy */
	uint32_t under; /* only files below a directory, see control */
	uint32_t after_exec; /* of the processes given, record only what they do after their next execve */
	uint32_t reserved;
};

/* All knobs; frozen when the programs are loaded. */
struct sw_knobs {
	struct sw_filter filter;
	uint64_t runs_bytes; /* data in the ring beyond which it takes no runs, but what they depend on */
	uint64_t wakeup_bytes; /* data in the ring that is worth waking the drain for */
	uint32_t page_shift;
	uint32_t preempted; /* may programs on one processor interrupt each other? */
	uint32_t heads; /* how many slots there are */
	uint32_t reserved;
};

/* SW_SWEEP_TRY leaves threads that cannot be begun now for another try, SW_SWEEP_BEGIN counts them as lost. */
enum sw_sweep { SW_SWEEP_TRY, SW_SWEEP_BEGIN, SW_SWEEP_END };

/*
 * A call that asks for much, while it is under way: what it reads is seen as an access only when it has ended. One of
 * several threads whose numbers fall together is left out.
 */
#define SW_LARGE (1U << 20) /* bytes: eight requests of what Linux reads ahead by default */
#define SW_CALLS 64 /* a power of two */

struct sw_call {
	uint64_t start_ns; /* 0: none */
	uint64_t open;
	uint64_t offset;
	uint64_t bytes; /* asked for: maybe beyond the file's end */
	uint32_t thread;
	uint32_t op; /* enum sw_op */
};

/* What programs and loader tell each other while tracing. */
struct sw_control {
	uint32_t sweep; /* enum sw_sweep: what the task iterator does */
	uint32_t left; /* threads that the iterator left for another try */
	uint32_t resweep; /* a process moved between cgroups: run the iterator again */
	uint32_t shared; /* reads at the position of a descriptor that others may move: get_pages is needed */
	uint32_t next_thread;
	uint64_t next_open;
	uint64_t under; /* address of the directory's inode, which the loader holds open */
	uint64_t open_files; /* how many are kept */
	uint32_t epoch; /* grows when an address may be another open file's without the threads that used it knowing */
	uint32_t ended; /* nothing is recorded any more */
	uint32_t keeper; /* process of the loader's that is never recorded either */
	uint32_t used_slots; /* no slot from this number on was ever taken; may be a few more than there are */
	struct sw_call calls[SW_CALLS]; /* by thread */
};

/* Per processor; summed by the loader. In accesses unless said otherwise. */
struct sw_counters {
	uint64_t accesses;
	uint64_t bytes;
	uint64_t runs;
	uint64_t lost_ring; /* no room in the ring buffer */
	uint64_t lost_records; /* other records than runs, no room in the ring buffer */
	uint64_t lost_threads; /* threads without memory for their state */
	uint64_t lost_opens; /* no room to keep the open file */
	uint64_t lost_vector; /* calls whose iovec or iocb was not in memory */
	uint64_t compat; /* system calls of 32-bit and x32 programs */
	uint64_t uncoalesced; /* sent one by one: the map of open runs was full or contended */
	uint64_t unmapped; /* page faults whose mapping could not be named */
	uint64_t estimated; /* offset estimated */
	uint64_t unmatched; /* completions whose request was not seen or no longer kept */
};

struct sw_key {
	uint64_t file; /* address of the open file, 0 in a free slot; never leaves the machine's memory */
	uint32_t thread;
	uint32_t op; /* enum sw_op, with SW_LATENCIES for latencies of asynchronous accesses */
};

#define SW_LATENCIES 0x100

/*
 * An open run. The owner thread, completions and the flusher may meet here: `lock` is only ever tried, never waited
 * for. A reader in user space copies from low to high addresses; the copy is whole when `closed` equals `opened`.
 */
struct sw_slot {
	uint32_t closed;
	uint32_t lock;
	struct sw_key key;
	uint64_t inode; /* address, with ino the file's identity: detects a reused `file` */
	uint64_t ino;
	struct sw_head head;
	uint32_t reserved;
	uint32_t opened;
};

/* Argument of the program that finds the directory of the filter. */
struct sw_under {
	uint32_t descriptor; /* of the caller */
};

/* Argument of the flush program. */
struct sw_flush {
	uint64_t idle_before_ns; /* flush and forget runs without access since then */
	uint64_t begun_before_ns; /* flush runs that began before then */
	uint64_t first; /* of this many slots */
	uint64_t count;
};

#endif
