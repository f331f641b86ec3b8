/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SCTP's first two packets over raw sockets, for kernels without SCTP: a client sends INIT, a server answers INIT ACK.
 *
 *   sctp-raw serve
 *       Reads "ADDRESS PORT" lines and answers each with the same line once it listens there; "::" is every address of both
 *       families. Answers an INIT to such a place with an INIT ACK whose state cookie says "OWN PEER" as address:port, and
 *       one to any other port with ABORT, as a real stack does. A packet with a wrong CRC32c gets no answer. Ends with its input.
 *   sctp-raw connect TO PORT FROM|- FIRST_SOURCE_PORT SOURCE_PORTS COUNT CONCURRENCY TIMEOUT_MS
 *       COUNT tries with source ports that follow each other, from the first one on and round again. Prints for each, in order,
 *       "answered OWN PEER NAMED" (the cookie, and who the answer came from) or "failed ERROR".
 *
 * A raw socket of the protocol, whatever it is bound to, also keeps the kernel from answering with ICMP protocol unreachable
 * (IPv4) or parameter problem (IPv6) to what it got: so a namespace without one is told from one where nobody listens.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <time.h>
#include <linux/errqueue.h>
#include <unistd.h>
#include "sctp-packet.h"

#define MAX_TRIES 65536
#define MAX_AT_ONCE 256
#define RESEND_MS 400 /* then twice that, and so on: one lost packet is no verdict */

/* From a given address: the answer must come from where the question went. */
static void send_from(int fd, struct packet *packet, size_t length, const struct in6_addr *from, const struct in6_addr *to)
{
	struct sockaddr_storage name;
	struct iovec part = { packet, length };
	union {
		char octets[CMSG_SPACE(sizeof(struct in6_pktinfo))];
		struct cmsghdr first;
	} control = { 0 };
	struct msghdr message = { &name, to_sockaddr(to, &name), &part, 1, &control, 0, 0 };

	sign(packet, length);
	if (name.ss_family == AF_INET) {
		struct in_pktinfo info = { .ipi_spec_dst.s_addr = from->s6_addr32[3] };

		control.first = (struct cmsghdr){ CMSG_LEN(sizeof(info)), IPPROTO_IP, IP_PKTINFO };
		memcpy(CMSG_DATA(&control.first), &info, sizeof(info));
		message.msg_controllen = CMSG_SPACE(sizeof(info));
	} else {
		struct in6_pktinfo info = { .ipi6_addr = *from };

		control.first = (struct cmsghdr){ CMSG_LEN(sizeof(info)), IPPROTO_IPV6, IPV6_PKTINFO };
		memcpy(CMSG_DATA(&control.first), &info, sizeof(info));
		message.msg_controllen = CMSG_SPACE(sizeof(info));
	}
	if (sendmsg(fd, &message, 0) < 0)
		perror("sctp-raw: answer");
}

static struct place *served;
static int served_count;

static bool is_served(const struct place *dest)
{
	for (int i = 0; i < served_count; i++)
		if (served[i].port == dest->port &&
		    (IN6_IS_ADDR_UNSPECIFIED(&served[i].ip) || IN6_ARE_ADDR_EQUAL(&served[i].ip, &dest->ip)))
			return true;
	return false;
}

static void answer(int fd)
{
	struct packet in, out;
	struct place source, dest;
	size_t octets;
	bool is_bad;

	while (receive(fd, &in, &octets, &source, &dest, &is_bad)) {
		if (octets < INIT_OCTETS || is_bad || in.type != CHUNK_INIT || in.tag != 0 || in.init_tag == 0)
			continue;
		memset(&out, 0, sizeof(out));
		out.source = in.dest;
		out.dest = in.source;
		out.tag = in.init_tag;
		if (!is_served(&dest)) {
			out.type = CHUNK_ABORT;
			out.length = htons(4);
			send_from(fd, &out, ABORT_OCTETS, &dest.ip, &source.ip);
			continue;
		}
		char own[MAX_TEXT / 2], peer[MAX_TEXT / 2];
		int text = snprintf(out.cookie, sizeof(out.cookie), "%s %s", write_place(&dest, own), write_place(&source, peer));

		out.type = CHUNK_INIT_ACK;
		out.init_tag = random_tag();
		out.window = htonl(65536);
		out.streams_out = out.streams_in = htons(1);
		out.tsn = random_tag();
		out.parameter = htons(PARAMETER_COOKIE);
		out.parameter_length = htons(4 + text);
		out.length = htons(20 + 4 + text); /* without the padding of the last parameter */
		send_from(fd, &out, INIT_OCTETS + 4 + ((text + 3) & ~3), &dest.ip, &source.ip);
	}
}

