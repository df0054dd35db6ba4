// The host: configures the load balancer, runs it on every packet of a capture file and writes down all that can be seen from outside: the
// verdict, the packet's bytes, the events, and after each packet a digest of every map. Two builds of the program agree if these transcripts
// do, byte for byte. A summary goes to standard error.
#include "bpfppcc.h"
#include "lb.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern struct bpfppcc_module bpfppcc_module_lb;
extern uint64_t forwarded_bytes;

// The headroom is that of Linux and two bytes more, which align the IP header.
enum { HEADROOM = 258, MAX_PACKET = 2048, IPPROTO_ICMP_ = 1, IPPROTO_TCP_ = 6, IPPROTO_UDP_ = 17 };

enum { TX = 3 };
static const char *const verdicts[] = { "ABORTED", "DROP", "PASS", "TX", "REDIRECT" };
static const char *const names[STATISTICS] = { "seen", "not IP", "malformed", "blocked", "rate-limited", "no service", "no backend", "new flow",
    "known flow", "closed flow", "rewritten", "encapsulated", "echoed" };

static void check(int error, const char *what)
{
    if (error) {
        fprintf(stderr, "%s: %s\n", what, strerror(-error));
        exit(1);
    }
}

static struct bpfppcc_map *map(const char *name)
{
    struct bpfppcc_map *found = bpfppcc_map(&bpfppcc_module_lb, name);
    check(found ? 0 : -2, name);
    return found;
}

// ---- configuration ----

static __be32 ip(unsigned a, unsigned b, unsigned c, unsigned d)
{
    const unsigned char bytes[4] = { (unsigned char)a, (unsigned char)b, (unsigned char)c, (unsigned char)d };
    __be32 address;
    memcpy(&address, bytes, 4);
    return address;
}

static __be16 port(unsigned number)
{
    const unsigned char bytes[2] = { (unsigned char)(number >> 8), (unsigned char)number };
    __be16 value;
    memcpy(&value, bytes, 2);
    return value;
}

static void add_service(__be32 address, unsigned number, unsigned protocol, unsigned flags, unsigned first_backend, unsigned n_backends)
{
    struct service_key key = { .address = address, .port = port(number), .protocol = (__u8)protocol };
    struct service service = { .flags = flags, .n_backends = n_backends };
    for (unsigned i = 0; i < n_backends; i++)
        service.backends[i] = first_backend + i;
    check(bpfppcc_map_update(map("services"), &key, &service, BPFPPCC_NOEXIST), "services");
}

static void block(__be32 address, unsigned length)
{
    struct prefix prefix = { length, address };
    __u64 hits = 0;
    check(bpfppcc_map_update(map("blocklist"), &prefix, &hits, BPFPPCC_ANY), "blocklist");
}

static void configure(void)
{
    for (__u32 i = 0; i < 10; i++) {    // 10 is missing: a service names it all the same
        struct backend backend = { ip(10, 1, 0, 10 + i), { 2, 0, 0, 1, 0, (__u8)i }, 0 };
        check(bpfppcc_map_update(map("backends"), &i, &backend, BPFPPCC_ANY), "backends");
    }
    add_service(ip(198, 51, 100, 1), 80, IPPROTO_TCP_, 0, 0, 4);
    add_service(ip(198, 51, 100, 1), 443, IPPROTO_TCP_, SERVICE_ENCAPSULATES, 4, 3);
    add_service(ip(198, 51, 100, 2), 53, IPPROTO_UDP_, 0, 7, 2);
    add_service(ip(198, 51, 100, 3), 8080, IPPROTO_TCP_, 0, 9, 2);
    add_service(ip(198, 51, 100, 1), 0, IPPROTO_ICMP_, 0, 0, 0);
    block(ip(203, 0, 113, 0), 24);
    block(ip(203, 0, 113, 128), 25);
    block(ip(192, 0, 2, 66), 32);
}

// ---- the capture file: the classic format, in the byte order of whoever wrote it ----

struct capture {
    FILE *file;
    int swapped;
};

struct packet {
    uint64_t time;
    uint32_t length;
    unsigned char *bytes;
};

static uint32_t number(const struct capture *capture, uint32_t raw)
{
    return capture->swapped ? __builtin_bswap32(raw) : raw;
}

static int open_capture(struct capture *capture, const char *path)
{
    uint32_t header[6];
    capture->file = fopen(path, "rb");
    if (!capture->file || fread(header, sizeof header, 1, capture->file) != 1)
        return 0;
    capture->swapped = header[0] == 0xd4c3b2a1;
    return number(capture, header[0]) == 0xa1b2c3d4 && number(capture, header[5]) == 1;
}

static int next_packet(const struct capture *capture, struct packet *packet)
{
    uint32_t header[4];
    if (fread(header, sizeof header, 1, capture->file) != 1)
        return 0;
    packet->length = number(capture, header[2]);
    packet->time = number(capture, header[0]) * UINT64_C(1000000000) + number(capture, header[1]) * UINT64_C(1000);
    return packet->length <= MAX_PACKET && fread(packet->bytes, 1, packet->length, capture->file) == packet->length;
}

// ---- the transcript ----

static uint64_t now;
static uint64_t time_of_packet(enum bpfppcc_clock clock)
{
    (void)clock;
    return now;
}

static uint64_t digest(const void *data, size_t size, uint64_t hash)
{
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ ((const unsigned char *)data)[i]) * UINT64_C(0x100000001b3);
    return hash;
}

