/* belfry.yml of any bytes: loaded, printed and freed, or refused with one line of why. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "service/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A file of memory: on a disk most of the time would go into writing it. */
static int file_of(const uint8_t *data, size_t size, char path[static 32])
{
    int fd = memfd_create("belfry.yml", MFD_CLOEXEC);

    if (fd < 0 || write(fd, data, size) != (ssize_t)size) {
        perror("belfry.yml");
        exit(1);
    }
    snprintf(path, 32, "/proc/self/fd/%d", fd);
    return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static FILE *nowhere;
    char path[32];
    char *no_environment[] = { NULL };
    struct bf_config *config = NULL;
    struct bf_error e = { .text = "" };

    if (nowhere == NULL)
        nowhere = fopen("/dev/null", "w");
    int fd = file_of(data, size, path);
    int failed = bf_config_load(&config, path, no_environment, &e);
    close(fd);
    if (failed == 0)
        bf_config_print(config, nowhere);
    else if (e.text[0] == '\0' || strchr(e.text, '\n') != NULL)
        abort(); /* a refusal without its reason, or one that is more than a line */
    bf_config_free(config);
    return 0;
}
