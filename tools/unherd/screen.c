#include "screen.h"

#include <curses.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <term.h>
#include <unistd.h>

enum { PLAIN, STUCK };
enum { BAR_WIDTH = 16, BAR_MOST = 2 /* times the average: a full bar */ };

static bool has_color;

bool screen_open(void) {
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) || !newterm(NULL, stdout, stdin))
        return false;
    if (!tigetstr("cup")) { /* it cannot move its cursor: TERM=dumb */
        endwin();
        return false;
    }
    cbreak();
    noecho();
    keypad(stdscr, true);
    curs_set(0);
    set_escdelay(25);
    has_color = has_colors() && !getenv("NO_COLOR");
    if (has_color) {
        start_color();
        use_default_colors();
        init_pair(STUCK, COLOR_RED, -1);
    }
    return true;
}

void screen_close(void) {
    endwin();
}

int screen_key(int milliseconds) {
    timeout(milliseconds);
    return getch();
}

bool screen_is_gone(void) {
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    return poll(&input, 1, 0) > 0 && (input.revents & (POLLHUP | POLLERR | POLLNVAL));
}

/* A line that is too long is cut off, not wrapped into the next. */
__attribute__((format(printf, 2, 3))) static void draw_line(int line, const char *format, ...) {
    char text[512];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    mvaddnstr(line, 0, text, COLS);
}

/* ---- rows ---- */

static const char *bar_of(const struct rate_row *row, char bar[BAR_WIDTH + 1]) {
    int filled = (int)(row->share * BAR_WIDTH / BAR_MOST + 0.5);
    for (int i = 0; i < BAR_WIDTH; i++)
        bar[i] = (char)(i == BAR_WIDTH / BAR_MOST ? '|' : i < filled ? '#' : ' ');
    bar[BAR_WIDTH] = '\0';
    return bar;
}

static const char *state_of(const struct rate_row *row, char *text, size_t size) {
    if (rate_is_stuck(row))
        snprintf(text, size, "STUCK %.0f s", row->busy);
    else
        snprintf(text, size, "%s",
                 !row->worker->is_seen     ? "?"
                 : row->worker->is_waiting ? "waits"
                                           : "works");
    return text;
}

static void draw_worker(int line, const struct rate_row *row) {
    char bar[BAR_WIDTH + 1];
    char state[32];
    attr_t look = !rate_is_stuck(row) ? A_NORMAL : has_color ? COLOR_PAIR(STUCK) : A_REVERSE;
    attron(look);
    draw_line(line, "%8d %4u %9.0f %4.2f %s %8.0f %6u  %s", (int)row->worker->pid,
              row->worker->home, row->accepts, row->share, bar_of(row, bar), row->stolen,
              row->queued, state_of(row, state, sizeof state));
    attroff(look);
}

static void draw_listener(int line, const struct rate_row *row) {
    char text[POLICY_TEXT];
    attron(A_BOLD);
    draw_line(line, "%s  %s, %zu workers: %.0f/s, %.0f stolen, %u queued", row->set->address,
              policy_text(row->set->policy, text), row->set->worker_count, row->accepts,
              row->stolen, row->queued);
    attroff(A_BOLD);
}

/* ---- lines around ---- */

static void draw_head(const struct screen *screen) {
    static const char *const orders[RATE_ORDERS] = {"accepts", "stolen", "busy", "pid"};
    bool has_filter = *screen->filter || screen->is_typing;
    draw_line(0, "unherd top   sorted by %s%s%s%s%s", orders[screen->order],
              has_filter ? "   filter: " : "", screen->filter, screen->is_typing ? "_" : "",
              screen->is_paused ? "   PAUSED" : "");
    attron(A_UNDERLINE);
    draw_line(1, "%8s %4s %9s %21s %8s %6s  %-12s", "PID", "HOME", "ACCEPTS/S", "SHARE OF THE MEAN",
              "STOLEN/S", "QUEUED", "NOW");
    attroff(A_UNDERLINE);
}

static void draw_foot(void) {
    mvaddnstr(LINES - 1, 0, "q quit  s sort  / filter  p pause  arrows scroll  h help", COLS - 1);
}

static void draw_help(void) {
    static const char *const texts[] = {
        "A line for each worker of every listener of servers under the library.",
        "",
        "HOME       its queue; in exclusive all have queue 0",
        "SHARE      of what the listener's workers accept on the average: | is fair",
        "STOLEN/S   connections that it took from other workers' queues",
        "QUEUED     connections in its queue that nobody has accepted yet",
        "STUCK      it has not waited for connections for longer than a second",
        "",
        "s  sort by accepts, stolen, busy, pid",
        "/  show the addresses that contain a text; escape ends it",
        "p  pause, and go on        arrows and page keys scroll",
        "h  this page               q  quit",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        mvaddnstr((int)i + 2, 2, texts[i], COLS - 3);
}

static void draw_rows(struct screen *screen, const struct rate_table *table) {
    size_t room = LINES > 3 ? (size_t)LINES - 3 : 0;
    if (screen->top + room > table->count)
        screen->top = table->count > room ? table->count - room : 0;
    for (size_t i = 0; i < room && screen->top + i < table->count; i++) {
        const struct rate_row *row = &table->row[screen->top + i];
        if (row->worker)
            draw_worker((int)i + 2, row);
        else
            draw_listener((int)i + 2, row);
    }
    if (table->count == 0)
        mvaddnstr(3, 2, screen->message, COLS - 3);
}

void screen_draw(struct screen *screen, const struct rate_table *table) {
    erase();
    if (screen->is_help)
        draw_help();
    else
        draw_rows(screen, table);
    draw_head(screen);
    draw_foot();
    refresh();
}
