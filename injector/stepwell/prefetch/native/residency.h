/* What of a file is in the page cache. */
#ifndef STEPWELL_RESIDENCY_H
#define STEPWELL_RESIDENCY_H

#include <stdint.h>

#define SW_PAGE 4096UL /* of x86 and most arm64; larger pages only make counts coarser */

/* Resident pages of [offset, offset + size), or -1 when this kernel does not tell this user. */
int64_t sw_resident_pages(int fd, uint64_t offset, uint64_t size);

#endif
