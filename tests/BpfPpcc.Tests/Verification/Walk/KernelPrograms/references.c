// Programs that use kernel objects: ok_... must be accepted, bad_... must be refused. Compiled against types of a ppc64le kernel.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>
char _license[] SEC("license") = "GPL";
#define __kptr __attribute__((btf_type_tag("kptr")))
#define __contains(name, node) __attribute__((btf_decl_tag("contains:" #name ":" #node)))
#define private(name) SEC(".bss." #name) __hidden __attribute__((aligned(8)))
extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;
extern struct task_struct *bpf_task_acquire(struct task_struct *p) __ksym;
extern void bpf_task_release(struct task_struct *p) __ksym;
extern struct cgroup *bpf_cgroup_acquire(struct cgroup *p) __ksym;
extern void bpf_cgroup_release(struct cgroup *p) __ksym;
extern struct cgroup *bpf_cgroup_from_id(u64 id) __ksym;
extern struct bpf_cpumask *bpf_cpumask_create(void) __ksym;
extern void bpf_cpumask_release(struct bpf_cpumask *c) __ksym;
extern void bpf_cpumask_set_cpu(u32 cpu, struct bpf_cpumask *c) __ksym;
extern bool bpf_cpumask_test_cpu(u32 cpu, const struct cpumask *c) __ksym;
extern struct file *bpf_get_task_exe_file(struct task_struct *t) __ksym;
extern void bpf_put_file(struct file *f) __ksym;
extern int bpf_path_d_path(struct path *p, char *buf, size_t buf__sz) __ksym;
extern void *bpf_obj_new_impl(__u64 local_type_id__k, void *meta__ign) __ksym;
extern void bpf_obj_drop_impl(void *p__alloc, void *meta__ign) __ksym;
extern int bpf_list_push_front_impl(struct bpf_list_head *head, struct bpf_list_node *node, void *meta__ign, __u64 off) __ksym;
extern struct bpf_list_node *bpf_list_pop_front(struct bpf_list_head *head) __ksym;
extern int bpf_dynptr_from_skb(struct __sk_buff *skb, u64 flags, struct bpf_dynptr *ptr__uninit) __ksym;
extern int bpf_dynptr_from_xdp(struct xdp_md *x, u64 flags, struct bpf_dynptr *ptr__uninit) __ksym;
extern void *bpf_dynptr_slice(const struct bpf_dynptr *ptr, u32 offset, void *buffer__opt, u32 buffer__szk) __ksym;
#define bpf_obj_new(type) ((type *)bpf_obj_new_impl(bpf_core_type_id_local(type), 0))
#define bpf_obj_drop(p) bpf_obj_drop_impl(p, 0)

struct v
{
    struct task_struct __kptr *t;
    struct cgroup __kptr *c;
    struct bpf_cpumask __kptr *m;
};
struct
{
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __type(key, int);
    __type(value, struct v);
    __uint(max_entries, 1);
} vm SEC(".maps");
static struct v *get(void)
{
    int k = 0;
    return bpf_map_lookup_elem(&vm, &k);
}

