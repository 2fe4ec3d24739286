/*
 * The lattice that offsets lie on: places at one distance, of which any may be left out, in whatever order they are
 * read. What threads leave each other of a stride lies on one, though no two distances of theirs may be alike.
 */
#ifndef STEPWELL_ANALYSIS_LATTICE_H
#define STEPWELL_ANALYSIS_LATTICE_H

#include <stdint.h>

/*
 * The widest distance, in bytes, of a lattice with `percent` of the samples on it, 0 when there is none; how many
 * different samples there are, and how many of them lie on it.
 */
uint64_t sw_lattice(const uint64_t *samples, uint64_t number, uint64_t percent, uint64_t *places, uint64_t *on);

#endif
