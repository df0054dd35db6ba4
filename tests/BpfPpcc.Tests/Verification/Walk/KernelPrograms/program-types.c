// Programs that use kernel objects: ok_... must be accepted, bad_... must be refused. Compiled against types of a ppc64le kernel.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>
char _license[] SEC("license") = "GPL";
SEC("tp_btf/netif_receive_skb") int BPF_PROG(ok_skb_dev, struct sk_buff *skb)
{
    return skb->dev->ifindex & 0;
}
SEC("tp_btf/netif_receive_skb") int BPF_PROG(ok_skb_next, struct sk_buff *skb)
{
    struct sk_buff *n = skb->next;
    return n ? (n->len & 0) : 0;
}
SEC("fentry/tcp_v4_connect") int BPF_PROG(ok_sk, struct sock *sk)
{
    return (sk->__sk_common.skc_daddr + sk->__sk_common.skc_dport + sk->__sk_common.skc_net.net->ns.inum) & 0;
}
SEC("fentry/tcp_v4_connect") int BPF_PROG(bad_sk_write, struct sock *sk)
{
    sk->__sk_common.skc_daddr = 0;
    return 0;
}
SEC("iter/tcp") int ok_iter_tcp(struct bpf_iter__tcp *c)
{
    struct sock_common *sk = c->sk_common;
    if (!sk)
        return 0;
    BPF_SEQ_PRINTF(c->meta->seq, "%d\n", sk->skc_family);
    return 0;
}
SEC("iter/bpf_map_elem") int ok_iter_elem(struct bpf_iter__bpf_map_elem *c)
{
    int *k = c->key;
    if (!k)
        return 0;
    BPF_SEQ_PRINTF(c->meta->seq, "%d\n", *k);
    return 0;
}
SEC("iter/bpf_map_elem") int bad_iter_elem_null(struct bpf_iter__bpf_map_elem *c)
{
    int *k = c->key;
    return *k & 1;
}
SEC("iter/bpf_map_elem") int bad_iter_key_write(struct bpf_iter__bpf_map_elem *c)
{
    int *k = c->key;
    if (k)
        *k = 1;
    return 0;
}
SEC("lsm/task_kill") int BPF_PROG(ok_lsm, struct task_struct *p, struct kernel_siginfo *info, int sig, const struct cred *cred)
{
    return p->pid == 1 ? -1 : 0;
}
SEC("lsm/bprm_check_security") int BPF_PROG(ok_bprm, struct linux_binprm *bprm)
{
    return bprm->file->f_inode->i_ino == 5 ? -1 : 0;
}
SEC("tp_btf/sched_switch") int BPF_PROG(ok_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
    return (prev->pid + next->mm->owner->pid + next->cred->uid.val) & 0;
}
SEC("kprobe/do_unlinkat") int BPF_KPROBE(ok_kp, int dfd, struct filename *name)
{
    char b[32];
    const char *n = BPF_CORE_READ(name, name);
    bpf_probe_read_kernel_str(b, 32, n);
    return b[0];
}
SEC("kprobe/do_unlinkat") int BPF_KPROBE(bad_kp, int dfd, struct filename *name)
{
    return *(volatile int *)name;
}
SEC("tracepoint/sched/sched_process_exec") int ok_tp(struct trace_event_raw_sched_process_exec *c)
{
    char b[16];
    unsigned o = c->__data_loc_filename & 0xffff;
    bpf_probe_read_kernel_str(b, 16, (void *)c + o);
    return b[0];
}
SEC("fexit/do_unlinkat") int BPF_PROG(ok_fexit, int dfd, struct filename *name, long ret)
{
    return ret < 0 ? 0 : 0;
}
SEC("fmod_ret/bpf_fentry_test1") int BPF_PROG(ok_fmod, int a, int ret)
{
    return ret + 1;
}
SEC("raw_tp/sched_switch") int ok_raw(struct bpf_raw_tracepoint_args *c)
{
    struct task_struct *t = (void *)c->args[1];
    return BPF_CORE_READ(t, pid);
}
SEC("raw_tp/sched_switch") int bad_raw(struct bpf_raw_tracepoint_args *c)
{
    struct task_struct *t = (void *)c->args[1];
    return t->pid;
}
SEC("perf_event") int ok_pe(struct bpf_perf_event_data *c)
{
    return c->sample_period + c->addr;
}
SEC("syscall") int ok_sys(void *c)
{
    int *p = c;
    p[3] = 5;
    return p[0];
}
SEC("cgroup/sysctl") int ok_sysctl(struct bpf_sysctl *c)
{
    char n[16];
    bpf_sysctl_get_name(c, n, 16, 0);
    return n[0] & 1;
}
SEC("cgroup/setsockopt") int ok_setso(struct bpf_sockopt *c)
{
    unsigned char *o = c->optval;
    if (o + 1 > (unsigned char *)c->optval_end)
        return 0;
    o[0] = 5;
    c->optlen = 1;
    return 1;
}
SEC("cgroup/setsockopt") int bad_setso(struct bpf_sockopt *c)
{
    unsigned char *o = c->optval;
    o[0] = 5;
    return 1;
}
SEC("cgroup/getsockopt") int ok_getso(struct bpf_sockopt *c)
{
    c->retval = 0;
    return 1;
}
SEC("cgroup/setsockopt") int bad_setso_retval(struct bpf_sockopt *c)
{
    c->retval = 0;
    return 1;
}
SEC("sk_reuseport") int ok_reuse(struct sk_reuseport_md *c)
{
    void *d = c->data, *e = c->data_end;
    if (d + 4 > e)
        return 1;
    return *(int *)d ? 1 : 0;
}
SEC("sk_lookup") int ok_lookup(struct bpf_sk_lookup *c)
{
    return c->local_port == 80 ? 1 : 0;
}
SEC("sk_msg") int ok_msg(struct sk_msg_md *c)
{
    void *d = c->data, *e = c->data_end;
    if (d + 4 > e)
        return 1;
    *(int *)d = 3;
    return 1;
}
SEC("flow_dissector") int ok_flow(struct __sk_buff *s)
{
    s->flow_keys->nhoff = 14;
    return 0;
}
SEC("netfilter") int ok_nf(struct bpf_nf_ctx *c)
{
    return c->skb->len > 5 ? 1 : 0;
}
