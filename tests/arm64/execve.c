/*
 * execve.c - in place of the C library's, in tests that qemu-user runs on another machine: what
 * they execute is an arm64 program too, and goes through qemu.
 *
 * Criterion starts a process for each test, and the tests start the server, by executing a file.
 * The kernel would refuse it, where binfmt_misc does not know qemu.
 */
#include <sys/syscall.h>
#include <unistd.h>

enum { WORDS_MAX = 256 };

/* qemu -0 argv[0] path argv[1] ... */
int execve(const char *path, char *const argv[], char *const envp[])
{
    const char *words[WORDS_MAX] = {"qemu-aarch64-static", "-0", argv[0], path};
    for (size_t i = 1; argv[i] && i < WORDS_MAX - 4; i++)
        words[3 + i] = argv[i];
    return (int)syscall(SYS_execve, "/usr/bin/qemu-aarch64-static", words, envp);
}

int execv(const char *path, char *const argv[])
{
    return execve(path, argv, environ);
}
