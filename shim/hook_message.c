/* Messages that bring descriptors: a listener may be among them (SCM_RIGHTS, unix(7)). */
#include "hook.h"

#include <string.h>

#include "listener.h"

/* A number that is given out anew may still stand for one that was closed behind our back. */
static void look_at(int fd) {
    int saved = errno;
    listener_found(fd, false);
    errno = saved;
}

static void look_at_rights(struct msghdr *message) {
    for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part; part = CMSG_NXTHDR(message, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t at = CMSG_LEN(0); at + sizeof(int) <= part->cmsg_len; at += sizeof(int)) {
            int fd;
            memcpy(&fd, (char *)part + at, sizeof fd);
            look_at(fd);
        }
    }
}

HOOK ssize_t recvmsg(int fd, struct msghdr *message, int flags) {
    ssize_t size = real.recvmsg(fd, message, flags);
    if (size >= 0 && message->msg_controllen)
        look_at_rights(message);
    return size;
}

HOOK int recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags,
                  struct timespec *timeout) {
    int received = real.recvmmsg(fd, messages, count, flags, timeout);
    for (int i = 0; i < received; i++)
        if (messages[i].msg_hdr.msg_controllen)
            look_at_rights(&messages[i].msg_hdr);
    return received;
}
