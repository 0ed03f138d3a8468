/* file.c - reading files, and naming what they contain instead of what was expected. */
#include "core/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- kinds of data --------------------------------------------------------------------------- */

struct signature {
    const char *bytes;
    size_t count;
    const char *name;
};

#define BYTES(text) (text), sizeof(text) - 1

static const struct signature signatures[] = {
    {BYTES("\xef\xbb\xbf"), "a UTF-8 byte order mark"},
    {BYTES("\xff\xfe\0\0"), "a UTF-32 byte order mark"},
    {BYTES("\xff\xfe"), "a UTF-16 byte order mark"},
    {BYTES("\xfe\xff"), "a UTF-16 byte order mark"},
    {BYTES("{\0"), "UTF-16 text"},
    {BYTES("\0{"), "UTF-16 text"},
    {BYTES("\x1f\x8b"), "gzip data"},
    {BYTES("\x28\xb5\x2f\xfd"), "zstd data"},
    {BYTES("\xfd"
           "7zXZ"),
     "xz data"},
    {BYTES("BZh"), "bzip2 data"},
    {BYTES("PK\x03\x04"), "a ZIP archive (as .npz, .pt and .pth are)"},
    {BYTES("\x89HDF"), "an HDF5 file"},
    {BYTES("\x89PNG"), "a PNG image"},
    {BYTES("\xff\xd8\xff"), "a JPEG image"},
    {BYTES("\x93NUMPY"), "a NumPy .npy file"},
    {BYTES("\x80\x02"), "a Python pickle"},
    {BYTES("\x80\x03"), "a Python pickle"},
    {BYTES("\x80\x04"), "a Python pickle"},
    {BYTES("\x80\x05"), "a Python pickle"},
    {BYTES("version https://git-lfs"), "a Git LFS pointer (\"git lfs pull\" fetches the file)"},
};

/* Text after white space, in any case. */
static const struct signature texts[] = {
    {BYTES("<!doctype html"), "an HTML page"},
    {BYTES("<html"), "an HTML page"},
    {BYTES("<!--"), "an HTML page"},
    {BYTES("<?xml"), "XML"},
    {BYTES("{"), "JSON"},
    {BYTES("["), "JSON"},
};

const char *ppm_looks_like(const void *bytes, size_t count)
{
    enum { SAFETENSORS_BYTES = 9 }; /* a length below 2^48, and the header's brace */
    const char *text = bytes;
    for (size_t i = 0; i < sizeof signatures / sizeof *signatures; i++)
        if (count >= signatures[i].count &&
            memcmp(text, signatures[i].bytes, signatures[i].count) == 0)
            return signatures[i].name;
    if (count >= SAFETENSORS_BYTES && text[6] == 0 && text[7] == 0 && text[8] == '{')
        return "a safetensors file";
    for (; count > 0 && strchr(" \t\r\n", *text) && *text; text++)
        count--;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (count >= texts[i].count && strncasecmp(text, texts[i].bytes, texts[i].count) == 0)
            return texts[i].name;
    return NULL;
}

/* ---- files ----------------------------------------------------------------------------------- */

/* The kind of a file: "a FIFO". NULL: a regular file. */
static const char *other_kind(mode_t mode)
{
    return S_ISREG(mode)    ? NULL
           : S_ISDIR(mode)  ? "a directory"
           : S_ISFIFO(mode) ? "a FIFO"
           : S_ISSOCK(mode) ? "a socket"
                            : "a device";
}

/* Checked before opening too: a socket cannot be opened, and opening a device may have effects. */
static enum ppm_status check_kind(const char *path, int descriptor, size_t *ret_bytes,
                                  struct ppm_error *error)
{
    struct stat status;
    if ((descriptor < 0 ? stat(path, &status) : fstat(descriptor, &status)) != 0)
        return ppm_fail(error, PPM_BAD_CONFIG, "%s: cannot read it: %s", path, strerror(errno));
    const char *found = other_kind(status.st_mode);
    if (found)
        return ppm_fail(error, PPM_BAD_CONFIG, "%s: found %s, expected a regular file", path,
                        found);
    *ret_bytes = (size_t)status.st_size;
    return PPM_OK;
}

int ppm_open_file(const char *path, size_t *ret_bytes, struct ppm_error *error)
{
    if (check_kind(path, -1, ret_bytes, error) != PPM_OK)
        return -1;
    const int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (descriptor < 0)
        ppm_fail(error, PPM_BAD_CONFIG, "%s: cannot read it: %s", path, strerror(errno));
    else if (check_kind(path, descriptor, ret_bytes, error) == PPM_OK)
        return descriptor;
    if (descriptor >= 0)
        close(descriptor);
    return -1;
}

/* Reads to the end of the file, at most `bytes`. */
static enum ppm_status read_all(const char *path, int descriptor, char *data, size_t bytes,
                                size_t *ret_bytes, struct ppm_error *error)
{
    size_t done = 0;
    while (done < bytes) {
        const ssize_t got = read(descriptor, data + done, bytes - done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return ppm_fail(error, PPM_IO, "%s: cannot read it: %s", path, strerror(errno));
        if (got == 0)
            break;
        done += (size_t)got;
    }
    *ret_bytes = done;
    return PPM_OK;
}

char *ppm_read_file(const char *path, size_t bytes_max, size_t *ret_bytes, struct ppm_error *error)
{
    size_t bytes = 0;
    char *data = NULL;
    const int descriptor = ppm_open_file(path, &bytes, error);
    if (descriptor < 0)
        return NULL;
    if (bytes > bytes_max)
        ppm_fail(error, PPM_BAD_CONFIG, "%s: found %zu bytes, expected at most %zu", path, bytes,
                 bytes_max);
    else if (!(data = malloc(bytes + 1)))
        ppm_fail(error, PPM_NO_MEMORY, "%s: out of memory", path);
    else
        read_all(path, descriptor, data, bytes, &bytes, error);
    close(descriptor);
    if (!data || error->status != PPM_OK) {
        free(data);
        return NULL;
    }
    data[bytes] = '\0';
    *ret_bytes = bytes;
    return data;
}

/* Says why the text of a file is not a JSON object. */
static void refuse_json(const char *path, const char *text, size_t bytes, const json_error_t *cause,
                        struct ppm_error *error)
{
    const char *kind = ppm_looks_like(text, bytes);
    if (json_error_code(cause) == json_error_out_of_memory)
        ppm_fail(error, PPM_NO_MEMORY, "%s: out of memory", path);
    else if (bytes == 0)
        ppm_fail(error, PPM_BAD_CONFIG, "%s: the file is empty, expected a JSON object {...}",
                 path);
    else if (kind && strcmp(kind, "JSON") != 0)
        ppm_fail(error, PPM_BAD_CONFIG, "%s: found %s, expected a JSON object, which begins with {",
                 path, kind);
    else
        ppm_fail(error, PPM_BAD_CONFIG, "%s: line %d, column %d: %s", path, cause->line,
                 cause->column, cause->text);
}

json_t *ppm_json_load_file(const char *path, size_t bytes_max, struct ppm_error *error)
{
    json_error_t cause = {.line = 0};
    size_t bytes = 0;
    char *text = ppm_read_file(path, bytes_max, &bytes, error);
    if (!text)
        return NULL;
    json_t *document = ppm_json_load(text, bytes, &cause);
    if (!document)
        refuse_json(path, text, bytes, &cause, error);
    free(text);
    if (!document || json_is_object(document))
        return document;
    ppm_fail(error, PPM_BAD_CONFIG, "%s: found an array, expected an object {...}", path);
    json_decref(document);
    return NULL;
}
