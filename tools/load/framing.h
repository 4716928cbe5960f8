/* Where an HTTP answer ends on a connection that stays open. */
#ifndef LOAD_FRAMING_H
#define LOAD_FRAMING_H

#include <stdbool.h>
#include <stddef.h>

enum frame {
    FRAME_HEAD,  /* the blank line has not come yet */
    FRAME_BODY,  /* `left` bytes are to come */
    FRAME_SIZE,  /* the line with a chunk's size */
    FRAME_CHUNK, /* `left` bytes, the line's end behind them included */
    FRAME_TRAILER,
    FRAME_CLOSE, /* it ends with the connection */
    FRAME_DONE
};

struct framing {
    enum frame state;
    size_t left;
    size_t line;       /* bytes of the line that is being read */
    bool is_past_size; /* what follows on that line is an extension */
    bool closes;       /* the server said that the connection is at its end */
};

/* `count` new bytes; the answer's beginning, these included as far as they fit, are in kept. */
void framing_feed(struct framing *framing, const char *kept, size_t kept_size, const char *bytes,
                  size_t count);

#endif
