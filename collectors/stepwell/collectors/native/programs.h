/* Which of the programs run on this kernel. */
#ifndef STEPWELL_PROGRAMS_H
#define STEPWELL_PROGRAMS_H

#include "stepwell.h"

struct bpf_object;

/* Choose what of the opened object is to be loaded; returns enum sw_feature bits. */
uint32_t sw_choose_programs(struct bpf_object *object);

#endif
