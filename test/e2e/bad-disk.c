/*
 * Preloaded into a node under test (LD_PRELOAD): what a disk in trouble does to calls of the system. The file that BAD_DISK_ORDER
 * names says which: "ERRNO PREFIX" for an error, "hang PREFIX" for calls that do not return until the order is gone. Without that
 * file everything goes its way. Only what is below PREFIX is concerned, and only calls that change something or make it durable;
 * "read-hang PREFIX" is for opening and reading.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define REAL(name) __typeof__(&name) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

enum kind { WRITES, READS };

static int order(char *word, char *prefix) {
  const char *file = getenv("BAD_DISK_ORDER");
  if (file == NULL || access(file, R_OK) != 0) return 0;
  FILE *stream = fopen(file, "r");
  if (stream == NULL) return 0;
  int count = fscanf(stream, "%31s %4095s", word, prefix);
  fclose(stream);
  return count == 2;
}

/* 0, or the error that the call shall give; does not return while the order is to hang. */
static int trouble(const char *path, enum kind kind) {
  char word[32], prefix[4096];
  if (path == NULL) return 0;
  for (;;) {
    if (!order(word, prefix) || strncmp(path, prefix, strlen(prefix)) != 0) return 0;
    if (strcmp(word, "hang") == 0) {
      if (kind != WRITES) return 0;
    } else if (strcmp(word, "read-hang") == 0) {
      if (kind != READS) return 0;
    } else return kind == WRITES ? atoi(word) : 0;
    usleep(20000);
  }
}

static int troubleOf(int fd, enum kind kind) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length <= 0 || path[0] != '/') return 0;
  path[length] = 0;
  return trouble(path, kind);
}

#define FAIL_IF(error) do { int e_ = (error); if (e_ != 0) { errno = e_; return -1; } } while (0)

static enum kind kindOfOpen(int flags) {
  return flags & (O_CREAT | O_TRUNC | O_WRONLY | O_RDWR) ? WRITES : READS;
}

#define OPEN(name)                                                   \
  int name(const char *path, int flags, ...) {                       \
    REAL(name);                                                      \
    va_list rest;                                                    \
    va_start(rest, flags);                                           \
    mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;        \
    va_end(rest);                                                    \
    FAIL_IF(trouble(path, kindOfOpen(flags)));                       \
    return real(path, flags, mode);                                  \
  }
OPEN(open)
OPEN(open64)

ssize_t write(int fd, const void *bytes, size_t size) {
  REAL(write);
  FAIL_IF(troubleOf(fd, WRITES));
  return real(fd, bytes, size);
}

#define PWRITE(name, offset_type)                                              \
  ssize_t name(int fd, const void *bytes, size_t size, offset_type at) {       \
    REAL(name);                                                                \
    FAIL_IF(troubleOf(fd, WRITES));                                            \
    return real(fd, bytes, size, at);                                          \
  }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) {
  REAL(pwritev);
  FAIL_IF(troubleOf(fd, WRITES));
  return real(fd, parts, count, at);
}

#define PREAD(name, offset_type)                                               \
  ssize_t name(int fd, void *bytes, size_t size, offset_type at) {             \
    REAL(name);                                                                \
    FAIL_IF(troubleOf(fd, READS));                                             \
    return real(fd, bytes, size, at);                                          \
  }
PREAD(pread, off_t)
PREAD(pread64, off64_t)

int fsync(int fd) {
  REAL(fsync);
  FAIL_IF(troubleOf(fd, WRITES));
  return real(fd);
}

int fdatasync(int fd) {
  REAL(fdatasync);
  FAIL_IF(troubleOf(fd, WRITES));
  return real(fd);
}

int rename(const char *from, const char *to) {
  REAL(rename);
  FAIL_IF(trouble(to, WRITES));
  return real(from, to);
}

int unlink(const char *path) {
  REAL(unlink);
  FAIL_IF(trouble(path, WRITES));
  return real(path);
}

int mkdir(const char *path, mode_t mode) {
  REAL(mkdir);
  FAIL_IF(trouble(path, WRITES));
  return real(path, mode);
}
