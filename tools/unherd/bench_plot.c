#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench_figures.h"
#include "bench_report.h"
#include "command.h"
#include "program.h"

static struct {
    int file;
    bool is_new;
    const char *name;
    struct program gnuplot;
} plot = {.file = -1};

static bool open_file(const char *name) {
    struct stat status;
    plot.is_new = stat(name, &status) < 0;
    plot.name = name;
    plot.file = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (plot.file >= 0)
        return true;
    complain(&bench_command, "--plot %s: %s", name, strerror(errno));
    return false;
}

bool plot_prepare(const struct bench *bench) {
    if (!bench->plan.plot)
        return true;
    program_find(&plot.gnuplot, "gnuplot", &bench->plan.library.facts);
    if (plot.gnuplot.status == STATUS_NOT_FOUND) {
        complain(&bench_command, "--plot needs gnuplot, which is not installed");
        return false;
    }
    return open_file(bench->plan.plot);
}

void plot_abandon(void) {
    if (plot.file < 0)
        return;
    close(plot.file);
    plot.file = -1;
    if (plot.is_new)
        unlink(plot.name);
}

/* ---- what gnuplot is told ---- */

static bool is_shown(const struct bench *bench, int variant) {
    return bench->outcome[variant].rounds > 0;
}

/* x: one of so many is slower; y: than so many ms. The slowest of all has no such x: it stands
 * where one of twice as many would. */
static void put_latencies(FILE *out, const struct outcome_of *outcome) {
    unsigned long all = 0, slower;
    for (int i = 0; i < BUCKETS; i++)
        all += outcome->latency[i];
    slower = all;
    for (int i = 0; i < BUCKETS; i++) {
        if (!outcome->latency[i])
            continue;
        slower -= outcome->latency[i];
        double rest = slower ? (double)slower : 0.5;
        fprintf(out, "%g %g\n", (double)all / rest, exp2((i + 1) / 32.0) / 1000);
    }
}

/* The middle of the rounds, worker by worker from the busiest on. */
static size_t put_shares(FILE *out, const struct outcome_of *outcome, double first) {
    size_t most = 0;
    for (size_t i = 0; i < outcome->rounds; i++)
        if (outcome->round[i].share_count > most)
            most = outcome->round[i].share_count;
    for (size_t worker = 0; worker < most; worker++) {
        double value[ROUNDS_MAX];
        for (size_t i = 0; i < outcome->rounds; i++)
            value[i] = worker < outcome->round[i].share_count ? outcome->round[i].share[worker] : 0;
        fprintf(out, "%g %g\n", first + (double)worker, summary_of(value, outcome->rounds).median);
    }
    return most;
}

static void put_data(FILE *out, const struct bench *bench) {
    double first = 0;
    for (int i = 0; i < VARIANTS; i++) {
        if (!is_shown(bench, i))
            continue;
        const char *name = variant_name((enum variant)i);
        fprintf(out, "$latency%d << EOD\n", i);
        put_latencies(out, &bench->outcome[i]);
        fprintf(out, "EOD\n$share%d << EOD\n0 NaN\n", i); /* an empty block is an error */
        size_t count = put_shares(out, &bench->outcome[i], first);
        fputs("EOD\n", out);
        if (!count) {
            fprintf(out, "unknown = unknown.(unknown eq '' ? '' : ', ').'%s'\n", name);
            continue;
        }
        fprintf(out, "tics = tics.(tics eq '' ? '' : ', ').\"'%s' %g\"\n", name,
                first + (double)(count - 1) / 2);
        first += (double)count + 1;
    }
    fprintf(out, "end = %g\n", first > 0 ? first - 1 : 1);
}

static void put_curves(FILE *out, const struct bench *bench, const char *data, const char *style,
                       const char *style_of_natives) {
    static const char *const colours[VARIANTS] = {"#444444", "#009e73", "#0072b2", "#56b4e9",
                                                  "#d55e00", "#cc79a7", "#e69f00", "#8b4513",
                                                  "#7b3294", "#b30000", "#666600", "#000000"};
    const char *before = "plot ";
    for (int i = 0; i < VARIANTS; i++) {
        if (!is_shown(bench, i))
            continue;
        fprintf(out, "%s$%s%d with %s lc rgb '%s' title '%s'", before, data, i,
                i < NATIVE ? style : style_of_natives, colours[i], variant_name((enum variant)i));
        before = ", ";
    }
    putc('\n', out);
}

