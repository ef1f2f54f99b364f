/* SPDX-License-Identifier: MIT */
/*
 * 09-net - a network card, and on it as much of a protocol stack as it takes to answer ARP and ping
 * and to serve one page by HTTP: four hundred lines instead of lwIP, to be read with pv/net.h.
 *
 *     ip=10.0.0.2    our address; without it DHCP is asked, for half a minute (serve=0: for ever)
 *     serve=N        power off after N pages (default 1; 0: never)
 *     exchange       take packets by page exchange, where the back-end knows that
 *
 * Everything happens in one loop with events masked: what has arrived, what is due, sleep. A TCP
 * connection here knows one request and one answer of a single segment, repeated until it is
 * acknowledged; what has been sent is made anew, not kept.
 */
#include <pv/pv.h>

PV_NEEDS("xenstore");

#define memcpy __builtin_memcpy
#define memset __builtin_memset
#define memcmp __builtin_memcmp

#define SECOND   1000000000ull
#define SESSIONS 16
#define PAGE_TEXT                                                                              \
    "HTTP/1.0 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n"                  \
    "<html><body><h1>libpv</h1><p>A paravirtualized guest with a stack of its own.</p></body>" \
    "</html>\n"

enum { PATIENCE = 15 }; /* questions that DHCP does not answer */
enum { ETHER = 14, IP = 20, UDP = 8, TCP = 20, ARP = 28, BOOTP = 240 };
enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16 };

static struct pv_net card;
static uint8_t frame[1600]; /* the packet that is looked at, and the one that is made of it */
static uint32_t my_ip, dhcp_server;
static uint64_t next_dhcp;
static unsigned pages, pings, asked;

static struct session {
    uint32_t ip, theirs, ours; /* next sequence number expected, and the first of ours not acked */
    uint16_t port;
    uint8_t mac[6];
    bool used, answered;
    uint64_t again; /* when to repeat */
    unsigned tries;
} sessions[SESSIONS];

/* Numbers in the order of the network ------------------------------------------------------ */

static uint16_t get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static void put16(uint8_t *p, unsigned v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
    put16(p, v >> 16);
    put16(p + 2, v);
}

