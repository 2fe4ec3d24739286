/* From accesses to runs: the open run of each (open file, thread, kind of access). */
#ifndef STEPWELL_HEADS_H
#define STEPWELL_HEADS_H

#include "emit.h"

/* An address that now holds another inode is another open file. */
static __always_inline int is_same_file(__u64 inode, __u64 ino, struct file *file)
{
	return inode == (__u64)READ(file, f_inode) && ino == READ((struct inode *)inode, i_ino);
}

static __always_inline void keep_open(__u64 *address, struct sw_open_file *fresh)
{
	if (!bpf_map_update_elem(&opens, address, fresh, BPF_NOEXIST))
		__sync_fetch_and_add(&control.open_files, 1);
	else
		bpf_map_update_elem(&opens, address, fresh, BPF_EXIST);
}

static __always_inline void forget_open(__u64 *address)
{
	if (!bpf_map_delete_elem(&opens, address))
		__sync_fetch_and_sub(&control.open_files, 1);
}

/* What is known of an open file; it is told of when first seen. NULL when the map has no room at all. */
static __always_inline struct sw_open_file *open_of(__u64 address, struct sw_task *t, __u64 start_ns)
{
	struct file *file = (struct file *)address;
	struct sw_open_file *known = bpf_map_lookup_elem(&opens, &address);
	struct sw_open_file fresh = {};

	if (known && is_same_file(known->inode, known->ino, file))
		return known;
	fresh.inode = (__u64)READ(file, f_inode);
	fresh.ino = READ((struct inode *)fresh.inode, i_ino);
	fresh.open = send_open(t, address, start_ns, 0, SW_OPEN_BEFORE);
	keep_open(&address, &fresh);
	return bpf_map_lookup_elem(&opens, &address);
}

static __always_inline int lock_slot(struct sw_slot *slot)
{
	if (__sync_val_compare_and_swap(&slot->lock, 0, 1))
		return 0;
	slot->opened += 1;
	return 1;
}

static __always_inline void unlock_slot(struct sw_slot *slot)
{
	slot->closed += 1;
	__sync_lock_test_and_set(&slot->lock, 0);
}

static __always_inline int is_slot_of(struct sw_slot *slot, struct sw_key *key)
{
	return slot->key.file == key->file && slot->key.thread == key->thread && slot->key.op == key->op;
}

/* Prepare an empty run for the accesses of `key`. */
static __always_inline void init_head(struct sw_head *head, struct sw_key *key, __u64 open)
{
	__builtin_memset(head, 0, sizeof(*head));
	head->run.op = key->op & 0xff;
	head->run.thread = key->thread;
	head->run.open = open;
}

/* Send one access by itself. */
static __always_inline void send_single(struct sw_key *key, __u64 open, struct sw_access *access)
{
	struct sw_head *head;
	__u32 number;

	head = (struct sw_head *)take_scratch(&number);
	if (!head)
		return;
	init_head(head, key, open);
	sw_begin(head, access);
	send_run(0, &head->run, sw_seal(&head->run));
	COUNT(uncoalesced, 1);
	give_scratch(&number);
}

/* Send what the slot holds and empty it; the caller holds the lock. */
static __always_inline void flush_slot(struct sw_slot *slot)
{
	struct sw_run *run = &slot->head.run;

	if (!run->count && !run->latency_max_ns)
		return;
	send_run(0, run, sw_seal(run));
	run->count = 0;
	sw_clear_times(run);
}

/* End the run of `key` in slot `number`: nothing more will come for it, and the slot is free. */
static __always_inline void end_slot(struct sw_key *key, __u32 number)
{
	struct sw_slot *slot = bpf_map_lookup_elem(&slots, &number);

	if (!slot || !lock_slot(slot))
		return;
	if (!is_slot_of(slot, key)) {
		unlock_slot(slot);
		return;
	}
	flush_slot(slot);
	slot->key.file = 0; /* whoever still holds this slot sees that it is no longer his */
	unlock_slot(slot);
	bpf_map_delete_elem(&heads, key);
	bpf_map_push_elem(&free_slots, &number, 0);
}

static __always_inline void end_key(struct sw_key *key)
{
	__u32 *number = bpf_map_lookup_elem(&heads, key);

	if (number)
		end_slot(key, *number);
}

/*
 * A slot that is free: one that was given back, else the next that nobody has had, so that the used ones lie together.
 * Returns 0, or not when all are taken.
 */
static __always_inline long take_slot(__u32 *number)
{
	if (!bpf_map_pop_elem(&free_slots, number))
		return 0;
	if (control.used_slots >= knobs.heads)
		return -1;
	*number = __sync_fetch_and_add(&control.used_slots, 1);
	return *number >= knobs.heads;
}

