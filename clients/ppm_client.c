/*
 * ppm_client.c - sends a tensor or an image through a model of ppm-server, using only the C
 * library; copy from it. Build it with "make clients", or cc -O2 -o ppm_client ppm_client.c
 *
 *     ppm_client X.npy Y.npy [http://HOST:PORT | unix:/PATH] [--model NAME] [--size H,W]
 *     ppm_client PHOTO LABELS.png|CLASSES.json|Y.npy|OVERLAY.jpg [...] [--overlay OPACITY]
 *
 * Several inputs are one X.safetensors. With --shared-memory, x (a .npy of float32 in C order) and
 * y are not sent. Nothing that the server says is trusted. Exit status 1: a message; 2: usage.
 */
#define _GNU_SOURCE 1
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

struct bytes {
    char *at; /* from malloc, followed by a NUL, if it was read */
    size_t count;
};

enum { SHAPE_BYTES = 48, SENTENCE_MAX = 400, ANSWER_S_MAX = 120, BYTES_MAX = 1 << 30 };

#define JSON            "application/json"
#define NPY             "application/x-npy"
#define NAME            "a model called"
#define NAME_CHARACTERS "-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"
#define NAME_EXPECTED   "letters, digits, '.', '_' and '-'"

/* "/name" of shm_open and the server where it is registered, to undo at exit; and the query. */
static char region[40], query[96];
static const char *registered_at;
static void leave_region(void);

__attribute__((noreturn, format(printf, 1, 2))) static void fail(const char *format, ...)
{
    va_list arguments;
    char text[2 * SENTENCE_MAX];
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    for (char *c = text; *c; c++) /* for the terminal */
        *c = iscntrl((unsigned char)*c) ? '?' : *c;
    fprintf(stderr, "ppm_client: %s\n", text);
    if (freopen("/dev/null", "we", stderr)) /* errors in leaving are not the cause */
        leave_region();
    _Exit(1); /* nothing is freed, and stdout has nothing yet */
}

/* snprintf() of text that must fit. */
#define PRINT(to, ...)                                                                             \
    do {                                                                                           \
        if ((size_t)snprintf(to, sizeof(to), __VA_ARGS__) >= sizeof(to))                           \
            fail("longer than %zu bytes: %.40s...", sizeof(to) - 1, to);                           \
    } while (0)

/* The integer at the start of text, whatever follows. */
static bool read_number(const char *text, size_t *ret_number)
{
    errno = 0;
    *ret_number = strtoull(text, NULL, 10);
    return errno == 0 && isdigit((unsigned char)*text);
}

/* The size of head and body that a response announces; 0: none. */
static size_t announced_bytes(const char *answer)
{
    size_t length = 0;
    const char *end = strstr(answer, "\r\n\r\n"),
               *field = end ? strcasestr(answer, "\r\nContent-Length:") : NULL;
    if (!field || field > end || !read_number(field + 17 + strspn(field + 17, " \t"), &length) ||
        __builtin_add_overflow(length, (size_t)(end + 4 - answer), &length))
        return 0;
    return length;
}

static struct bytes read_all(int descriptor, const char *what, bool is_answer)
{
    struct bytes all = {0};
    const time_t start = time(NULL);
    if (descriptor < 0)
        fail("%s: %s", what, strerror(errno));
    for (size_t capacity = 0;;) {
        if (capacity - all.count < 2) {
            capacity = 2 * capacity + 65536;
            all.at = capacity < BYTES_MAX ? realloc(all.at, capacity) : NULL;
            if (!all.at)
                fail("%s: out of memory after %zu bytes", what, all.count);
        }
        const ssize_t got = read(descriptor, all.at + all.count, capacity - all.count - 1);
        if (got < 0 && errno != EAGAIN)
            fail("%s: %s", what, strerror(errno));
        if (got < 0 || (is_answer && time(NULL) - start > ANSWER_S_MAX))
            fail("%s: no answer within %d s", what, ANSWER_S_MAX);
        all.count += (size_t)got;
        all.at[all.count] = '\0';
        const size_t announced = is_answer ? announced_bytes(all.at) : 0;
        if (got == 0 || (announced && announced <= all.count))
            break;
    }
    close(descriptor);
    return all;
}

static void write_file(const char *path, struct bytes head, struct bytes rest)
{
    FILE *file = fopen(path, "wbe");
    if (!file || fwrite(head.at, 1, head.count, file) != head.count ||
        fwrite(rest.at, 1, rest.count, file) != rest.count || fclose(file) != 0)
        fail("%s: %s", path, strerror(errno));
}

