/* Which threads are traced: decided once when tracing begins, and for every thread that starts later. */
#ifndef STEPWELL_THREADS_H
#define STEPWELL_THREADS_H

#include "emit.h"

#define CGROUP_DEPTH 32

static __always_inline int is_in_cgroup(struct task_struct *task)
{
	struct css_set *cgroups = UNTRUSTED(task)->cgroups;
	struct cgroup_subsys_state *css;

	if (knobs.filter.cgroup_subsystem < 0)
		css = &cgroups->dfl_cgrp->self;
	else
		css = cgroups->subsys[knobs.filter.cgroup_subsystem & 15];
	for (int i = 0; i < CGROUP_DEPTH && css; i++) {
		if (css->cgroup->kn->id == knobs.filter.cgroup)
			return 1;
		css = css->parent;
	}
	return 0;
}

/* 0, or -1 without memory for its state, or while another program is in that of this processor. */
static __noinline int begin_thread(struct task_struct *task, __u32 existed)
{
	struct sw_task *t = bpf_task_storage_get(&tasks, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	struct task_struct *untrusted = UNTRUSTED(task);
	struct sw_thread record = {.kind = SW_THREAD};

	if (!t)
		return -1;
	if (t->thread)
		return 0;
	mark(task);
	t->thread = __sync_fetch_and_add(&control.next_thread, 1) + 1;
	t->dormant = existed && knobs.filter.after_exec;
	t->begin_system_ns = existed ? task->stime : 0;
	t->begin_run_ns = existed ? task->se.sum_exec_runtime : 0;
	t->begin_queued_ns = existed ? task->sched_info.run_delay : 0;
	record.thread = t->thread;
	record.pid = task->tgid;
	record.tid = task->pid;
	record.ppid = untrusted->group_leader->real_parent->tgid;
	record.uid = untrusted->real_cred->uid.val;
	record.start_ns = bpf_ktime_get_ns();
	record.process_start_ns = untrusted->group_leader->start_boottime;
	record.cgroup = untrusted->cgroups->dfl_cgrp->kn->id;
	if (untrusted->nsproxy)
		record.mount_namespace = untrusted->nsproxy->mnt_ns->ns.inum;
	record.existed = existed;
	__builtin_memcpy(record.comm, task->comm, sizeof(record.comm));
	send_record(&record, sizeof(record));
	return 0;
}

/* How the thread fared. Processor time is exact in sum; its part in the kernel is the kernel's own estimate. */
static __noinline void send_thread_end(struct task_struct *task, struct sw_task *t, __u32 exited)
{
	__u64 run = task->se.sum_exec_runtime - t->begin_run_ns;
	__u64 system = task->stime - t->begin_system_ns;
	struct sw_thread_end record = {.kind = SW_THREAD_END};

	if (system > run)
		system = run;
	record.thread = t->thread;
	record.end_ns = bpf_ktime_get_ns();
	record.user_ns = run - system;
	record.system_ns = system;
	record.async_wait_ns = t->async_wait_ns;
	record.queued_ns = task->sched_info.run_delay - t->begin_queued_ns;
	record.accesses = t->seq;
	record.exited = exited;
	record.exit_code = task->exit_code;
	__builtin_memcpy(record.comm, task->comm, sizeof(record.comm));
	send_record(&record, sizeof(record));
}

static __always_inline int is_wanted(struct task_struct *task)
{
	__u32 process = task->tgid;

	if (process == knobs.filter.self || process == control.keeper || (task->flags & (PF_KTHREAD | PF_IO_WORKER)))
		return 0;
	if (knobs.filter.scope == SW_SCOPE_TREE)
		return bpf_map_lookup_elem(&targets, &process) != 0;
	if (knobs.filter.scope == SW_SCOPE_CGROUP)
		return is_in_cgroup(task);
	return 1;
}

/* Is a thread that `parent` makes to be traced? The sweep may not have come to a parent that is asked for. */
static __always_inline int is_wanted_child(struct task_struct *parent, struct task_struct *child)
{
	if (knobs.filter.scope != SW_SCOPE_TREE)
		return is_wanted(child);
	return traced(parent) || (!knobs.filter.after_exec && is_wanted(parent));
}

#endif
