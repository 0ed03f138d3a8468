/* live_support.c - see live_support.h. */
#include "tests/live_support.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ARGUMENTS_MAX = 64, STEP_MS = 5 };

void live_sleep_ms(long ms)
{
    const struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&time, NULL);
}

/* ---- the program ---- */

static int temporary_file(void)
{
    char path[] = "/tmp/ppm-test-XXXXXX";
    int descriptor = mkstemp(path);
    cr_assert(descriptor >= 0, "%s: %s", path, strerror(errno));
    unlink(path);
    return descriptor;
}

/* A socket for the program to listen on, and the number in LISTEN_FDS; NULL: none. */
struct passed {
    int socket;
    const char *count;
};

static void pass(const struct passed *passed)
{
    char pid[24];
    snprintf(pid, sizeof pid, "%ld", (long)getpid());
    setenv("LISTEN_PID", pid, 1);
    setenv("LISTEN_FDS", passed->count, 1);
    if (passed->socket == 3)
        fcntl(3, F_SETFD, 0);
    else
        dup2(passed->socket, 3);
}

static void become(const struct live *live, const char *program, const struct passed *passed,
                   const char *const *arguments, const char *const *environment)
{
    const char *list[ARGUMENTS_MAX] = {program};
    for (size_t i = 0; arguments && arguments[i] && i < ARGUMENTS_MAX - 2; i++)
        list[i + 1] = arguments[i];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int nothing = open("/dev/null", O_RDONLY);
    dup2(nothing, STDIN_FILENO);
    dup2(live->out, STDOUT_FILENO);
    dup2(live->log, STDERR_FILENO);
    for (; environment && *environment; environment++)
        putenv((char *)(uintptr_t)*environment);
    if (passed)
        pass(passed);
    execv(program, (char *const *)(uintptr_t)list);
    _exit(127);
}

static void spawn(struct live *ret, int log, const struct passed *passed,
                  const char *const *arguments, const char *const *environment)
{
    const char *program = getenv("PPM_SERVER");
    cr_assert(program != NULL, "PPM_SERVER is to name the program under test");
    *ret = (struct live){.out = temporary_file(), .log = log};
    ret->pid = fork();
    cr_assert(ret->pid >= 0);
    if (ret->pid == 0)
        become(ret, program, passed, arguments, environment);
}

void live_spawn(struct live *ret, const char *const *arguments, const char *const *environment)
{
    spawn(ret, temporary_file(), NULL, arguments, environment);
}

void live_spawn_logging(struct live *ret, int log, const char *const *arguments,
                        const char *const *environment)
{
    spawn(ret, log, NULL, arguments, environment);
}

void live_spawn_passing(struct live *ret, int socket, const char *count,
                        const char *const *arguments, const char *const *environment)
{
    const struct passed passed = {.socket = socket, .count = count};
    spawn(ret, temporary_file(), &passed, arguments, environment);
}

static char *read_all(int descriptor, size_t *ret_bytes)
{
    size_t bytes = 0, capacity = 4096;
    char *text = malloc(capacity);
    for (ssize_t got;
         (got = pread(descriptor, text + bytes, capacity - bytes - 1, (off_t)bytes)) > 0;) {
        bytes += (size_t)got;
        if (capacity - bytes < 4096)
            text = realloc(text, capacity *= 2);
    }
    text[bytes] = '\0';
    *ret_bytes = bytes;
    return text;
}

char *live_log(const struct live *live)
{
    size_t bytes;
    return read_all(live->log, &bytes);
}

size_t live_count_log(const struct live *live, const char *text)
{
    char *log = live_log(live);
    size_t count = 0;
    for (const char *at = log; (at = strstr(at, text)); at += strlen(text))
        count++;
    free(log);
    return count;
}

/* The end of the log, for the message of a failing test. */
static const char *log_tail(const struct live *live)
{
    const char *log = live_log(live);
    const size_t bytes = strlen(log);
    return log + (bytes > 2000 ? bytes - 2000 : 0);
}

static bool log_holds(const struct live *live, const char *text)
{
    char *log = live_log(live);
    const bool holds = strstr(log, text) != NULL;
    free(log);
    return holds;
}