// Of all keys and values, in whatever order the map gives them.
static uint64_t digest_of_map(struct bpfppcc_map *of, unsigned *elements)
{
    unsigned char key[64], next[64], value[256];
    const void *from = NULL;
    uint64_t sum = 0;
    for (*elements = 0; bpfppcc_map_next_key(of, from, next) == 0; ++*elements) {
        memcpy(key, next, sizeof key);
        from = key;
        check(bpfppcc_map_get(of, key, value), of->name);
        sum += digest(value, of->value_size, digest(key, of->key_size, UINT64_C(0xcbf29ce484222325)));
    }
    return sum;
}

static int on_event(void *ctx, void *data, size_t size)
{
    const struct event *event = data;
    (void)ctx;
    printf("  event %s time %" PRIu64 " %08x -> %08x:%04x protocol %u, %zu bytes\n", names[event->what], (uint64_t)event->time,
        (unsigned)event->source, (unsigned)event->destination, (unsigned)event->destination_port, (unsigned)event->protocol, size);
    return 0;
}

static void print_bytes(const struct bpfppcc_xdp_md *ctx)
{
    printf("  bytes ");
    for (const unsigned char *byte = ctx->data; byte < (const unsigned char *)ctx->data_end; byte++)
        printf("%02x", *byte);
    printf("\n");
}

// RFC 1071: 0 if the 16-bit words, the checksum among them, add up.
static unsigned checksum(const unsigned char *bytes, size_t size, unsigned long sum)
{
    for (size_t i = 0; i < size; i++)
        sum += i % 2 ? bytes[i] : (unsigned)bytes[i] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return 0xffff & ~(unsigned)sum;
}

// Whether the checksums of an IPv4 packet are right, those of the packet in it included.
static int sums_up(const unsigned char *header, size_t size)
{
    size_t length = (size_t)(header[0] & 15) * 4, rest = ((size_t)header[2] << 8 | header[3]) - length;
    if (length > size || checksum(header, length, 0))
        return 0;
    if (rest > size - length)                   // it was cut off before it came here
        return 1;
    const unsigned char *payload = header + length;
    switch (header[9]) {
    case 4:
        return sums_up(payload, rest);
    case IPPROTO_ICMP_:
        return !checksum(payload, rest, 0);
    case IPPROTO_UDP_:
        if (!payload[6] && !payload[7])
            return 1;
        break;
    }
    unsigned long pseudo = header[9] + rest;
    for (int i = 12; i < 20; i++)
        pseudo += i % 2 ? header[i] : (unsigned)header[i] << 8;
    return !checksum(payload, rest, pseudo);
}

static int frame_sums_up(const struct bpfppcc_xdp_md *ctx)
{
    const unsigned char *type = (const unsigned char *)ctx->data + 12;
    while (type[0] != 0x08 || type[1] != 0x00)  // VLAN tags
        type += 4;
    return sums_up(type + 2, (size_t)((const unsigned char *)ctx->data_end - (type + 2)));
}

static void print_maps(void)
{
    static const char *const watched[] = { "services", "backends", "flows", "sources", "blocklist", "statistics", "scratch" };
    printf("  maps ");
    for (unsigned i = 0; i < sizeof watched / sizeof *watched; i++) {
        unsigned elements;
        uint64_t sum = digest_of_map(map(watched[i]), &elements);
        printf(" %s %u %016" PRIx64, watched[i], elements, sum);
    }
    printf(" bytes %" PRIu64 "\n", forwarded_bytes);
}

int main(int argc, char **argv)
{
    static _Alignas(8) unsigned char frame[HEADROOM + MAX_PACKET];
    struct packet packet = { .bytes = frame + HEADROOM };
    struct capture capture;
    unsigned count = 0, by_verdict[5] = { 0 }, wrong = 0;

    if (argc != 2 || !open_capture(&capture, argv[1])) {
        fprintf(stderr, "usage: %s CAPTURE.pcap\n", argv[0]);
        return 1;
    }
    bpfppcc_hooks.time = time_of_packet;
    check(bpfppcc_open(&bpfppcc_module_lb), "open");
    configure();
    const struct bpfppcc_prog *balance = bpfppcc_prog(&bpfppcc_module_lb, "balance");

    while (next_packet(&capture, &packet)) {
        struct bpfppcc_xdp_md ctx;
        now = packet.time;
        bpfppcc_xdp_init(&ctx, packet.bytes, packet.length, HEADROOM);
        uint64_t verdict = bpfppcc_run(balance, &ctx);
        printf("packet %u verdict %" PRIu64 "\n", ++count, verdict);
        print_bytes(&ctx);
        check(bpfppcc_ringbuf_consume(map("events"), on_event, NULL) < 0 ? -5 : 0, "events");
        print_maps();
        if (verdict < 5)
            by_verdict[verdict]++;
        if (verdict == TX && !frame_sums_up(&ctx))
            wrong++;
    }
    fclose(capture.file);

    fprintf(stderr, "%u packets:", count);
    for (int i = 0; i < 5; i++)
        if (by_verdict[i])
            fprintf(stderr, " %s %u", verdicts[i], by_verdict[i]);
    fprintf(stderr, "\n");
    for (uint32_t i = 0; i < STATISTICS; i++)
        fprintf(stderr, "%-12s %6" PRIu64 "\n", names[i], *(uint64_t *)bpfppcc_map_lookup(map("statistics"), &i));
    if (wrong)
        fprintf(stderr, "%u packets were sent with a wrong checksum\n", wrong);
    bpfppcc_close(&bpfppcc_module_lb);
    return wrong != 0;
}
