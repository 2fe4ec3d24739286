/*
 * Lets the static libbpf be part of a shared library.
 *
 * Distributions compile libbpf.a for programs: it reaches the C library's `stderr` by a relocation that a shared
 * library may not have. The library is linked with --wrap=stderr, so that libbpf finds this variable instead.
 */
#include <stdio.h>

extern FILE *__real_stderr;
FILE *__wrap_stderr;

__attribute__((constructor)) static void find_stderr(void)
{
	__wrap_stderr = __real_stderr;
}
