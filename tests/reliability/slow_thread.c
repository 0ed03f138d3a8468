/* A recvfrom that returns a POST late, as if the thread had lost its core in between: its bytes
 * have left the kernel, and the server does not know of them yet. For LD_PRELOAD. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LATE_US = 100000 };

ssize_t recvfrom(int fd, void *buf, size_t n, int flags, struct sockaddr *address, socklen_t *bytes)
{
    ssize_t (*next)(int, void *, size_t, int, struct sockaddr *, socklen_t *) = NULL;
    *(void **)&next = dlsym(RTLD_NEXT, "recvfrom");
    const ssize_t received = next(fd, buf, n, flags, address, bytes);
    if (received >= 4 && memcmp(buf, "POST", 4) == 0)
        usleep(LATE_US);
    return received;
}
