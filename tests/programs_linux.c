/* SPDX-License-Identifier: MIT */
/* Looks into other processes, by /proc: see programs.h. */
#include "programs.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>

unsigned programs_count_descriptors(const struct program *program)
{
    char path[64];
    unsigned count = 0;
    (void)snprintf(path, sizeof(path), "/proc/%d/fd", program->process.pid);
    DIR *folder = opendir(path);
    assert_non_null(folder);
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        count += entry->d_name[0] != '.';
    }
    (void)closedir(folder); /* it was only read */
    return count;
}

/* Of its main thread. */
unsigned programs_count_children(const struct program *program)
{
    char path[64];
    unsigned count = 0;
    int child;
    (void)snprintf(path, sizeof(path), "/proc/%d/task/%d/children",
        program->process.pid, program->process.pid);
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return 0; /* a kernel without CONFIG_PROC_CHILDREN */
    }
    while (fscanf(file, "%d", &child) == 1) {
        count++;
    }
    (void)fclose(file); /* it was only read */
    return count;
}

void programs_limit_descriptors(const struct program *program, unsigned count)
{
    struct rlimit limit;
    assert_int_equal(
        prlimit(program->process.pid, RLIMIT_NOFILE, NULL, &limit), 0);
    limit.rlim_cur = count;
    assert_int_equal(
        prlimit(program->process.pid, RLIMIT_NOFILE, &limit, NULL), 0);
}

/* In nanoseconds, the first figure of each thread's schedstat. */
static double thread_seconds(int pid, const char *thread)
{
    char path[64];
    unsigned long long ran = 0;
    (void)snprintf(
        path, sizeof(path), "/proc/%d/task/%.16s/schedstat", pid, thread);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%llu", &ran), 1);
    (void)fclose(file); /* it was only read */
    return (double)ran / 1e9;
}

double programs_cpu_seconds(const struct program *program)
{
    char path[64];
    double seconds = 0;
    (void)snprintf(path, sizeof(path), "/proc/%d/task", program->process.pid);
    DIR *folder = opendir(path);
    assert_non_null(folder);
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        if (entry->d_name[0] != '.') {
            seconds += thread_seconds(program->process.pid, entry->d_name);
        }
    }
    (void)closedir(folder); /* it was only read */
    return seconds;
}

bool programs_have_reuseport(void)
{
    return true;
}
