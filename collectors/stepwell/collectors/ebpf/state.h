/* The maps and knobs, and what is kept of a traced thread. */
#ifndef STEPWELL_STATE_H
#define STEPWELL_STATE_H

#include "kernel.h"
#include "shared.h"

const volatile struct sw_knobs knobs SEC(".rodata.knobs") = {};
struct sw_control control; /* all of .bss */

/*
 * A function that the verifier checks once a program, knowing nothing of its arguments, instead of at every call: that
 * halves the time it takes to load the programs. Such functions are global, and take numbers and pointers to memory.
 */
#define WHOLE __attribute__((noinline))

#define CACHED 16 /* a power of two */

/* Where a thread found its open run for a file and kind of access the last time. */
struct sw_cached {
	__u64 file;
	__u32 op;
	__u32 slot;
	__u32 epoch; /* of control: worthless when that has changed */
	__u32 reserved;
};

/* A page fault that is not yet an access: more may be seen of it. */
struct sw_fault {
	__u64 mapping; /* 0: none */
	__u64 process; /* as in sw_mapping_key */
	__u64 file; /* the open file, where that is told */
	__u64 first; /* page index */
	__u64 last;
	__u64 start_ns;
	__u64 end_ns; /* where that is told */
	__u64 off_cpu; /* see off_cpu() */
	__u64 ready; /* see ready() */
	__u64 switches;
	__u64 ended; /* faults that the thread had behind it */
	__u32 filled; /* of the thread, when the fault began */
	__u8 around;
	__u8 in_call;
	__u8 waited; /* where the fault's end is told */
};

/* libaio's request, which is its ABI. */
struct iocb {
	__u64 data;
	__u32 key;
	__u32 rw_flags;
	__u16 opcode;
	__s16 priority;
	__u32 fd;
	__u64 buffer;
	__u64 bytes;
	__s64 offset;
};

/* One traced thread. */
struct sw_task {
	__u32 thread;
	__u32 call; /* enum call in progress, 0 when none */
	__u64 seq;
	__u64 start_ns; /* of the call in progress */
	__u64 end_ns; /* of the call that has just ended */
	__u64 file;
	__u64 other; /* second file of the call, or a user-space address */
	__u64 position;
	__u64 other_position;
	__u64 requested;
	__u64 switches;
	__u32 filled;
	__u32 argument;
	struct sw_fault fault;
	struct sw_access access; /* the one being recorded */
	struct iocb iocb; /* the request being looked at; both here because the programs' stack is small */
	__u64 async_wait_ns;
	__u64 begin_system_ns;
	__u64 begin_run_ns;
	__u64 begin_queued_ns;
	__u32 dormant; /* not recorded until execve */
	__u32 ended; /* a zombie is still in the list of tasks */
	__u32 appends; /* the call writes at the file's end */
	__u32 submits; /* the call hands requests over to io_uring, and waits for none */
	struct sw_cached cached[CACHED]; /* spares the look-up by key; also what to flush at exit */
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct sw_task);
} tasks SEC(".maps");

/* One bit for each thread id, set for those in `tasks`: others are told apart in a tenth of the time. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, (1 << 22) / 64); /* PID_MAX_LIMIT */
	__type(key, __u32);
	__type(value, __u64);
} marks SEC(".maps");

/* Processes whose threads the iterator marks; scope TREE. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, __u8);
} targets SEC(".maps");

/* The open runs; user space reads them where they lie. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* this and the two maps below: set by the loader */
	__type(key, __u32);
	__type(value, struct sw_slot);
} slots SEC(".maps");

/* Which slot a key has. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct sw_key);
	__type(value, __u32);
} heads SEC(".maps");

/* Slots that were given back. */
struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 1);
	__type(value, __u32);
} free_slots SEC(".maps");

/* Open files by address. */
struct sw_open_file {
	__u64 open; /* 0: not one to record */
	__u64 inode;
	__u64 ino;
	__u32 ops; /* kinds of access that some thread made, as bits */
	__u32 thread; /* the one that has open runs, SEVERAL, or 0 */
};

