/* Detaching programs. */
#ifndef STEPWELL_LINKS_H
#define STEPWELL_LINKS_H

#include <stddef.h>

struct bpf_link;

/* Close all descriptors but these, which get sorted. */
void sw_close_others(int *kept, size_t count);
/* Detach and free. When that is slow, another process does it after this function has returned. */
void sw_release_links(struct bpf_link **links, size_t count, int slowly);

#endif
