/* belfry.yml of any bytes: loaded, printed and freed, or refused with one line of why. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "service/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char path[64];
    static FILE *nowhere;
    char *no_environment[] = { NULL };
    struct bf_config *config = NULL;
    struct bf_error e = { .text = "" };

    if (nowhere == NULL) {
        snprintf(path, sizeof path, "/tmp/belfry-fuzz-config-%d.yml", (int)getpid());
        nowhere = fopen("/dev/null", "w");
    }
    if (bf_replace_file(AT_FDCWD, path, data, size, 0600) < 0)
        return 0;
    int failed = bf_config_load(&config, path, no_environment, &e);
    if (failed == 0)
        bf_config_print(config, nowhere);
    else if (e.text[0] == '\0' || strchr(e.text, '\n') != NULL)
        abort(); /* a refusal without its reason, or one that is more than a line */
    bf_config_free(config);
    unlink(path);
    return 0;
}
