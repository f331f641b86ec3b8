/* SPDX-License-Identifier: Apache-2.0 */
/* Reads and writes the packets of sctp-raw.c; included there only. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#define MAX_PACKET 2048
#define MAX_TEXT 160

enum { CHUNK_INIT = 1, CHUNK_INIT_ACK = 2, CHUNK_ABORT = 6, PARAMETER_COOKIE = 7 };

/* Common header and the first chunk; RFC 9260, sections 3.1 and 3.3.2. */
struct packet {
	uint16_t source, dest;
	uint32_t tag, crc;
	uint8_t type, flags;
	uint16_t length; /* of the chunk */
	uint32_t init_tag, window;
	uint16_t streams_out, streams_in;
	uint32_t tsn;
	uint16_t parameter, parameter_length;
	char cookie[MAX_TEXT];
} __attribute__((packed));

#define COMMON_OCTETS 12
#define INIT_OCTETS 32 /* common header and INIT without parameters */
#define ABORT_OCTETS 16

/* IPv4 is ::ffff:a.b.c.d */
struct place {
	struct in6_addr ip;
	uint16_t port;
};

static void fail(const char *what)
{
	fprintf(stderr, "sctp-raw: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint32_t crc32c(const uint8_t *data, size_t length)
{
	uint32_t crc = ~0u;

	while (length--) {
		crc ^= *data++;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return htole32(~crc); /* the only little-endian field */
}

static void sign(struct packet *packet, size_t length)
{
	packet->crc = 0;
	packet->crc = crc32c((const uint8_t *)packet, length);
}

static bool is_signed(struct packet *packet, size_t length)
{
	uint32_t crc = packet->crc;

	sign(packet, length);
	return crc == packet->crc;
}

static uint32_t random_tag(void)
{
	uint32_t tag = 0;

	while (tag == 0)
		if (getrandom(&tag, sizeof(tag), 0) != sizeof(tag))
			fail("getrandom");
	return tag;
}

static bool read_ip(const char *text, struct in6_addr *ip)
{
	struct in_addr v4;

	if (inet_pton(AF_INET, text, &v4) != 1)
		return inet_pton(AF_INET6, text, ip) == 1;
	memset(ip, 0, sizeof(*ip));
	ip->s6_addr16[5] = 0xffff;
	ip->s6_addr32[3] = v4.s_addr;
	return true;
}

static const char *write_place(const struct place *place, char *text)
{
	char ip[INET6_ADDRSTRLEN];

	if (IN6_IS_ADDR_V4MAPPED(&place->ip))
		sprintf(text, "%s:%u", inet_ntop(AF_INET, &place->ip.s6_addr32[3], ip, sizeof(ip)), place->port);
	else
		sprintf(text, "[%s]:%u", inet_ntop(AF_INET6, &place->ip, ip, sizeof(ip)), place->port);
	return text;
}

static socklen_t to_sockaddr(const struct in6_addr *ip, struct sockaddr_storage *name)
{
	memset(name, 0, sizeof(*name));
	if (IN6_IS_ADDR_V4MAPPED(ip)) {
		struct sockaddr_in *v4 = (void *)name;

		v4->sin_family = AF_INET;
		v4->sin_addr.s_addr = ip->s6_addr32[3];
		return sizeof(*v4);
	}
	struct sockaddr_in6 *v6 = (void *)name;

	v6->sin6_family = AF_INET6;
	v6->sin6_addr = *ip;
	return sizeof(*v6);
}

static void from_sockaddr(const struct sockaddr_storage *name, struct in6_addr *ip)
{
	if (name->ss_family == AF_INET6) {
		*ip = ((const struct sockaddr_in6 *)name)->sin6_addr;
		return;
	}
	memset(ip, 0, sizeof(*ip));
	ip->s6_addr16[5] = 0xffff;
	ip->s6_addr32[3] = ((const struct sockaddr_in *)name)->sin_addr.s_addr;
}

static int open_raw(int family)
{
	int fd = socket(family, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_SCTP), one = 1, octets = 4 << 20;

	if (fd < 0)
		fail("raw socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &octets, sizeof(octets));
	if (family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &one, sizeof(one)))
		fail("IPV6_RECVPKTINFO");
	return fd;
}

/*
 * One SCTP packet with its two ends, or false when there is none left. octets is 0 for what is too short to be one, or not signed
 * right: such packets are to be ignored.
 */
static bool receive(int fd, struct packet *packet, size_t *octets, struct place *source, struct place *dest, bool *is_bad)
{
	static uint8_t buffer[MAX_PACKET];
	char control[256];
	struct sockaddr_storage name;
	struct iovec part = { buffer, sizeof(buffer) };
	struct msghdr message = { &name, sizeof(name), &part, 1, control, sizeof(control), 0 };
	ssize_t length = recvmsg(fd, &message, 0);
	const uint8_t *start = buffer;

	*octets = 0;
	*is_bad = false;
	if (length < 0)
		return errno != EAGAIN && errno != EWOULDBLOCK; /* an error of some try: the error queue tells */
	from_sockaddr(&name, &source->ip);
	if (name.ss_family == AF_INET) {
		const struct iphdr *header = (const void *)buffer;
		struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = header->daddr };

		from_sockaddr((struct sockaddr_storage *)&to, &dest->ip);
		start += header->ihl * 4;
		length -= header->ihl * 4;
	}
	for (struct cmsghdr *one = CMSG_FIRSTHDR(&message); one; one = CMSG_NXTHDR(&message, one))
		if (one->cmsg_level == IPPROTO_IPV6 && one->cmsg_type == IPV6_PKTINFO)
			dest->ip = ((struct in6_pktinfo *)CMSG_DATA(one))->ipi6_addr;
	if (length < ABORT_OCTETS || length > (ssize_t)sizeof(*packet))
		return true;
	memset(packet, 0, sizeof(*packet));
	memcpy(packet, start, length);
	source->port = ntohs(packet->source);
	dest->port = ntohs(packet->dest);
	*is_bad = !is_signed(packet, length);
	*octets = length;
	return true;
}
