/* Messages that bring descriptors, or take them away: a listener may be among them (SCM_RIGHTS,
 * unix(7)). */
#include "hook.h"

#include <limits.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "bound.h"
#include "listener.h"
#include "socket_options.h"

/* A number that is given out anew may still stand for one that was closed behind our back. */
static void look_at(int fd) {
    int saved = errno;
    listener_found(fd, false);
    errno = saved;
}

static void each_descriptor(struct msghdr *message, void (*visit)(int fd)) {
    for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part; part = CMSG_NXTHDR(message, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
            continue;
        const char *end = (char *)message->msg_control + message->msg_controllen;
        for (size_t at = CMSG_LEN(0); at + sizeof(int) <= part->cmsg_len; at += sizeof(int)) {
            int fd;
            if ((char *)part + at + sizeof fd > end) /* the kernel will say what is wrong with it */
                return;
            memcpy(&fd, (char *)part + at, sizeof fd);
            visit(fd);
        }
    }
}

static bool is_hidden(int fd) {
    return fd_kind_of(fd_entry(fd)) == FD_HIDDEN;
}

HOOK ssize_t recvmsg(int fd, struct msghdr *message, int flags) {
    if (is_hidden(fd))
        return bad_descriptor();
    ssize_t size = real.recvmsg(fd, message, flags);
    if (size >= 0 && message->msg_controllen)
        each_descriptor(message, look_at);
    return size;
}

HOOK int recvmmsg(int fd, struct mmsghdr *messages, unsigned count, message_flags flags,
                  struct timespec *timeout) {
    if (is_hidden(fd))
        return bad_descriptor();
    int received = real.recvmmsg(fd, messages, count, flags, timeout);
    for (int i = 0; i < received; i++)
        if (messages[i].msg_hdr.msg_controllen)
            each_descriptor(&messages[i].msg_hdr, look_at);
    return received;
}

static void hand_over(int fd) {
    int saved = errno;
    unsigned entry = fd_entry(fd);
    if (fd_kind_of(entry) == FD_LISTENER && listener_is_real(fd))
        set_hand_over(listener_at(fd_index_of(entry))->shard.set, fd);
    else if (entry == FD_OTHER)
        bound_forget(fd);
    errno = saved;
}

/* Before it is sent, since whoever gets it may end this process's listening at once. */
static void look_before(const struct msghdr *message) {
    struct msghdr sent = *message;
    if (sent.msg_controllen && is_address(sent.msg_control))
        each_descriptor(&sent, hand_over);
}

/*
 * Descriptors travel over sockets of the local machine alone, and with parts of that level alone:
 * what servers of UDP send in lists has parts of other levels, and costs them no system call.
 */
static bool may_bring_any(const struct msghdr *message) {
    struct cmsghdr part;
    if (!message->msg_control || message->msg_controllen < sizeof part)
        return false;
    if (!is_address(message->msg_control))
        return true;
    memcpy(&part, message->msg_control, sizeof part);
    return part.cmsg_level == SOL_SOCKET;
}

static bool is_local(int fd) {
    int saved = errno;
    bool is_unix = socket_int(fd, SOL_SOCKET, SO_DOMAIN) == AF_UNIX;
    errno = saved;
    return is_unix;
}

HOOK ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
    if (is_hidden(fd))
        return bad_descriptor();
    if (is_address(message) && listener_any())
        look_before(message);
    return real.sendmsg(fd, message, flags);
}

/* The kernel reads no message of a list before the last is sent, and a later one may not be there.
 */
static bool is_there(const struct mmsghdr *message) {
    struct mmsghdr copy;
    struct iovec to = {&copy, sizeof copy};
    struct iovec from = {(void *)message, sizeof copy};
    int saved = errno;
    bool is_missing = process_vm_readv(getpid(), &to, 1, &from, 1, 0) < 0 && errno == EFAULT;
    errno = saved;
    return !is_missing;
}

static int send_each(int fd, struct mmsghdr *messages, unsigned count, message_flags flags,
                     send_messages *send) {
    for (unsigned i = 0; i < count && i < UIO_MAXIOV; i++) {
        bool is_good = is_there(&messages[i]);
        if (is_good)
            look_before(&messages[i].msg_hdr);
        else
            errno = EFAULT;
        if (!is_good || send(fd, &messages[i], 1, flags) != 1)
            return i ? (int)i : -1;
    }
    return (int)(count < UIO_MAXIOV ? count : UIO_MAXIOV);
}

int hook_send_messages(int fd, struct mmsghdr *messages, unsigned count, message_flags flags,
                       send_messages *send) {
    if (is_hidden(fd))
        return bad_descriptor();
    bool is_suspect =
        listener_any() && is_address(messages) && count && may_bring_any(&messages[0].msg_hdr);
    if (is_suspect && is_local(fd))
        return send_each(fd, messages, count, flags, send);
    return send(fd, messages, count, flags);
}

HOOK int sendmmsg(int fd, struct mmsghdr *messages, unsigned count, message_flags flags) {
    return hook_send_messages(fd, messages, count, flags, real.sendmmsg);
}
