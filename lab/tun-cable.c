/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tun-cable NETNS DEVICE NETNS DEVICE: a pair of tun devices in two network namespaces, what goes into one comes out of the other.
 * Packets have no Ethernet header, as on wireguard, ipip or a VPN. Prints "ready"; the devices go when it ends.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static int open_tun(const char *netns, const char *device)
{
	struct ifreq request = { .ifr_flags = IFF_TUN | IFF_NO_PI };
	int place = open(netns, O_RDONLY), fd;

	if (place < 0 || setns(place, CLONE_NEWNET))
		fail(netns);
	close(place);
	fd = open("/dev/net/tun", O_RDWR);
	if (fd < 0)
		fail("/dev/net/tun");
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", device);
	if (ioctl(fd, TUNSETIFF, &request))
		fail(device);
	return fd;
}

int main(int count, char **arguments)
{
	struct pollfd ends[2];
	char packet[65536];

	if (count != 5)
		return fputs("usage: tun-cable NETNS DEVICE NETNS DEVICE\n", stderr), 2;
	for (int i = 0; i < 2; i++)
		ends[i] = (struct pollfd){ open_tun(arguments[1 + 2 * i], arguments[2 + 2 * i]), POLLIN, 0 };
	puts("ready");
	fflush(stdout);
	while (poll(ends, 2, -1) > 0) {
		for (int i = 0; i < 2; i++) {
			ssize_t octets;

			/* A device that is down takes nothing, and says so when it is asked. */
			if (!(ends[i].revents & POLLIN))
				continue;
			octets = read(ends[i].fd, packet, sizeof(packet));
			if (octets > 0 && write(ends[!i].fd, packet, octets) < 0)
				perror("write"); /* lost, as on any wire */
		}
	}
	fail("poll");
}