static uint16_t checksum(const uint8_t *p, size_t n, uint32_t sum)
{
    for (size_t i = 0; i + 1 < n; i += 2)
        sum += get16(p + i);
    if (n & 1)
        sum += (uint32_t)p[n - 1] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

/* Over TCP or UDP with the pseudo header. */
static uint16_t checksum_ip(const uint8_t *ip, size_t n)
{
    uint32_t sum = ip[9] + (uint32_t)n;

    for (unsigned i = 12; i < 20; i += 2)
        sum += get16(ip + i);
    return checksum(ip + IP, n, sum);
}

/* Out -------------------------------------------------------------------------------------- */

static void send(size_t n)
{
    pv_net_send_copy(&card, &(struct pv_net_bytes){frame, n < 60 ? 60 : n}, 1, 0);
}

static void ether(const uint8_t *to, unsigned type)
{
    memcpy(frame, to, 6);
    memcpy(frame + 6, card.mac, 6);
    put16(frame + 12, type);
}

/* An IPv4 header around n bytes that are in place behind it. */
static void send_ip(const uint8_t *mac, uint32_t to, uint8_t protocol, size_t n)
{
    uint8_t *ip = frame + ETHER;

    ether(mac, 0x0800);
    memset(ip, 0, IP);
    ip[0] = 0x45;
    put16(ip + 2, (unsigned)(IP + n));
    ip[8] = 64;
    ip[9] = protocol;
    put32(ip + 12, my_ip);
    put32(ip + 16, to);
    put16(ip + 10, checksum(ip, IP, 0));
    if (protocol == 6)
        put16(ip + IP + 16, checksum_ip(ip, n));
    send(ETHER + IP + n);
}

static void send_tcp(const struct session *s, uint32_t seq, unsigned flags, const char *text)
{
    uint8_t *tcp = frame + ETHER + IP;
    size_t n = 0;

    for (; text && text[n]; n++)
        tcp[TCP + n] = (uint8_t)text[n];
    memset(tcp, 0, TCP);
    put16(tcp, 80);
    put16(tcp + 2, s->port);
    put32(tcp + 4, seq);
    put32(tcp + 8, s->theirs);
    tcp[12] = TCP / 4 << 4;
    tcp[13] = (uint8_t)flags;
    put16(tcp + 14, 8192);
    send_ip(s->mac, s->ip, 6, TCP + n);
}

/* DHCP: a discovery, or when a server has offered an address, the request for it. */
static void send_dhcp(uint32_t wanted)
{
    static const uint8_t everybody[6] = {255, 255, 255, 255, 255, 255};
    uint8_t *udp = frame + ETHER + IP, *b = udp + UDP, *o = b + BOOTP;

    memset(udp, 0, UDP + BOOTP + 32);
    put16(udp, 68);
    put16(udp + 2, 67);
    put16(udp + 4, UDP + BOOTP + 32);
    b[0] = b[1] = 1;
    b[2] = 6;
    put32(b + 4, 0x70766e65);
    put16(b + 10, 0x8000); /* answer to everybody: we have no address yet */
    memcpy(b + 28, card.mac, 6);
    put32(b + 236, 0x63825363);
    memcpy(o, (uint8_t[]){53, 1, wanted ? 3 : 1}, 3);
    o += 3;
    if (wanted) {
        memcpy(o, (uint8_t[]){50, 4, 0, 0, 0, 0, 54, 4}, 8);
        put32(o + 2, wanted);
        put32(o + 8, dhcp_server);
        o += 12;
    }
    *o = 255;
    send_ip(everybody, 0xffffffff, 17, UDP + BOOTP + 32);
    next_dhcp = pv_time_now() + 2 * SECOND;
}

/* In --------------------------------------------------------------------------------------- */

static void print_ip(const char *how)
{
    pv_printf("address %u.%u.%u.%u %s\n", my_ip >> 24, my_ip >> 16 & 255, my_ip >> 8 & 255,
              my_ip & 255, how);
}

static void in_arp(size_t n)
{
    uint8_t *a = frame + ETHER;

    if (n < ETHER + ARP || get16(a + 6) != 1 || get32(a + 24) != my_ip || !my_ip)
        return;
    ether(a + 8, 0x0806);
    put16(a + 6, 2);
    memcpy(a + 18, a + 8, 10);
    memcpy(a + 8, card.mac, 6);
    put32(a + 14, my_ip);
    send(ETHER + ARP);
}

static void in_icmp(size_t n)
{
    uint8_t *ip = frame + ETHER, *icmp = ip + IP, mac[6];

    if (n < 8 || icmp[0] != 8)
        return;
    pings++;
    icmp[0] = 0;
    put16(icmp + 2, 0);
    put16(icmp + 2, checksum(icmp, n, 0));
    memcpy(mac, frame + 6, 6);
    send_ip(mac, get32(ip + 12), 1, n);
}

static void in_dhcp(size_t n)
{
    uint8_t *b = frame + ETHER + IP + UDP, type = 0;
    uint32_t offered = get32(b + 16);

    if (my_ip || n < UDP + BOOTP || get16(b - UDP + 2) != 68 || memcmp(b + 28, card.mac, 6) != 0 ||
        get32(b + 4) != 0x70766e65)
        return;
    for (size_t i = BOOTP; i + 1 < n - UDP && b[i] != 255; i += b[i] ? 2u + b[i + 1] : 1u) {
        if (b[i] == 53)
            type = b[i + 2];
        else if (b[i] == 54 && i + 6 <= n - UDP)
            dhcp_server = get32(b + i + 2);
    }
    if (type == 2) {
        send_dhcp(offered);
    } else if (type == 5) {
        my_ip = offered;
        print_ip("by DHCP");
    }
}

static struct session *find(uint32_t ip, uint16_t port, bool make)
{
    struct session *spare = NULL;

    for (unsigned i = 0; i < SESSIONS; i++) {
        if (sessions[i].used && sessions[i].ip == ip && sessions[i].port == port)
            return &sessions[i];
        if (!sessions[i].used)
            spare = &sessions[i];
    }
    if (!make || !spare)
        return NULL;
    *spare = (struct session){.used = true, .ip = ip, .port = port};
    spare->ours = (uint32_t)pv_time_now();
    memcpy(spare->mac, frame + 6, 6);
    return spare;
}

/* What the other end should have of us by now: once more. */
static void repeat(struct session *s)
{
    if (s->answered)
        send_tcp(s, s->ours, ACK | PSH | FIN, PAGE_TEXT);
    else
        send_tcp(s, s->ours - 1, SYN | ACK, NULL);
    s->again = pv_time_now() + SECOND;
    s->used = ++s->tries < 10;
}

static void in_tcp(size_t n)
{
    uint8_t *ip = frame + ETHER, *tcp = ip + IP;
    size_t head = n < TCP ? ~(size_t)0 : (size_t)(tcp[12] >> 4) * 4, data = n - head;
    unsigned flags = tcp[13];
    uint32_t seq = get32(tcp + 4), ack = get32(tcp + 8);
    struct session *s;

    if (head < TCP || head > n || get16(tcp + 2) != 80)
        return;
    s = find(get32(ip + 12), get16(tcp), (flags & (SYN | ACK)) == SYN);
    if (!s && (flags & FIN)) { /* its end, after ours was forgotten */
        struct session past = {.ip = get32(ip + 12), .port = get16(tcp)};

        past.theirs = seq + (uint32_t)data + 1;
        memcpy(past.mac, frame + 6, 6);
        send_tcp(&past, ack, ACK, NULL);
    }
    if (!s)
        return;
    if (flags & RST) {
        s->used = false;
    } else if (flags & SYN) {
        if (!s->tries) {
            s->theirs = seq + 1;
            s->ours++;
        }
        repeat(s);
    } else if (s->answered) {
        if (ack == s->ours + sizeof(PAGE_TEXT)) { /* the text without its 0, and FIN */
            s->theirs += (flags & FIN) != 0;
            s->ours = ack;
            send_tcp(s, s->ours, ACK, NULL);
            s->used = false;
            pages++;
        }
    } else if (seq == s->theirs && data) { /* the request, whatever it is */
        s->theirs += (uint32_t)data;
        s->answered = true;
        s->tries = 0;
        repeat(s);
    }
}

static void in_ip(size_t n)
{
    uint8_t *ip = frame + ETHER;
    size_t length = n < ETHER + IP ? 0 : get16(ip + 2);

    /* No options, no fragments; what is longer than it says has been padded. */
    if (length < IP || length > n - ETHER || ip[0] != 0x45 || (get16(ip + 6) & 0x3fff))
        return;
    length -= IP;
    if (ip[9] == 17)
        in_dhcp(length);
    else if (my_ip && get32(ip + 16) == my_ip && ip[9] == 1)
        in_icmp(length);
    else if (my_ip && get32(ip + 16) == my_ip && ip[9] == 6)
        in_tcp(length);
}

static bool received(struct pv_net *net, const struct pv_net_packet *p)
{
    size_t n = 0;

    (void)net;
    for (unsigned i = 0; i < p->count && p->bytes <= sizeof(frame); i++) {
        const struct pv_net_fragment *f = &p->fragments[i];

        memcpy(frame + n, (const char *)pv_host_page_va(f->frame) + f->offset, f->bytes);
        n += f->bytes;
    }
    if (n < ETHER)
        return false;
    if (get16(frame + 12) == 0x0806)
        in_arp(n);
    else if (get16(frame + 12) == 0x0800)
        in_ip(n);
    return false;
}

/* ip=a.b.c.d */
static void read_address(void)
{
    size_t n;
    const char *text = pv_start_option("ip", &n);
    uint32_t part = 0;

    for (size_t i = 0; text && i < n; i++) {
        if (text[i] == '.') {
            my_ip = my_ip << 8 | part;
            part = 0;
        } else {
            part = part * 10 + (uint32_t)(text[i] - '0');
        }
    }
    if (text) {
        my_ip = my_ip << 8 | part;
        print_ip("by the command line");
    }
}

/* False: nobody gives us an address, and it is time to give up. */
static bool ask_for_address(bool for_ever)
{
    if (my_ip || pv_time_now() < next_dhcp)
        return true;
    if (asked == 3)
        pv_printf("nobody answers DHCP here: ip=A.B.C.D is an address without it%s\n",
                  for_ever ? "; I go on asking" : "");
    if (asked++ == PATIENCE && !for_ever)
        return false;
    send_dhcp(0);
    return true;
}

int pv_host_main(const char *cmdline __attribute__((unused)))
{
    uint64_t serve = pv_start_number("serve", 1), end = 0;
    int err;

    card.received = received;
    card.exchange = pv_start_option("exchange", &(size_t){0}) != NULL;
    err = pv_net_open(&card, 0);
    if (err == -XEN_ENODEV) {
        pv_printf("there is no network card\n");
        return 0;
    }
    if (err) {
        pv_printf("%s: %s\n", pv_error_name(err), pv_xenbus_why(&card.bus));
        return 1;
    }
    read_address();
    while (card.up && (!end || pv_time_now() < end)) {
        uint64_t now = pv_time_now();

        if (!ask_for_address(!serve)) {
            pv_printf("no address, so nobody is served\n");
            break;
        }
        for (unsigned i = 0; i < SESSIONS; i++)
            if (sessions[i].used && now >= sessions[i].again)
                repeat(&sessions[i]);
        if (serve && pages >= serve && !end)
            end = now + SECOND / 2; /* time for the last words */
        pv_sched_poll(&card.port, 1, now + SECOND / 10);
        pv_net_poll(&card);
    }
    if (!card.up)
        pv_printf("%s\n", pv_xenbus_why(&card.bus));
    pv_printf("%u pages served, %u pings answered\n", pages, pings);
    if (card.exchanges)
        pv_printf("%lu packets, %lu of them by exchange\n", card.arrived, card.exchanged);
    pv_net_close(&card);
    return pages ? 0 : 1;
}
