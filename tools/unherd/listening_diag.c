#include "listening_diag.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { LISTENING = 10 /* TCP_LISTEN; of local sockets too */ };

struct question {
    struct nlmsghdr head;
    union {
        struct inet_diag_req_v2 tcp;
        struct unix_diag_req local;
    };
};

static bool ask(int fd, unsigned char family) {
    struct question question = {
        .head = {.nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP}};
    bool is_local = family == AF_UNIX;
    if (is_local)
        question.local = (struct unix_diag_req){.sdiag_family = family,
                                                .udiag_states = 1U << LISTENING,
                                                .udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_RQLEN};
    else
        question.tcp = (struct inet_diag_req_v2){
            .sdiag_family = family, .sdiag_protocol = IPPROTO_TCP, .idiag_states = 1U << LISTENING};
    size_t size = NLMSG_LENGTH(is_local ? sizeof question.local : sizeof question.tcp);
    question.head.nlmsg_len = (unsigned)size;
    return send(fd, &question, size, 0) == (ssize_t)size;
}

/* Of what listens, what can be read is the connections that are queued, and what can be written
 * is how many may be. */
static bool add_tcp(struct listening_list *list, const struct nlmsghdr *head) {
    const struct inet_diag_msg *its = NLMSG_DATA(head);
    struct listening one = {.is_queue_known = true};
    if (head->nlmsg_len < NLMSG_LENGTH(sizeof *its))
        return true;
    one.inode = its->idiag_inode;
    one.port = ntohs(its->id.idiag_sport);
    one.queued = its->idiag_rqueue;
    one.backlog = its->idiag_wqueue;
    listening_name(&one, its->idiag_family, its->id.idiag_src);
    return listening_add(list, &one);
}

/* A name of the abstract name space begins with a zero byte; one of a path may end with some. */
static void take_name(struct listening *one, const char *name, size_t size) {
    char text[sizeof((struct sockaddr_un *)0)->sun_path + 1] = "";
    if (size == 0 || size >= sizeof text)
        return;
    memcpy(text, name, size);
    if (!text[0])
        text[0] = '@';
    snprintf(one->address, sizeof one->address, "unix:%s", text);
}

static bool add_local(struct listening_list *list, struct nlmsghdr *head) {
    struct unix_diag_msg *its = NLMSG_DATA(head);
    struct listening one = {.address = "unix:(unnamed)"};
    if (head->nlmsg_len < NLMSG_LENGTH(sizeof *its))
        return true;
    one.inode = its->udiag_ino;
    struct rtattr *part = (struct rtattr *)(its + 1);
    unsigned left = head->nlmsg_len - (unsigned)NLMSG_LENGTH(sizeof *its);
    for (; RTA_OK(part, left); part = RTA_NEXT(part, left)) {
        const struct unix_diag_rqlen *queue = RTA_DATA(part);
        if (part->rta_type == UNIX_DIAG_NAME)
            take_name(&one, RTA_DATA(part), RTA_PAYLOAD(part));
        if (part->rta_type != UNIX_DIAG_RQLEN || RTA_PAYLOAD(part) < sizeof *queue)
            continue;
        one.queued = queue->udiag_rqueue;
        one.backlog = queue->udiag_wqueue;
        one.is_queue_known = true;
    }
    return listening_add(list, &one);
}

enum progress { MORE, DONE, FAILED };

static enum progress take(struct listening_list *list, unsigned char family, char *bytes,
                          size_t size) {
    struct nlmsghdr *head = (struct nlmsghdr *)bytes;
    for (; NLMSG_OK(head, size); head = NLMSG_NEXT(head, size)) {
        if (head->nlmsg_type == NLMSG_DONE)
            return DONE;
        if (head->nlmsg_type != SOCK_DIAG_BY_FAMILY)
            return FAILED;
        if (!(family == AF_UNIX ? add_local(list, head) : add_tcp(list, head)))
            return FAILED;
    }
    return MORE;
}

static bool read_answer(struct listening_list *list, unsigned char family, int fd) {
    _Alignas(struct nlmsghdr) char bytes[32768];
    enum progress progress = MORE;
    while (progress == MORE) {
        ssize_t size = recv(fd, bytes, sizeof bytes, 0);
        progress = size > 0 ? take(list, family, bytes, (size_t)size) : FAILED;
    }
    return progress == DONE;
}

bool listening_diag(struct listening_list *list, unsigned char family) {
    const struct timeval most = {.tv_sec = 1};
    int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    if (fd < 0)
        return false;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most);
    bool good = ask(fd, family) && read_answer(list, family, fd);
    close(fd);
    return good;
}
