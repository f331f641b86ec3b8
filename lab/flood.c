/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flood DEVICE MAC tcp|udp SOURCE SOURCES TO PORT COUNT PER_SECOND: first packets of COUNT connections that nobody goes on with, each from
 * another address and port: SYN, or a datagram of one octet. SOURCES addresses follow each other from SOURCE on. Prints how many were sent.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define BATCH 32
#define FIRST_PORT 1024

struct shape {
	bool is_v4, is_tcp;
	uint8_t source[16], to[16];
	uint16_t port;
	uint32_t sources;
};

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static uint32_t sum_of(const void *data, size_t octets, uint32_t sum)
{
	const uint8_t *octet = data;

	for (size_t i = 0; i < octets; i++)
		sum += i % 2 ? octet[i] : octet[i] << 8;
	return sum;
}

static uint16_t folded(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons(~sum);
}

/* The address `number` after the first; the last four octets count. */
static void add_to(const uint8_t *first, size_t octets, uint32_t number, uint8_t *address)
{
	uint32_t last;

	memcpy(address, first, octets);
	memcpy(&last, address + octets - 4, 4);
	last = htonl(ntohl(last) + number);
	memcpy(address + octets - 4, &last, 4);
}

static size_t write_packet(const struct shape *shape, uint32_t number, uint8_t *packet)
{
	size_t address = shape->is_v4 ? 4 : 16, header = shape->is_v4 ? sizeof(struct iphdr) : sizeof(struct ip6_hdr);
	size_t l4 = shape->is_tcp ? sizeof(struct tcphdr) : sizeof(struct udphdr) + 1;
	uint8_t protocol = shape->is_tcp ? IPPROTO_TCP : IPPROTO_UDP, source[16];
	uint16_t port = FIRST_PORT + number / shape->sources;
	uint32_t sum;

	add_to(shape->source, address, number % shape->sources, source);
	memset(packet, 0, header + l4);
	if (shape->is_v4) {
		struct iphdr *ip = (void *)packet;

		*ip = (struct iphdr){ .version = 4, .ihl = 5, .ttl = 64, .protocol = protocol, .tot_len = htons(header + l4) };
		memcpy(&ip->saddr, source, 4);
		memcpy(&ip->daddr, shape->to, 4);
		ip->check = folded(sum_of(ip, header, 0));
	} else {
		struct ip6_hdr *ip = (void *)packet;

		ip->ip6_flow = htonl(6 << 28);
		ip->ip6_plen = htons(l4);
		ip->ip6_nxt = protocol;
		ip->ip6_hlim = 64;
		memcpy(&ip->ip6_src, source, 16);
		memcpy(&ip->ip6_dst, shape->to, 16);
	}
	sum = sum_of(source, address, sum_of(shape->to, address, protocol + l4));
	if (shape->is_tcp) {
		struct tcphdr *tcp = (void *)(packet + header);

		*tcp = (struct tcphdr){
			.source = htons(port), .dest = htons(shape->port), .seq = htonl(number), .doff = 5, .syn = 1
		};
		tcp->window = htons(65535);
		tcp->check = folded(sum_of(tcp, l4, sum));
	} else {
		struct udphdr *udp = (void *)(packet + header);

		*udp = (struct udphdr){ .source = htons(port), .dest = htons(shape->port), .len = htons(l4) };
		udp->check = folded(sum_of(udp, l4, sum));
	}
	return header + l4;
}

static void send_all(int fd, struct sockaddr_ll *wire, const struct shape *shape, uint32_t count, uint32_t per_second)
{
	static uint8_t packets[BATCH][128];
	struct iovec parts[BATCH];
	struct mmsghdr messages[BATCH] = {};
	struct timespec next;

	clock_gettime(CLOCK_MONOTONIC, &next);
	for (uint32_t first = 0; first < count; first += BATCH) {
		int octets = count - first < BATCH ? (int)(count - first) : BATCH;

		for (int i = 0; i < octets; i++) {
			parts[i] = (struct iovec){ packets[i], write_packet(shape, first + i, packets[i]) };
			messages[i].msg_hdr = (struct msghdr){
				.msg_name = wire, .msg_namelen = sizeof(*wire), .msg_iov = &parts[i], .msg_iovlen = 1
			};
		}
		for (int sent = 0, now; sent < octets; sent += now) {
			now = sendmmsg(fd, messages + sent, octets - sent, 0);
			if (now < 0)
				fail("send");
		}
		next.tv_nsec += 1000000000LL * BATCH / per_second;
		next.tv_sec += next.tv_nsec / 1000000000;
		next.tv_nsec %= 1000000000;
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
	}
}

int main(int count, char **arguments)
{
	struct sockaddr_ll wire = { .sll_family = AF_PACKET, .sll_halen = 6 };
	struct shape shape = {};
	uint32_t packets, per_second;
	int fd, family;

	if (count != 10)
		return fputs("usage: flood DEVICE MAC tcp|udp SOURCE SOURCES TO PORT COUNT PER_SECOND\n", stderr), 2;
	shape.is_v4 = !strchr(arguments[4], ':');
	shape.is_tcp = !strcmp(arguments[3], "tcp");
	shape.sources = atoi(arguments[5]);
	shape.port = atoi(arguments[7]);
	packets = atoi(arguments[8]);
	per_second = atoi(arguments[9]);
	family = shape.is_v4 ? AF_INET : AF_INET6;
	if (inet_pton(family, arguments[4], shape.source) != 1 || inet_pton(family, arguments[6], shape.to) != 1 ||
	    sscanf(arguments[2], "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &wire.sll_addr[0], &wire.sll_addr[1], &wire.sll_addr[2],
		   &wire.sll_addr[3], &wire.sll_addr[4], &wire.sll_addr[5]) != 6 ||
	    !shape.sources || !per_second || packets / shape.sources > 65535 - FIRST_PORT)
		return fputs("flood: wrong arguments\n", stderr), 2;
	wire.sll_ifindex = if_nametoindex(arguments[1]);
	wire.sll_protocol = htons(shape.is_v4 ? ETHERTYPE_IP : ETHERTYPE_IPV6);
	fd = socket(AF_PACKET, SOCK_DGRAM, 0);
	if (fd < 0 || !wire.sll_ifindex)
		fail(arguments[1]);
	send_all(fd, &wire, &shape, packets, per_second);
	printf("%u\n", packets);
	return 0;
}
