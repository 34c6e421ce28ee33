/* Intercepts system calls of the program in tests (LD_PRELOAD). It records what is written to the WAL of the database, the syncs of
 * the WAL and what is sent to sockets, and it lets calls fail when a test asks for that.
 *
 *   SHIM_DATA     the data directory (absolute); only files below it fail
 *   SHIM_CONTROL  a directory of control files, each with "errno [skip [times]]": `write`, `sync`, `open` and `rename` (with link and unlink) fail with errno after `skip`
 *                 calls that succeed, `times` times (without it: until the file is removed); errno 0 stands for SIGKILL. While `hold` exists, a sync
 *                 waits; the first one that waits creates `holding`.
 *   SHIM_TRACE    the file of records; without it nothing is recorded
 *
 * A record is kind (1 byte), rc (1 byte, 0 = fine), 2 bytes of nothing, thread (4 bytes), length (4 bytes), bytes; numbers in the
 * machine's order. One write to a file opened with O_APPEND each, so the order of the file is an order of events:
 *   W  bytes were written to the WAL                 (recorded after the call)
 *   B  a sync of the WAL begins                      (recorded before the call)
 *   E  that sync of that thread ended                (recorded after the call)
 *   R  bytes are about to be written to a socket     (recorded before the call)
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static int trace_fd = -1;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("SHIM_TRACE");
    if (path) trace_fd = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static void record(char kind, int rc, const struct iovec *parts, int count) {
    if (trace_fd < 0) return;
    struct iovec whole[64];
    if (count > 63) count = 63;
    uint32_t length = 0;
    for (int i = 0; i < count; i++) {
        whole[i + 1] = parts[i];
        length += parts[i].iov_len;
    }
    struct __attribute__((packed)) { char kind; uint8_t rc; uint16_t none; uint32_t thread, length; } head =
        { kind, rc != 0, 0, (uint32_t)syscall(SYS_gettid), length };
    whole[0] = (struct iovec){ &head, sizeof head };
    int kept = errno;
    syscall(SYS_writev, trace_fd, whole, count + 1);
    errno = kept;
}

/* 1 for a file of the data directory, 2 for the WAL in it, else 0. */
static int whose(int fd) {
    char link[64], path[PATH_MAX];
    const char *data = getenv("SHIM_DATA");
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = syscall(SYS_readlinkat, AT_FDCWD, link, path, sizeof path - 1);
    if (!data || n < 0) return 0;
    path[n] = 0;
    if (strncmp(path, data, strlen(data)) != 0) return 0;
    return n > 4 && strcmp(path + n - 4, "-wal") == 0 ? 2 : 1;
}

static int is_socket(int fd) {
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
}

static void control(char *path, const char *order) {
    const char *dir = getenv("SHIM_CONTROL");
    snprintf(path, PATH_MAX, "%s/%s", dir ? dir : "/nonexistent", order);
}

enum { WRITE, SYNC, OPEN, RENAME };

/* The errno with which this call fails, or 0. */
static int ordered(int what) {
    static const char *names[] = { "write", "sync", "open", "rename" };
    static int seen[4];
    char path[PATH_MAX], text[64] = "";
    control(path, names[what]);
    int kept = errno;
    int fd = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    if (fd >= 0) {
        syscall(SYS_read, fd, text, sizeof text - 1);
        syscall(SYS_close, fd);
    }
    errno = kept;
    int number = 0, skip = 0, times = INT_MAX;
    if (sscanf(text, "%d %d %d", &number, &skip, &times) < 1) {
        __atomic_store_n(&seen[what], 0, __ATOMIC_SEQ_CST);
        return 0;
    }
    int turn = __atomic_fetch_add(&seen[what], 1, __ATOMIC_SEQ_CST);
    if (turn < skip || turn - skip >= times) return 0;
    if (number == 0) kill(getpid(), SIGKILL);
    return number;
}

static void hold(void) {
    char path[PATH_MAX], holding[PATH_MAX];
    control(path, "hold");
    control(holding, "holding");
    while (syscall(SYS_faccessat, AT_FDCWD, path, F_OK) == 0) {
        int fd = syscall(SYS_openat, AT_FDCWD, holding, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        if (fd >= 0) syscall(SYS_close, fd);
        usleep(1000);
    }
}

static ssize_t file_write(int fd, const void *bytes, size_t count, off_t at, int positioned) {
    int owner = whose(fd);
    int failure = owner ? ordered(WRITE) : 0;
    if (failure) {
        errno = failure;
        return -1;
    }
    ssize_t n = positioned ? syscall(SYS_pwrite64, fd, bytes, count, at) : syscall(SYS_write, fd, bytes, count);
    if (owner == 2 && n > 0) {
        struct iovec part = { (void *)bytes, (size_t)n };
        record('W', 0, &part, 1);
    }
    return n;
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at) { return file_write(fd, bytes, count, at, 1); }
ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) { return file_write(fd, bytes, count, at, 1); }

