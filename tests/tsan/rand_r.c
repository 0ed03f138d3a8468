/*
 * rand_r.c - in place of the C library's: Criterion's BoxFort maps memory at addresses that it
 * takes from here, and ThreadSanitizer knows only some ranges of addresses.
 */
#include <stdlib.h>

/* Of 4 GiB pages, where the sanitizer has the program's heap; BoxFort tries on until one is free.
 */
int rand_r(unsigned *seed)
{
    *seed = *seed * 1103515245u + 12345u;
    return (int)(0x350000 + (*seed >> 8) % 0x17000);
}
