/* Loaded before the C library (LD_PRELOAD): a flush of Postgres's write-ahead log takes a
   millisecond longer, as on storage across a network. Flushes of data files are left alone. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int is_of_the_log(int file)
{
    char link[32], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return 0;
    path[length] = '\0';
    return strstr(path, "/pg_wal/") != NULL;
}

static int flush(const char *name, int file)
{
    if (is_of_the_log(file)) {
        struct timespec millisecond = {.tv_nsec = 1000000};
        nanosleep(&millisecond, NULL);
    }
    int (*next)(int) = dlsym(RTLD_NEXT, name);
    return next(file);
}

int fdatasync(int file) { return flush("fdatasync", file); }
int fsync(int file) { return flush("fsync", file); }
