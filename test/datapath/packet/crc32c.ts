// SCTP's checksum (RFC 9260 appendix A), octet by octet over a whole packet: nothing in common with the shortcut of bpf/crc32c.h.
const POLYNOMIAL = 0x82f63b78; // 0x1edc6f41, bit-reflected

const TABLE = Uint32Array.from({ length: 256 }, (_, octet) => {
  let remainder = octet;
  for (let bit = 0; bit < 8; bit++) remainder = (remainder >>> 1) ^ (remainder & 1 ? POLYNOMIAL : 0);
  return remainder;
});

export function crc32c(octets: Uint8Array): number {
  let remainder = 0xffffffff;
  for (const octet of octets) remainder = (remainder >>> 8) ^ TABLE[(remainder ^ octet) & 0xff]!;
  return ~remainder >>> 0;
}
