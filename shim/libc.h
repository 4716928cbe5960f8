/*
 * libc: where glibc and musl declare the hooked calls differently. A hook has to be declared as its
 * libc declares it; what a libc lacks is hooked all the same, since a program may bring it.
 */
#ifndef UNHERD_LIBC_H
#define UNHERD_LIBC_H

#include <signal.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

typedef void (*signal_handler)(int);
signal_handler bsd_signal(int number, signal_handler handler); /* declared for old programs only */

/* Whether the process has no thread but this one; false where the libc does not say. */
#if defined __GLIBC__ && __has_include(<sys/single_threaded.h>)
#include <sys/single_threaded.h>
#define IS_SINGLE_THREADED __libc_single_threaded
#else
#define IS_SINGLE_THREADED false
#endif

#ifdef __GLIBC__

/* An address is a union of pointers there, which is passed as a pointer. */
#define ADDRESS_OUT __SOCKADDR_ARG
#define ADDRESS_IN __CONST_SOCKADDR_ARG
#define POINTER_OF(address) ((address).__sockaddr__)
typedef __rlimit_resource_t limit_name;
typedef unsigned long ioctl_request;
typedef int message_flags;
enum { SELECT_TELLS_REST = 1 }; /* it leaves in the timeout what is left of it */

#else

#define ADDRESS_OUT struct sockaddr *restrict
#define ADDRESS_IN const struct sockaddr *
#define POINTER_OF(address) (address)
typedef int limit_name;
typedef int ioctl_request;
typedef unsigned message_flags;
enum { SELECT_TELLS_REST = 0 };

/* A number for its name: musl's strerror() neither allocates nor fails. */
#define strerrorname_np strerror

signal_handler sysv_signal(int number, signal_handler handler);
signal_handler __sysv_signal(int number, signal_handler handler);

/* Macros for the calls without 64; symbols of those names there are all the same. */
#undef setrlimit64
#undef prlimit64
#ifndef rlimit64
#define rlimit64 rlimit
#endif
int setrlimit64(limit_name resource, const struct rlimit64 *limit);
int prlimit64(pid_t pid, limit_name resource, const struct rlimit64 *limit, struct rlimit64 *old);
int fcntl64(int fd, int command, ...);
int close_range(unsigned first, unsigned last, int flags);
void closefrom(int first);
int epoll_pwait2(int epfd, struct epoll_event *events, int most, const struct timespec *timeout,
                 const sigset_t *mask);
int execveat(int fd, const char *path, char *const *words, char *const *environment, int flags);

#endif

#endif
