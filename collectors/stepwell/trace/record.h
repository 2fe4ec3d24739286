/* Generated from definition.py by `make docs`; do not edit. */
#ifndef STEPWELL_RECORD_H
#define STEPWELL_RECORD_H

#include <stdint.h>

#define SW_FORMAT_VERSION 3
#define SW_BUCKETS 24
#define SW_BUCKET_SHIFT 8

enum sw_op {
	SW_READ = 0,
	SW_WRITE = 1,
	SW_MMAP = 2,
	SW_SENDFILE = 3,
	SW_SPLICE = 4,
	SW_COPY = 5,
};

enum sw_run_flag {
	SW_ASYNC = 1,
	SW_ESTIMATED_OFFSET = 2,
	SW_FAULT_AROUND = 4,
};

enum sw_open_flag {
	SW_OPEN_DELETED = 1,
	SW_OPEN_NO_PATH = 2,
	SW_OPEN_TRUNCATED_PATH = 4,
	SW_OPEN_BEFORE = 8,
};

enum sw_event_kind {
	SW_EVENT_CLOSE = 0,
	SW_EVENT_UNLINK = 1,
	SW_EVENT_RENAME_FROM = 2,
	SW_EVENT_RENAME_TO = 3,
	SW_EVENT_TRUNCATE = 4,
	SW_EVENT_SYNC = 5,
	SW_EVENT_ERROR = 6,
};

#define SW_RUN 1
#define SW_RUN_BYTES 224
struct sw_run {
	uint32_t kind;
	uint8_t op;
	uint8_t flags;
	uint16_t reserved;
	uint32_t thread;
	uint32_t count;
	uint64_t open;
	uint64_t seq;
	uint64_t seq_span;
	uint64_t start_ns;
	uint64_t span_ns;
	uint64_t offset;
	int64_t stride;
	uint64_t requested;
	uint64_t size;
	uint64_t tail;
	uint64_t latency_ns;
	uint64_t latency_max_ns;
	uint64_t wait_ns;
	uint32_t waited;
	uint32_t filled;
	uint32_t histogram[24];
};

#define SW_RUN_SHORT 2
#define SW_RUN_SHORT_BYTES 128
struct sw_run_short {
	uint32_t kind;
	uint8_t op;
	uint8_t flags;
	uint16_t reserved;
	uint32_t thread;
	uint32_t count;
	uint64_t open;
	uint64_t seq;
	uint64_t seq_span;
	uint64_t start_ns;
	uint64_t span_ns;
	uint64_t offset;
	int64_t stride;
	uint64_t requested;
	uint64_t size;
	uint64_t tail;
	uint64_t latency_ns;
	uint64_t latency_max_ns;
	uint64_t wait_ns;
	uint32_t waited;
	uint32_t filled;
};

#define SW_THREAD 3
#define SW_THREAD_BYTES 72
struct sw_thread {
	uint32_t kind;
	uint32_t thread;
	uint32_t pid;
	uint32_t tid;
	uint32_t ppid;
	uint32_t uid;
	uint64_t start_ns;
	uint64_t process_start_ns;
	uint64_t cgroup;
	uint32_t mount_namespace;
	uint32_t existed;
	char comm[16];
};

#define SW_EXEC 4
#define SW_EXEC_BYTES 32
struct sw_exec {
	uint32_t kind;
	uint32_t thread;
	uint64_t start_ns;
	char comm[16];
};

#define SW_THREAD_END 5
#define SW_THREAD_END_BYTES 80
struct sw_thread_end {
	uint32_t kind;
	uint32_t thread;
	uint64_t end_ns;
	uint64_t user_ns;
	uint64_t system_ns;
	uint64_t async_wait_ns;
	uint64_t queued_ns;
	uint64_t accesses;
	uint32_t exited;
	int32_t exit_code;
	char comm[16];
};

#define SW_OPEN 6
#define SW_OPEN_BYTES 80
struct sw_open {
	uint32_t kind;
	uint32_t thread;
	uint64_t open;
	uint64_t start_ns;
	uint64_t latency_ns;
	uint64_t ino;
	uint64_t size;
	int64_t mtime_ns;
	uint32_t dev;
	uint32_t generation;
	uint32_t magic;
	uint32_t flags;
	uint32_t state;
	uint32_t reserved;
};

#define SW_EVENT 7
#define SW_EVENT_BYTES 56
struct sw_event {
	uint32_t kind;
	uint32_t thread;
	uint32_t event;
	uint32_t op;
	uint64_t open;
	uint64_t start_ns;
	uint64_t latency_ns;
	int64_t value;
	uint32_t argument_bytes;
	uint32_t state;
};

#define SW_RESULT 8
#define SW_RESULT_BYTES 40
struct sw_result {
	uint32_t kind;
	uint32_t thread;
	uint64_t open;
	uint64_t seq;
	int64_t result;
	uint32_t op;
	uint32_t reserved;
};

#define SW_COUNTER 9
#define SW_COUNTER_BYTES 32
struct sw_counter {
	uint32_t kind;
	uint32_t thread;
	uint64_t open;
	uint64_t value;
	uint32_t module_bytes;
	uint32_t reserved;
};

#endif
