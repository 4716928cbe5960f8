#include "process.h"

#include <dirent.h>
#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plain_text.h"

static FILE *open_part(pid_t pid, const char *part) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, part);
    return fopen(path, "re");
}

/* "123 (name with spaces and ) too) S 1 ...". */
static bool read_stat(struct process *process) {
    char line[512];
    FILE *file = open_part(process->pid, "stat");
    size_t size = file ? fread(line, 1, sizeof line - 1, file) : 0;
    if (file)
        fclose(file);
    line[size] = '\0';
    char *open = strchr(line, '(');
    char *close = strrchr(line, ')');
    int parent = 0;
    unsigned long long start = 0;
    unsigned long long image = 0;
    if (!open || !close ||
        sscanf(close + 1,
               " %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu "
               "%*u %*d %*u %*u %*u %llu",
               &process->state, &parent, &start, &image) != 4)
        return false;
    process->start = start;
    process->image = image;
    process->parent = parent;
    snprintf(process->name, sizeof process->name, "%.*s", (int)(close - open - 1), open + 1);
    plain_text(process->name);
    return true;
}

/* A program that was replaced on the disk is still named, with a remark. */
static void read_program(struct process *process) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/exe", (int)process->pid);
    ssize_t size = readlink(path, process->program, sizeof process->program - 1);
    process->program[size < 0 ? 0 : size] = '\0';
    plain_text(process->program);
    char *remark = strstr(process->program, " (deleted)");
    if (remark)
        *remark = '\0';
}

static void read_auxiliary(struct process *process) {
    unsigned long pair[2];
    FILE *file = open_part(process->pid, "auxv");
    while (file && fread(pair, sizeof pair, 1, file) == 1)
        if (pair[0] == AT_SECURE)
            process->is_secure = pair[1] != 0;
    if (file)
        fclose(file);
}

static bool names_library(const char *text) {
    return strstr(text, "libunherd.so");
}

static void read_maps(struct process *process) {
    char *line = NULL;
    size_t room = 0;
    FILE *file = open_part(process->pid, "maps");
    while (file && !process->has_library && getline(&line, &room, file) >= 0)
        process->has_library = names_library(line);
    free(line);
    if (file)
        fclose(file);
}

static void read_environment(struct process *process) {
    char *word = NULL;
    size_t room = 0;
    FILE *file = open_part(process->pid, "environ");
    while (file && getdelim(&word, &room, '\0', file) >= 0)
        if (!strncmp(word, "LD_PRELOAD=", 11))
            process->has_preload = names_library(word);
    free(word);
    if (file)
        fclose(file);
}

bool process_read(struct process *process, pid_t pid) {
    *process = (struct process){.pid = pid};
    if (!read_stat(process))
        return false;
    read_program(process);
    read_auxiliary(process);
    read_maps(process);
    read_environment(process);
    return true;
}

bool process_glance(struct process *process, pid_t pid) {
    *process = (struct process){.pid = pid};
    return read_stat(process);
}

char process_state(pid_t pid) {
    struct process process = {.pid = pid};
    return (char)(read_stat(&process) ? process.state : 0);
}

pid_t process_parent(pid_t pid) {
    struct process process = {.pid = pid};
    return read_stat(&process) ? process.parent : 0;
}

bool process_descends_from(pid_t pid, pid_t ancestor) {
    struct process process;
    for (int depth = 0; pid > 1 && depth < 64; depth++) {
        if (pid == ancestor)
            return true;
        process.pid = pid;
        if (!read_stat(&process))
            return false;
        pid = process.parent;
    }
    return false;
}

static void each_number(const char *path, process_visit *visit, void *context) {
    DIR *directory = opendir(path);
    struct dirent *entry;
    bool goes_on = true;
    while (directory && goes_on && (entry = readdir(directory))) {
        int id = atoi(entry->d_name);
        if (id > 0)
            goes_on = visit(id, context);
    }
    if (directory)
        closedir(directory);
}

void process_each(process_visit *visit, void *context) {
    each_number("/proc", visit, context);
}

void process_each_thread(pid_t pid, process_visit *visit, void *context) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    each_number(path, visit, context);
}

bool process_each_descriptor(pid_t pid, process_descriptor *visit, void *context) {
    char path[64];
    char target[PATH_MAX];
    struct dirent *entry;
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *directory = opendir(path);
    while (directory && (entry = readdir(directory))) {
        ssize_t size = readlinkat(dirfd(directory), entry->d_name, target, sizeof target - 1);
        if (size <= 0)
            continue;
        target[size] = '\0';
        visit(atoi(entry->d_name), target, context);
    }
    if (directory)
        closedir(directory);
    return directory;
}

uint64_t process_socket(const char *target) {
    return strncmp(target, "socket:[", 8) ? 0 : strtoull(target + 8, NULL, 10);
}