/* The slot of `key`, found or made; NULL when all are taken. */
static __always_inline struct sw_slot *find_slot(struct sw_key *key, struct sw_open_file *known, __u32 *number)
{
	__u32 *there = bpf_map_lookup_elem(&heads, key);
	struct sw_slot *slot;

	if (there) {
		*number = *there;
		slot = bpf_map_lookup_elem(&slots, number);
		if (slot && slot->head.run.open == known->open && is_slot_of(slot, key))
			return slot;
		end_slot(key, *number);
	}
	if (take_slot(number))
		return 0;
	slot = bpf_map_lookup_elem(&slots, number);
	if (!slot)
		return 0;
	if (!lock_slot(slot))
		return 0;
	slot->key = *key;
	slot->inode = known->inode;
	slot->ino = known->ino;
	init_head(&slot->head, key, known->open);
	unlock_slot(slot);
	if (bpf_map_update_elem(&heads, key, number, BPF_ANY)) {
		slot->key.file = 0;
		bpf_map_push_elem(&free_slots, number, 0);
		return 0;
	}
	known->ops |= 1U << (key->op & 7);
	known->thread = !known->thread || known->thread == key->thread ? key->thread : SEVERAL;
	return slot;
}

/* The thread closes an open file for good: its own runs on it end. */
static __always_inline void end_file(struct sw_task *t, __u64 file, __u32 ops)
{
	struct sw_key key = {.file = file, .thread = t->thread};

	for (__u32 op = SW_READ; op <= SW_COPY; op++) {
		if (!(ops & (1U << op)))
			continue;
		key.op = op;
		end_key(&key);
		key.op = op | SW_LATENCIES;
		end_key(&key);
	}
}

/* The thread ends: its latest runs end. Runs on other files it had end when they are found idle. */
WHOLE int end_thread_runs(struct sw_task *t)
{
	for (__u32 i = 0; i < CACHED; i++) {
		struct sw_key key = {};

		if (!t || !t->cached[i].file)
			continue;
		key.file = t->cached[i].file;
		key.thread = t->thread;
		key.op = t->cached[i].op;
		end_slot(&key, t->cached[i].slot);
		key.op |= SW_LATENCIES;
		end_key(&key);
	}
	return 0;
}

static __always_inline void count_access(struct sw_access *access)
{
	__u32 zero = 0;
	struct sw_counters *c = bpf_map_lookup_elem(&counters, &zero);

	if (!c)
		return;
	add_to(&c->accesses, 1);
	add_to(&c->bytes, access->size);
	if (access->flags & SW_ESTIMATED_OFFSET)
		add_to(&c->estimated, 1);
}

/* Record one access of thread `t` on the open file at `address`. Returns 0 when the file is not one to record. */
WHOLE int add_access(struct sw_task *t, __u64 address, __u32 op, struct sw_access *access)
{
	struct file *file = (struct file *)address;
	struct sw_key key = {.file = address, .op = op};
	struct sw_open_file *known;
	struct sw_cached *cached;
	struct sw_slot *slot = 0;
	__u32 number = 0;

	if (!t || !access)
		return 0;
	key.thread = t->thread;
	cached = &t->cached[((key.file >> 8) + op) & (CACHED - 1)];
	if (cached->file == key.file && cached->op == op && cached->epoch == control.epoch) {
		number = cached->slot;
		slot = bpf_map_lookup_elem(&slots, &number);
	}
	if (!slot || !is_slot_of(slot, &key) || !is_same_file(slot->inode, slot->ino, file)) {
		known = open_of(address, t, access->start_ns);
		if (!known) {
			t->seq += 1;
			count_access(access);
			COUNT(lost_opens, 1);
			return 0;
		}
		if (!known->open)
			return 0;
		slot = find_slot(&key, known, &number);
		cached->file = slot ? key.file : 0;
		cached->op = op;
		cached->slot = number;
		cached->epoch = control.epoch;
	}
	access->seq = __sync_fetch_and_add(&t->seq, 1);
	count_access(access);
	if (slot && lock_slot(slot)) {
		if (is_slot_of(slot, &key)) {
			sw_add(&slot->head, access, send_run, 0);
			unlock_slot(slot);
			return 1;
		}
		unlock_slot(slot);
	}
	known = bpf_map_lookup_elem(&opens, &address);
	send_single(&key, known ? known->open : 0, access);
	return 1;
}

/* Add the latency of an asynchronous access, which joined its run when it was issued. */
static __always_inline void add_latency(struct sw_key *issued, struct sw_open_file *known, __u64 latency_ns,
					__u32 waited, __u64 now)
{
	struct sw_key key = {.file = issued->file, .thread = issued->thread, .op = issued->op | SW_LATENCIES};
	__u32 number = 0;
	struct sw_slot *slot = find_slot(&key, known, &number);

	if (slot && lock_slot(slot)) {
		struct sw_run *run = &slot->head.run;

		if (!run->latency_max_ns) {
			run->start_ns = now;
			run->flags = SW_ASYNC;
		}
		run->span_ns = now - run->start_ns;
		sw_time(run, latency_ns, waited);
		unlock_slot(slot);
	} else {
		COUNT(unmatched, 1);
	}
}

#endif