static int connect_unix(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    PRINT(address.sun_path, "%s", path);
    const int connection = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection < 0 || connect(connection, (struct sockaddr *)&address, sizeof address) != 0)
        fail("%s: %s", path, strerror(errno));
    return connection;
}

static int connect_tcp(const char *url)
{
    char host[256], port[6] = "80";
    int end = 0;
    struct addrinfo wanted = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    if (sscanf(url, "[%255[^]/]]%n:%5[0-9]%n", host, &end, port, &end) < 1 || end == 0)
        sscanf(url, "%255[^][:/?#@ ]%n:%5[0-9]%n", host, &end, port, &end);
    if (end == 0 || url[end + (url[end] == '/')] || (unsigned)atoi(port) - 1 > 65534)
        fail("%s: expected http://HOST:PORT or unix:/PATH", url);
    if ((end = getaddrinfo(host, port, &wanted, &found)) != 0)
        fail("%s: %s", url, gai_strerror(end));
    for (const struct addrinfo *at = found; at; at = at->ai_next) {
        const int connection = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC, 0);
        if (connection >= 0 && connect(connection, at->ai_addr, at->ai_addrlen) == 0) {
            freeaddrinfo(found);
            return connection;
        }
        close(connection);
    }
    fail("%s: %s", url, strerror(errno));
}

/* The string after a key, such as "name":", of a JSON text; NULL: none. The caller frees it. */
static char *json_string(const char *json, const char *key)
{
    const char *from = strstr(json, key);
    char *string = from ? calloc(1, strlen(from)) : NULL, *to = string;
    for (from = from ? from + strlen(key) : NULL; to && *from && *from != '"'; *to++ = *from++)
        if (*from == '\\' && from[1]) /* \" and \\: the server escapes nothing else */
            from++;
    return string;
}

/* Returns the body of a success; ends the program, with the server's sentence, otherwise. */
static struct bytes ask(const char *url, const char *method, const char *target, const char *type,
                        const char *accept, struct bytes body)
{
    size_t status = 0;
    const struct timeval pause = {.tv_sec = ANSWER_S_MAX};
    const char *host = strncmp(url, "unix:", 5) == 0 ? "localhost" : url;
    const int connection = host == url ? connect_tcp(url) : connect_unix(url + 5);
    setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &pause, sizeof pause);
    setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &pause, sizeof pause);
    ssize_t sent =
        dprintf(connection,
                "%s %s HTTP/1.1\r\nHost: %.*s\r\nConnection: close\r\nContent-Type: %s\r\n"
                "Accept: %s\r\nContent-Length: %zu\r\n\r\n",
                method, target, (int)strcspn(host, "/"), host, type, accept, body.count);
    for (size_t at = 0; at < body.count && sent > 0; at += (size_t)sent) /* else it has responded */
        sent = write(connection, body.at + at, body.count - at);
    struct bytes answer = read_all(connection, url, true);
    const size_t announced = announced_bytes(answer.at);
    const char *end = strstr(answer.at, "\r\n\r\n");
    if (!end || strncmp(answer.at, "HTTP/1.1 ", 9) != 0 || !read_number(answer.at + 9, &status))
        fail("%s: the answer is not HTTP/1.1", url);
    if (status == 200 && announced != answer.count)
        fail("%s: the answer has %zu bytes where it says %zu", url, answer.count, announced);
    answer.count -= (size_t)(end + 4 - answer.at);
    memmove(answer.at, end + 4, answer.count + 1);
    if (status == 200)
        return answer;
    char *of_ppm = json_string(answer.at, "\"detail\":\""),
         *of_v2 = json_string(answer.at, "\"error\":\"");
    fail("%.*s (status %zu)", SENTENCE_MAX, of_ppm ? of_ppm : of_v2 ? of_v2 : answer.at, status);
}

static struct bytes post_json(const char *url, const char *target, char *json)
{
    return ask(url, "POST", target, JSON, JSON, (struct bytes){json, strlen(json)});
}

/* What becomes part of a target; NULL does not. */
static void check(const char *what, const char *text, const char *allowed, const char *expected)
{
    if (text && text[strspn(text, allowed)])
        fail("%s \"%.60s\": expected %s", what, text, expected);
}

static size_t json_number(const char *json, const char *key)
{
    size_t number = 0;
    const char *at = strstr(json, key);
    if (!at || !read_number(at + strlen(key), &number))
        fail("the server's answer has no %s %.*s", key, SENTENCE_MAX, json);
    return number;
}

