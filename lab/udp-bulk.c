/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Datagrams by the dozen: one send() hands the kernel many (UDP_SEGMENT), one receive takes many (UDP_GRO), as QUIC does.
 *   udp-bulk serve ADDRESS PORT               sends everything back as it came; prints "ready"
 *   udp-bulk send TO PORT OCTETS ROUNDS        ROUNDS times as many datagrams of OCTETS as fit, each looked at when it comes back;
 *                                             prints how many came back right
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define MAX_OCTETS 60000 /* of one send() */
#define WAIT_MS 1000
#define TRIES 5 /* a datagram may be lost, a wrong one may not come */
#define BUFFER_OCTETS (4 << 20)

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static socklen_t read_address(const char *text, const char *port, struct sockaddr_storage *name)
{
	struct sockaddr_in *v4 = (void *)name;
	struct sockaddr_in6 *v6 = (void *)name;

	memset(name, 0, sizeof(*name));
	name->ss_family = strchr(text, ':') ? AF_INET6 : AF_INET;
	if (inet_pton(name->ss_family, text, name->ss_family == AF_INET ? (void *)&v4->sin_addr : (void *)&v6->sin6_addr) != 1)
		fail(text);
	v4->sin_port = htons(atoi(port)); /* at the same place in both */
	return name->ss_family == AF_INET ? sizeof(*v4) : sizeof(*v6);
}

static int open_socket(int family)
{
	int fd = socket(family, SOCK_DGRAM, 0), one = 1, octets = BUFFER_OCTETS;

	if (fd < 0 || setsockopt(fd, IPPROTO_UDP, UDP_GRO, &one, sizeof(one)))
		fail("UDP_GRO");
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &octets, sizeof(octets));
	return fd;
}

/* `segment`: octets of each datagram in there. */
static ssize_t receive(int fd, uint8_t *data, struct sockaddr_storage *from, socklen_t *length, int *segment)
{
	char control[CMSG_SPACE(sizeof(int))];
	struct iovec part = { data, 65536 };
	struct msghdr message = { from, sizeof(*from), &part, 1, control, sizeof(control), 0 };
	ssize_t octets = recvmsg(fd, &message, 0);

	*segment = octets;
	for (struct cmsghdr *one = CMSG_FIRSTHDR(&message); octets > 0 && one; one = CMSG_NXTHDR(&message, one))
		if (one->cmsg_level == IPPROTO_UDP && one->cmsg_type == UDP_GRO)
			memcpy(segment, CMSG_DATA(one), sizeof(*segment));
	*length = message.msg_namelen;
	return octets;
}

static void send_segments(int fd, const uint8_t *data, size_t octets, int segment, const struct sockaddr_storage *to,
			  socklen_t length)
{
	if (setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof(segment)))
		fail("UDP_SEGMENT");
	if (sendto(fd, data, octets, 0, (const void *)to, length) < 0)
		fail("send");
}

static void serve(const char *address, const char *port)
{
	static uint8_t data[65536];
	struct sockaddr_storage name, from;
	socklen_t length = read_address(address, port, &name);
	int fd = open_socket(name.ss_family), segment;

	if (bind(fd, (void *)&name, length))
		fail("bind");
	puts("ready");
	fflush(stdout);
	for (;;) {
		ssize_t octets = receive(fd, data, &from, &length, &segment);

		if (octets > 0)
			send_segments(fd, data, octets, segment, &from, length);
	}
}

/* Octet `at` of datagram `number`: two that are mixed up, or moved by one, differ. The first four are the number. */
static uint8_t octet_of(uint32_t number, int at)
{
	return at < 4 ? number >> (8 * at) : (number * 2654435761u >> 13) + at * 31 + (at >> 8);
}

static bool is_right(const uint8_t *datagram, uint32_t number, int octets)
{
	for (int at = 0; at < octets; at++)
		if (datagram[at] != octet_of(number, at))
			return false;
	return true;
}

/* Datagrams first..first+many, sent again until all came back; dies of a wrong one. */
static void send_round(int fd, uint32_t first, int many, int octets)
{
	static uint8_t data[65536], is_back[MAX_OCTETS];
	struct sockaddr_storage from;
	struct pollfd wait = { fd, POLLIN, 0 };
	socklen_t length;
	int left = many, segment;

	memset(is_back, 0, many);
	for (int tries = 0; left && tries < TRIES; tries++) {
		for (int i = 0; i < many * octets; i++)
			data[i] = octet_of(first + i / octets, i % octets);
		send_segments(fd, data, many * octets, octets, NULL, 0);
		while (left && poll(&wait, 1, WAIT_MS) > 0) {
			ssize_t got = receive(fd, data, &from, &length, &segment);

			if (got < 0)
				fail("receive");
			for (ssize_t at = 0; at < got; at += segment) {
				uint32_t number =
					data[at] | data[at + 1] << 8 | data[at + 2] << 16 | (uint32_t)data[at + 3] << 24;

				if (segment != octets || !is_right(data + at, number, octets)) {
					fputs("udp-bulk: a datagram came back changed\n", stderr);
					exit(1);
				}
				if (number < first || number >= first + many || is_back[number - first]++)
					continue; /* of an earlier try */
				left--;
			}
		}
	}
	if (left) {
		fprintf(stderr, "udp-bulk: %d of %d datagrams did not come back\n", left, many);
		exit(1);
	}
}

int main(int count, char **arguments)
{
	struct sockaddr_storage to;
	socklen_t length;
	int fd, octets, rounds, many;

	if (count == 4 && !strcmp(arguments[1], "serve"))
		serve(arguments[2], arguments[3]);
	if (count != 6 || strcmp(arguments[1], "send"))
		return fputs("usage: udp-bulk serve ADDRESS PORT | send TO PORT OCTETS ROUNDS\n", stderr), 2;
	length = read_address(arguments[2], arguments[3], &to);
	octets = atoi(arguments[4]);
	rounds = atoi(arguments[5]);
	if (octets < 8 || octets > MAX_OCTETS)
		return fputs("udp-bulk: wrong arguments\n", stderr), 2;
	many = MAX_OCTETS / octets;
	if (many > 64)
		many = 64; /* UDP_MAX_SEGMENTS */
	fd = open_socket(to.ss_family);
	if (connect(fd, (void *)&to, length))
		fail("connect");
	for (int round = 0; round < rounds; round++)
		send_round(fd, round * many, many, octets);
	printf("%d\n", rounds * many);
	return 0;
}