SEC("fentry.s/do_unlinkat") int BPF_PROG(bad_rcu_no_lock, int dfd, struct filename *n)
{
    struct v *v = get();
    if (!v)
        return 0;
    struct task_struct *t = v->t;
    if (!t)
        return 0;
    t = bpf_task_acquire(t);
    if (t)
        bpf_task_release(t);
    return 0;
}
SEC("fentry.s/do_unlinkat") int BPF_PROG(ok_rcu_lock, int dfd, struct filename *n)
{
    struct v *v = get();
    if (!v)
        return 0;
    bpf_rcu_read_lock();
    struct task_struct *t = v->t;
    if (t)
    {
        t = bpf_task_acquire(t);
        if (t)
            bpf_task_release(t);
    }
    bpf_rcu_read_unlock();
    return 0;
}
SEC("fentry.s/do_unlinkat") int BPF_PROG(bad_rcu_after, int dfd, struct filename *n)
{
    struct v *v = get();
    if (!v)
        return 0;
    bpf_rcu_read_lock();
    struct task_struct *t = v->t;
    bpf_rcu_read_unlock();
    if (!t)
        return 0;
    t = bpf_task_acquire(t);
    if (t)
        bpf_task_release(t);
    return 0;
}
SEC("fentry/do_unlinkat") int BPF_PROG(ok_rcu_implicit, int dfd, struct filename *n)
{
    struct v *v = get();
    if (!v)
        return 0;
    struct task_struct *t = v->t;
    if (!t)
        return 0;
    t = bpf_task_acquire(t);
    if (t)
        bpf_task_release(t);
    return 0;
}
SEC("fentry/do_unlinkat") int BPF_PROG(bad_rcu_null, int dfd, struct filename *n)
{
    struct v *v = get();
    if (!v)
        return 0;
    struct task_struct *t = v->t;
    t = bpf_task_acquire(t);
    if (t)
        bpf_task_release(t);
    return 0;
}
SEC("tp_btf/task_newtask") int BPF_PROG(ok_parent, struct task_struct *task, u64 f)
{
    struct task_struct *t = bpf_task_acquire(task->real_parent);
    if (t)
        bpf_task_release(t);
    return 0;
}
SEC("tp_btf/task_newtask") int BPF_PROG(bad_untrusted_walk, struct task_struct *task, u64 f)
{
    struct task_struct *t = bpf_task_acquire(task->last_wakee);
    if (t)
        bpf_task_release(t);
    return 0;
}
SEC("tp_btf/task_newtask") int BPF_PROG(ok_cpus, struct task_struct *task, u64 f)
{
    bpf_cpumask_test_cpu(0, task->cpus_ptr);
    return 0;
}
SEC("tp_btf/task_newtask") int BPF_PROG(bad_mutate_cpus, struct task_struct *task, u64 f)
{
    bpf_cpumask_set_cpu(0, (struct bpf_cpumask *)task->cpus_ptr);
    return 0;
}
SEC("tp_btf/task_newtask") int BPF_PROG(bad_mask_leak, struct task_struct *task, u64 f)
{
    struct bpf_cpumask *m = bpf_cpumask_create();
    return m ? 0 : 0;
}
SEC("tp_btf/task_newtask") int BPF_PROG(ok_mask, struct task_struct *task, u64 f)
{
    struct bpf_cpumask *m = bpf_cpumask_create();
    if (!m)
        return 0;
    bpf_cpumask_set_cpu(0, m);
    bpf_cpumask_test_cpu(0, (const struct cpumask *)m);
    bpf_cpumask_release(m);
    return 0;
}
SEC("tp_btf/task_newtask") int BPF_PROG(bad_mask_double, struct task_struct *task, u64 f)
{
    struct bpf_cpumask *m = bpf_cpumask_create();
    if (!m)
        return 0;
    bpf_cpumask_release(m);
    bpf_cpumask_release(m);
    return 0;
}
SEC("tp_btf/task_newtask") int BPF_PROG(ok_mask_stash, struct task_struct *task, u64 f)
{
    struct v *v = get();
    if (!v)
        return 0;
    struct bpf_cpumask *m = bpf_cpumask_create();
    if (!m)
        return 0;
    m = bpf_kptr_xchg(&v->m, m);
    if (m)
        bpf_cpumask_release(m);
    return 0;
}
SEC("tp_btf/task_newtask") int BPF_PROG(bad_mask_stash_leak, struct task_struct *task, u64 f)
{
    struct v *v = get();
    if (!v)
        return 0;
    struct bpf_cpumask *m = bpf_cpumask_create();
    if (!m)
        return 0;
    bpf_kptr_xchg(&v->m, m);
    return 0;
}
SEC("tp_btf/task_newtask") int BPF_PROG(bad_stash_wrong, struct task_struct *task, u64 f)
{
    struct v *v = get();
    if (!v)
        return 0;
    struct bpf_cpumask *m = bpf_cpumask_create();
    if (!m)
        return 0;
    void *o = bpf_kptr_xchg(&v->t, (struct task_struct *)m);
    if (o)
        bpf_task_release(o);
    return 0;
}
SEC("tp_btf/cgroup_mkdir") int BPF_PROG(ok_cgrp, struct cgroup *cgrp, const char *path)
{
    struct cgroup *c = bpf_cgroup_acquire(cgrp);
    if (c)
        bpf_cgroup_release(c);
    return 0;
}
SEC("tp_btf/cgroup_mkdir") int BPF_PROG(bad_cgrp_fp, struct cgroup *cgrp, const char *path)
{
    struct cgroup *s = (struct cgroup *)&path;
    struct cgroup *c = bpf_cgroup_acquire(s);
    if (c)
        bpf_cgroup_release(c);
    return 0;
}
SEC("tp_btf/cgroup_mkdir") int BPF_PROG(bad_cgrp_rel_unacq, struct cgroup *cgrp, const char *path)
{
    bpf_cgroup_release(cgrp);
    return 0;
}
SEC("tp_btf/cgroup_mkdir") int BPF_PROG(bad_cgrp_fromid_null, struct cgroup *cgrp, const char *path)
{
    struct cgroup *c = bpf_cgroup_from_id(1);
    bpf_cgroup_release(c);
    return 0;
}
SEC("lsm.s/file_open") int BPF_PROG(ok_exe, struct file *file)
{
    struct file *f = bpf_get_task_exe_file(bpf_get_current_task_btf());
    if (f)
        bpf_put_file(f);
    return 0;
}
SEC("fentry/vfs_open") int BPF_PROG(bad_exe_nonlsm, const struct path *path, struct file *file)
{
    struct file *f = bpf_get_task_exe_file(bpf_get_current_task_btf());
    if (f)
        bpf_put_file(f);
    return 0;
}
SEC("lsm.s/file_open") int BPF_PROG(bad_exe_leak, struct file *file)
{
    struct file *f = bpf_get_task_exe_file(bpf_get_current_task_btf());
    return f ? 0 : 0;
}
SEC("lsm.s/file_open") int BPF_PROG(ok_dpath, struct file *file)
{
    char b[64] = {};
    bpf_path_d_path(&file->f_path, b, sizeof b);
    return 0;
}
SEC("lsm.s/file_open") int BPF_PROG(bad_dpath_size, struct file *file)
{
    char b[64] = {};
    bpf_path_d_path(&file->f_path, b, 128);
    return 0;
}
struct foo
{
    struct bpf_list_node n;
    int data;
};
private(A) struct bpf_spin_lock lk;
private(A) struct bpf_list_head hd __contains(foo, n);
#define list_push(h, n) bpf_list_push_front_impl(h, n, 0, 0)
SEC("tc") int ok_list(struct __sk_buff *s)
{
    struct foo *f = bpf_obj_new(struct foo);
    if (!f)
        return 0;
    bpf_spin_lock(&lk);
    list_push(&hd, &f->n);
    struct bpf_list_node *n = bpf_list_pop_front(&hd);
    bpf_spin_unlock(&lk);
    if (n)
        bpf_obj_drop(container_of(n, struct foo, n));
    return 0;
}
SEC("tc") int bad_list_nolock(struct __sk_buff *s)
{
    struct foo *f = bpf_obj_new(struct foo);
    if (!f)
        return 0;
    list_push(&hd, &f->n);
    return 0;
}
SEC("tc") int bad_list_leak(struct __sk_buff *s)
{
    bpf_spin_lock(&lk);
    struct bpf_list_node *n = bpf_list_pop_front(&hd);
    bpf_spin_unlock(&lk);
    return n ? 0 : 0;
}
SEC("tc") int bad_obj_leak(struct __sk_buff *s)
{
    struct foo *f = bpf_obj_new(struct foo);
    if (f)
        f->data = 5;
    return 0;
}
SEC("tc") int bad_list_twice(struct __sk_buff *s)
{
    struct foo *f = bpf_obj_new(struct foo);
    if (!f)
        return 0;
    bpf_spin_lock(&lk);
    list_push(&hd, &f->n);
    list_push(&hd, &f->n);
    bpf_spin_unlock(&lk);
    return 0;
}
SEC("tc") int bad_obj_uaf(struct __sk_buff *s)
{
    struct foo *f = bpf_obj_new(struct foo);
    if (!f)
        return 0;
    bpf_obj_drop(f);
    return f->data;
}
SEC("tc") int bad_obj_node_write(struct __sk_buff *s)
{
    struct foo *f = bpf_obj_new(struct foo);
    if (!f)
        return 0;
    *(volatile int *)&f->n = 5;
    bpf_obj_drop(f);
    return 0;
}
SEC("tc") int bad_list_use_after_unlock(struct __sk_buff *s)
{
    struct foo *f = bpf_obj_new(struct foo);
    if (!f)
        return 0;
    bpf_spin_lock(&lk);
    list_push(&hd, &f->n);
    bpf_spin_unlock(&lk);
    return f->data;
}
SEC("tc") int ok_list_use_in_lock(struct __sk_buff *s)
{
    struct foo *f = bpf_obj_new(struct foo);
    if (!f)
        return 0;
    bpf_spin_lock(&lk);
    list_push(&hd, &f->n);
    int d = f->data;
    bpf_spin_unlock(&lk);
    return d;
}
SEC("tc") int ok_slice(struct __sk_buff *s)
{
    struct bpf_dynptr p;
    char b[16];
    bpf_dynptr_from_skb(s, 0, &p);
    struct ethhdr *e = bpf_dynptr_slice(&p, 0, b, sizeof b);
    return e ? e->h_proto : 0;
}
SEC("tc") int bad_slice_null(struct __sk_buff *s)
{
    struct bpf_dynptr p;
    char b[16];
    bpf_dynptr_from_skb(s, 0, &p);
    struct ethhdr *e = bpf_dynptr_slice(&p, 0, b, sizeof b);
    return e->h_proto;
}
SEC("tc") int bad_slice_write(struct __sk_buff *s)
{
    struct bpf_dynptr p;
    char b[16];
    bpf_dynptr_from_skb(s, 0, &p);
    struct ethhdr *e = bpf_dynptr_slice(&p, 0, b, sizeof b);
    if (e)
        e->h_proto = 5;
    return 0;
}
SEC("tc") int bad_slice_stale(struct __sk_buff *s)
{
    struct bpf_dynptr p;
    char b[16];
    bpf_dynptr_from_skb(s, 0, &p);
    struct ethhdr *e = bpf_dynptr_slice(&p, 0, b, sizeof b);
    if (!e)
        return 0;
    bpf_skb_pull_data(s, 10);
    return e->h_proto;
}
SEC("tc") int bad_slice_oob(struct __sk_buff *s)
{
    struct bpf_dynptr p;
    char b[16];
    bpf_dynptr_from_skb(s, 0, &p);
    char *e = bpf_dynptr_slice(&p, 0, b, sizeof b);
    return e ? e[16] : 0;
}
SEC("xdp") int bad_dynptr_skb_in_xdp(struct xdp_md *x)
{
    struct bpf_dynptr p;
    bpf_dynptr_from_skb((struct __sk_buff *)x, 0, &p);
    return 0;
}
SEC("xdp") int ok_dynptr_xdp(struct xdp_md *x)
{
    struct bpf_dynptr p;
    char b[4];
    bpf_dynptr_from_xdp(x, 0, &p);
    bpf_dynptr_read(b, 4, &p, 0, 0);
    return b[0];
}
SEC("tc") int bad_dynptr_ctx_offset(struct __sk_buff *s)
{
    struct bpf_dynptr p;
    char b[4];
    bpf_dynptr_from_skb(s, 0, &p);
    bpf_dynptr_read(b, 8, &p, 0, 0);
    return b[0];
}
