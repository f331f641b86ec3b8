/* SPDX-License-Identifier: Apache-2.0 */
/* send-frame DEVICE HEX...: whole Ethernet frames, each as it is written, on this device. */
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define MAX_OCTETS 2048

static size_t read_hex(const char *text, unsigned char *frame)
{
	size_t octets = strlen(text) / 2;

	if (octets > MAX_OCTETS)
		return 0;
	for (size_t i = 0; i < octets; i++)
		if (sscanf(text + 2 * i, "%2hhx", &frame[i]) != 1)
			return 0;
	return octets;
}

int main(int count, char **arguments)
{
	struct sockaddr_ll wire = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	unsigned char frame[MAX_OCTETS];
	int fd = socket(AF_PACKET, SOCK_RAW, 0);

	if (count < 3)
		return fputs("usage: send-frame DEVICE HEX...\n", stderr), 2;
	wire.sll_ifindex = if_nametoindex(arguments[1]);
	if (fd < 0 || bind(fd, (struct sockaddr *)&wire, sizeof(wire)))
		return perror(arguments[1]), 1;
	for (int i = 2; i < count; i++) {
		size_t octets = read_hex(arguments[i], frame);

		if (!octets)
			return fprintf(stderr, "send-frame: no frame: %s\n", arguments[i]), 2;
		if (send(fd, frame, octets, 0) < 0)
			return perror("send"), 1;
	}
	return 0;
}
