/*
 * What the linked libbpf finds instead of its own: the library is linked with --wrap for each.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>

extern FILE *__real_stderr;
FILE *__wrap_stderr;

/*
 * Distributions compile libbpf.a for programs: it reaches the C library's `stderr` by a relocation that a shared
 * library may not have.
 */
__attribute__((constructor)) static void find_stderr(void)
{
	__wrap_stderr = __real_stderr;
}

/*
 * What the kernel itself does not have, libbpf looks for in its modules. Going through them takes CAP_SYS_ADMIN, and
 * nothing of theirs is used: there are none.
 */
int __wrap_bpf_btf_get_next_id(uint32_t start, uint32_t *next);

int __wrap_bpf_btf_get_next_id(uint32_t start, uint32_t *next)
{
	(void)start;
	(void)next;
	errno = ENOENT;
	return -ENOENT;
}
