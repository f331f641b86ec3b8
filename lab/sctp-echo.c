/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Real SCTP associations, for guests whose kernel has SCTP: in C, since Node knows no SCTP and starts slowly there.
 *
 *   sctp-echo listen ADDRESS PORT    says "ready"; tells each client the address it sees, then echoes its messages, until killed
 *   sctp-echo connect ADDRESS PORT   sends messages of many lengths, compares the echoes, says "ENDPOINT saw CLIENT"
 *
 * One-to-one sockets, so libsctp is not needed. Both ends have one address each: INIT and INIT ACK list further ones, which no
 * translator changes, and an IPv6 socket would list the IPv4 addresses of its host.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define NAME_OCTETS 128
#define LONGEST 20000
#define SECONDS 60 /* of a client: INIT is sent again after 3 s, and emulated processors are slow */

static const size_t lengths[] = { 1, 2, 3, 4, 100, 999, 1400, 1452, 4097, LONGEST };

static void fail(const char *what)
{
	fprintf(stderr, "sctp-echo: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void name_of(const struct sockaddr_storage *address, socklen_t length, char *name)
{
	char host[64], port[16];

	if (getnameinfo((const struct sockaddr *)address, length, host, sizeof(host), port, sizeof(port),
			NI_NUMERICHOST | NI_NUMERICSERV))
		fail("getnameinfo");
	snprintf(name, NAME_OCTETS, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
}

static int make_socket(const char *host, const char *port, struct sockaddr_storage *address, socklen_t *length)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM }, *found;
	int one = 1, fd;

	if (getaddrinfo(host, port, &hints, &found)) {
		fprintf(stderr, "sctp-echo: not an address and port: %s %s\n", host, port);
		exit(2);
	}
	fd = socket(found->ai_family, SOCK_STREAM, IPPROTO_SCTP);
	if (fd < 0)
		fail("socket");
	if (found->ai_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)))
		fail("IPV6_V6ONLY");
	memcpy(address, found->ai_addr, found->ai_addrlen);
	*length = found->ai_addrlen;
	freeaddrinfo(found);
	return fd;
}

static void send_all(int fd, const char *octets, size_t length)
{
	if (send(fd, octets, length, MSG_NOSIGNAL) != (ssize_t)length)
		fail("send");
}

/* A long message arrives in parts. */
static void receive_all(int fd, char *octets, size_t length)
{
	for (size_t at = 0; at < length;) {
		ssize_t got = recv(fd, octets + at, length - at, 0);

		if (got < 0)
			fail("recv");
		if (!got) {
			fprintf(stderr, "sctp-echo: the other end closed after %zu of %zu octets\n", at, length);
			exit(1);
		}
		at += got;
	}
}

static void serve(int fd, const struct sockaddr_storage *peer, socklen_t length)
{
	char names[2 * NAME_OCTETS] = {}, octets[LONGEST];
	struct sockaddr_storage own;
	socklen_t own_length = sizeof(own);
	ssize_t got;

	if (getsockname(fd, (struct sockaddr *)&own, &own_length))
		fail("getsockname");
	name_of(&own, own_length, names);
	name_of(peer, length, names + NAME_OCTETS);
	send_all(fd, names, sizeof(names));
	while ((got = recv(fd, octets, sizeof(octets), 0)) > 0)
		send_all(fd, octets, got);
	exit(got < 0);
}

static void run_server(const char *host, const char *port)
{
	struct sockaddr_storage address;
	socklen_t length;
	int fd = make_socket(host, port, &address, &length);

	signal(SIGCHLD, SIG_IGN);
	if (bind(fd, (struct sockaddr *)&address, length) || listen(fd, 16))
		fail("listen");
	puts("ready");
	fflush(stdout);
	for (;;) {
		int peer;

		length = sizeof(address);
		peer = accept(fd, (struct sockaddr *)&address, &length);
		if (peer < 0)
			fail("accept");
		if (!fork())
			serve(peer, &address, length);
		close(peer);
	}
}

static void run_client(const char *host, const char *port)
{
	static char sent[LONGEST], received[LONGEST];
	char names[2 * NAME_OCTETS];
	struct sockaddr_storage address;
	socklen_t length;
	int fd = make_socket(host, port, &address, &length);

	alarm(SECONDS);
	if (connect(fd, (struct sockaddr *)&address, length))
		fail("connect");
	receive_all(fd, names, sizeof(names));
	for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
		for (size_t at = 0; at < lengths[i]; at++)
			sent[at] = rand();
		send_all(fd, sent, lengths[i]);
		receive_all(fd, received, lengths[i]);
		if (memcmp(sent, received, lengths[i])) {
			fprintf(stderr, "sctp-echo: the echo of %zu octets differs\n", lengths[i]);
			exit(1);
		}
	}
	/* Until the other end has done the same. A socket without association then says so, as often as it says "end". */
	if (shutdown(fd, SHUT_WR) || (recv(fd, received, 1, 0) && errno != ENOTCONN))
		fail("shutdown");
	printf("%s saw %s\n", names, names + NAME_OCTETS);
}

int main(int count, char **arguments)
{
	if (count == 4 && !strcmp(arguments[1], "listen")) {
		run_server(arguments[2], arguments[3]);
	} else if (count == 4 && !strcmp(arguments[1], "connect")) {
		run_client(arguments[2], arguments[3]);
	} else {
		fprintf(stderr, "usage: sctp-echo listen|connect ADDRESS PORT\n");
		return 2;
	}
	return 0;
}
