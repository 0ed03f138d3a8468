/*
 * ppm_client.c - a tensor through a model of ppm-server, with nothing but the C library: a page to
 * copy from. Build it with "make clients", or cc -O2 -o ppm_client ppm_client.c
 *
 *     ppm_client X.npy Y.npy [http://HOST:PORT | unix:/PATH] [--model NAME] [--shared-memory]
 *
 * With --shared-memory x and y are not sent: both lie in a POSIX shared memory object, which a
 * server on this machine maps (--allow-shared-memory). x is float32 in C order then.
 *
 * Exit status: 0; 1 and the server's own sentence, or what else went wrong; 2 wrong usage.
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

struct bytes {
    char *at; /* from malloc, with a NUL behind it, where it was read */
    size_t count;
};

enum { SHAPE_BYTES = 48 };

/* What the end of the program is to undo: "/name" of shm_open, and the server that knows it. */
static char region[40];
static const char *registered_at;
static void leave_region(void);

__attribute__((noreturn, format(printf, 1, 2))) static void fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("ppm_client: ", stderr);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    leave_region();
    exit(1);
}

/* ---- bytes ---- */

static struct bytes read_all(int descriptor, const char *what)
{
    struct bytes all = {0};
    for (size_t capacity = 0;;) {
        if (capacity - all.count < 2) {
            capacity = 2 * capacity + 65536;
            all.at = realloc(all.at, capacity);
            if (!all.at)
                fail("out of memory");
        }
        const ssize_t got = read(descriptor, all.at + all.count, capacity - all.count - 1);
        if (got < 0)
            fail("%s: %s", what, strerror(errno));
        if (got == 0)
            break;
        all.count += (size_t)got;
    }
    all.at[all.count] = '\0';
    close(descriptor);
    return all;
}

static struct bytes read_file(const char *path)
{
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        fail("%s: %s", path, strerror(errno));
    return read_all(file, path);
}

static void write_file(const char *path, const char *head, size_t head_bytes, struct bytes rest)
{
    FILE *file = fopen(path, "wbe");
    if (!file || fwrite(head, 1, head_bytes, file) != head_bytes ||
        fwrite(rest.at, 1, rest.count, file) != rest.count || fclose(file) != 0)
        fail("%s: %s", path, strerror(errno));
}

/* ---- HTTP ---- */

static int connect_unix(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        fail("%s: longer than the path of a unix socket can be", path);
    memcpy(address.sun_path, path, strlen(path));
    const int connection = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection < 0 || connect(connection, (struct sockaddr *)&address, sizeof address) != 0)
        fail("%s: %s", path, strerror(errno));
    return connection;
}

static int connect_to(const char *url)
{
    char host[256], port[8] = "80";
    const struct addrinfo wanted = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    if (strncmp(url, "unix:", 5) == 0)
        return connect_unix(url + 5);
    if (sscanf(url, "http://[%255[^]]]:%7[0-9]", host, port) < 1 &&
        sscanf(url, "http://%255[^:/]:%7[0-9]", host, port) < 1)
        fail("%s: expected http://HOST:PORT or unix:/PATH", url);
    const int status = getaddrinfo(host, port, &wanted, &found);
    if (status != 0)
        fail("%s: %s", url, gai_strerror(status));
    int connection = -1;
    for (const struct addrinfo *at = found; at && connection < 0; at = at->ai_next) {
        connection = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC, at->ai_protocol);
        if (connection >= 0 && connect(connection, at->ai_addr, at->ai_addrlen) != 0) {
            close(connection);
            connection = -1;
        }
    }
    freeaddrinfo(found);
    if (connection < 0)
        fail("%s: %s", url, strerror(errno));
    return connection;
}

/* False: the server has closed its end, having answered already. */
static bool send_all(int connection, struct bytes bytes)
{
    while (bytes.count > 0) {
        const ssize_t sent = send(connection, bytes.at, bytes.count, MSG_NOSIGNAL);
        if (sent < 0)
            return false;
        bytes.at += sent;
        bytes.count -= (size_t)sent;
    }
    return true;
}

