/*
 * Page faults on file mappings. A fault is seen as the range of cached pages mapped around it, as the page that was
 * missing, or as the first followed by the second: so it is held until something else happens in the thread.
 *
 * Where programs may not be attached to the kernel's functions, it is not told which open file was mapped nor how long
 * a fault took. The file is looked for. A thread that computes cannot sleep except in a fault, so the time that it
 * spent off the processor until its next system call or fault is the fault's; faults that did not sleep have latency 0.
 */
#ifndef STEPWELL_FAULTS_H
#define STEPWELL_FAULTS_H

#include "heads.h"

/*
 * A clock that only runs while the task is off the processor, up to a constant: when it last got the processor less
 * what it has used until then, less what it waited for a free processor.
 */
static __always_inline __u64 off_cpu(struct task_struct *task)
{
	return task->se.exec_start - task->se.sum_exec_runtime - task->sched_info.run_delay;
}

static __always_inline void begin_fault(struct sw_task *t, struct task_struct *task)
{
	t->filled = 0;
	t->fault.start_ns = bpf_ktime_get_ns();
	t->fault.switches = task->nvcsw;
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
		if (area->vm_file && (__u64)READ(area->vm_file, f_mapping) == key->mapping) {
			found = (__u64)area->vm_file;
			bpf_map_update_elem(&mappings, key, &found, BPF_ANY);
			break;
		}
	}
	bpf_iter_task_vma_destroy(&it);
	return found != 0;
}

/* The open file that the current process has mapped as `mapping`; 0 when it cannot be found out now. */
static __always_inline __u64 mapped_file(struct task_struct *task, __u64 mapping)
{
	struct sw_mapping_key key = {.mapping = mapping, .process = (__u64)task->mm};
	__u64 *known = bpf_map_lookup_elem(&mappings, &key);

	if (known && (__u64)READ((struct file *)*known, f_mapping) == mapping)
		return *known;
	if (!find_mapping(&key))
		return 0;
	known = bpf_map_lookup_elem(&mappings, &key);
	return known ? *known : 0;
}

/* Record a fault on pages `first` to `last` of the open file whose address is in memory at `file`. */
static __always_inline int add_fault(struct sw_task *t, __u64 *file, __u64 first, __u64 last, int around, int waited,
				     __u64 latency_ns)
{
	struct sw_access *access = &t->access;
	__u64 address = *(volatile __u64 *)file; /* a function that is checked as a whole takes no pointer to a file */
	__u64 end = READ(READ((struct file *)address, f_inode), i_size);

	access->start_ns = t->fault.start_ns;
	access->latency_ns = latency_ns;
	access->offset = first << knobs.page_shift;
	access->requested = (last - first + 1) << knobs.page_shift;
	access->size = access->requested;
	if (access->offset + access->size > end)
		access->size = access->offset < end ? end - access->offset : 0;
	access->filled = t->filled;
	access->waited = waited;
	access->flags = around ? SW_FAULT_AROUND : 0;
	return add_access(t, address, SW_MMAP, access);
}

/* Turn the held fault into an access. */
WHOLE int settle_fault(struct sw_task *t)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u64 address, waited;

	if (!t || !t->fault.mapping)
		return 0;
	address = mapped_file(task, t->fault.mapping);
	t->fault.mapping = 0;
	if (!address) {
		COUNT(unmapped, 1);
		return 0;
	}
	waited = task->nvcsw != t->fault.switches;
	return add_fault(t, &address, t->fault.first, t->fault.last, t->fault.around, waited,
			 waited ? off_cpu(task) - t->fault.off_cpu : 0);
}

/* Hold the fault on pages `first` to `last` of a mapping, and settle the one before. */
static __always_inline void hold_fault(struct sw_task *t, struct task_struct *task, __u64 mapping, __u64 first,
				       __u64 last, int around)
{
	if (!around && t->fault.around && t->fault.mapping == mapping && t->fault.first <= first &&
	    first <= t->fault.last)
		t->fault.mapping = 0; /* nothing was mapped around: this is the same fault */
	settle_fault(t);
	begin_fault(t, task);
	t->fault.mapping = mapping;
	t->fault.first = first;
	t->fault.last = last;
	t->fault.around = around;
	t->fault.off_cpu = off_cpu(task);
}

#endif
