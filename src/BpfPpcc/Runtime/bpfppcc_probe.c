/*
 * bpfppcc_probe.c - reads memory that may not be there, for the bpf_probe_read family. -DBPFPPCC_PROBE=... chooses how:
 *
 * BPFPPCC_PROBE_SYSCALL (Linux, the default there): process_vm_readv on the own process, which reports a bad address instead of faulting.
 *     Where that call does not exist (emulators, some sandboxes), the kernel is asked to write the bytes into a pipe, which does the same.
 * BPFPPCC_PROBE_DIRECT (elsewhere): a plain copy. A bad address is a fault, except for the first page, which is never memory.
 */
#define _GNU_SOURCE
#include "bpfppcc_rt.h"

#define BPFPPCC_PROBE_DIRECT 0
#define BPFPPCC_PROBE_SYSCALL 1
#ifndef BPFPPCC_PROBE
#ifdef __linux__
#define BPFPPCC_PROBE BPFPPCC_PROBE_SYSCALL
#else
#define BPFPPCC_PROBE BPFPPCC_PROBE_DIRECT
#endif
#endif

enum { PAGE = 4096 };                   /* no system has smaller ones */

#if BPFPPCC_PROBE == BPFPPCC_PROBE_SYSCALL
#include <sys/uio.h>
#include <unistd.h>

/* A pipe takes a page without blocking. */
static bool copy_by_pipe(char *to, uint64_t from, size_t size)
{
    int ends[2];
    if (pipe(ends))
        return false;
    bool ok = true;
    while (ok && size) {
        size_t part = size < PAGE ? size : PAGE;
        ok = write(ends[1], pointer(from), part) == (ssize_t)part && read(ends[0], to, part) == (ssize_t)part;
        to += part;
        from += part;
        size -= part;
    }
    close(ends[0]);
    close(ends[1]);
    return ok;
}

static bool copy(void *to, uint64_t from, size_t size)
{
    struct iovec local = { to, size }, remote = { pointer(from), size };
    ssize_t copied = process_vm_readv(getpid(), &local, 1, &remote, 1, 0);
    if (copied < 0 && (errno == ENOSYS || errno == EPERM))
        return copy_by_pipe(to, from, size);
    return copied == (ssize_t)size;
}
#else
static bool copy(void *to, uint64_t from, size_t size)
{
    memcpy(to, pointer(from), size);
    return true;
}
#endif

bool bpfppcc_rt_probe(void *to, uint64_t from, size_t size)
{
    if (!size)
        return true;
    return from >= PAGE && from + size >= from && copy(to, from, size);
}

/* In pieces that do not reach into the next page: that one may be missing though the string ends in front of it. */
int bpfppcc_rt_probe_string(char *to, uint64_t from, size_t size)
{
    size_t length = 0;
    while (length < size) {
        size_t part = PAGE - (from + length) % PAGE;
        if (part > size - length)
            part = size - length;
        if (part > 64)
            part = 64;
        if (!bpfppcc_rt_probe(to + length, from + length, part))
            return -EFAULT;
        const char *end = memchr(to + length, 0, part);
        if (end)
            return (int)(end - to) + 1;
        length += part;
    }
    to[size - 1] = 0;
    return (int)size;
}
