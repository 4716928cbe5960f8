/* unherd top: the statistics on the whole screen, anew each second. */
#include <curses.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "command.h"
#include "screen.h"

enum { REFRESH_MS = 1000, ESCAPE = 27 };

struct top {
    struct target target;
    struct set_list before;
    struct set_list now;
    double seconds; /* between the two */
    struct timespec taken;
    struct screen screen;
};

static volatile sig_atomic_t is_ended;

static void end(int number) {
    is_ended = number;
}

/* ---- the data ---- */

static double seconds_between(struct timespec from, struct timespec to) {
    return (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
}

static bool look(struct top *top) {
    struct set_list list = {0};
    struct timespec time = clock_now();
    if (!sets_read(&list, &top->target))
        return false;
    sets_free(&top->before);
    top->before = top->now;
    top->now = list;
    top->seconds = seconds_between(top->taken, time);
    top->taken = time;
    top->screen.message = list.refused ? "no listener found; some processes are other people's: "
                                         "start this as root"
                                       : "no listener of a server under the library found";
    return true;
}

static bool draw(struct top *top) {
    struct rate_table table;
    if (!rates_make(&table, &top->before, &top->now, top->seconds, top->screen.order,
                    top->screen.filter))
        return false;
    screen_draw(&top->screen, &table);
    rates_free(&table);
    return true;
}

/* ---- keys ---- */

static void type(struct screen *screen, int key) {
    size_t length = strlen(screen->filter);
    if (key == '\n' || key == '\r' || key == KEY_ENTER)
        screen->is_typing = false;
    else if (key == ESCAPE)
        screen->is_typing = false, screen->filter[0] = '\0';
    else if ((key == KEY_BACKSPACE || key == '\b' || key == 127) && length)
        screen->filter[length - 1] = '\0';
    else if (key >= ' ' && key < 127 && length + 1 < sizeof screen->filter)
        screen->filter[length] = (char)key, screen->filter[length + 1] = '\0';
}

static void scroll_by(struct screen *screen, int rows) {
    if (rows < 0 && screen->top < (size_t)-rows)
        screen->top = 0;
    else
        screen->top += (size_t)rows;
}

/* False: that was the end. */
static bool press(struct screen *screen, int key) {
    if (screen->is_typing && key != KEY_RESIZE) {
        type(screen, key);
        return true;
    }
    switch (key) {
    case 'q':
        return false;
    case 's':
        screen->order = (screen->order + 1) % RATE_ORDERS;
        break;
    case 'p':
        screen->is_paused = !screen->is_paused;
        break;
    case 'h':
    case '?':
        screen->is_help = !screen->is_help;
        break;
    case '/':
        screen->is_typing = true;
        break;
    case ESCAPE:
        screen->is_help = false;
        break;
    case KEY_DOWN:
    case KEY_UP:
        scroll_by(screen, key == KEY_DOWN ? 1 : -1);
        break;
    case KEY_NPAGE:
    case KEY_PPAGE:
        scroll_by(screen, key == KEY_NPAGE ? LINES - 3 : 3 - LINES);
        break;
    default:
        break;
    }
    return true;
}

/* Keys are obeyed at once; the numbers change when a second is over. */
static bool run(struct top *top) {
    bool goes_on = look(top) && draw(top);
    while (goes_on && !is_ended && !screen_is_gone()) {
        int passed = (int)(seconds_between(top->taken, clock_now()) * 1000);
        int key = screen_key(passed < REFRESH_MS ? REFRESH_MS - passed : 1);
        if (key != ERR && !press(&top->screen, key))
            return true;
        if (key == ERR && !top->screen.is_paused)
            goes_on = look(top);
        else if (key == ERR)
            top->taken = clock_now();
        goes_on = goes_on && draw(top);
    }
    return goes_on;
}

/* ---- the command ---- */

/* A terminal is left as it was found, however this ends; but not when it is killed with SIGKILL. */
static void catch_ends(void) {
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    const struct sigaction action = {.sa_handler = end};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        sigaction(numbers[i], &action, NULL);
}

static int show(struct top *top) {
    if (!screen_open()) {
        complain(&top_command, "this needs a terminal; see unherd stat --watch");
        return STATUS_OURS;
    }
    catch_ends();
    bool good = run(top);
    int saved = errno;
    screen_close();
    sets_free(&top->before);
    sets_free(&top->now);
    if (good)
        return STATUS_OK;
    complain(&top_command, "%s", strerror(saved));
    return STATUS_OURS;
}

static int top_main(int argc, char **argv) {
    static struct top top;
    const char *word = argc > 1 ? argv[1] : NULL;
    if (word && (!strcmp(word, "--help") || !strcmp(word, "-h"))) {
        top_command.help();
        return finish_output();
    }
    if (argc > 2 || (word && *word == '-')) {
        complain(&top_command, "%s: not understood; see unherd help top",
                 argc > 2 ? argv[2] : word);
        return STATUS_USAGE;
    }
    return target_take(&top.target, argv + 1, &top_command) ? show(&top) : STATUS_USAGE;
}

static void top_help(void) {
    puts("usage: unherd top [PID | PORT]\n"
         "\n"
         "Shows, anew each second, what every worker of servers under the library accepts, its "
         "share\n"
         "of the mean, what it steals, its queue, and who is stuck. h in it explains the columns.\n"
         "NO_COLOR in the environment: without colour.\n"
         "\n"
         "KEYS\n"
         "  q quit, s sort, / filter, p pause, arrows and page keys scroll, h help\n"
         "\n"
         "EXAMPLES\n"
         "  unherd top\n"
         "  unherd top :80");
}

const struct command top_command = {
    "top",
    "what the workers of running servers do, on the whole screen",
    top_main,
    top_help,
};
