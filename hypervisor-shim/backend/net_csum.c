/* SPDX-License-Identifier: MIT
 *
 * net_csum.c - the internet checksum, for packets that come with a blank one to where nobody fills
 * it in. Words are summed in the machine's own order, which the ones' complement does not mind.
 */
#include "net.h"

enum { PROTO_TCP = 6, PROTO_UDP = 17 };

uint32_t net_csum_add(uint32_t sum, const uint8_t *p, unsigned n, bool odd)
{
    uint64_t wide = 0;
    uint32_t word;

    for (; n >= 4; p += 4, n -= 4) {
        __builtin_memcpy(&word, p, 4);
        wide += word;
    }
    word = 0;
    for (unsigned i = 0; i < n; i++)
        word |= (uint32_t)p[i] << 8 * i;
    wide += word;
    while (wide >> 16)
        wide = (wide & 0xffff) + (wide >> 16);
    return sum + (odd ? __builtin_bswap16((uint16_t)wide) : (uint32_t)wide);
}

uint16_t net_csum_fold(uint32_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

bool net_csum_where(const uint8_t *p, unsigned n, uint16_t *start, uint16_t *offset)
{
    unsigned header;

    if (n < SWITCH_HEADER + 20 || p[12] != 8 || p[13] != 0)
        return false;
    header = (p[14] & 15) * 4u;
    if (p[14] >> 4 != 4 || header < 20 || (p[20] & 0x3f) || p[21]) /* no fragments */
        return false;
    *start = (uint16_t)(SWITCH_HEADER + header);
    *offset = p[23] == PROTO_TCP ? 16 : 6;
    return (p[23] == PROTO_TCP || p[23] == PROTO_UDP) && *start + *offset + 2u <= n;
}

void net_csum_whole(uint8_t *packet, unsigned n)
{
    uint16_t start, offset, sum;

    if (!net_csum_where(packet, n < NET_CSUM_LINEAR ? n : NET_CSUM_LINEAR, &start, &offset))
        return;
    sum = net_csum_fold(net_csum_add(0, packet + start, n - start, false));
    if (!sum && offset == 6)
        sum = 0xffff; /* 0 means none to UDP */
    __builtin_memcpy(packet + start + offset, &sum, 2);
}
