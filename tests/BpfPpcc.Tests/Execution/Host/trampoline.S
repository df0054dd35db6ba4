# The way from the host into a program and from a program into a helper, ELFv2, little-endian, linked at a fixed address.
# Both ways leave nothing in place that the ABI allows to be lost, and the first checks that everything else is kept.

        .machine power8
        .abiversion 2

        .equ    FRAME, 1024

        .bss
        .p2align 4
        .globl  after_call, saved_r1, saved_r2, saved_r13
after_call:     .space 8*5 + 8*18 + 8*18 + 8
saved:          .space 8*4 + 8*18 + 8*18
saved_r1:       .space 8                # as the program must leave it
saved_r2:       .space 8
saved_r13:      .space 8

        .section .rodata
        .p2align 3
        .globl  fpr_patterns
fpr_patterns:   .double 14.5, 15.5, 16.5, 17.5, 18.5, 19.5, 20.5, 21.5, 22.5, 23.5, 24.5, 25.5, 26.5, 27.5, 28.5, 29.5, 30.5, 31.5

        .macro  ADDRESS reg, symbol
        lis     \reg,\symbol@ha
        addi    \reg,\reg,\symbol@l
        .endm

        .macro  NONVOLATILE op, base, offset
        .irp    n,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
        \op     \n,\offset+8*(\n-14)(\base)
        .endr
        .endm

# void checked_call(void *function, const uint64_t arguments[5]): everything about the call is in after_call then.
        .text
        .p2align 4
        .globl  checked_call
        .type   checked_call,@function
checked_call:
        ADDRESS 11,saved
        mflr    0
        std     0,0(11)
        mfcr    0
        std     0,8(11)
        std     1,16(11)
        std     2,24(11)
        NONVOLATILE std,11,32
        NONVOLATILE stfd,11,176
        mr      12,3
        mr      10,4
        stdu    1,-FRAME(1)
        ADDRESS 11,saved_r1
        std     1,0(11)
        std     2,8(11)
        std     13,16(11)
        li      9,32                    # the frame past its header: every doubleword holds its own address
1:      add     8,1,9
        std     8,0(8)
        addi    9,9,8
        cmpldi  9,FRAME
        blt     1b
        ADDRESS 11,fpr_patterns
        NONVOLATILE lfd,11,0
        .irp    n,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
        li      \n,\n*257
        .endr
        ld      3,0(10)
        ld      4,8(10)
        ld      5,16(10)
        ld      6,24(10)
        ld      7,32(10)
        lis     0,0x5a5a
        ori     0,0,0x5a5a
        mtcrf   0xff,0
        mtctr   12
        lis     8,-0x2153               # what an uninitialised register holds is nothing to rely on
        mr      9,8
        mr      10,8
        mr      11,8
        li      0,-1
        mtxer   0
        bctrl

        ADDRESS 11,after_call           # r1 and r2 may be anything
        std     3,0(11)
        std     1,8(11)
        std     2,16(11)
        mfcr    0
        std     0,24(11)
        std     13,32(11)
        NONVOLATILE std,11,40
        NONVOLATILE stfd,11,184
        ADDRESS 12,saved_r1
        ld      1,0(12)
        ld      13,16(12)
        li      9,32
        li      7,0
2:      add     8,1,9
        ld      6,0(8)
        xor     6,6,8
        or      7,7,6
        addi    9,9,8
        cmpldi  9,FRAME
        blt     2b
        std     7,328(11)
        ADDRESS 11,saved
        ld      0,0(11)
        mtlr    0
        ld      0,8(11)
        mtcrf   0x38,0
        ld      1,16(11)
        ld      2,24(11)
        NONVOLATILE ld,11,32
        NONVOLATILE lfd,11,176
        blr
        .size   checked_call,.-checked_call

# Helper NAME: the C function TO, on a stack that is written over first, and with every volatile register spoilt afterwards but r3.
        .macro  HELPER name, to
        .p2align 4
        .globl  \name
        .type   \name,@function
\name:
        addis   2,12,(.TOC.-\name)@ha
        addi    2,2,(.TOC.-\name)@l
        .localentry \name,.-\name
        mflr    0
        std     0,16(1)
        stdu    1,-FRAME(1)
        lis     0,-0x4153
        li      9,32
1:      add     8,1,9
        std     0,0(8)
        addi    9,9,8
        cmpldi  9,FRAME
        blt     1b
        bl      \to
        nop
        addi    1,1,FRAME
        ld      0,16(1)
        mtlr    0
        lis     4,-0x4321
        ori     4,4,0x1234
        mr      5,4
        mr      6,4
        mr      7,4
        mr      8,4
        mr      9,4
        mr      10,4
        mr      11,4
        mr      12,4
        mr      0,4
        mtctr   4
        mtxer   4
        mtcrf   0xc7,4                  # cr0, cr1, cr5..cr7
        .irp    n,0,1,2,3,4,5,6,7,8,9,10,11,12,13
        xxlxor  \n,\n,\n
        .endr
        blr
        .size   \name,.-\name
        .endm

        HELPER  bpf_helper_id_900,do_mix1
        HELPER  bpf_helper_id_901,do_mix2
        HELPER  bpf_helper_id_902,do_mix3
        HELPER  bpf_helper_id_903,do_mix4
        HELPER  bpf_helper_id_904,do_mix5
        HELPER  bpf_helper_id_905,do_change_memory
        HELPER  bpf_helper_id_906,do_clobber
        HELPER  bpf_helper_id_907,do_read8
        HELPER  bpf_helper_skb_load_helper_8,do_load_packet_8
        HELPER  bpf_helper_skb_load_helper_16,do_load_packet_16
        HELPER  bpf_helper_skb_load_helper_32,do_load_packet_32
        HELPER  bpf_helper_id_0,do_gather_bytes
        HELPER  bpf_helper_map_lookup_elem,do_map_lookup_elem
        HELPER  bpf_helper_map_update_elem,do_map_update_elem
        HELPER  bpf_helper_map_delete_elem,do_map_delete_elem
        HELPER  bpf_helper_probe_read,do_probe_read
        HELPER  bpf_helper_ktime_get_ns,do_ktime_get_ns

        .section .note.GNU-stack,"",@progbits