/* The list after key and a bracket, without spaces: "1,4,30,30". Returns its bytes in float32. */
static size_t read_shape(const char *text, const char *key, char ret_shape[SHAPE_BYTES])
{
    const char *at = strstr(text, key);
    size_t bytes = sizeof(float), length = 0, extent = 0;
    at = at ? at + strlen(key) + strspn(at + strlen(key), " ([") : "";
    while (length < SHAPE_BYTES - 22 && read_number(at, &extent) &&
           !__builtin_mul_overflow(bytes, extent, &bytes)) {
        length += (size_t)sprintf(ret_shape + length, length ? ",%zu" : "%zu", extent);
        at += strspn(at, "0123456789");
        at += strspn(at, ", ");
    }
    if (length == 0 || (*at != ')' && *at != ']'))
        fail("no shape of a tensor after %s in: %.*s", key, SENTENCE_MAX, text);
    return bytes;
}

/* The shape and values of a .npy of version 1: float32, or int32 where labels are allowed. */
static struct bytes read_npy(struct bytes file, const char *what, bool labels, char *ret_shape)
{
    const unsigned char *size = (const unsigned char *)file.at + 8;
    const size_t head = file.count > 10 ? 10 + size[0] + 256 * (size_t)size[1] : 0;
    if (head == 0 || head > file.count || memcmp(file.at, "\x93NUMPY\x01", 7) != 0)
        fail("%s is not a .npy of version 1", what);
    char *text = strndup(file.at + 10, head - 10);
    if (!text)
        fail("out of memory");
    if ((!strstr(text, "'<f4'") && !(labels && strstr(text, "'<i4'"))) ||
        !strstr(text, "'fortran_order': False"))
        fail("%s is not float32 in C order: %.*s", what, SENTENCE_MAX, text);
    if (read_shape(text, "'shape': ", ret_shape) != file.count - head)
        fail("%s has %zu bytes, not those of [%s]", what, file.count - head, ret_shape);
    free(text);
    return (struct bytes){file.at + head, file.count - head};
}

static void write_npy(const char *path, const char *dtype, const char *shape, struct bytes y)
{
    char text[118], head[129];
    PRINT(text, "{'descr': '%s', 'fortran_order': False, 'shape': (%s%s), }", dtype, shape,
          strchr(shape, ',') ? "" : ",");
    PRINT(head, "\x93NUMPY\x01%c\x76%c%-117s\n", 'x', 'x', text);
    head[7] = head[9] = '\0'; /* version 1.0; 0x76 bytes follow */
    write_file(path, (struct bytes){head, 128}, y);
}

/* Allocates the pages now: touching a page that the system lacks would be a signal. */
static char *share_memory(size_t x_bytes, size_t bytes)
{
    PRINT(region, "/ppm_client_%ld", (long)getpid());
    const int object = shm_open(region, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    const bool is_there = object >= 0 && ftruncate(object, (off_t)bytes) == 0 &&
                          (errno = posix_fallocate(object, 0, (off_t)x_bytes)) == 0;
    char *at = is_there ? mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, object, 0) : NULL;
    if (!is_there || at == MAP_FAILED)
        fail("%zu bytes of shared memory: %s", bytes, strerror(errno));
    close(object);
    return at;
}

static void leave_region(void)
{
    const char *url = registered_at;
    char target[128];
    if (*region)
        shm_unlink(region);
    registered_at = NULL; /* whether or not this succeeds */
    PRINT(target, "/v2/systemsharedmemory/region%s/unregister", region);
    if (url)
        free(post_json(url, target, (char[]){""}).at);
}

/* Makes the server compute y from x in the region, where y follows x; returns the answer. */
static char *infer_in_region(const char *url, const char *name, const char *x_shape, size_t x_bytes,
                             size_t y_bytes)
{
    char target[256], json[1024];
    PRINT(target, "/v2/systemsharedmemory/region%s/register", region);
    PRINT(json, "{\"key\": \"%s\", \"byte_size\": %zu}", region, x_bytes + y_bytes);
    free(post_json(url, target, json).at);
    registered_at = url;
    PRINT(target, "/v2/models/%s/infer?%s", name, query);
    PRINT(json,
          "{\"inputs\": [{\"name\": \"x\", \"shape\": [%s], \"datatype\": \"FP32\","
          " \"parameters\": {\"shared_memory_region\": \"%s\", \"shared_memory_byte_size\": %zu}}],"
          " \"outputs\": [{\"name\": \"y\", \"parameters\": {\"shared_memory_region\": \"%s\","
          " \"shared_memory_byte_size\": %zu, \"shared_memory_offset\": %zu}}]}",
          x_shape, region + 1, x_bytes, region + 1, y_bytes, x_bytes);
    return post_json(url, target, json).at;
}

