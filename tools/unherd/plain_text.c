#include "plain_text.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* How many bytes the sequence that begins there has; 0: none that UTF-8 allows (RFC 3629). */
static unsigned sequence(const unsigned char *at) {
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned size = *at < 0x80 ? 1 : *at < 0xc2 ? 0 : *at < 0xe0 ? 2 : *at < 0xf0 ? 3 : 4;
    uint32_t code = size > 1 ? *at & (0xffu >> (size + 1)) : *at;
    for (unsigned i = 1; i < size; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (at[i] & 0x3f);
    }
    bool is_surrogate = code >= 0xd800 && code < 0xe000;
    bool is_control = code < ' ' || (code >= 0x7f && code < 0xa0);
    return is_surrogate || is_control || code > 0x10ffff || code < least[size] ? 0 : size;
}

void plain_text(char *text) {
    for (unsigned char *at = (unsigned char *)text; *at;) {
        unsigned size = sequence(at);
        if (!size)
            *at = '?';
        at += size ? size : 1;
    }
}
