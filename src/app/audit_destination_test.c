#include "app/audit_destination.h"

#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <setjmp.h>
#include <cmocka.h>

/* Longer than a socket's address may be. */
#define PART      "/a/path/that/is/much/longer/than/a/socket/may/have"
#define LONG_PATH "syslog:" PART PART PART

static struct gh_arena arena;
static char folder[64];

static int set_up(void **state)
{
    (void)state;
    gh_arena_init(&arena, 4096, 1024 * 1024);
    strcpy(folder, "/tmp/gatehouse-destination-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    gh_arena_done(&arena);
    return rmdir(folder);
}

static bool parse(const char *text, struct gh_audit_destination *out)
{
    const char *why = NULL;
    bool good = gh_audit_destination_parse(gh_str_from_c(text), &arena, out, &why);
    assert_non_null(why);
    return good;
}

static void reads_files_syslog_and_urls(void **state)
{
    (void)state;
    struct gh_audit_destination to;
    assert_true(parse("file:/var/log/gatehouse/checkpoints", &to));
    assert_int_equal(to.place, GH_AUDIT_PLACE_FILE);
    assert_string_equal(to.path.ptr, "/var/log/gatehouse/checkpoints");
    assert_true(parse("syslog:", &to));
    assert_int_equal(to.place, GH_AUDIT_PLACE_SYSLOG_LOCAL);
    assert_string_equal(to.path.ptr, "/dev/log");
    assert_true(parse("syslog:/run/other", &to));
    assert_string_equal(to.path.ptr, "/run/other");
    assert_true(parse("syslog:udp://192.0.2.1:514", &to));
    assert_int_equal(to.place, GH_AUDIT_PLACE_SYSLOG_UDP);
    assert_string_equal(to.host.ptr, "192.0.2.1");
    assert_int_equal(to.port, 514);
    assert_true(parse("syslog:tcp://[2001:db8::1]:601", &to));
    assert_int_equal(to.place, GH_AUDIT_PLACE_SYSLOG_TCP);
    assert_string_equal(to.host.ptr, "2001:db8::1");
    assert_true(parse("syslog:tcp://logs.example.com:601", &to));
    assert_true(parse("syslog:tls://logs.example.com", &to));
    assert_int_equal(to.place, GH_AUDIT_PLACE_SYSLOG_TLS);
    assert_string_equal(to.host.ptr, "logs.example.com");
    assert_int_equal(to.port, 6514);
    assert_true(parse("syslog:tls://[2001:db8::1]", &to) && to.port == 6514);
    assert_string_equal(to.host.ptr, "2001:db8::1");
    assert_true(parse("syslog:tls://[2001:db8::1]:1999", &to) && to.port == 1999);
    assert_true(parse("https://logs.example.com/in", &to));
    assert_int_equal(to.place, GH_AUDIT_PLACE_WEBHOOK);
    assert_false(to.in_clear);
}

static void tells_whose_bytes_others_can_read(void **state)
{
    (void)state;
    struct gh_audit_destination to;
    assert_true(parse("http://127.0.0.1:9/x", &to) && !to.in_clear);
    assert_true(parse("http://[::1]:9/x", &to) && !to.in_clear);
    assert_true(parse("http://localhost/x", &to) && !to.in_clear);
    assert_true(parse("http://logs.example.com/x", &to) && to.in_clear);
    assert_true(parse("http://localhost@logs.example.com/x", &to) && to.in_clear);
    assert_true(parse("http://localhost.example.com/x", &to) && to.in_clear);
    assert_true(parse("syslog:", &to) && !to.in_clear);
    assert_true(parse("syslog:udp://127.0.0.1:514", &to) && !to.in_clear);
    assert_true(parse("syslog:tcp://[::1]:601", &to) && !to.in_clear);
    assert_true(parse("syslog:tcp://localhost:601", &to) && !to.in_clear);
    assert_true(parse("syslog:udp://192.0.2.1:514", &to) && to.in_clear);
    assert_true(parse("syslog:tcp://logs.example.com:601", &to) && to.in_clear);
    assert_true(parse("syslog:tcp://localhost.example.com:601", &to) && to.in_clear);
    assert_true(parse("syslog:tls://logs.example.com", &to) && !to.in_clear);
}

static void refuses_what_is_no_destination(void **state)
{
    (void)state;
    static const char *const BAD[] = {
        "",
        "file:",
        "file:/var/log/",
        "/var/log/checkpoints",
        "syslog",
        "syslog:relative",
        "syslog:udp://",
        "syslog:udp://host",
        "syslog:udp://:514",
        "syslog:udp://host:0",
        "syslog:udp://host:65536",
        "syslog:udp://host:5x",
        "syslog:udp://2001:db8::1:514",
        "syslog:tcp://host:514/x",
        "syslog:tcp://[2001:db8::1]",
        "syslog:tls://",
        "syslog:tls://host:",
        "syslog:tls://host:0",
        "syslog:tls://:6514",
        "syslog:tls://host/x",
        "syslog:tls://2001:db8::1",
        "syslog:tls://[2001:db8::1",
        "syslog:tls://[2001:db8::1]x",
        "syslog:TLS://host",
        LONG_PATH,
        "https://",
        "https:///path",
        "https://host/a b",
        "ftp://host/",
        "file:/a\nb",
        "https://host/\x7f",
    };
    struct gh_audit_destination to;
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++)
        if (parse(BAD[i], &to))
            fail_msg("taken: %s", BAD[i]);
}

