/* A directory of its own for a test program, and files in it. */
#ifndef BELFRY_TEST_SCRATCH_H
#define BELFRY_TEST_SCRATCH_H

/* cmocka group fixtures: make the directory and work in it; leave and remove it. */
int scratch_enter(void **state);
int scratch_leave(void **state);

void scratch_write(const char *name, const char *text);
/* Runs fn with stdout or stderr (`fd`) going to a file; returns its text, valid until the next call. */
const char *scratch_capture(int fd, void (*fn)(void *user), void *user);

#endif
