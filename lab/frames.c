/*
 * Whole Ethernet frames for the lab, in hexadecimal, one a line.
 *   frames send DEVICE GAP_US...   sends the frames of standard input in order; GAP_US[i] passes before frame i, 0 where none is given
 *   frames watch DEVICE            prints "ready", then '<' FRAME for each that comes in and '>' FRAME for each that leaves, until its
 *                                  standard input ends
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FRAMES_MAX 1024
#define OCTETS_MAX 65550

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "frames: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int open_device(const char *name, int protocol)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET, .sll_protocol = htons(protocol) };
	int fd = socket(AF_PACKET, SOCK_RAW, 0);

	if (fd < 0)
		fail("socket");
	address.sll_ifindex = if_nametoindex(name);
	if (!address.sll_ifindex)
		fail(name);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)))
		fail("bind");
	return fd;
}

static long long now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

struct frame {
	size_t length;
	unsigned char *octets;
};

static size_t read_frames(struct frame *frames)
{
	char *line = NULL;
	size_t size = 0, count = 0;
	ssize_t length;

	while ((length = getline(&line, &size, stdin)) > 1 && count < FRAMES_MAX) {
		struct frame *frame = &frames[count++];

		frame->length = (size_t)length / 2;
		frame->octets = malloc(frame->length);
		for (size_t i = 0; i < frame->length; i++)
			if (sscanf(line + 2 * i, "%2hhx", &frame->octets[i]) != 1)
				fail("not hexadecimal");
	}
	free(line);
	return count;
}

/* Waits by looking at the clock: gaps are microseconds, and a sleeper would give its CPU to the receiver. */
static int send_frames(const char *device, char **gaps, int gap_count)
{
	static struct frame frames[FRAMES_MAX];
	size_t count = read_frames(frames);
	int fd = open_device(device, 0);

	for (size_t i = 0; i < count; i++) {
		long long until_ns = now_ns() + ((int)i < gap_count ? atoll(gaps[i]) * 1000 : 0);

		while (now_ns() < until_ns)
			;
		if (send(fd, frames[i].octets, frames[i].length, 0) < 0)
			fail("send");
	}
	return 0;
}

static int watch(const char *device)
{
	static unsigned char octets[OCTETS_MAX];
	struct pollfd wait[2] = { { .fd = open_device(device, ETH_P_ALL), .events = POLLIN }, { .fd = 0, .events = POLLIN } };
	struct sockaddr_ll from;
	socklen_t size;
	char one;

	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("ready");
	for (;;) {
		ssize_t length;

		if (poll(wait, 2, -1) < 0)
			fail("poll");
		if (!wait[0].revents) {
			if (wait[1].revents && read(0, &one, 1) <= 0)
				return 0;
			continue;
		}
		size = sizeof(from);
		length = recvfrom(wait[0].fd, octets, sizeof(octets), 0, (struct sockaddr *)&from, &size);
		if (length < 0)
			fail("recvfrom");
		putchar(from.sll_pkttype == PACKET_OUTGOING ? '>' : '<');
		for (ssize_t i = 0; i < length; i++)
			printf("%02x", octets[i]);
		putchar('\n');
	}
}

int main(int argc, char **argv)
{
	if (argc >= 3 && !strcmp(argv[1], "send"))
		return send_frames(argv[2], argv + 3, argc - 3);
	if (argc == 3 && !strcmp(argv[1], "watch"))
		return watch(argv[2]);
	fprintf(stderr, "usage: frames send DEVICE GAP_US... | frames watch DEVICE\n");
	return 2;
}
