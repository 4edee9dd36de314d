#include "scratch.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char directory[] = "/tmp/belfry-service-XXXXXX";
static char captured[65536];

int scratch_enter(void **state)
{
    (void)state;
    return mkdtemp(directory) == NULL || chdir(directory) < 0 ? -1 : 0;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

int scratch_leave(void **state)
{
    (void)state;
    return chdir("/") < 0 ? -1 : nftw(directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

void scratch_write(const char *name, const char *text)
{
    FILE *f = fopen(name, "we");
    if (f == NULL || fputs(text, f) < 0 || fclose(f) != 0)
        abort();
}

const char *scratch_capture(int fd, void (*fn)(void *user), void *user)
{
    FILE *f = tmpfile();
    int before = dup(fd);
    if (f == NULL || before < 0)
        abort();

    fflush(NULL);
    dup2(fileno(f), fd);
    fn(user);
    fflush(NULL);
    dup2(before, fd);
    close(before);

    rewind(f);
    captured[fread(captured, 1, sizeof captured - 1, f)] = '\0';
    fclose(f);
    return captured;
}
