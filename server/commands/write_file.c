/* write_file.c - see write_file.h. */
#include "server/commands/write_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Closes the file in any case. False with errno. */
static bool write_and_close(FILE *file, const struct codec_bytes *bytes)
{
    const bool is_written = fwrite(bytes->data, 1, bytes->size, file) == bytes->size;
    const int cause = errno;
    const bool is_closed = fclose(file) == 0;
    if (!is_written)
        errno = cause;
    return is_written && is_closed;
}

/* What open(2) would give a new file. */
static mode_t new_mode(void)
{
    const mode_t mask = umask(0);
    umask(mask);
    return 0666 & ~mask;
}

/* "FOLDER/.ppm-server-XXXXXX" for mkostemp; the caller frees it. */
static char *name_beside(const char *path)
{
    static const char name[] = ".ppm-server-XXXXXX";
    const char *slash = strrchr(path, '/');
    const size_t folder = slash ? (size_t)(slash + 1 - path) : 0;
    char *beside = malloc(folder + sizeof name);
    if (beside) {
        memcpy(beside, path, folder);
        memcpy(beside + folder, name, sizeof name);
    }
    return beside;
}

/* False with errno; then there is no such file. */
static bool write_new(char *template, mode_t mode, const struct codec_bytes *bytes)
{
    const int descriptor = mkostemp(template, O_CLOEXEC);
    FILE *file = descriptor >= 0 ? fdopen(descriptor, "w") : NULL;
    if (file && write_and_close(file, bytes) && chmod(template, mode) == 0)
        return true;
    const int cause = errno;
    if (descriptor >= 0)
        unlink(template);
    if (descriptor >= 0 && !file)
        close(descriptor);
    errno = cause;
    return false;
}

/* path: without symbolic links. False with errno; then path is as it was. */
static bool replace(const char *path, mode_t mode, const struct codec_bytes *bytes)
{
    char *beside = name_beside(path);
    bool is_done = beside && write_new(beside, mode, bytes);
    if (is_done && rename(beside, path) != 0) {
        const int cause = errno;
        unlink(beside);
        errno = cause;
        is_done = false;
    }
    free(beside);
    return is_done;
}

/* A file's folder takes no new ones, or the file is a mount of its own, as containers have them. */
static bool must_stay(int cause)
{
    return cause == EACCES || cause == EPERM || cause == EROFS || cause == EBUSY;
}

static bool write_in_place(const char *path, const struct codec_bytes *bytes)
{
    FILE *file = fopen(path, "we");
    return file && write_and_close(file, bytes);
}

/* Of a regular file. */
static bool replace_or_write(const char *path, mode_t mode, const struct codec_bytes *bytes)
{
    char *target = realpath(path, NULL);
    bool is_written = target && access(target, W_OK) == 0;
    if (is_written && !replace(target, mode, bytes))
        is_written = must_stay(errno) && write_in_place(target, bytes);
    free(target);
    return is_written;
}

enum ppm_status command_write_file(const char *path, const struct codec_bytes *bytes,
                                   struct ppm_error *error)
{
    struct stat status;
    const bool is_there = stat(path, &status) == 0;
    const bool is_written = !is_there ? replace(path, new_mode(), bytes)
                            : S_ISREG(status.st_mode)
                                ? replace_or_write(path, status.st_mode & 0777, bytes)
                                : write_in_place(path, bytes);
    return is_written ? PPM_OK
                      : ppm_fail(error, PPM_IO, "%s: cannot write: %s", path, strerror(errno));
}
