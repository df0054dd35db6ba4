/* The program that links the compiled object: reads a capture file and runs the XDP program on every packet. It knows the object by the
   names of the BPF source and by bpfppcc.h; there is no runtime and no kernel. */
#include "bpfppcc.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

extern bpfppcc_fn classify;                      /* SEC("xdp") int classify(struct xdp_md *ctx) */
extern struct bpfppcc_map counters, ports;       /* the maps, with their storage */
extern struct bpfppcc_module bpfppcc_module_classifier;

struct counter {
    uint64_t packets, bytes;
};

static const char *const verdicts[] = { "ABORTED", "DROP", "PASS", "TX", "REDIRECT" };
static const char *const classes[] = { "IPv4", "IPv6", "TCP", "UDP", "VLAN tag", "other", "malformed" };

/* The classic capture format, in the byte order of whoever wrote it. */
struct capture {
    FILE *file;
    int swapped;
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
    return number(capture, header[0]) == 0xa1b2c3d4 && number(capture, header[5]) == 1; /* Ethernet */
}

/* Bytes of the next packet, or -1 at the end. */
static int next_packet(const struct capture *capture, unsigned char *packet, size_t room)
{
    uint32_t header[4];
    if (fread(header, sizeof header, 1, capture->file) != 1)
        return -1;
    uint32_t length = number(capture, header[2]);
    return length <= room && fread(packet, 1, length, capture->file) == length ? (int)length : -1;
}

int main(int argc, char **argv)
{
    static unsigned char packet[65536];
    struct capture capture;
    int length;

    if (argc != 2 || !open_capture(&capture, argv[1])) {
        fprintf(stderr, "usage: %s CAPTURE.pcap\n", argv[0]);
        return 1;
    }
    const struct bpfppcc_module *module = &bpfppcc_module_classifier;
    printf("module of %s by %s: %" PRIu64 " programs, %" PRIu64 " maps\n", module->source, module->generator, module->n_progs, module->n_maps);

    for (unsigned i = 1; (length = next_packet(&capture, packet, sizeof packet)) >= 0; i++) {
        struct bpfppcc_xdp_md context = { .ingress_ifindex = 1, .data = packet, .data_end = packet + length, .data_meta = packet };
        uint64_t verdict = classify(&context);
        printf("packet %2u  %4d bytes  %s\n", i, length, verdict < 5 ? verdicts[verdict] : "?");
    }
    fclose(capture.file);

    const struct counter *counter = counters.values; /* 16 bytes an element */
    for (unsigned i = 0; i < sizeof classes / sizeof *classes; i++)
        printf("%-10s %4" PRIu64 " packets %6" PRIu64 " bytes\n", classes[i], counter[i].packets, counter[i].bytes);
    for (unsigned port = 0; port < ports.max_entries; port++) {
        uint32_t seen = *(const uint32_t *)((const char *)ports.values + 8 * (size_t)port); /* elements lie a multiple of 8 apart */
        if (seen)
            printf("port %-5u %4" PRIu32 " packets\n", port, seen);
    }
    return 0;
}
