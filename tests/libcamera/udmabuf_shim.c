/* Lets libcamera's virtual pipeline handler run where the kernel has neither /dev/udmabuf nor /dev/dma_heap: linked
 * into the test program, it stands in front of libc's open, stat and ioctl. Where the kernel has the device, it is
 * used. Also puts this folder's virtual.yaml in the place of the packaged one, which libcamera reads from one fixed
 * path only. */
#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <linux/udmabuf.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DEVICE "/dev/udmabuf"
#define CONFIG_TAIL "/pipeline/virtual/virtual.yaml"

static atomic_bool standing_in; /* a memfd answers for the device */

static const char *redirected(const char *path)
{
    size_t length = strlen(path), tail = strlen(CONFIG_TAIL);

    if (length >= tail && strcmp(path + length - tail, CONFIG_TAIL) == 0)
        return VIRTUAL_YAML;

    return path;
}

static int open_any(int dirfd, const char *path, int flags, mode_t mode)
{
    int fd = (int)syscall(SYS_openat, dirfd, redirected(path), flags, mode);

    if (fd >= 0 || strcmp(path, DEVICE) != 0)
        return fd;

    standing_in = true;
    return memfd_create("udmabuf", MFD_CLOEXEC);
}

static mode_t mode_of(int flags, va_list more)
{
    return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(more, mode_t) : 0;
}

#define DEFINE_OPEN(name)                                                                                              \
    int name(const char *path, int flags, ...)                                                                         \
    {                                                                                                                  \
        va_list more;                                                                                                  \
        va_start(more, flags);                                                                                         \
        mode_t mode = mode_of(flags, more);                                                                            \
        va_end(more);                                                                                                  \
        return open_any(AT_FDCWD, path, flags, mode);                                                                  \
    }
#define DEFINE_OPENAT(name)                                                                                            \
    int name(int dirfd, const char *path, int flags, ...)                                                              \
    {                                                                                                                  \
        va_list more;                                                                                                  \
        va_start(more, flags);                                                                                         \
        mode_t mode = mode_of(flags, more);                                                                            \
        va_end(more);                                                                                                  \
        return open_any(dirfd, path, flags, mode);                                                                     \
    }
DEFINE_OPEN(open)
DEFINE_OPEN(open64)
DEFINE_OPENAT(openat)
DEFINE_OPENAT(openat64)

int stat(const char *restrict path, struct stat *restrict ret)
{
    return fstatat(AT_FDCWD, redirected(path), ret, 0);
}

int stat64(const char *restrict path, struct stat64 *restrict ret)
{
    return fstatat64(AT_FDCWD, redirected(path), ret, 0);
}

int ioctl(int fd, unsigned long request, ...)
{
    va_list more;

    va_start(more, request);
    void *argument = va_arg(more, void *);
    va_end(more);

    if (standing_in && request == UDMABUF_CREATE)
        return fcntl((int)((const struct udmabuf_create *)argument)->memfd, F_DUPFD_CLOEXEC, 0);
    if (standing_in && request == DMA_BUF_IOCTL_SYNC)
        return 0;

    return (int)syscall(SYS_ioctl, fd, request, argument);
}
