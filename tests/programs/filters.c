/*
 * filters: listeners that do not let everybody in. Whatever their other queues are, nobody comes in
 * there who would not come in here.
 */
#include "lab.h"

#include <linux/bpf.h>
#include <linux/filter.h>

enum { WORKERS = 3, VISITS = 20 };

static uint16_t port;
static pid_t workers[WORKERS];

static void serve(int listening) {
    MUST(listen(listening, 64));
    port = port_of(listening);
    for (int i = 0; i < WORKERS; i++)
        workers[i] = start_worker(listening, i);
    for (int i = 0; i < WORKERS; i++)
        until_waiting(workers[i]);
}

static void end_workers(void) {
    for (int i = 0; i < WORKERS; i++)
        end_worker(workers[i]);
}

/* ---- who calls ---- */

/* Starts to connect, from 127.0.0.HOST; on the loopback, whoever is let in is in at once. */
static int knock(uint8_t host, const struct tcp_md5sig *key) {
    struct sockaddr_storage address;
    socklen_t length = loopback(&address, AF_INET, 0);
    struct sockaddr_in *own = (struct sockaddr_in *)&address;
    int client = MUST(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
    own->sin_addr.s_addr = htonl(INADDR_LOOPBACK - 1 + host);
    MUST(bind(client, (struct sockaddr *)&address, length));
    if (key)
        MUST(setsockopt(client, IPPROTO_TCP, TCP_MD5SIG, key, sizeof *key));
    length = loopback(&address, AF_INET, port);
    (void)connect(client, (struct sockaddr *)&address, length);
    return client;
}

static int answered(uint8_t host, const struct tcp_md5sig *key, int patience) {
    int clients[VISITS];
    int count = 0;
    for (int i = 0; i < VISITS; i++)
        clients[i] = knock(host, key);
    for (int i = 0; i < VISITS; i++) {
        struct pollfd readable = {.fd = clients[i], .events = POLLIN};
        count += poll(&readable, 1, patience) == 1 && read(clients[i], &(char){0}, 1) == 1;
        close(clients[i]);
    }
    return count;
}

/* ---- who is let in ---- */

/* Signed segments (RFC 2385): the listener wants them from 127.0.0.1, and cannot be asked for it.
 */
static void keys(char **arguments) {
    (void)arguments;
    struct tcp_md5sig key = {.tcpm_keylen = 4, .tcpm_key = "herd"};
    loopback(&key.tcpm_addr, AF_INET, 0);
    int fd = bound(AF_INET, 0, SOCK_NONBLOCK);
    if (setsockopt(fd, IPPROTO_TCP, TCP_MD5SIG, &key, sizeof key) < 0) {
        say("not in this kernel");
        return;
    }
    serve(fd);
    say("listening sockets: %d", listening_on(port));
    say("served with the key: %d of %d", answered(1, &key, 5000), VISITS);
    say("served without it: %d of %d", answered(1, NULL, 10), VISITS);
    end_workers();
}

/* Lets in 127.0.0.2, and nobody else; a long one does so after many steps that mean nothing. */
static void filter(char **arguments) {
    static const struct sock_filter check[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned)SKF_NET_OFF + 12), /* IPv4: who sends it */
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, INADDR_LOOPBACK + 1, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0xffff),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };
    struct sock_filter code[1000];
    unsigned short steps = strcmp(arguments[0], "long") ? 0 : 900;
    for (int i = 0; i < steps; i++)
        code[i] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_IMM, 0);
    memcpy(code + steps, check, sizeof check);
    struct sock_fprog program = {.len = steps + sizeof check / sizeof check[0], .filter = code};
    int fd = bound(AF_INET, 0, SOCK_NONBLOCK);
    MUST(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program));
    serve(fd);
    say("served who is let in: %d of %d", answered(2, NULL, 5000), VISITS);
    say("served who is not: %d of %d", answered(1, NULL, 10), VISITS);
    end_workers();
}

/* The other kind of filter, which nobody can read back: this one lets everybody in. */
static void program(char **arguments) {
    (void)arguments;
    struct bpf_insn code[] = {
        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0xffff},
        {.code = BPF_JMP | BPF_EXIT},
    };
    union bpf_attr wanted = {.prog_type = BPF_PROG_TYPE_SOCKET_FILTER,
                             .insn_cnt = sizeof code / sizeof code[0],
                             .insns = (uint64_t)(uintptr_t)code,
                             .license = (uint64_t)(uintptr_t) "GPL"};
    int loaded = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &wanted, sizeof wanted);
    int fd = bound(AF_INET, 0, SOCK_NONBLOCK);
    if (loaded < 0 || set_int(fd, SOL_SOCKET, SO_ATTACH_BPF, loaded) < 0) {
        say("not allowed");
        return;
    }
    serve(fd);
    say("listening sockets: %d", listening_on(port));
    say("served %d of %d", answered(1, NULL, 5000), VISITS);
    end_workers();
}

int main(int argc, char **argv) {
    (void)argc;
    static const struct command commands[] = {
        {"keys", keys}, {"filter", filter}, {"program", program}};
    return RUN_COMMAND(commands, argv);
}