#define SEVERAL (~0U)

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1); /* set by the loader */
	__type(key, __u64);
	__type(value, struct sw_open_file);
} opens SEC(".maps");

/* Which open file a process has mapped, by the mapping's address: found by looking through the process's areas. */
struct sw_mapping_key {
	__u64 mapping;
	__u64 process;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct sw_mapping_key);
	__type(value, __u64); /* address of the open file, 0 if none was found */
} mappings SEC(".maps");

/* Asynchronous requests under way. */
struct sw_request_key {
	__u64 id; /* address of the kernel's request, or of the user's iocb */
	__u64 process; /* 0 for io_uring */
};

struct sw_request {
	struct sw_access access;
	struct sw_key key; /* file 0: not known at submission, so not yet counted */
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 32768);
	__type(key, struct sw_request_key);
	__type(value, struct sw_request);
} requests SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 25); /* set by the loader */
} ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sw_counters);
} counters SEC(".maps");

/* Room for a record right before its text. */
#define TEXT_BYTES 4096
#define TEXT_SLACK 512
#define BEFORE_TEXT(type, name)                                            \
	struct {                                                           \
		char before_##name[sizeof(struct sw_open) - sizeof(type)]; \
		type name;                                                 \
	}

struct sw_scratch {
	union {
		struct sw_open open;
		BEFORE_TEXT(struct sw_exec, exec);
		BEFORE_TEXT(struct sw_event, event);
	};
	char text[TEXT_BYTES + TEXT_SLACK];
};

/* Not one a processor: where the kernel preempts its own code, programs on one processor interrupt each other. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* this and the map below: set by the loader */
	__type(key, __u32);
	__type(value, struct sw_scratch);
} scratches SEC(".maps");

/* Those that nobody uses; filled by the loader. */
struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 1);
	__type(value, __u32);
} free_scratches SEC(".maps");

static __always_inline void add_to(uint64_t *counter, __u64 n)
{
	if (knobs.preempted)
		__sync_fetch_and_add(counter, n);
	else
		*counter += n;
}

static __always_inline void count_at(__u64 offset, __u64 n)
{
	__u32 zero = 0;
	struct sw_counters *c = bpf_map_lookup_elem(&counters, &zero);

	if (c && offset <= sizeof(*c) - sizeof(__u64))
		add_to((uint64_t *)((char *)c + offset), n);
}

#define COUNT(member, n) count_at(__builtin_offsetof(struct sw_counters, member), n)

/* Take a scratch for a while; NULL, and counted, when all are taken. */
static __always_inline struct sw_scratch *take_scratch(__u32 *number)
{
	if (bpf_map_pop_elem(&free_scratches, number)) {
		COUNT(lost_records, 1);
		return 0;
	}
	return bpf_map_lookup_elem(&scratches, number);
}

static __always_inline void give_scratch(__u32 *number)
{
	bpf_map_push_elem(&free_scratches, number, 0);
}

/* The word of `marks` that a thread's bit is in. */
static __always_inline __u64 *mark_of(struct task_struct *task)
{
	__u32 word = (__u32)task->pid >> 6;

	return bpf_map_lookup_elem(&marks, &word);
}

static __always_inline void mark(struct task_struct *task)
{
	__u64 *word = mark_of(task);

	if (word)
		__sync_fetch_and_or(word, 1ULL << (task->pid & 63));
}

static __always_inline void unmark(struct task_struct *task)
{
	__u64 *word = mark_of(task);

	if (word)
		__sync_fetch_and_and(word, ~(1ULL << (task->pid & 63)));
}

static __always_inline struct sw_task *known_thread(struct task_struct *task)
{
	return bpf_task_storage_get(&tasks, task, 0, 0);
}

static __always_inline struct sw_task *traced(struct task_struct *task)
{
	__u64 *word = mark_of(task);
	struct sw_task *t;

	if (!word || !(*word >> (task->pid & 63) & 1))
		return 0;
	t = known_thread(task);
	return t && !t->dormant && !control.ended ? t : 0;
}

#endif
