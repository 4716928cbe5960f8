#include "request.h"

#include <stdio.h>
#include <string.h>

const char *request_get(struct request *request, const char *host, const char *path, bool keeps) {
    if (*path != '/' || strpbrk(path, " \t\r\n"))
        return "a path begins with '/' and has no blanks";
    int n = snprintf(request->text, sizeof request->text,
                     "GET %s HTTP/1.%c\r\nHost: %s\r\nConnection: %s\r\n\r\n", path,
                     keeps ? '1' : '0', host, keeps ? "keep-alive" : "close");
    if (n >= (int)sizeof request->text)
        return "too long";
    request->length = (size_t)n;
    request->keeps = keeps;
    request->is_plain = request->may_be_silent = false;
    return NULL;
}

/* The byte that stands behind a backslash, or -1. */
static int escaped(char letter) {
    static const char letters[] = "rnt\\";
    static const char bytes[] = "\r\n\t\\";
    const char *at = letter ? strchr(letters, letter) : NULL;
    return at ? bytes[at - letters] : -1;
}

const char *request_plain(struct request *request, const char *text) {
    *request = (struct request){.is_plain = true};
    for (; *text; text++) {
        int byte = *text == '\\' ? escaped(*++text) : (unsigned char)*text;
        if (byte == -1)
            return "behind a backslash comes r, n, t or another one";
        if (request->length == sizeof request->text)
            return "too long";
        request->text[request->length++] = (char)byte;
    }
    return NULL;
}
