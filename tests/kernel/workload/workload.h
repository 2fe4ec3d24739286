/*
 * Known workloads: each works on one file (and a few beside it), in prime numbers. What must hold is checked, so that
 * a kernel that refuses a call is not taken for a collector that missed it.
 */
#ifndef WORKLOAD_H
#define WORKLOAD_H

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COUNT 23
#define SIZE 4093
#define STRIDE 5003
#define PAGE 4096

struct workload {
	const char *name;
	void (*run)(const char *path);
};

extern const struct workload calls[], limits[], copies[], mapped[], uring[], libaio[];

extern char buffer[1 << 20] __attribute__((aligned(4096)));

#define must(condition)                                                                                      \
	do {                                                                                                 \
		if (!(condition)) {                                                                          \
			fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #condition, strerror(errno)); \
			exit(1);                                                                             \
		}                                                                                            \
	} while (0)

#define fails_with(call, code) must((call) == -1 && errno == (code))

int opened(const char *path, int flags);
/* The file beside `path` whose name ends with `suffix`. */
int beside(const char *path, const char *suffix, int flags);
/* Takes a file out of the page cache; a page that some processor has just put there may take the kernel a while. */
void drop(int fd);

#endif
