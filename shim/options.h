/*
 * The option table: every variable that libunherd.so reads, once.
 *
 * It makes the parser (config.c), the warning on an unknown UNHERD_*, `unherd run`'s options and
 * help, and is compared with the README's table by the tests.
 *
 * OPTION(id, variable, flag, argument, default, help)
 *   id        field of the parser's dispatch, also the enum constant OPTION_<id>
 *   variable  name in the environment
 *   flag      long option of `unherd run`
 *   argument  what its value looks like
 *   default   the value used when the variable is absent, as text
 *   help      one line
 */
#ifndef UNHERD_OPTIONS_H
#define UNHERD_OPTIONS_H

#define UNHERD_OPTIONS(OPTION)                                                                     \
    OPTION(MODE, "UNHERD_MODE", "mode", "auto|exclusive|reuseport|off", "auto",                    \
           "what to do with each listener")                                                        \
    OPTION(LISTEN, "UNHERD_LISTEN", "listen", "LIST", "all",                                       \
           "which listeners: 80,443=reuseport,127.0.0.1:8080,[::1]:*,!22,unix:/run/x.sock")        \
    OPTION(SHARDS, "UNHERD_SHARDS", "shards", "N", "the larger of 16 and twice the usable CPUs",   \
           "most shards per listener, 1 to 256")                                                   \
    OPTION(STEAL, "UNHERD_STEAL", "steal", "N", "15",                                              \
           "neighbours that watch each shard, 0 to 255; 0 is plain SO_REUSEPORT")                  \
    OPTION(ROTATE, "UNHERD_ROTATE", "rotate", "N", "1",                                            \
           "rotate after every N-th accept on a shared queue, 0 to 1000000; 0 never")              \
    OPTION(EXEC, "UNHERD_EXEC", "exec", "0|1", "1",                                                \
           "carry listeners and the preload over exec: 1 yes, 0 no")                               \
    OPTION(LOG, "UNHERD_LOG", "log", "off|warn|info|debug", "warn", "how much to say")             \
    OPTION(LOG_FILE, "UNHERD_LOG_FILE", "log-file", "PATH", "stderr",                              \
           "where to say it: an absolute path, appended to")

enum option_id {
#define OPTION_ENUM(id, variable, flag, argument, fallback, help) OPTION_##id,
    UNHERD_OPTIONS(OPTION_ENUM)
#undef OPTION_ENUM
        OPTION_COUNT
};

/* One row of the table; config.c holds the array `option_table`, in the order of enum option_id. */
struct option_row {
    const char *variable;
    const char *flag;
    const char *argument;
    const char *fallback;
    const char *help;
};

extern const struct option_row option_table[OPTION_COUNT];

#endif
