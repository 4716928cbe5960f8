#include "framing.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "answer.h"

/* Far beyond any chunk, and far enough from the end for two bytes more. */
static const size_t CHUNK_MOST = SIZE_MAX >> 8;

/* Is the word in the value's list? Such words have no case. */
static bool says(const char *value, const char *line, size_t length, const char *word) {
    size_t left = value ? (size_t)(line + length - value) : 0;
    for (size_t item = 0; left; item = 0) {
        while (item < left && !strchr(", \t\r", value[item]))
            item++;
        if (item == strlen(word) && !strncasecmp(value, word, item))
            return true;
        item += item < left;
        value += item;
        left -= item;
    }
    return false;
}

static void read_line(struct framing *framing, const char *line, size_t length) {
    const char *size = value_of(line, length, "Content-Length");
    const char *connection = value_of(line, length, "Connection");
    framing->closes |= says(connection, line, length, "close");
    if (framing->state == FRAME_DONE)
        return;
    if (says(value_of(line, length, "Transfer-Encoding"), line, length, "chunked")) {
        framing->state = FRAME_SIZE;
        framing->left = 0;
    } else if (size && framing->state != FRAME_SIZE) {
        framing->state = FRAME_BODY;
        framing->left = strtoul(size, NULL, 10);
    }
}

static void read_head(struct framing *framing, const char *head, const char *blank) {
    int status = (int)strtol(head + 9, NULL, 10);
    framing->state = status == 204 || status == 304 ? FRAME_DONE : FRAME_CLOSE;
    framing->closes = strncmp(head, "HTTP/1.1", 8) != 0;
    for (const char *line = head; line < blank;) {
        size_t length = line_length(line, blank);
        read_line(framing, line, length);
        line += length + 1;
    }
    if (framing->state == FRAME_BODY && !framing->left)
        framing->state = FRAME_DONE;
}

/* A line's end: of a size, or of a trailer; an empty trailer is the last one. */
static void end_line(struct framing *framing) {
    if (framing->state == FRAME_TRAILER) {
        if (framing->line == 0)
            framing->state = FRAME_DONE;
    } else if (framing->left == 0) {
        framing->state = FRAME_TRAILER;
    } else {
        framing->left += 2;
        framing->state = FRAME_CHUNK;
    }
    framing->line = 0;
}

/* What comes behind the digits is an extension, and begins with ';'. */
static void take_line_byte(struct framing *framing, char byte) {
    if (byte == '\n') {
        end_line(framing);
        return;
    }
    if (byte == '\r')
        return;
    if (framing->state == FRAME_SIZE && isxdigit((unsigned char)byte) && !framing->is_past_size) {
        char digit[2] = {byte, '\0'};
        if (framing->left < CHUNK_MOST) /* more would begin anew at 0 */
            framing->left = framing->left * 16 + strtoul(digit, NULL, 16);
    }
    framing->is_past_size |= byte == ';';
    framing->line++;
}

static void take_body(struct framing *framing, const char *bytes, size_t count) {
    while (count && framing->state != FRAME_CLOSE && framing->state != FRAME_DONE) {
        size_t taken = 1;
        if (framing->state == FRAME_BODY || framing->state == FRAME_CHUNK) {
            taken = count < framing->left ? count : framing->left;
            framing->left -= taken;
            if (!framing->left)
                framing->state = framing->state == FRAME_BODY ? FRAME_DONE : FRAME_SIZE;
        } else {
            if (framing->line == 0)
                framing->is_past_size = false;
            take_line_byte(framing, *bytes);
        }
        bytes += taken;
        count -= taken;
    }
}

void framing_feed(struct framing *framing, const char *kept, size_t kept_size, const char *bytes,
                  size_t count) {
    if (framing->state == FRAME_HEAD) {
        const char *blank = memmem(kept, kept_size, "\r\n\r\n", 4);
        if (!blank || kept_size < 12)
            return;
        read_head(framing, kept, blank);
        count = kept_size - (size_t)(blank + 4 - kept);
        bytes = blank + 4;
    }
    take_body(framing, bytes, count);
}
