/* Runs every program of answers.bpf.c on the packet on which a kernel ran them, each with fresh maps, and prints result and packet. */
#include "bpfppcc.h"

#include <stdio.h>
#include <string.h>

extern struct bpfppcc_module bpfppcc_module_answers;

enum { HEADROOM = 256, LENGTH = 700, TAILROOM = 2800, XDP = 6 };
static unsigned char frame[HEADROOM + LENGTH + TAILROOM];

static void run(const struct bpfppcc_prog *prog)
{
    unsigned char *packet = frame + HEADROOM;
    struct bpfppcc_xdp_md xdp;
    struct bpfppcc_sk_buff skb;
    memset(frame, 0, sizeof frame);
    for (int i = 0; i < LENGTH; i++)
        packet[i] = (unsigned char)(i * 7 + 3);
    memcpy(packet + 12, "\x08\x00\x45", 3);

    bpfppcc_skb_init(&skb, packet, LENGTH, HEADROOM);
    bpfppcc_skb_set_tailroom(&skb, TAILROOM);
    bpfppcc_xdp_init(&xdp, packet, LENGTH, HEADROOM);
    bpfppcc_xdp_set_tailroom(&xdp, TAILROOM);
    printf("%s %u ", prog->name, (unsigned)bpfppcc_run(prog, prog->prog_type == XDP ? (void *)&xdp : (void *)&skb));
    const unsigned char *byte = prog->prog_type == XDP ? xdp.data : skb.data, *end = prog->prog_type == XDP ? xdp.data_end : skb.data_end;
    for (; byte < end; byte++)
        printf("%02x", *byte);
    printf("\n");
}

int main(void)
{
    for (uint64_t i = 0; i < bpfppcc_module_answers.n_progs; i++) {
        if (bpfppcc_open(&bpfppcc_module_answers))
            return 1;
        run(&bpfppcc_module_answers.progs[i]);
        bpfppcc_close(&bpfppcc_module_answers);
    }
    return 0;
}
