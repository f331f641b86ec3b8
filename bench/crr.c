/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connect, reset, repeat: how long connect() takes to addresses chosen at random.
 *
 *   crr SERVER_NETNS LISTEN_PORT FIRST_ADDRESS GROUPS STRIDE MEMBERS PORT CONNECTIONS
 *
 * Connects to FIRST_ADDRESS + group * STRIDE + member, from this network namespace, on the last CPU. A child listens in
 * SERVER_NETNS on the first CPU and looks for connections once a millisecond: one that waits in accept() would be woken by an
 * interrupt to the other CPU for each connection, which costs more than all that is to be seen here.
 * Prints one line of JSON. Ends with an error when a connection fails.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WARM_UP 1000 /* connections that are not counted */

static void fail(const char *what)
{
	fprintf(stderr, "crr: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void pin_to_cpu(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		fail("sched_setaffinity");
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

/* Never returns. `ready` gets one octet when it listens. */
static void serve(const char *netns, int port, int ready)
{
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct timespec pause = { .tv_nsec = 1000000 };
	int on = 1, client, listener, space = open(netns, O_RDONLY | O_CLOEXEC);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	pin_to_cpu(0);
	if (space < 0 || setns(space, CLONE_NEWNET))
		fail(netns);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (listener < 0 || bind(listener, (struct sockaddr *)&any, sizeof(any)) || listen(listener, 4096))
		fail("listen");
	if (write(ready, "", 1) != 1)
		fail("write");
	for (;;) {
		while ((client = accept(listener, NULL, NULL)) >= 0)
			close(client);
		nanosleep(&pause, NULL);
	}
}

static uint32_t random_number(void)
{
	static uint32_t x = 0x9e3779b1;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	return x;
}

/* Nanoseconds of connect(). Closed by RST, so that no port waits. */
static uint64_t connect_once(uint32_t address, int port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(address) };
	struct linger reset = { .l_onoff = 1 };
	int s = socket(AF_INET, SOCK_STREAM, 0);
	uint64_t start_ns, end_ns;

	if (s < 0)
		fail("socket");
	setsockopt(s, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	start_ns = now_ns();
	if (connect(s, (struct sockaddr *)&to, sizeof(to)))
		fail(inet_ntoa(to.sin_addr));
	end_ns = now_ns();
	close(s);
	return end_ns - start_ns;
}

static int ascending(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
	uint32_t first, groups, stride, members, address;
	uint64_t *took_ns, start_ns = 0, total_ns;
	int listen_port, port, count, ready[2];
	char octet;
	pid_t child;

	if (argc != 9) {
		fprintf(stderr, "usage: crr SERVER_NETNS LISTEN_PORT FIRST_ADDRESS GROUPS STRIDE MEMBERS PORT CONNECTIONS\n");
		return 2;
	}
	listen_port = atoi(argv[2]);
	first = ntohl(inet_addr(argv[3]));
	groups = strtoul(argv[4], NULL, 10);
	stride = strtoul(argv[5], NULL, 10);
	members = strtoul(argv[6], NULL, 10);
	port = atoi(argv[7]);
	count = atoi(argv[8]);
	took_ns = calloc(count, sizeof(*took_ns));
	if (!took_ns || pipe(ready))
		fail("start");
	child = fork();
	if (child < 0)
		fail("fork");
	if (!child)
		serve(argv[1], listen_port, ready[1]);
	close(ready[1]);
	if (read(ready[0], &octet, 1) != 1)
		return 1; /* the child has said why */

	pin_to_cpu(sysconf(_SC_NPROCESSORS_ONLN) - 1);
	for (int i = -WARM_UP; i < count; i++) {
		if (!i)
			start_ns = now_ns();
		address = first + random_number() % groups * stride + random_number() % members;
		total_ns = connect_once(address, port);
		if (i >= 0)
			took_ns[i] = total_ns;
	}
	total_ns = now_ns() - start_ns;
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	qsort(took_ns, count, sizeof(*took_ns), ascending);
	printf("{\"p50Ns\":%llu,\"p99Ns\":%llu,\"perSecond\":%.0f,\"made\":%d}\n", (unsigned long long)took_ns[count / 2],
	       (unsigned long long)took_ns[count - 1 - count / 100], count * 1e9 / total_ns, WARM_UP + count);
	return 0;
}
