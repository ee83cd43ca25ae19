/* Files, ports and sockets that are out of reach of a process that serves, and those that are not.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "app/serve_sandbox_fixture.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <netdb.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- Files ---- */

static int read_passwd(const struct sandbox_world *world)
{
    (void)world;
    return result_of(open("/etc/passwd", O_RDONLY));
}

static int read_other_file(const struct sandbox_world *world)
{
    return result_of(open(sandbox_path_in(world->other, "secret"), O_RDONLY));
}

static int read_by_dots(const struct sandbox_world *world)
{
    char path[160];
    snprintf(path, sizeof(path), "%s/../..%s/secret", world->held, world->other);
    return result_of(open(path, O_RDONLY));
}

static int list_root(const struct sandbox_world *world)
{
    (void)world;
    return result_of(open("/", O_RDONLY | O_DIRECTORY));
}

static int read_own_binary(const struct sandbox_world *world)
{
    (void)world;
    return result_of(open("/bin/sh", O_RDONLY));
}

static int write_other_file(const struct sandbox_world *world)
{
    return result_of(open(sandbox_path_in(world->other, "secret"), O_WRONLY));
}

static int make_other_file(const struct sandbox_world *world)
{
    return result_of(open(sandbox_path_in(world->other, "made"), O_WRONLY | O_CREAT, 0600));
}

static int write_configuration(const struct sandbox_world *world)
{
    return result_of(open(sandbox_path_in(world->held, "gatehouse.yaml"), O_WRONLY));
}

static int make_file_beside_configuration(const struct sandbox_world *world)
{
    return result_of(open(sandbox_path_in(world->held, "made"), O_WRONLY | O_CREAT, 0600));
}

static int remove_configuration(const struct sandbox_world *world)
{
    return result_of(unlink(sandbox_path_in(world->held, "gatehouse.yaml")));
}

static int truncate_configuration(const struct sandbox_world *world)
{
    return result_of(syscall(SYS_truncate, sandbox_path_in(world->held, "gatehouse.yaml"), 0));
}

/* Older kernels hold less, and serve says so. */
static void skip_without(enum sandbox_landlock what)
{
    if (sandbox_landlock() < (long)what)
        skip();
}

static void cannot_read_files_of_the_system(void **state)
{
    skip_without(SANDBOX_HOLDS_FILES);
    sandbox_assert_stopped(state, read_passwd, EACCES);
}

static void cannot_read_files_of_others(void **state)
{
    skip_without(SANDBOX_HOLDS_FILES);
    sandbox_assert_stopped(state, read_other_file, EACCES);
    sandbox_assert_stopped(state, read_by_dots, EACCES);
}

static void cannot_list_directories(void **state)
{
    skip_without(SANDBOX_HOLDS_FILES);
    sandbox_assert_stopped(state, list_root, EACCES);
}

static void cannot_read_programs(void **state)
{
    skip_without(SANDBOX_HOLDS_FILES);
    sandbox_assert_stopped(state, read_own_binary, EACCES);
}

static void cannot_write_files_of_others(void **state)
{
    skip_without(SANDBOX_HOLDS_FILES);
    sandbox_assert_stopped(state, write_other_file, EACCES);
    sandbox_assert_stopped(state, make_other_file, EACCES);
}

static void cannot_write_its_configuration(void **state)
{
    skip_without(SANDBOX_HOLDS_FILES);
    sandbox_assert_stopped(state, write_configuration, EACCES);
    sandbox_assert_stopped(state, make_file_beside_configuration, EACCES);
    sandbox_assert_stopped(state, remove_configuration, EACCES);
    sandbox_assert_stopped(state, truncate_configuration, KILLED);
}

/* ---- Ports and sockets ---- */

static struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int connect_to(uint16_t port)
{
    struct sockaddr_in address = loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    return fd < 0 ? BROKEN
                  : result_of(connect(fd, (const struct sockaddr *)&address, sizeof(address)));
}

static int connect_to_foreign_port(const struct sandbox_world *world)
{
    return connect_to(world->foreign_port);
}

static int bind_another_port(const struct sandbox_world *world)
{
    (void)world;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    return fd < 0 ? BROKEN
                  : result_of(bind(fd, (const struct sockaddr *)&address, sizeof(address)));
}

/* A kernel without MPTCP takes the try as made: nothing is there to be stopped. */
static int connect_by_mptcp(const struct sandbox_world *world)
{
    enum { MPTCP = 262 };
    struct sockaddr_in address = loopback(world->foreign_port);
    int fd = socket(AF_INET, SOCK_STREAM, MPTCP);
    return fd < 0 ? SUCCEEDED
                  : result_of(connect(fd, (const struct sockaddr *)&address, sizeof(address)));
}

static int send_and_connect(const struct sandbox_world *world, int how)
{
    struct sockaddr_in address = loopback(world->foreign_port);
    char letter = 'x';
    struct iovec piece = {&letter, 1};
    struct mmsghdr message = {.msg_hdr = {.msg_name = &address,
                                          .msg_namelen = sizeof(address),
                                          .msg_iov = &piece,
                                          .msg_iovlen = 1}};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0)
        return BROKEN;
    if (how == 0)
        return result_of(sendto(fd, &letter, 1, MSG_FASTOPEN, (const struct sockaddr *)&address,
                                sizeof(address)));
    return how == 1 ? result_of(sendmsg(fd, &message.msg_hdr, MSG_FASTOPEN))
                    : result_of(sendmmsg(fd, &message, 1, MSG_FASTOPEN));
}