/* The string behind "name": of a JSON text; NULL: none. The caller frees it. */
static char *json_string(const char *json, const char *name)
{
    char key[40];
    snprintf(key, sizeof key, "\"%s\":\"", name);
    const char *from = strstr(json, key);
    char *string = from ? strdup(from + strlen(key)) : NULL;
    if (!string)
        return NULL;
    char *to = string;
    for (from = string; *from && *from != '"'; from++) {
        if (*from == '\\' && from[1]) /* \" and \\: the server escapes nothing else */
            from++;
        *to++ = *from;
    }
    *to = '\0';
    return string;
}

/* One request on a connection of its own. Returns the body of a success; ends the program, with the
 * server's sentence, otherwise. */
static struct bytes ask(const char *url, const char *method, const char *target, const char *type,
                        struct bytes body)
{
    char head[1024];
    int status = 0;
    size_t length = 0;
    const int connection = connect_to(url);
    const int head_bytes = snprintf(head, sizeof head,
                                    "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                                    "Content-Type: %s\r\nContent-Length: %zu\r\n\r\n",
                                    method, target, type, body.count);
    if (head_bytes >= (int)sizeof head)
        fail("%.60s...: too long", target);
    if (send_all(connection, (struct bytes){head, (size_t)head_bytes}))
        send_all(connection, body);
    struct bytes answer = read_all(connection, url);
    char *end = strstr(answer.at, "\r\n\r\n");
    if (!end || sscanf(answer.at, "HTTP/1.1 %d", &status) != 1)
        fail("%s: no answer", url);
    *end = '\0';
    answer.count -= (size_t)(end + 4 - answer.at);
    const char *field = strcasestr(answer.at, "\r\nContent-Length:");
    if (field && sscanf(field + 17, "%zu", &length) == 1 && length != answer.count)
        fail("%s: the answer ended after %zu of %zu bytes", url, answer.count, length);
    memmove(answer.at, end + 4, answer.count + 1);
    if (status == 200)
        return answer;
    const char *sentence = json_string(answer.at, "detail"); /* of /ppm */
    if (!sentence)
        sentence = json_string(answer.at, "error"); /* of /v2 */
    fail("%s (status %d)", sentence ? sentence : answer.at, status);
}

/* ---- shared memory ---- */

static size_t json_number(const char *json, const char *name)
{
    char key[40];
    size_t number = 0;
    snprintf(key, sizeof key, "\"%s\":", name);
    const char *at = strstr(json, key);
    if (!at || sscanf(at + strlen(key), "%zu", &number) != 1)
        fail("the server's answer has no %s: %.200s", name, json);
    return number;
}

/* The list between brackets behind key, without spaces and a comma at its end: "1,4,30,30". */
static void read_shape(const char *text, const char *key, char ret_shape[SHAPE_BYTES])
{
    const char *at = strstr(text, key);
    size_t length = 0;
    if (!at)
        fail("no %s in: %.100s", key, text);
    for (at += strlen(key); length < SHAPE_BYTES - 1 && *at && *at != ')' && *at != ']'; at++)
        if ((*at >= '0' && *at <= '9') || *at == ',')
            ret_shape[length++] = *at;
    if (length > 0 && ret_shape[length - 1] == ',')
        length--;
    ret_shape[length] = '\0';
}

/* x's shape and values. */
static struct bytes read_npy(struct bytes file, char ret_shape[SHAPE_BYTES])
{
    const unsigned char *size = (const unsigned char *)file.at + 8;
    const size_t head = file.count > 10 ? 10 + size[0] + 256 * (size_t)size[1] : 0;
    if (file.count < 128 || memcmp(file.at, "\x93NUMPY\x01", 7) != 0 || head > file.count)
        fail("x is no .npy of version 1");
    char *text = strndup(file.at + 10, head - 10);
    if (!text || !strstr(text, "'<f4'") || !strstr(text, "'fortran_order': False"))
        fail("x is not float32 in C order: %.100s", text ? text : "");
    read_shape(text, "'shape': ", ret_shape);
    free(text);
    return (struct bytes){file.at + head, file.count - head};
}

static void write_npy(const char *path, const char *dtype, const char *shape, struct bytes y)
{
    char text[118], head[129];
    snprintf(text, sizeof text, "{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", dtype,
             shape);
    snprintf(head, sizeof head, "\x93NUMPY\x01%c\x76%c%-117.117s\n", 'x', 'x', text);
    head[7] = head[9] = '\0'; /* version 1.0; 0x76 bytes follow */
    write_file(path, head, 128, y);
}