static void infer_shared(const char *url, const char *model, struct bytes file, const char *path)
{
    char target[256], x_shape[SHAPE_BYTES], y_shape[SHAPE_BYTES];
    const struct bytes x = read_npy(file, "x, with --shared-memory,", false, x_shape);
    PRINT(target, "/ppm%s%s?shape=%s&%s", *model ? "/" : "", model, x_shape, query);
    char *description = ask(url, "GET", target, JSON, JSON, (struct bytes){0}).at;
    char *name = json_string(description, "\"name\":\"");
    size_t x_bytes = json_number(description, "\"input_bytes\":"),
           y_bytes = json_number(description, "\"output_bytes\":"), bytes = 0;
    check(NAME, name && *name ? name : "?", NAME_CHARACTERS, NAME_EXPECTED);
    if (x_bytes != x.count || __builtin_add_overflow(x_bytes, y_bytes, &bytes))
        fail("the server says %zu and %zu bytes for [%s]", x_bytes, y_bytes, x_shape);
    char *memory = share_memory(x_bytes, bytes);
    memcpy(memory, x.at, x.count);
    char *answer = infer_in_region(url, name, x_shape, x_bytes, y_bytes);
    if (read_shape(answer, "\"shape\":", y_shape) != y_bytes)
        fail("the server's y of [%s] is not of %zu bytes", y_shape, y_bytes);
    write_npy(path, strstr(answer, "\"INT32\"") ? "<i4" : "<f4", y_shape,
              (struct bytes){memory + x.count, y_bytes});
    leave_region();
    free(answer);
    free(name);
    free(description);
}

/* What the extension of y asks for: that of a tensor may be any. */
static const char *type_of(const char *path, const char *x)
{
    static const char *const types[] = {".png",       "image/png", ".jpg", "image/jpeg", ".jpeg",
                                        "image/jpeg", ".json",     JSON,   ".npy",       NPY};
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot && i < sizeof types / sizeof *types; i += 2)
        if (strcasecmp(dot, types[i]) == 0)
            return types[i + 1];
    if (strncmp(x, "\xff\xd8\xff", 3) == 0 || strncmp(x, "\x89PNG", 4) == 0)
        fail("%s: expected .png, .jpg, .jpeg, .json, .npy", path);
    return NPY;
}

static void infer_sent(const char *url, const char *model, struct bytes x, const char *path)
{
    char target[256], y_shape[SHAPE_BYTES];
    const char *accept = type_of(path, x.at);
    PRINT(target, "/ppm%s%s?%s", *model ? "/" : "", model, query);
    const struct bytes y = ask(url, "POST", target, "application/octet-stream", accept, x);
    if (strcmp(accept, NPY) == 0)
        read_npy(y, "the server's answer", true, y_shape);
    write_file(path, (struct bytes){y.at, 0}, y);
    free(y.at);
}

int main(int argc, char **argv)
{
    const char *url = "127.0.0.1:8080", *model = "", *size = NULL, *overlay = NULL, *files[2] = {0};
    bool is_shared = false;
    size_t count = 0;
    signal(SIGPIPE, SIG_IGN);
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--shared-memory") == 0)
            is_shared = true;
        else if (strcmp(argv[i], "--model") == 0 && i + 1 < argc)
            model = argv[++i];
        else if (strcmp(argv[i], "--size") == 0 && i + 1 < argc)
            size = argv[++i];
        else if (strcmp(argv[i], "--overlay") == 0 && i + 1 < argc)
            overlay = argv[++i];
        else if (strchr(argv[i], ':'))
            url = argv[i] + (strncasecmp(argv[i], "http://", 7) == 0 ? 7 : 0);
        else if (count < 2 && argv[i][0] != '-')
            files[count++] = argv[i];
        else
            count = 3;
    }
    if (count != 2) {
        fprintf(stderr, "usage: ppm_client X Y [http://HOST:PORT | unix:/PATH] [--model NAME] "
                        "[--size H,W] [--overlay OPACITY] [--shared-memory]\n");
        return 2;
    }
    check(NAME, model, NAME_CHARACTERS, NAME_EXPECTED);
    check("--size", size, "0123456789,", "H,W in pixels");
    check("--overlay", overlay, "0123456789.eE-", "an opacity from 0 to 1");
    PRINT(query, "%s%s%s%s", size ? "size=" : "", size ? size : "", overlay ? "&overlay=" : "",
          overlay ? overlay : "");
    const struct bytes x = read_all(open(files[0], O_RDONLY | O_CLOEXEC), files[0], false);
    (is_shared ? infer_shared : infer_sent)(url, model, x, files[1]);
    free(x.at);
    return 0;
}