/* Between single quotes, where such a quote is written twice. */
static void put_title(FILE *out, const struct bench *bench) {
    char text[160] = "";
    FILE *memory = fmemopen(text, sizeof text, "w");
    if (memory) {
        bench_write_load(memory, bench);
        fclose(memory);
    }
    fputs("set multiplot layout 2,1 title '", out);
    for (const char *at = text; at < text + sizeof text - 1 && *at; at++)
        fprintf(out, *at == '\'' ? "''" : "%c", *at);
    fputs("' font ',12'\n", out);
}

static void put_script(FILE *out, const struct bench *bench) {
    fputs("set terminal svg size 900,800 font 'sans,13' background 'white' noenhanced\n", out);
    put_title(out, bench);
    fputs("set border 3\n"
          "set ytics nomirror\n"
          "set lmargin 10\n"
          "set rmargin 8\n"
          "set grid y lc '#dddddd'\n"
          "tics = unknown = ''\n",
          out);
    put_data(out, bench);
    fputs("set title 'Latency in all rounds: how many answers are slower'\n"
          "set logscale xy\n"
          "set xrange [1:*] noextend\n"
          "set xtics ('all' 1, '1 of 2' 2, '1 of 10' 10, '1 of 100' 100, '1 of 1,000' 1000, "
          "'1 of 10,000' 10000, '1 of 100,000' 100000) nomirror\n"
          "set xlabel 'so many answers ...'\n"
          "set ylabel '... are slower than, ms'\n"
          "set format y '%g'\n"
          "set key outside top center horizontal\n",
          out);
    /* Dashed, for one of ours may lie below. */
    put_curves(out, bench, "latency", "lines lw 2", "lines lw 2 dt 2");
    fputs("unset logscale\n"
          "set title 'Accepts of each worker, the busiest first'\n"
          "set xlabel (unknown eq '' ? '' : 'not known: '.unknown)\n"
          "set ylabel 'parts of a fair share'\n"
          "set yrange [0:*]\n"
          "set xrange [-1:end]\n"
          "unset key\n"
          "set boxwidth 0.8\n"
          "set style fill solid 0.7\n"
          "eval \"set xtics (\".tics.\") nomirror scale 0\".(strlen(tics) > 130 ? ' rotate by -20' "
          ": '')\n"
          "set arrow from -1,1 to end,1 nohead lc '#444444' dt 2\n",
          out);
    put_curves(out, bench, "share", "boxes", "boxes");
    fputs("unset multiplot\n", out);
}

/* ---- gnuplot ---- */

static pid_t start_gnuplot(int input) {
    pid_t pid = fork();
    if (pid)
        return pid;
    dup2(input, STDIN_FILENO);
    dup2(plot.file, STDOUT_FILENO);
    execl(plot.gnuplot.path, "gnuplot", "-", (char *)NULL);
    _exit(127);
}

/* It may end before it has read everything. */
static void write_script(int output, const struct bench *bench) {
    struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
    sigaction(SIGPIPE, &ignore, &before);
    FILE *out = fdopen(output, "w");
    if (out) {
        put_script(out, bench);
        fclose(out);
    } else {
        close(output);
    }
    sigaction(SIGPIPE, &before, NULL);
}

bool plot_draw(const struct bench *bench) {
    int ends[2], status = -1;
    if (plot.file < 0)
        return true;
    pid_t pid = -1;
    if (!ftruncate(plot.file, 0) && !pipe2(ends, O_CLOEXEC)) {
        pid = start_gnuplot(ends[0]);
        close(ends[0]);
        write_script(ends[1], bench);
    }
    if (pid > 0 && waitpid(pid, &status, 0) == pid && status == 0) {
        close(plot.file);
        plot.file = -1;
        return true;
    }
    complain(&bench_command, "--plot %s: gnuplot did not make it", plot.name);
    plot_abandon();
    return false;
}
