/* Scope-bound release of locals: `_cleanup_(bf_closep) int fd = -1;` */
#ifndef BELFRY_BASE_CLEANUP_H
#define BELFRY_BASE_CLEANUP_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(fn) __attribute__((cleanup(fn)))

/* Defines `static inline void <type_free>p(type **)` for use with _cleanup_. */
#define BF_DEFINE_CLEANUP(type, free_fn)                                                                               \
    static inline void free_fn##p(type **p)                                                                            \
    {                                                                                                                  \
        if (*p != NULL)                                                                                                \
            free_fn(*p);                                                                                               \
    }

static inline void bf_freep(void *p)
{
    free(*(void **)p);
}

static inline void bf_closep(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static inline void bf_fclosep(FILE **f)
{
    if (*f != NULL)
        fclose(*f);
}

/* Takes the value out of *p, so that the cleanup finds nothing. */
#define BF_TAKE(p)                                                                                                     \
    __extension__({                                                                                                    \
        __typeof__(p) bf_taken_ = (p);                                                                                 \
        (p) = NULL;                                                                                                    \
        bf_taken_;                                                                                                     \
    })

#define BF_COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

#endif
