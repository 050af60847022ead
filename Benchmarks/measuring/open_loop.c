// Sends requests at a rate that does not depend on the answers, as many independent clients do, and prints what became
// of them as one JSON object.
//
//   open_loop PORT RATE SECONDS CONNECTIONS FILE
//
// FILE holds one request; twelve '#' in it become random digits below 100,000. Requests begin at random times (a
// Poisson process with a fixed seed). A request takes a connection that is free; without one it waits here, and its
// time still counts from when it was due. Times are in milliseconds, of all requests that were due after the first
// second. At the end, 5 s are given to answers that are missing.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define KEYS 100000
#define HEAD_BYTES 4096
#define GRACE_SECONDS 5.0

struct connection {
    int socket;
    int is_busy;
    double due;
    size_t head_bytes;
    long body_left; // -1 while the head is read
    int status;
    int has_retry_after;
    int closes;
    char head[HEAD_BYTES + 1];
};

struct times {
    float *milliseconds;
    size_t count, room;
};

static struct connection *connections;
static int connection_count, epoll, port;
static int *idle, idle_count;
static double *backlog;
static size_t backlog_begin, backlog_end, backlog_room;
static char *request;
static size_t request_bytes;
static char *digits;
static struct times good, refused, other, lateness;
static long due_count, without_retry_after, lost, busy_count;
static double counted_from;
static uint64_t seed = 0x9E3779B97F4A7C15;

