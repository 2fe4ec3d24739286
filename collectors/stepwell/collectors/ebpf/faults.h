/*
 * Page faults on file mappings. A fault is seen as the range of cached pages mapped around it, as the page that was
 * missing, or as one after the other: so it is held until something else happens in the thread.
 *
 * Where programs may not be attached to the kernel's functions, it is not told which open file was mapped nor how long
 * a fault took. The file is looked for. A thread that computes cannot sleep except in a fault, so the time that it
 * spent off the processor until its next system call or fault is the fault's; faults that did not sleep have latency 0.
 * So have those inside a system call (on the caller's buffer): their time is the call's.
 */
#ifndef STEPWELL_FAULTS_H
#define STEPWELL_FAULTS_H

#include "calls.h"
#include "heads.h"

/* How long the task could have run until then, as the same on all processors: what it used, and what it waited for. */
static __always_inline __u64 ready(struct task_struct *task)
{
	return task->se.sum_exec_runtime + task->sched_info.run_delay;
}

/*
 * A clock that only runs while the task is off the processor, up to a constant: when it last got the processor less
 * what it has used until then, less what it waited for a free processor. On a virtual machine short of processors it
 * may step back, or far ahead, when the task goes from one processor to another: each has its own account of stolen
 * time. So what it tells is held against the time that passed.
 */
static __always_inline __u64 off_cpu(struct task_struct *task)
{
	return task->se.exec_start - ready(task);
}

/* Look through the current process's areas for the open file that it has mapped, and note it. */
static __noinline int find_mapping(struct sw_mapping_key *key)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct bpf_iter_task_vma it;
	struct vm_area_struct *area;
	__u64 found = 0;

	if (!has_function(bpf_iter_task_vma_new))
		return 0;
	bpf_iter_task_vma_new(&it, task, 0);
	while ((area = bpf_iter_task_vma_next(&it))) {
		struct file *file = READ(area, vm_file);

		if (file && (__u64)READ(file, f_mapping) == key->mapping) {
			found = (__u64)file;
			bpf_map_update_elem(&mappings, key, &found, BPF_ANY);
			break;
		}
	}
	bpf_iter_task_vma_destroy(&it);
	return found != 0;
}

/* The open file that a process has mapped as `mapping`; 0 when it cannot be found out now. */
static __always_inline __u64 mapped_file(__u64 mapping, __u64 process)
{
	struct sw_mapping_key key = {.mapping = mapping, .process = process};
	__u64 *known = bpf_map_lookup_elem(&mappings, &key);

	if (known && (__u64)READ((struct file *)*known, f_mapping) == mapping)
		return *known;
	if (!find_mapping(&key))
		return 0;
	known = bpf_map_lookup_elem(&mappings, &key);
	return known ? *known : 0;
}

/*
 * Turn the held fault into an access; the thread's clock off the processor, what it has been ready for, and its
 * switches, have come this far.
 */
WHOLE int settle_held(struct sw_task *t, __u64 off_cpu_now, __u64 ready_now, __u64 switches)
{
	struct sw_access *access;
	struct sw_fault *fault;
	__u64 address, end;
	__s64 latency, passed;

	if (!t || !t->fault.mapping)
		return 0;
	fault = &t->fault;
	access = &t->access;
	address = fault->file ? fault->file : mapped_file(fault->mapping, fault->process);
	if (!address || (__u64)READ((struct file *)address, f_mapping) != fault->mapping) {
		fault->mapping = 0;
		COUNT(unmapped, 1);
		return 0;
	}
	fault->mapping = 0;
	access->start_ns = fault->start_ns;
	access->offset = fault->first << knobs.page_shift;
	access->requested = (fault->last - fault->first + 1) << knobs.page_shift;
	access->size = access->requested;
	end = READ(READ((struct file *)address, f_inode), i_size);
	if (access->offset + access->size > end)
		access->size = access->offset < end ? end - access->offset : 0;
	access->flags = fault->around ? SW_FAULT_AROUND : 0;
	access->waited = fault->file ? fault->waited : switches != fault->switches;
	access->filled = t->filled - fault->filled;
	latency = fault->file ? fault->end_ns - fault->start_ns : off_cpu_now - fault->off_cpu;
	passed = bpf_ktime_get_ns() - fault->start_ns - (ready_now - fault->ready);
	if (!fault->file && latency > passed)
		latency = passed;
	access->latency_ns = latency > 0 && (fault->file || access->waited) ? latency : 0;
	if (fault->in_call) {
		access->waited = 0;
		access->filled = 0;
		access->latency_ns = 0;
	}
	return add_access(t, address, SW_MMAP, access);
}

static __always_inline void settle_fault(struct sw_task *t, struct task_struct *task)
{
	if (t->fault.mapping)
		settle_held(t, off_cpu(task), ready(task), task->nvcsw);
}

/*
 * The thread faults on these pages: a page that is missing, or cached pages that are mapped around one. The kernel
 * counts a fault when it has ended; until then what is seen belongs to the same one, which is begun again after it
 * waited for its page. Then the pages around are the fault's too, unless that page came alone. `file` is 0 where it is
 * not told.
 */
static __always_inline void see_fault(struct sw_task *t, __u64 mapping, __u64 file, __u64 first, __u64 last, int around)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct sw_fault *fault = &t->fault;
	__u64 ended = task->min_flt + task->maj_flt;
	int again = fault->mapping == mapping && fault->ended == ended && first <= fault->last && last >= fault->first;

	if (again && around && t->filled - fault->filled == 1)
		return;
	if (!again) {
		settle_fault(t, task);
		fault->mapping = mapping;
		fault->process = (__u64)UNTRUSTED(task)->mm;
		fault->file = file;
		fault->ended = ended;
		fault->filled = t->filled;
		fault->in_call = t->call != CALL_NONE;
		fault->start_ns = bpf_ktime_get_ns();
		fault->off_cpu = off_cpu(task);
		fault->ready = ready(task);
		fault->switches = task->nvcsw;
	}
	fault->first = first;
	fault->last = last;
	fault->around = around;
}

/* A part of the held fault has ended, and where it told its file so much is known of it. */
static __always_inline void end_fault(struct sw_task *t, int again)
{
	struct task_struct *task = bpf_get_current_task_btf();

	t->fault.end_ns = bpf_ktime_get_ns();
	t->fault.waited = task->nvcsw != t->fault.switches;
	if (!again)
		settle_fault(t, task);
}

#endif
