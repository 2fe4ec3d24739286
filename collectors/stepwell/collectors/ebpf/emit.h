/* Records into the ring buffer. What does not fit is counted, in accesses where it holds accesses. */
#ifndef STEPWELL_EMIT_H
#define STEPWELL_EMIT_H

#include "path.h"

static __always_inline int send(void *record, __u64 bytes, __u64 limit)
{
	__u64 waiting = bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA);

	if (waiting > limit)
		return -1;
	return bpf_ringbuf_output(&ring, record, bytes,
				  waiting < knobs.wakeup_bytes ? BPF_RB_NO_WAKEUP : BPF_RB_FORCE_WAKEUP);
}

static __always_inline void send_record(void *record, __u64 bytes)
{
	if (send(record, bytes, ~0ULL))
		COUNT(lost_records, 1);
}

/* sw_seal() says how many bytes; the verifier wants constants. */
static __always_inline void send_run(void *context, struct sw_run *run, __u32 bytes)
{
	long error = bytes == SW_RUN_SHORT_BYTES ? send(run, SW_RUN_SHORT_BYTES, knobs.runs_bytes)
						 : send(run, SW_RUN_BYTES, knobs.runs_bytes);

	(void)context;
	if (error)
		COUNT(lost_ring, run->count);
	else
		COUNT(runs, 1);
}

static __always_inline __u64 send_open_by(struct sw_scratch *s, struct walk *w, struct sw_task *t, __u64 address,
					  __u64 start_ns, __u64 latency_ns, __u32 state)
{
	struct file *file = (struct file *)address;
	struct dentry *dentry;
	struct inode *inode;
	struct super_block *super;
	__u64 open;

	walk_from(w, file);
	if (knobs.filter.under && !is_under(w))
		return 0;
	w->state = state;
	dentry = (struct dentry *)w->dentry;
	inode = READ(dentry, d_inode);
	if (!inode)
		inode = READ(file, f_inode);
	if (!READ(dentry, d_hash.pprev) && dentry != READ(dentry, d_parent))
		w->state |= SW_OPEN_DELETED;
	super = READ(inode, i_sb);
	if (is_made_up(READ(super, s_magic)))
		return 0;
	walk_path(w);
	open = __sync_fetch_and_add(&control.next_open, 1) + 1;
	s->open.kind = SW_OPEN;
	s->open.thread = t->thread;
	s->open.open = open;
	s->open.start_ns = start_ns;
	s->open.latency_ns = latency_ns;
	s->open.ino = READ(inode, i_ino);
	s->open.size = READ(inode, i_size);
	s->open.mtime_ns = mtime_ns(inode);
	s->open.dev = READ(super, s_dev);
	s->open.generation = READ(inode, i_generation);
	s->open.magic = READ(super, s_magic);
	s->open.flags = READ(file, f_flags) | (state & SW_OPEN_BEFORE ? 0 : t->argument);
	s->open.state = w->state;
	s->open.reserved = 0;
	if (w->used <= TEXT_BYTES)
		send_record(&s->open, sizeof(s->open) + w->used);
	return open;
}

/* Tell of an open file, with its path. Returns its number, 0 when it is not one to record. */
WHOLE __u64 send_open(struct sw_task *t, __u64 address, __u64 start_ns, __u64 latency_ns, __u32 state)
{
	struct walk w = {};
	struct sw_scratch *s;
	__u64 open = 0;

	if (!t)
		return 0;
	s = take_scratch(&w.scratch);
	if (!s)
		return 0;
	open = send_open_by(s, &w, t, address, start_ns, latency_ns, state);
	give_scratch(&w.scratch);
	return open;
}

/* An event with no path argument. */
static __always_inline void send_event(struct sw_task *t, __u32 kind, __u32 op, __u64 open, __s64 value)
{
	struct sw_event event = {
		.kind = SW_EVENT,
		.thread = t->thread,
		.event = kind,
		.op = op,
		.open = open,
		.start_ns = t->start_ns,
		.latency_ns = t->end_ns - t->start_ns,
		.value = value,
	};

	send_record(&event, sizeof(event));
}

/* The components of a directory, given by descriptor or AT_FDCWD; a single empty one for the root. */
static __always_inline void walk_directory(struct task_struct *task, __s32 directory, struct sw_scratch *s,
					   struct walk *w)
{
	__u32 before = w->used;
	struct file *file = 0;

	if (directory == -100 /* AT_FDCWD */) {
		struct fs_struct *fs = UNTRUSTED(task)->fs;

		w->dentry = (__u64)fs->pwd.dentry;
		w->mount = (__u64)fs->pwd.mnt;
	} else {
		file = file_of_fd(task, directory);
		if (!file) { /* another thread closed it meanwhile */
			w->state = SW_OPEN_NO_PATH;
			return;
		}
		walk_from(w, file);
	}
	walk_path(w);
	if (w->used == before && !w->state && before < TEXT_BYTES) {
		s->text[before] = 0;
		w->used = before + 1;
	}
}

static __always_inline void send_path_event_by(struct sw_scratch *s, struct walk *w, struct sw_task *t, __u32 kind,
					       __u64 user, __s32 directory, __s64 value)
{
	struct task_struct *task = bpf_get_current_task_btf();
	long length = bpf_probe_read_user_str(s->text, TEXT_BYTES, (void *)user);

	if (length <= 0) {
		COUNT(lost_vector, 1);
		return;
	}
	s->event.kind = SW_EVENT;
	s->event.thread = t->thread;
	s->event.event = kind;
	s->event.op = 0;
	s->event.open = 0;
	s->event.start_ns = t->start_ns;
	s->event.latency_ns = t->end_ns - t->start_ns;
	s->event.value = value;
	s->event.argument_bytes = length - 1;
	w->used = length - 1;
	if (s->text[0] != '/')
		walk_directory(task, directory, s, w);
	s->event.state = w->state;
	if (w->used <= TEXT_BYTES)
		send_record(&s->event, sizeof(s->event) + w->used);
}

/* An event on a path argument at `user`, relative to `directory` (a descriptor, or AT_FDCWD). */
WHOLE int send_path_event(struct sw_task *t, __u32 kind, __u64 user, __s32 directory, __s64 value)
{
	struct walk w = {};
	struct sw_scratch *s;

	if (!t)
		return 0;
	s = take_scratch(&w.scratch);
	if (!s)
		return 0;
	send_path_event_by(s, &w, t, kind, user, directory, value);
	give_scratch(&w.scratch);
	return 0;
}

#endif