static int connect_by_sendto(const struct sandbox_world *world)
{
    return send_and_connect(world, 0);
}

static int connect_by_sendmsg(const struct sandbox_world *world)
{
    return send_and_connect(world, 1);
}

static int connect_by_sendmmsg(const struct sandbox_world *world)
{
    return send_and_connect(world, 2);
}

static int open_raw_socket(const struct sandbox_world *world)
{
    (void)world;
    return result_of(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
}

static int open_packet_socket(const struct sandbox_world *world)
{
    (void)world;
    return result_of(socket(AF_PACKET, SOCK_DGRAM, 0));
}

static int open_kernel_log_socket(const struct sandbox_world *world)
{
    enum { NETLINK_KOBJECT = 15 };
    (void)world;
    return result_of(socket(AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT));
}

static void cannot_connect_to_other_ports(void **state)
{
    skip_without(SANDBOX_HOLDS_PORTS);
    sandbox_assert_stopped(state, connect_to_foreign_port, EACCES);
}

static void cannot_connect_round_landlock(void **state)
{
    sandbox_assert_stopped(state, connect_by_mptcp, KILLED);
    sandbox_assert_stopped(state, connect_by_sendto, KILLED);
    sandbox_assert_stopped(state, connect_by_sendmsg, KILLED);
    sandbox_assert_stopped(state, connect_by_sendmmsg, KILLED);
}

static void cannot_listen_on_other_ports(void **state)
{
    skip_without(SANDBOX_HOLDS_PORTS);
    sandbox_assert_stopped(state, bind_another_port, EACCES);
}

static void cannot_make_raw_sockets(void **state)
{
    if (geteuid() != 0)
        skip(); /* without the sandbox it would not succeed either */
    sandbox_assert_stopped(state, open_raw_socket, KILLED);
    sandbox_assert_stopped(state, open_packet_socket, EAFNOSUPPORT);
}

static void cannot_listen_to_the_kernel(void **state)
{
    sandbox_assert_stopped(state, open_kernel_log_socket, KILLED);
}

/* ---- What it may ---- */

static void *set_mark(void *arg)
{
    *(bool *)arg = true;
    return NULL;
}

static int do_its_work(const struct sandbox_world *world)
{
    struct addrinfo *found = NULL;
    pthread_t thread;
    bool ran = false;
    int fd = open(sandbox_path_in(world->held, "gatehouse.yaml"), O_RDONLY);
    if (fd < 0 || close(fd) != 0)
        return 1;
    fd = open(sandbox_path_in(world->held, "store/made"), O_RDWR | O_CREAT, 0600);
    if (fd < 0 || fchmod(fd, 0600) != 0 || close(fd) != 0 ||
        unlink(sandbox_path_in(world->held, "store/made")) != 0)
        return 2;
    if (connect_to(world->named_port) != SUCCEEDED)
        return 3;
    if (getaddrinfo("localhost", "80", NULL, &found) != 0)
        return 4;
    freeaddrinfo(found);
    if (pthread_create(&thread, NULL, set_mark, &ran) != 0 || pthread_join(thread, NULL) != 0 ||
        !ran)
        return 5;
    if (if_nametoindex("lo") == 0) /* as for a name server fe80::1%eth0 */
        return 6;
    fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDP);
    if (fd >= 0 && fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) != 0)
        return 7;
    return SUCCEEDED;
}

static void does_its_work(void **state)
{
    assert_int_equal(sandbox_outcome(*state, "off", do_its_work), SUCCEEDED);
    assert_int_equal(sandbox_outcome(*state, sandbox_held(), do_its_work), SUCCEEDED);
    assert_int_equal(sandbox_outcome(*state, "log", do_its_work), SUCCEEDED);
}

static void enforces_where_no_mode_is_said(void **state)
{
    skip_without(SANDBOX_HOLDS_FILES);
    assert_int_equal(sandbox_outcome(*state, sandbox_held(), read_passwd), EACCES);
    assert_int_equal(sandbox_outcome(*state, "", read_passwd), EACCES);
}

static void lets_everything_be_where_it_only_logs(void **state)
{
    assert_int_equal(sandbox_outcome(*state, "log", read_passwd), SUCCEEDED);
    assert_int_equal(sandbox_outcome(*state, "log", make_other_file), SUCCEEDED);
    assert_int_equal(sandbox_outcome(*state, "log", connect_to_foreign_port), SUCCEEDED);
    assert_int_equal(sandbox_outcome(*state, "log", bind_another_port), SUCCEEDED);
}

#define TEST(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, sandbox_world_set_up, sandbox_world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(cannot_read_files_of_the_system), TEST(cannot_read_files_of_others),
        TEST(cannot_list_directories),         TEST(cannot_read_programs),
        TEST(cannot_write_files_of_others),    TEST(cannot_write_its_configuration),
        TEST(cannot_connect_to_other_ports),   TEST(cannot_connect_round_landlock),
        TEST(cannot_listen_on_other_ports),    TEST(cannot_make_raw_sockets),
        TEST(cannot_listen_to_the_kernel),     TEST(does_its_work),
        TEST(enforces_where_no_mode_is_said),  TEST(lets_everything_be_where_it_only_logs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