static void serve(void)
{
	struct pollfd fds[] = { { 0, POLLIN, 0 }, { open_raw(AF_INET), POLLIN, 0 }, { open_raw(AF_INET6), POLLIN, 0 } };
	char line[256], ip[128];
	unsigned port;

	setlinebuf(stdout);
	setvbuf(stdin, NULL, _IONBF, 0); /* poll() sees what fgets() left */
	while (poll(fds, 3, -1) >= 0 || errno == EINTR) {
		if (fds[0].revents) {
			if (!fgets(line, sizeof(line), stdin))
				return;
			served = realloc(served, (served_count + 1) * sizeof(*served));
			if (!served || sscanf(line, "%127s %u", ip, &port) != 2 || !read_ip(ip, &served[served_count].ip))
				fail(line);
			served[served_count++].port = port;
			fputs(line, stdout);
		}
		for (int i = 1; i <= 2; i++)
			if (fds[i].revents)
				answer(fds[i].fd);
	}
	fail("poll");
}

struct
try {
	uint16_t port;
	uint32_t tag;
	int64_t end_ms, resend_ms;
	int wait_ms;
	bool is_done;
	char result[2 * MAX_TEXT];
};

static struct client {
	int fd;
	struct place to;
	int64_t timeout_ms;
	struct try *active[MAX_AT_ONCE];
	int active_count, at_once;
} client;

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void finish(struct try *try, const char *word, const char *text)
{
	if (try->is_done)
		return;
	try->is_done = true;
	snprintf(try->result, sizeof(try->result), "%s %s", word, text);
}

static void send_init(struct try *try)
{
	struct packet init = { .source = htons(try->port),
			       .dest = htons(client.to.port),
			       .type = CHUNK_INIT,
			       .length = htons(20),
			       .init_tag = try->tag,
			       .window = htonl(65536),
			       .streams_out = htons(1),
			       .streams_in = htons(1),
			       .tsn = try->tag };
	struct sockaddr_storage name;
	socklen_t length = to_sockaddr(&client.to.ip, &name), size = sizeof(int);
	int pending;

	sign(&init, INIT_OCTETS);
	for (int again = 0; again < 3; again++) {
		getsockopt(client.fd, SOL_SOCKET, SO_ERROR, &pending,
			   &size); /* an ICMP error of another try would be returned here */
		/* A drop on the way out is told to a socket with IP_RECVERR, as ENOBUFS; to the world it is silence. */
		if (sendto(client.fd, &init, INIT_OCTETS, 0, (struct sockaddr *)&name, length) >= 0 || errno == ENOBUFS)
			return;
	}
	finish(try, "failed", strerrorname_np(errno));
}

static struct try *try_of(uint16_t port)
{
	for (int i = 0; i < client.active_count; i++)
		if (client.active[i]->port == port)
			return client.active[i];
	return NULL;
}

static void take_answers(void)
{
	struct packet in;
	struct place source, dest;
	size_t octets;
	bool is_bad;
	char named[MAX_TEXT / 2], text[2 * MAX_TEXT];

	while (receive(client.fd, &in, &octets, &source, &dest, &is_bad)) {
		struct try *try = octets ? try_of(dest.port) : NULL;

		/* The tag ties an answer to its question, whatever became of addresses and ports on the way. */
		if (!try || in.tag != try->tag || (in.type != CHUNK_INIT_ACK && in.type != CHUNK_ABORT))
			continue;
		write_place(&source, named);
		if (is_bad)
			finish(try, "failed", "EBADCRC");
		else if (source.port != client.to.port || !IN6_ARE_ADDR_EQUAL(&source.ip, &client.to.ip))
			finish(try, "failed", strcat(strcpy(text, "EWRONGSOURCE:"), named));
		else if (in.type == CHUNK_ABORT)
			finish(try, "failed", "ECONNREFUSED");
		else if (octets > INIT_OCTETS + 4 && in.parameter == htons(PARAMETER_COOKIE) &&
			 ntohs(in.parameter_length) <= MAX_TEXT) {
			snprintf(text, sizeof(text), "%.*s %s", ntohs(in.parameter_length) - 4, in.cookie, named);
			finish(try, "answered", text);
		} else
			finish(try, "failed", "EBADMSG");
	}
}