__attribute__((format(printf, 3, 4))) static struct bytes post_json(const char *url,
                                                                    const char *target,
                                                                    const char *format, ...)
{
    char json[1024];
    va_list arguments;
    va_start(arguments, format);
    const int length = vsnprintf(json, sizeof json, format, arguments);
    va_end(arguments);
    return ask(url, "POST", target, "application/json", (struct bytes){json, (size_t)length});
}

static struct bytes share_memory(size_t bytes)
{
    snprintf(region, sizeof region, "/ppm_client_%ld", (long)getpid());
    const int object = shm_open(region, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (object < 0 || ftruncate(object, (off_t)bytes) != 0)
        fail("%s: %s", region, strerror(errno));
    char *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, object, 0);
    if (at == MAP_FAILED)
        fail("%s: %s", region, strerror(errno));
    close(object);
    return (struct bytes){at, bytes};
}

static void leave_region(void)
{
    const char *url = registered_at;
    char target[128];
    if (*region)
        shm_unlink(region);
    registered_at = NULL; /* whatever becomes of this */
    snprintf(target, sizeof target, "/v2/systemsharedmemory/region%s/unregister", region);
    if (url)
        free(post_json(url, target, "%s", "").at);
}

static void infer_shared(const char *url, const char *model, struct bytes file, const char *path)
{
    char target[256], x_shape[SHAPE_BYTES], y_shape[SHAPE_BYTES];
    const struct bytes x = read_npy(file, x_shape);
    snprintf(target, sizeof target, "/ppm%s%s?shape=%s", *model ? "/" : "", model, x_shape);
    char *description = ask(url, "GET", target, "text/plain", (struct bytes){0}).at;
    char *name = json_string(description, "name");
    const size_t y_bytes = json_number(description, "output_bytes");
    if (!name || json_number(description, "input_bytes") != x.count)
        fail("x has %zu bytes, which are not those of [%s]", x.count, x_shape);

    const struct bytes memory = share_memory(x.count + y_bytes);
    memcpy(memory.at, x.at, x.count);
    snprintf(target, sizeof target, "/v2/systemsharedmemory/region%s/register", region);
    free(post_json(url, target, "{\"key\": \"%s\", \"byte_size\": %zu}", region, memory.count).at);
    registered_at = url;
    snprintf(target, sizeof target, "/v2/models/%s/infer", name);
    char *answer =
        post_json(url, target,
                  "{\"inputs\": [{\"name\": \"x\", \"shape\": [%s], \"datatype\": \"FP32\","
                  " \"parameters\": {\"shared_memory_region\": \"%s\","
                  " \"shared_memory_byte_size\": %zu}}],"
                  " \"outputs\": [{\"name\": \"y\", \"parameters\": {\"shared_memory_region\": "
                  "\"%s\", \"shared_memory_byte_size\": %zu, \"shared_memory_offset\": %zu}}]}",
                  x_shape, region + 1, x.count, region + 1, y_bytes, x.count)
            .at;
    read_shape(answer, "\"shape\":", y_shape);
    write_npy(path, strstr(answer, "\"INT32\"") ? "<i4" : "<f4", y_shape,
              (struct bytes){memory.at + x.count, y_bytes});
    leave_region();
    free(answer);
    free(name);
    free(description);
}

int main(int argc, char **argv)
{
    const char *url = "http://127.0.0.1:8080", *model = "", *files[2] = {0};
    char target[256];
    bool is_shared = false;
    size_t count = 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--shared-memory") == 0)
            is_shared = true;
        else if (strcmp(argv[i], "--model") == 0 && i + 1 < argc)
            model = argv[++i];
        else if (strchr(argv[i], ':'))
            url = argv[i];
        else if (count < 2 && argv[i][0] != '-')
            files[count++] = argv[i];
        else
            count = 3;
    }
    if (count != 2) {
        fprintf(stderr, "usage: ppm_client X.npy Y.npy [http://HOST:PORT | unix:/PATH] "
                        "[--model NAME] [--shared-memory]\n");
        return 2;
    }
    const struct bytes x = read_file(files[0]);
    if (is_shared) {
        infer_shared(url, model, x, files[1]);
        free(x.at);
        return 0;
    }
    snprintf(target, sizeof target, "/ppm%s%s", *model ? "/" : "", model);
    const struct bytes y = ask(url, "POST", target, "application/x-npy", x);
    write_file(files[1], "", 0, y);
    free(y.at);
    free(x.at);
    return 0;
}