void live_wait_log(const struct live *live, const char *text)
{
    for (int waited = 0; !log_holds(live, text); waited += STEP_MS) {
        cr_assert(waited < LIVE_WAIT_MS, "\"%s\" did not come; log:\n%s", text, log_tail(live));
        siginfo_t end = {0};
        cr_assert(waitid(P_PID, (id_t)live->pid, &end, WEXITED | WNOHANG | WNOWAIT) == 0);
        cr_assert(end.si_pid == 0 || log_holds(live, text), "the program ended without \"%s\":\n%s",
                  text, log_tail(live));
        live_sleep_ms(STEP_MS);
    }
}

/* Waits until it listens, and reads where. */
static void wait_listening(struct live *ret)
{
    live_wait_log(ret, "listening on ");
    char *log = live_log(ret);
    const char *address = strstr(log, "listening on ");
    if (sscanf(address, "listening on unix:%107[^\"\n]", ret->socket_path) != 1) {
        address = strstr(address, "://127.0.0.1:");
        cr_assert(address && sscanf(address, "://127.0.0.1:%u", &ret->port) == 1, "%s", log);
    }
    free(log);
}

void live_start(struct live *ret, const char *const *arguments, const char *const *environment)
{
    const char *list[ARGUMENTS_MAX] = {"serve", "--port", "0"};
    for (size_t i = 0; arguments && arguments[i] && i < ARGUMENTS_MAX - 4; i++)
        list[i + 3] = arguments[i];
    live_spawn(ret, list, environment);
    wait_listening(ret);
}

void live_start_passing(struct live *ret, int socket, const char *const *arguments,
                        const char *const *environment)
{
    live_spawn_passing(ret, socket, "1", arguments, environment);
    wait_listening(ret);
}

int live_wait(struct live *live)
{
    int status = 0;
    for (int waited = 0; waitpid(live->pid, &status, WNOHANG) == 0; waited += STEP_MS) {
        if (waited >= LIVE_WAIT_MS) {
            kill(live->pid, SIGKILL);
            cr_assert_fail("the program did not end; log:\n%s", log_tail(live));
        }
        live_sleep_ms(STEP_MS);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void close_files(struct live *live)
{
    close(live->out);
    close(live->log);
}

void live_stop(struct live *live)
{
    kill(live->pid, SIGTERM);
    const int status = live_wait(live);
    cr_assert(status == 0, "exit status %d; log:\n%s", status, log_tail(live));
    close_files(live);
}

struct live_output live_run(const char *const *arguments, const char *const *environment)
{
    struct live live;
    size_t bytes;
    live_spawn(&live, arguments, environment);
    struct live_output output = {.status = live_wait(&live)};
    output.out = read_all(live.out, &output.out_bytes);
    output.err = read_all(live.log, &bytes);
    close_files(&live);
    return output;
}

void live_output_free(struct live_output *output)
{
    free(output->out);
    free(output->err);
}

/* ---- files ---- */

char *live_read_file(const char *path, size_t *ret_bytes)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    cr_assert(descriptor >= 0, "%s: %s", path, strerror(errno));
    char *bytes = read_all(descriptor, ret_bytes);
    close(descriptor);
    return bytes;
}

void live_directory_make(char ret_path[LIVE_PATH_BYTES])
{
    snprintf(ret_path, LIVE_PATH_BYTES, "/tmp/ppm-test-XXXXXX");
    cr_assert(mkdtemp(ret_path) != NULL, "%s: %s", ret_path, strerror(errno));
}

void live_directory_remove(const char *path)
{
    char file[512];
    DIR *directory = opendir(path);
    for (struct dirent *entry; (entry = readdir(directory));) {
        snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
        unlink(file);
    }
    closedir(directory);
    rmdir(path);
}

void live_write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    cr_assert(file && fputs(text, file) >= 0 && fclose(file) == 0, "%s", path);
}

const char *live_write_quoted(const char *directory, const char *name, const char *text)
{
    static char paths[8][2 * LIVE_PATH_BYTES];
    static size_t count;
    char *path = paths[count++ % 8], *json = strdup(text);
    snprintf(path, sizeof paths[0], "%s/%s", directory, name);
    for (char *at = json; (at = strchr(at, '\'')); at++)
        *at = '"';
    live_write_file(path, json);
    free(json);
    return path;
}
