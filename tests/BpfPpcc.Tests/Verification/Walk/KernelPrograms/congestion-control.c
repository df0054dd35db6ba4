// Programs that use kernel objects: ok_... must be accepted, bad_... must be refused. Compiled against types of a ppc64le kernel.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>
char _license[] SEC("license") = "GPL";
static inline struct tcp_sock *tcp_sk(const struct sock *sk)
{
    return (struct tcp_sock *)sk;
}
SEC("struct_ops") void BPF_PROG(ok_init, struct sock *sk)
{
    tcp_sk(sk)->snd_ssthresh = 100;
}
SEC("struct_ops") __u32 BPF_PROG(ok_ssthresh, struct sock *sk)
{
    return tcp_sk(sk)->snd_cwnd / 2;
}
SEC("struct_ops") void BPF_PROG(ok_avoid, struct sock *sk, __u32 ack, __u32 acked)
{
    tcp_sk(sk)->snd_cwnd += 1;
    sk->sk_pacing_rate = 5;
}
SEC("struct_ops") __u32 BPF_PROG(bad_undo, struct sock *sk)
{
    tcp_sk(sk)->snd_una = 5;
    return 1;
}
SEC(".struct_ops")
struct tcp_congestion_ops ops = {
    .init = (void *)ok_init, .ssthresh = (void *)ok_ssthresh, .cong_avoid = (void *)ok_avoid, .undo_cwnd = (void *)bad_undo, .name = "x"};