static enum gh_err deliver(const struct gh_audit_destination *to, const char *first,
                           const char *second)
{
    struct gh_str messages[2] = {gh_str_from_c(first), gh_str_from_c(second)}, detail;
    return gh_audit_deliver(to, messages, 2, NULL, &arena, &detail);
}

static void waits_for_nobody_who_could_read_a_pipe(void **state)
{
    (void)state;
    char path[128], text[160];
    struct gh_audit_destination to;
    snprintf(path, sizeof(path), "%s/pipe", folder);
    snprintf(text, sizeof(text), "file:%s", path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_true(parse(text, &to));
    assert_int_equal(deliver(&to, "one\n", "two\n"), GH_ERR_IO);
    assert_int_equal(unlink(path), 0);
}

static void appends_to_a_file_that_others_can_not_read(void **state)
{
    (void)state;
    char path[128], text[160], got[64] = "";
    struct gh_audit_destination to;
    struct stat facts;
    snprintf(path, sizeof(path), "%s/notes", folder);
    snprintf(text, sizeof(text), "file:%s", path);
    assert_true(parse(text, &to));
    assert_int_equal(deliver(&to, "a\n", "b\n"), GH_OK);
    assert_int_equal(deliver(&to, "c\n", "d\n"), GH_OK);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(fread(got, 1, sizeof(got) - 1, file), 8);
    fclose(file);
    assert_string_equal(got, "a\nb\nc\nd\n");
    assert_int_equal(stat(path, &facts), 0);
    assert_int_equal(facts.st_mode & 07, 0);
    unlink(path);
}

static void says_when_a_file_can_not_be_written(void **state)
{
    (void)state;
    struct gh_audit_destination to;
    struct gh_str message = GH_STR("a\n"), detail;
    assert_true(parse("file:/dev/full", &to));
    assert_int_not_equal(gh_audit_deliver(&to, &message, 1, NULL, &arena, &detail), GH_OK);
    assert_true(detail.len > 0);
    assert_true(parse("file:/nonexistent/folder/file", &to));
    assert_int_equal(gh_audit_deliver(&to, &message, 1, NULL, &arena, &detail), GH_ERR_IO);
}

static void sends_a_datagram_for_each_message_to_a_local_socket(void **state)
{
    (void)state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct gh_audit_destination to;
    char text[200], got[16];
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/log", folder);
    snprintf(text, sizeof(text), "syslog:%s", address.sun_path);
    assert_true(parse(text, &to));
    assert_int_equal(deliver(&to, "one", "two"), GH_ERR_IO); /* nobody is there */
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(deliver(&to, "one", "two"), GH_OK);
    assert_int_equal(recv(fd, got, sizeof(got), 0), 3);
    assert_memory_equal(got, "one", 3);
    assert_int_equal(recv(fd, got, sizeof(got), 0), 3);
    assert_memory_equal(got, "two", 3);
    close(fd);
    unlink(address.sun_path);
}

static int listen_somewhere(int type, uint16_t *out_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, type, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    if (type == SOCK_STREAM)
        assert_int_equal(listen(fd, 4), 0);
    *out_port = ntohs(address.sin_port);
    return fd;
}

static void sends_datagrams_over_udp(void **state)
{
    (void)state;
    uint16_t port;
    int fd = listen_somewhere(SOCK_DGRAM, &port);
    struct gh_audit_destination to;
    char text[64], got[16];
    snprintf(text, sizeof(text), "syslog:udp://127.0.0.1:%u", port);
    assert_true(parse(text, &to));
    assert_int_equal(deliver(&to, "one", "two"), GH_OK);
    assert_int_equal(recv(fd, got, sizeof(got), 0), 3);
    assert_memory_equal(got, "one", 3);
    close(fd);
}

struct reader {
    int fd;
    char got[64];
    size_t len;
};

static void *read_all(void *arg)
{
    struct reader *reader = arg;
    int peer = accept(reader->fd, NULL, NULL);
    ssize_t len;
    while (reader->len < sizeof(reader->got) &&
           (len = recv(peer, reader->got + reader->len, sizeof(reader->got) - reader->len, 0)) > 0)
        reader->len += (size_t)len;
    close(peer);
    return NULL;
}

static void counts_octets_over_tcp(void **state)
{
    (void)state;
    uint16_t port;
    struct reader reader = {.fd = listen_somewhere(SOCK_STREAM, &port)};
    struct gh_audit_destination to;
    pthread_t thread;
    char text[64];
    snprintf(text, sizeof(text), "syslog:tcp://127.0.0.1:%u", port);
    assert_true(parse(text, &to));
    assert_int_equal(pthread_create(&thread, NULL, read_all, &reader), 0);
    assert_int_equal(deliver(&to, "one", "seven"), GH_OK);
    pthread_join(thread, NULL);
    assert_int_equal(reader.len, 12);
    assert_memory_equal(reader.got, "3 one5 seven", 12);
    close(reader.fd);
    assert_int_equal(deliver(&to, "one", "seven"), GH_ERR_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reads_files_syslog_and_urls, set_up, tear_down),
        cmocka_unit_test_setup_teardown(tells_whose_bytes_others_can_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_what_is_no_destination, set_up, tear_down),
        cmocka_unit_test_setup_teardown(waits_for_nobody_who_could_read_a_pipe, set_up, tear_down),
        cmocka_unit_test_setup_teardown(appends_to_a_file_that_others_can_not_read, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(says_when_a_file_can_not_be_written, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sends_a_datagram_for_each_message_to_a_local_socket, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(sends_datagrams_over_udp, set_up, tear_down),
        cmocka_unit_test_setup_teardown(counts_octets_over_tcp, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
