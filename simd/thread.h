/* thread.h - what tables have as begin and end; simd.h says when they are called. */
#ifndef PPM_SIMD_THREAD_H
#define PPM_SIMD_THREAD_H

unsigned simd_thread_begin(void);
void simd_thread_end(unsigned before);

#endif