static void fail(const char *what)
{
    fprintf(stderr, "open_loop: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static uint64_t random_number(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static void add(struct times *times, double seconds)
{
    if (times->count == times->room) {
        times->room = times->room ? 2 * times->room : 4096;
        times->milliseconds = realloc(times->milliseconds, times->room * sizeof(float));
        if (!times->milliseconds)
            fail("memory");
    }
    times->milliseconds[times->count++] = (float)(seconds * 1e3);
}

static void open_connection(int index)
{
    struct connection *connection = &connections[index];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int on = 1;
    memset(connection, 0, sizeof(*connection));
    connection->socket = socket(AF_INET, SOCK_STREAM, 0);
    if (connection->socket < 0 || connect(connection->socket, (struct sockaddr *)&address, sizeof(address)) < 0)
        fail("connect");
    setsockopt(connection->socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    fcntl(connection->socket, F_SETFL, O_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = index};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, connection->socket, &event) < 0)
        fail("epoll");
}

static void send_request(int index, double due, double time)
{
    struct connection *connection = &connections[index];
    if (digits) {
        unsigned long key = random_number() % KEYS;
        for (int place = 11; place >= 0; place--, key /= 10)
            digits[place] = '0' + key % 10;
    }
    connection->is_busy = 1;
    connection->due = due;
    connection->head_bytes = 0;
    connection->body_left = -1;
    busy_count++;
    if (due >= counted_from)
        add(&lateness, time - due);
    // A request is smaller than the socket's buffer.
    if (send(connection->socket, request, request_bytes, MSG_NOSIGNAL) != (ssize_t)request_bytes)
        shutdown(connection->socket, SHUT_RDWR);
}

static void free_connection(int index)
{
    connections[index].is_busy = 0;
    busy_count--;
    if (backlog_begin < backlog_end)
        send_request(index, backlog[backlog_begin++ % backlog_room], now());
    else
        idle[idle_count++] = index;
}

static void answered(struct connection *connection)
{
    if (connection->due < counted_from)
        return;
    double took = now() - connection->due;
    if (connection->status >= 200 && connection->status < 300) {
        add(&good, took);
    } else if (connection->status == 503 || connection->status == 429) {
        add(&refused, took);
        if (!connection->has_retry_after)
            without_retry_after++;
    } else {
        add(&other, took);
    }
}

// The connection has ended, or is to end.
static void reopen(int index)
{
    int is_idle = 0;
    for (int place = 0; place < idle_count; place++)
        if (idle[place] == index)
            is_idle = 1;
    close(connections[index].socket);
    open_connection(index);
    if (!is_idle)
        free_connection(index);
}

// Reads the head; 0 if more of it is to come.
static int take_head(struct connection *connection)
{
    connection->head[connection->head_bytes] = 0;
    char *stop = strstr(connection->head, "\r\n\r\n");
    if (!stop) {
        if (connection->head_bytes == HEAD_BYTES)
            fail("an answer's head is too long");
        return 0;
    }
    connection->status = atoi(connection->head + 9);
    connection->has_retry_after = 0;
    connection->closes = 0;
    long length = 0;
    for (char *line = strstr(connection->head, "\r\n"); line < stop; line = strstr(line + 2, "\r\n")) {
        if (!strncasecmp(line + 2, "content-length:", 15))
            length = atol(line + 17);
        if (!strncasecmp(line + 2, "retry-after:", 12))
            connection->has_retry_after = 1;
        if (!strncasecmp(line + 2, "connection: close", 17))
            connection->closes = 1;
    }
    connection->body_left = length - (long)(connection->head_bytes - (stop + 4 - connection->head));
    return 1;
}

static void receive(int index)
{
    struct connection *connection = &connections[index];
    static char dropped[1 << 18];
    ssize_t count;
    if (connection->is_busy && connection->body_left < 0) {
        count = recv(connection->socket, connection->head + connection->head_bytes,
                     HEAD_BYTES - connection->head_bytes, 0);
        if (count > 0) {
            connection->head_bytes += count;
            if (!take_head(connection))
                return;
        }
    } else {
        count = recv(connection->socket, dropped, sizeof(dropped), 0);
        if (count > 0)
            connection->body_left -= count;
    }
    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (count <= 0) {
        if (connection->is_busy && connection->due >= counted_from)
            lost++;
        reopen(index);
    } else if (connection->is_busy && connection->body_left == 0) {
        answered(connection);
        if (connection->closes)
            reopen(index);
        else
            free_connection(index);
    }
}

static int compare(const void *a, const void *b)
{
    float left = *(const float *)a, right = *(const float *)b;
    return left < right ? -1 : left > right;
}

static void print(const char *name, struct times *times)
{
    qsort(times->milliseconds, times->count, sizeof(float), compare);
    size_t last = times->count ? times->count - 1 : 0;
#define QUANTILE(part) (times->count ? times->milliseconds[(size_t)(last * (part))] : 0)
    printf("\"%s\": {\"count\": %zu, \"p50\": %.3f, \"p99\": %.3f, \"p999\": %.3f, \"max\": %.3f}, ", name, times->count,
           QUANTILE(0.5), QUANTILE(0.99), QUANTILE(0.999), QUANTILE(1.0));
}

static void read_request(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        fail(path);
    request = calloc(1, 1 << 20);
    request_bytes = fread(request, 1, (1 << 20) - 1, file);
    fclose(file);
    digits = memmem(request, request_bytes, "############", 12);
}

int main(int count, char **arguments)
{
    if (count != 6) {
        fprintf(stderr, "usage: open_loop PORT RATE SECONDS CONNECTIONS FILE\n");
        return 2;
    }
    port = atoi(arguments[1]);
    double rate = atof(arguments[2]), seconds = atof(arguments[3]);
    connection_count = atoi(arguments[4]);
    read_request(arguments[5]);
    connections = calloc(connection_count, sizeof(*connections));
    idle = calloc(connection_count, sizeof(*idle));
    backlog_room = (size_t)(rate * (seconds + 1)) + 1024;
    backlog = calloc(backlog_room, sizeof(*backlog));
    epoll = epoll_create1(0);
    for (int index = 0; index < connection_count; index++) {
        open_connection(index);
        idle[idle_count++] = index;
    }
    double begin = now(), due = begin, stop = begin + seconds;
    counted_from = begin + 1;
    static struct epoll_event events[256];
    while (1) {
        double time = now();
        for (; due <= time && due < stop; due -= log(1 - (random_number() >> 11) / 9007199254740992.0) / rate) {
            if (due >= counted_from)
                due_count++;
            if (idle_count > 0)
                send_request(idle[--idle_count], due, time);
            else
                backlog[backlog_end++ % backlog_room] = due;
        }
        if (due >= stop && (busy_count == 0 || time > stop + GRACE_SECONDS))
            break;
        double wait = due < stop ? due - time : 0.01;
        struct timespec rest = {0, wait > 0.01 ? 10000000 : (long)(wait * 1e9)};
        int ready = epoll_pwait2(epoll, events, 256, &rest, NULL);
        for (int number = 0; number < ready; number++)
            receive(events[number].data.u32);
    }
    lost += busy_count + (long)(backlog_end - backlog_begin);
    printf("{\"due\": %ld, \"seconds\": %.3f, ", due_count, stop - counted_from);
    print("good", &good);
    print("refused", &refused);
    print("other", &other);
    print("late", &lateness);
    printf("\"without_retry_after\": %ld, \"lost\": %ld}\n", without_retry_after, lost);
    return 0;
}