/* ICMP errors, each with the packet it is about: a raw socket gets them of everything that its namespace sent. */
static void take_errors(void)
{
	for (;;) {
		uint8_t quote[MAX_PACKET];
		char control[512];
		struct sockaddr_storage name;
		struct iovec part = { quote, sizeof(quote) };
		struct msghdr message = { &name, sizeof(name), &part, 1, control, sizeof(control), 0 };
		ssize_t length = recvmsg(client.fd, &message, MSG_ERRQUEUE);
		const struct packet *sent = (const void *)quote;
		const struct sock_extended_err *error = NULL;
		struct in6_addr to;
		struct try *try;

		if (length < 0)
			return;
		for (struct cmsghdr *one = CMSG_FIRSTHDR(&message); one; one = CMSG_NXTHDR(&message, one))
			if ((one->cmsg_level == IPPROTO_IP && one->cmsg_type == IP_RECVERR) ||
			    (one->cmsg_level == IPPROTO_IPV6 && one->cmsg_type == IPV6_RECVERR))
				error = (const void *)CMSG_DATA(one);
		if (!error || error->ee_origin == SO_EE_ORIGIN_LOCAL || length < 8) /* ICMP quotes 8 octets at least */
			continue;
		from_sockaddr(&name, &to);
		try = try_of(ntohs(sent->source));
		if (!try || sent->dest != htons(client.to.port) || sent->tag != 0 || !IN6_ARE_ADDR_EQUAL(&to, &client.to.ip))
			continue;
		if (length < COMMON_OCTETS + 8 || sent->init_tag == try->tag)
			finish(try, "failed", strerrorname_np(error->ee_errno) ?: "EUNKNOWN");
	}
}

static void run_active(void)
{
	int64_t now = now_ms();

	for (int i = 0; i < client.active_count; i++) {
		struct try *try = client.active[i];

		if (!try->is_done && now >= try->end_ms)
			finish(try, "failed", "ETIMEDOUT");
		if (!try->is_done && now >= try->resend_ms) {
			send_init(try);
			try->wait_ms *= 2;
			try->resend_ms = now + try->wait_ms;
		}
		if (try->is_done)
			client.active[i--] = client.active[--client.active_count];
	}
}

static void run_tries(struct try *tries, int count)
{
	int next = 0;

	while (next < count || client.active_count > 0) {
		while (next < count && client.active_count < client.at_once) {
			struct try *try = &tries[next++];

			try->tag = random_tag();
			try->end_ms = now_ms() + client.timeout_ms;
			try->wait_ms = RESEND_MS;
			try->resend_ms = now_ms() + RESEND_MS;
			client.active[client.active_count++] = try;
			send_init(try);
		}
		struct pollfd fd = { client.fd, POLLIN, 0 };

		poll(&fd, 1, 20);
		take_answers();
		take_errors();
		run_active();
	}
}

static int connect_all(char **arguments)
{
	struct sockaddr_storage name;
	struct in6_addr from;
	int first = atoi(arguments[3]), ports = atoi(arguments[4]), count = atoi(arguments[5]), one = 1, error = 0;
	struct try *tries = calloc(MAX_TRIES, sizeof(*tries)) /* untouched pages cost nothing */;

	client.to.port = atoi(arguments[1]);
	client.at_once = atoi(arguments[6]);
	client.timeout_ms = atoi(arguments[7]);
	if (!tries || !read_ip(arguments[0], &client.to.ip) || first < 1 || ports < 1 || first + ports > 65536 || count < 1 ||
	    count > MAX_TRIES || client.at_once < 1)
		return fputs("sctp-raw: wrong arguments\n", stderr), 2;
	if (client.at_once > MAX_AT_ONCE)
		client.at_once = MAX_AT_ONCE;
	if (client.at_once > ports)
		client.at_once = ports; /* no two tries of one port at a time */
	client.fd = open_raw(IN6_IS_ADDR_V4MAPPED(&client.to.ip) ? AF_INET : AF_INET6);
	if (IN6_IS_ADDR_V4MAPPED(&client.to.ip) ? setsockopt(client.fd, IPPROTO_IP, IP_RECVERR, &one, sizeof(one)) :
						  setsockopt(client.fd, IPPROTO_IPV6, IPV6_RECVERR, &one, sizeof(one)))
		fail("IP_RECVERR");
	if (strcmp(arguments[2], "-") != 0 &&
	    (!read_ip(arguments[2], &from) || bind(client.fd, (struct sockaddr *)&name, to_sockaddr(&from, &name))))
		error = errno;
	for (int i = 0; i < count; i++) {
		tries[i].port = first + i % ports;
		if (error)
			finish(&tries[i], "failed", strerrorname_np(error));
	}
	if (!error)
		run_tries(tries, count);
	for (int i = 0; i < count; i++)
		puts(tries[i].result);
	return 0;
}

int main(int count, char **arguments)
{
	if (count == 2 && strcmp(arguments[1], "serve") == 0)
		return serve(), 0;
	if (count == 10 && strcmp(arguments[1], "connect") == 0)
		return connect_all(arguments + 2);
	return fputs("usage: sctp-raw serve | connect TO PORT FROM|- FIRST_SOURCE_PORT SOURCE_PORTS COUNT CONCURRENCY "
		     "TIMEOUT_MS\n",
		     stderr),
	       2;
}
