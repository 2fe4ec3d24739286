/* Files below a directory, and nothing else. */
#ifndef STEPWELL_BELOW_H
#define STEPWELL_BELOW_H

/* A descriptor of a directory, not for reading it, or -errno. */
int sw_below_root(const char *path);

/* A descriptor of a regular file for reading, or -errno. */
int sw_below_file(int root, const char *path);

/* A descriptor of a directory for listing it, or -errno. */
int sw_below_directory(int root, const char *path);

#endif
