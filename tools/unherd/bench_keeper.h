/*
 * bench keeper: a process between the tool and the server. Whatever the server leaves behind,
 * daemons too, falls to it (PR_SET_CHILD_SUBREAPER), and it ends all of that when it is told to, or
 * when the tool has died, however that was.
 */
#ifndef UNHERD_BENCH_KEEPER_H
#define UNHERD_BENCH_KEEPER_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

struct keeper {
    pid_t pid;  /* 0: there is none */
    int output; /* what the server says, in memory */
    int status; /* of the server, once keeper_is_alive has said no: as in a shell */
};

/* Starts the command, and the library goes with it as the caller's words say. False with errno. */
bool keeper_start(struct keeper *keeper, char *const *command);

/* Has the server, or something that it left, still a process? */
bool keeper_is_alive(struct keeper *keeper);

/* SIGTERM, some seconds, SIGKILL. Nothing of the server is left then. */
void keeper_end(struct keeper *keeper);

/* A server that talks much must not fill the memory: forgets what it said, if it is much. */
void keeper_trim(const struct keeper *keeper);

/* The last lines that the server said, each indented, behind a line of their own. */
void keeper_last_words(const struct keeper *keeper, FILE *out);

#endif
