/* Where an answer ends on a connection that is kept, in whatever pieces it comes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../tools/load/framing.h"

/* So many bytes at a time; how many there were when it was whole, or 0. */
static size_t end_of(const char *text, size_t piece, struct framing *framing) {
    size_t size = strlen(text);
    *framing = (struct framing){0};
    for (size_t at = 0; at < size; at += piece) {
        size_t count = size - at < piece ? size - at : piece;
        framing_feed(framing, text, at + count, text + at, count);
        if (framing->state == FRAME_DONE)
            return at + count;
    }
    return 0;
}

static void ends_with_its_text(const char *text) {
    struct framing framing;
    for (size_t piece = 1; piece <= strlen(text); piece++)
        assert_int_equal(end_of(text, piece, &framing), strlen(text));
    assert_false(framing.closes);
}

static void a_length_is_kept_to(void **state) {
    (void)state;
    ends_with_its_text("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    ends_with_its_text("HTTP/1.1 404 Not Found\r\ncontent-length:0\r\n\r\n");
}

static void chunks_end_with_an_empty_one(void **state) {
    (void)state;
    ends_with_its_text("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                       "5\r\nhello\r\n1a;name=0f\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\n\r\n");
    ends_with_its_text("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n"
                       "2\r\n\r\n\r\n0\r\nTrailer: 1\r\n\r\n");
}

static void a_length_does_not_add_to_the_first_chunk(void **state) {
    (void)state;
    ends_with_its_text(
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n"
        "2\r\nab\r\n0\r\n\r\n");
}

/* One that is larger than memory never ends, whatever its lower digits say. */
static void a_huge_chunk_is_not_a_small_one(void **state) {
    static const char *const sizes[] = {"ffffffffffffffff", "fffffffffffffffe", "10000000000000002",
                                        "123400000000000000000000000000002"};
    char text[256];
    struct framing framing;
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        snprintf(text, sizeof text,
                 "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%s\r\nab\r\n0\r\n\r\n",
                 sizes[i]);
        assert_int_equal(end_of(text, 5, &framing), 0);
        assert_int_equal(framing.state, FRAME_CHUNK);
    }
}

static void a_large_head_is_read_to_its_end(void **state) {
    static char text[65000];
    struct framing framing;
    (void)state;
    int size = snprintf(text, sizeof text,
                        "HTTP/1.1 200 OK\r\nSet-Cookie: %050000d\r\n"
                        "Content-Length: 2\r\n\r\nab",
                        7);
    assert_int_equal(end_of(text, 1000, &framing), size);
}

static void some_have_no_body(void **state) {
    (void)state;
    ends_with_its_text("HTTP/1.1 204 No Content\r\nServer: x\r\n\r\n");
    ends_with_its_text("HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n");
    ends_with_its_text("HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n");
}

static void without_any_word_it_ends_with_the_connection(void **state) {
    struct framing framing;
    (void)state;
    assert_int_equal(end_of("HTTP/1.1 200 OK\r\n\r\nhello", 3, &framing), 0);
    assert_int_equal(framing.state, FRAME_CLOSE);
}

static void the_server_may_say_that_it_closes(void **state) {
    struct framing framing;
    (void)state;
    end_of("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", 7, &framing);
    assert_int_equal(framing.state, FRAME_DONE);
    assert_true(framing.closes);
    end_of("HTTP/1.1 200 OK\r\nCONNECTION: x,Close\r\ncontent-LENGTH: 0\r\n\r\n", 7, &framing);
    assert_int_equal(framing.state, FRAME_DONE);
    assert_true(framing.closes);
    end_of("HTTP/1.1 200 OK\r\nConnection: closed-never\r\nContent-Length: 0\r\n\r\n", 7, &framing);
    assert_false(framing.closes);
    end_of("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", 7, &framing);
    assert_true(framing.closes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_length_is_kept_to),
        cmocka_unit_test(chunks_end_with_an_empty_one),
        cmocka_unit_test(a_length_does_not_add_to_the_first_chunk),
        cmocka_unit_test(a_huge_chunk_is_not_a_small_one),
        cmocka_unit_test(a_large_head_is_read_to_its_end),
        cmocka_unit_test(some_have_no_body),
        cmocka_unit_test(without_any_word_it_ends_with_the_connection),
        cmocka_unit_test(the_server_may_say_that_it_closes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
