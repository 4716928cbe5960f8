/* unherd bench: a server in each mode under the same load, and what differs. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "bench_figures.h"
#include "bench_progress.h"
#include "bench_report.h"
#include "bench_round.h"
#include "command.h"

volatile sig_atomic_t bench_stop;

static void on_signal(int signal) {
    bench_stop = signal;
}

bool bench_pause(int milliseconds) {
    const struct timespec pause = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
    if (!bench_stop)
        nanosleep(&pause, NULL);
    return !bench_stop;
}

/* Without SA_RESTART: whatever waits comes back, ends the server and leaves. */
static void prepare(struct bench *bench) {
    const struct sigaction action = {.sa_handler = on_signal};
    ssize_t size = readlink("/proc/self/exe", bench->tool, sizeof bench->tool - 1);
    bench->tool[size < 0 ? 0 : size] = '\0';
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    unsetenv("UNHERD_MODE"); /* these are ours to say, and unherd run lets the user's win */
    unsetenv("UNHERD_STEAL");
}

static int run_rounds(struct bench *bench) {
    int status = -1;
    progress_begin(&bench->plan);
    for (int round = 0; round < bench->plan.rounds && status < 0; round++)
        for (int i = 0; i < VARIANTS && status < 0; i++)
            if (bench->plan.is_wanted[i])
                status = round_run(bench, (enum variant)i, round);
    progress_clear();
    return status;
}

static int report(struct bench *bench) {
    figures_summarize(bench);
    bench_advise(bench);
    (bench->plan.json ? bench_json : bench_table)(bench);
    bool is_drawn = plot_draw(bench);
    int status = finish_output();
    return status == STATUS_OK && !is_drawn ? STATUS_OURS : status;
}

/* As if the signal had not been caught: the shell is to see what ended us. */
static int leave(int status) {
    if (!bench_stop)
        return status;
    signal(bench_stop, SIG_DFL);
    raise(bench_stop);
    return STATUS_OURS;
}

static int bench_main(int argc, char **argv) {
    static struct bench bench;
    int status = bench_options(&bench.plan, argc, argv);
    if (bench.plan.help) {
        bench_command.help();
        return finish_output();
    }
    if (status >= 0)
        return status;
    if (!plot_prepare(&bench))
        return STATUS_USAGE;
    prepare(&bench);
    snprintf(bench.address, sizeof bench.address, "%s", bench.plan.address);
    status = run_rounds(&bench);
    if (status >= 0) {
        plot_abandon();
        return leave(status);
    }
    return leave(report(&bench));
}

static void bench_help(void) {
    puts(
        "usage: unherd bench [OPTION...] [--] COMMAND [ARG...]\n"
        "\n"
        "Starts the server COMMAND in each mode in turn, again and again, loads it from this "
        "machine,\n"
        "and says what differs: stock (without the library), exclusive, reuseport, and reuseport\n"
        "without stealing. A difference that is not larger than the spread of the rounds is none.\n"
        "\n"
        "LOAD\n"
        "  --url URL\n"
        "      http://HOST:PORT/PATH, tcp://HOST:PORT, unix:/PATH; or /PATH or tcp: alone, where "
        "the\n"
        "      server listens; default: / there, by HTTP\n"
        "  --send TEXT\n"
        "      what a tcp connection begins with, \\r and \\n as in C; the first bytes are the "
        "answer\n"
        "  --no-answer\n"
        "      a tcp connection that the server closes without a byte is answered, not lost\n"
        "  --keep-alive\n"
        "      requests one after another over the same connections\n"
        "  --rate N\n"
        "      so many a second, each begun when it is due; default: in a closed loop\n"
        "  --connections N\n"
        "      so many at once, in a closed loop or with --keep-alive; default: 16\n"
        "  --duration S\n"
        "      of each round; default: 2\n"
        "  --stall MS\n"
        "      stop one worker for so long in each round\n"
        "  --kill\n"
        "      kill one worker in each round\n"
        "  --reload SIGNAL\n"
        "      send that signal to the master in each round\n"
        "\n"
        "OTHER OPTIONS\n"
        "  --rounds N\n"
        "      of each mode, interleaved; default: 5; from 5 on a spread leaves out the extremes\n"
        "  --modes LIST\n"
        "      of stock,exclusive,reuseport,no-stealing; default: all\n"
        "  --native [NAME=]COMMAND\n"
        "      compare with the server as configured by itself, for a shell; may be repeated, "
        "each with\n"
        "      a name of its own, of small letters, digits and '-'\n"
        "  --wait S\n"
        "      the longest that the server may take to listen; default: 10\n"
        "  --remote\n"
        "      allow an address that is not loopback\n"
        "  --json\n"
        "      one JSON object, with every round\n"
        "  --plot FILE.svg\n"
        "      draw latencies and shares with gnuplot\n"
        "  --library PATH\n"
        "      the library to preload; default: libunherd.so beside this tool, or in ../lib\n"
        "\n"
        "The server is ended with SIGTERM, and with SIGKILL after two seconds.\n"
        "\n"
        "EXIT STATUS\n"
        "  0    there is a comparison\n"
        "  2    an option is wrong\n"
        "  125  the server did not start, or unherd itself failed\n"
        "  126  COMMAND cannot run under the library\n"
        "  127  COMMAND was not found\n"
        "\n"
        "EXAMPLES\n"
        "  unherd bench -- nginx -g 'daemon off;'\n"
        "  unherd bench --rate 2000 --stall 500 --plot stall.svg -- nginx -c /etc/nginx/test.conf\n"
        "  unherd bench --keep-alive --connections 64 --url /status -- gunicorn -w 4 app:app\n"
        "  unherd bench --url tcp: --send 'PING\\r\\n' --json -- ./server");
}

const struct command bench_command = {
    "bench",
    "compare a server with and without the library, under load",
    bench_main,
    bench_help,
};
