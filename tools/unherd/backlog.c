#include "backlog.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TCP_LISTENING = 10 };

struct question {
    struct nlmsghdr head;
    struct inet_diag_req_v2 body;
};

static bool ask(int fd, unsigned char family) {
    struct question question = {
        .head = {.nlmsg_len = sizeof question,
                 .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                 .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
        .body = {.sdiag_family = family,
                 .sdiag_protocol = IPPROTO_TCP,
                 .idiag_states = 1U << TCP_LISTENING},
    };
    return send(fd, &question, sizeof question, 0) == (ssize_t)sizeof question;
}

/* Of a socket that listens, what can be written is what may be queued. */
static void note(struct listening_list *list, const struct inet_diag_msg *one) {
    for (size_t i = 0; i < list->count; i++)
        if (list->item[i].inode == one->idiag_inode)
            list->item[i].backlog = one->idiag_wqueue;
}

/* False: that was the last. */
static bool take(struct listening_list *list, const char *bytes, size_t size) {
    const struct nlmsghdr *head = (const struct nlmsghdr *)bytes;
    for (; NLMSG_OK(head, size); head = NLMSG_NEXT(head, size)) {
        if (head->nlmsg_type != SOCK_DIAG_BY_FAMILY)
            return false;
        if (head->nlmsg_len >= NLMSG_LENGTH(sizeof(struct inet_diag_msg)))
            note(list, NLMSG_DATA(head));
    }
    return true;
}

static void read_answer(struct listening_list *list, int fd) {
    _Alignas(struct nlmsghdr) char bytes[32768];
    ssize_t size;
    do
        size = recv(fd, bytes, sizeof bytes, 0);
    while (size > 0 && take(list, bytes, (size_t)size));
}

void backlog_read(struct listening_list *list) {
    static const unsigned char families[] = {AF_INET, AF_INET6};
    const struct timeval most = {.tv_sec = 1};
    int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    if (fd < 0)
        return;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most);
    for (size_t i = 0; i < sizeof families; i++)
        if (ask(fd, families[i]))
            read_answer(list, fd);
    close(fd);
}