static void reply(const void *bytes, size_t count) {
    struct iovec part = { (void *)bytes, count };
    record('R', 0, &part, 1);
}

ssize_t write(int fd, const void *bytes, size_t count) {
    if (trace_fd >= 0 && is_socket(fd)) reply(bytes, count);
    return file_write(fd, bytes, count, 0, 0);
}

ssize_t send(int fd, const void *bytes, size_t count, int flags) {
    reply(bytes, count);
    return syscall(SYS_sendto, fd, bytes, count, flags, NULL, 0);
}

ssize_t sendto(int fd, const void *bytes, size_t count, int flags, const struct sockaddr *to, socklen_t size) {
    reply(bytes, count);
    return syscall(SYS_sendto, fd, bytes, count, flags, to, size);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
    record('R', 0, message->msg_iov, (int)message->msg_iovlen);
    return syscall(SYS_sendmsg, fd, message, flags);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    if (trace_fd >= 0 && is_socket(fd)) record('R', 0, parts, count);
    return syscall(SYS_writev, fd, parts, count);
}

static int file_sync(int fd, long number) {
    int owner = whose(fd);
    if (owner == 2) record('B', 0, NULL, 0);
    if (owner) hold();
    int failure = owner ? ordered(SYNC) : 0;
    int rc = failure ? -1 : (int)syscall(number, fd);
    if (owner == 2) record('E', rc, NULL, 0);
    if (failure) errno = failure;
    return rc;
}

int fdatasync(int fd) { return file_sync(fd, SYS_fdatasync); }
int fsync(int fd) { return file_sync(fd, SYS_fsync); }

static int file_truncate(int fd, off_t size) {
    int failure = whose(fd) ? ordered(WRITE) : 0;
    if (!failure) return (int)syscall(SYS_ftruncate, fd, size);
    errno = failure;
    return -1;
}

int ftruncate(int fd, off_t size) { return file_truncate(fd, size); }
int ftruncate64(int fd, off64_t size) { return file_truncate(fd, size); }

/* Only opening to write fails, as on a file system that was mounted read-only. */
static int file_open(int dir, const char *path, int flags, mode_t mode) {
    const char *data = getenv("SHIM_DATA");
    int below = data && strncmp(path, data, strlen(data)) == 0;
    int failure = below && (flags & (O_WRONLY | O_RDWR | O_CREAT)) ? ordered(OPEN) : 0;
    if (!failure) return (int)syscall(SYS_openat, dir, path, flags, mode);
    errno = failure;
    return -1;
}

#define MODE_OF(flags) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | O_TMPFILE)) { va_list rest; va_start(rest, flags); mode = va_arg(rest, mode_t); va_end(rest); }

int open(const char *path, int flags, ...) { MODE_OF(flags) return file_open(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE_OF(flags) return file_open(AT_FDCWD, path, flags, mode); }
int openat(int dir, const char *path, int flags, ...) { MODE_OF(flags) return file_open(dir, path, flags, mode); }
int openat64(int dir, const char *path, int flags, ...) { MODE_OF(flags) return file_open(dir, path, flags, mode); }

/* Whether a change of names below the data directory fails. */
static int names_fail(const char *path) {
    const char *data = getenv("SHIM_DATA");
    int below = data && strncmp(path, data, strlen(data)) == 0;
    int failure = below ? ordered(RENAME) : 0;
    if (failure) errno = failure;
    return failure;
}

int rename(const char *from, const char *to) {
    return names_fail(from) ? -1 : (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int linkat(int dir, const char *from, int to_dir, const char *to, int flags) {
    return names_fail(from) ? -1 : (int)syscall(SYS_linkat, dir, from, to_dir, to, flags);
}

int link(const char *from, const char *to) { return linkat(AT_FDCWD, from, AT_FDCWD, to, 0); }

int unlink(const char *path) {
    return names_fail(path) ? -1 : (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}
