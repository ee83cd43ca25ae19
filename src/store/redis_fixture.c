#include "store/redis_fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"

#define START_MS_MAX 20000

static const char *const PROGRAMS[] = {"/usr/bin/redis-server", "/usr/local/bin/redis-server"};

static const char *find_program(void)
{
    for (size_t i = 0; i < sizeof PROGRAMS / sizeof *PROGRAMS; i++) {
        if (access(PROGRAMS[i], X_OK) == 0)
            return PROGRAMS[i];
    }
    return NULL;
}

bool gh_redis_server_is_installed(void)
{
    return find_program() != NULL;
}

/* ---- Asking ---- */

static int try_connect(const struct gh_redis_server *server)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval patience = {.tv_sec = 20};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    GH_ASSERT(fd >= 0);
    strcpy(address.sun_path, server->path);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    close(fd);
    return -1;
}

/* One line of an answer, without its end. False: the server closed. */
static bool read_line(int fd, char *line, size_t cap)
{
    size_t len = 0;
    while (len + 1 < cap && recv(fd, &line[len], 1, 0) == 1) {
        if (line[len++] != '\n')
            continue;
        line[len - 2] = '\0';
        return true;
    }
    return false;
}

/* What the answer begins with, or all of a bulk string. */
static bool read_answer(int fd, char *answer, size_t cap)
{
    if (!read_line(fd, answer, cap))
        return false;
    if (answer[0] != '$' || answer[1] == '-')
        return true;
    size_t len = strtoul(answer + 1, NULL, 10);
    GH_ASSERT(len + 2 < cap);
    if (recv(fd, answer, len + 2, MSG_WAITALL) != (ssize_t)len + 2)
        return false;
    answer[len] = '\0';
    return true;
}

static bool ask(int fd, const char *command, char *answer, size_t cap)
{
    char line[4096];
    int len = snprintf(line, sizeof line, "%s\r\n", command);
    GH_ASSERT(len > 0 && (size_t)len < sizeof line);
    return send(fd, line, (size_t)len, MSG_NOSIGNAL) == len && read_answer(fd, answer, cap);
}

static bool try_ask(const struct gh_redis_server *server, const char *command, char *answer,
                    size_t cap)
{
    char login[256];
    int fd = try_connect(server);
    if (fd < 0)
        return false;
    bool answered = true;
    if (server->options.password) {
        snprintf(login, sizeof login, "AUTH %s", server->options.password);
        answered = ask(fd, login, answer, cap);
    }
    answered = answered && ask(fd, command, answer, cap);
    close(fd);
    return answered;
}

const char *gh_redis_server_ask(const struct gh_redis_server *server, const char *command)
{
    static char answer[64 * 1024];
    GH_ASSERT(try_ask(server, command, answer, sizeof answer));
    return answer;
}

/* ---- Starting ---- */

static uint16_t find_free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    GH_ASSERT(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0);
    GH_ASSERT(getsockname(fd, (struct sockaddr *)&address, &len) == 0);
    close(fd);
    return ntohs(address.sin_port);
}

static void write_config(const struct gh_redis_server *server)
{
    const struct gh_redis_server_options *options = &server->options;
    char path[96];
    snprintf(path, sizeof path, "%s/redis.conf", server->directory);
    FILE *out = fopen(path, "w");
    GH_ASSERT(out);
    fprintf(out,
            "bind 127.0.0.1\nport %u\nunixsocket %s\nunixsocketperm 777\ndir %s\nsave \"\"\n"
            "logfile %s/redis.log\ndaemonize no\nenable-debug-command yes\n",
            (unsigned)server->port, server->path, server->directory, server->directory);
    if (server->tls_port)
        fprintf(out, "tls-port %u\ntls-cert-file %s\ntls-key-file %s\ntls-auth-clients no\n",
                (unsigned)server->tls_port, options->certificate_path, options->key_path);
    if (options->password)
        fprintf(out, "requirepass %s\n", options->password);
    if (options->config)
        fprintf(out, "%s\n", options->config);
    GH_ASSERT(fclose(out) == 0);
}

static void become_server(const struct gh_redis_server *server, pid_t parent)
{
    char config[96];
    snprintf(config, sizeof config, "%s/redis.conf", server->directory);
    /* Not longer than the test, however that ends. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    alarm(0);
    int null = open("/dev/null", O_RDWR);
    dup2(null, 0);
    dup2(null, 1);
    const char *program = find_program();
    execl(program, program, config, (char *)NULL);
    _exit(127);
}

static bool is_answering(const struct gh_redis_server *server)
{
    char answer[512];
    return try_ask(server, "PING", answer, sizeof answer);
}

void gh_redis_server_start(struct gh_redis_server *server)
{
    pid_t parent = getpid();
    GH_ASSERT(server->pid == 0);
    unlink(server->path);
    server->pid = fork();
    GH_ASSERT(server->pid >= 0);
    if (server->pid == 0)
        become_server(server, parent);
    for (int waited_ms = 0; !is_answering(server); waited_ms += 5) {
        GH_ASSERT(waited_ms < START_MS_MAX && waitpid(server->pid, NULL, WNOHANG) == 0);
        nanosleep(&(struct timespec){.tv_nsec = 5 * 1000 * 1000}, NULL);
    }
}

void gh_redis_server_open(struct gh_redis_server *server,
                          const struct gh_redis_server_options *options)
{
    *server = (struct gh_redis_server){.directory = "/tmp/gh-redis-test-XXXXXX"};
    if (options)
        server->options = *options;
    GH_ASSERT(mkdtemp(server->directory));
    snprintf(server->path, sizeof server->path, "%s/redis.sock", server->directory);
    server->port = server->options.tcp ? find_free_port() : 0;
    server->tls_port = server->options.certificate_path ? find_free_port() : 0;
    write_config(server);
    gh_redis_server_start(server);
}

/* ---- Ending ---- */

void gh_redis_server_kill(struct gh_redis_server *server)
{
    if (server->pid == 0)
        return;
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
    server->pid = 0;
}

void gh_redis_server_close(struct gh_redis_server *server)
{
    char path[512];
    gh_redis_server_kill(server);
    DIR *directory = opendir(server->directory);
    GH_ASSERT(directory);
    for (struct dirent *entry; (entry = readdir(directory));) {
        snprintf(path, sizeof path, "%s/%s", server->directory, entry->d_name);
        if (entry->d_name[0] != '.')
            unlink(path);
    }
    closedir(directory);
    rmdir(server->directory);
}

void gh_redis_server_freeze(struct gh_redis_server *server)
{
    int status;
    kill(server->pid, SIGSTOP);
    GH_ASSERT(waitpid(server->pid, &status, WUNTRACED) == server->pid && WIFSTOPPED(status));
}

void gh_redis_server_thaw(struct gh_redis_server *server)
{
    kill(server->pid, SIGCONT);
}
