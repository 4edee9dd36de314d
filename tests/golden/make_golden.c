/* Writes the golden files into a directory: make-golden DIR. */
#include <stdio.h>
#include <stdlib.h>

#include "golden.h"

static int write_one(const char *dir, const struct golden *g)
{
    char path[512];
    size_t size;
    uint8_t *bytes = golden_make(g, &size);
    FILE *f;
    int r = 0;

    snprintf(path, sizeof(path), "%s/%s", dir, g->file);
    f = fopen(path, "we");
    if (f == NULL || fwrite(bytes, 1, size, f) != size)
        r = -1;
    if (f != NULL && fclose(f) != 0)
        r = -1;
    if (r < 0)
        perror(path);
    free(bytes);
    return r;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: make-golden DIR\n");
        return 64;
    }
    for (size_t i = 0; i < golden_n; i++)
        if (write_one(argv[1], &golden_files[i]) < 0)
            return 1;
    return 0;
}
