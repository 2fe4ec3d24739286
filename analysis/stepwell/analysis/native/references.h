/* What is noted of a reference besides its block. */
#ifndef STEPWELL_ANALYSIS_REFERENCES_H
#define STEPWELL_ANALYSIS_REFERENCES_H

#define SW_WRITTEN 0x80000000u
#define SW_AHEAD 0x40000000u /* fetched ahead by the kernel, not asked for */
#define SW_BEGINS 0x20000000u /* the first block of an access */
#define SW_BYTES 0x1fffffffu /* bytes of the block that are asked for */

#endif
