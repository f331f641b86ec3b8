/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What a change of four octets does to a CRC32c, without reading what follows them.
 *
 * A CRC is the remainder of a polynomial over GF(2), where addition is xor. Start value and final complement are the same for two
 * packets of one length, so the checksums of two packets differ by the plain remainder of the packets' difference. Where they differ
 * in the four octets d at their beginning only and are n octets long, that difference is d, then n - 4 octets of zero: the polynomial
 * of d times x^(8n), n because a CRC of 32 bits appends four more octets of zero. So
 *
 *	new checksum = old checksum xor d * x^(8n) mod P
 *
 * x^(8n) is a product of some of x^8, x^16, x^32, x^64, ... mod P: those whose bit is set in n. Its factors are applied to d one by one.
 *
 * CRC32c is bit-reflected (RFC 9260 appendix A): a word's highest bit is the coefficient of x^0, its lowest that of x^31; octets go into a
 * word lowest first. The polynomial P, 0x1edc6f41 there, is 0x82f63b78 so written.
 */
#pragma once

#include <linux/types.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define CRC32C_POLYNOMIAL 0x82f63b78
#define CRC32C_LENGTH_BITS 16 /* no IP packet is longer */

/* x^(8 * 2^k) mod P: x^8 = 0x80000000 >> 8, then each is the square of the one before. */
static const __u32 crc32c_powers[CRC32C_LENGTH_BITS] = {
	0x00800000, 0x00008000, 0x82f63b78, 0x6ea2d55c, 0x18b8ea18, 0x510ac59a, 0xb82be955, 0xb8fdb1e7,
	0x88e56f72, 0x74c360a4, 0xe4172b16, 0x0d65762a, 0x35d73a62, 0x28461564, 0xbf455269, 0xe2ea32dc,
};

/* Octets as they lie in a packet <-> the word that the CRC means: lowest octet first. Nothing to do on x86-64 and arm64. */
static __always_inline __u32 crc32c_word(__be32 octets)
{
	return __builtin_bswap32(bpf_ntohl(octets));
}

/* a * b mod P, bit by bit of a. Without branches: one path for the verifier. */
static __always_inline __u32 crc32c_multiply(__u32 a, __u32 b)
{
	__u32 product = 0;

	for (int i = 0; i < 32; i++) {
		product ^= b & -(a >> 31);
		a <<= 1;
		b = b >> 1 ^ (CRC32C_POLYNOMIAL & -(b & 1));
	}
	return product;
}

/*
 * What to xor to the checksum of a packet of `length` octets whose first four change by `difference`. Not static, so that the verifier
 * looks at it once, for any numbers, and not again at each call.
 */
__noinline __u32 crc32c_change(__u32 difference, __u32 length)
{
	for (int k = 0; k < CRC32C_LENGTH_BITS; k++)
		if (length >> k & 1)
			difference = crc32c_multiply(difference, crc32c_powers[k]);
	return difference;
}
