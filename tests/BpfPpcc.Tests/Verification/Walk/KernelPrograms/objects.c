// Programs that use kernel objects: ok_... must be accepted, bad_... must be refused. Compiled against types of a ppc64le kernel.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>
char _license[] SEC("license") = "GPL";
#define __kptr __attribute__((btf_type_tag("kptr")))
#define __contains(name, node) __attribute__((btf_decl_tag("contains:" #name ":" #node)))
#define private(name) SEC(".bss." #name) __hidden __attribute__((aligned(8)))
#define __tag(x) __attribute__((btf_decl_tag(x)))
extern void *bpf_obj_new_impl(__u64 local_type_id__k, void *meta__ign) __ksym;
extern void bpf_obj_drop_impl(void *p__alloc, void *meta__ign) __ksym;
#define bpf_obj_new(type) ((type *)bpf_obj_new_impl(bpf_core_type_id_local(type), 0))
#define bpf_obj_drop(p) bpf_obj_drop_impl(p, 0)
extern int bpf_rbtree_add_impl(struct bpf_rb_root *root, struct bpf_rb_node *node,
                               bool(less)(struct bpf_rb_node *a, const struct bpf_rb_node *b), void *meta__ign, __u64 off) __ksym;
extern struct bpf_rb_node *bpf_rbtree_remove(struct bpf_rb_root *root, struct bpf_rb_node *node) __ksym;
extern struct bpf_rb_node *bpf_rbtree_first(struct bpf_rb_root *root) __ksym;
extern void *bpf_refcount_acquire_impl(void *p__refcounted_kptr, void *meta__ign) __ksym;
extern int bpf_wq_init(struct bpf_wq *wq, void *p__map, unsigned int flags) __ksym;
extern int bpf_wq_set_callback_impl(struct bpf_wq *wq, int(callback_fn)(void *map, int *key, void *value), unsigned int flags__k,
                                    void *aux__ign) __ksym;
extern int bpf_wq_start(struct bpf_wq *wq, unsigned int flags) __ksym;
extern int bpf_iter_task_new(struct bpf_iter_task *it, struct task_struct *task, unsigned int flags) __ksym;
extern struct task_struct *bpf_iter_task_next(struct bpf_iter_task *it) __ksym;
extern void bpf_iter_task_destroy(struct bpf_iter_task *it) __ksym;
extern int bpf_iter_num_new(struct bpf_iter_num *it, int start, int end) __ksym;
extern int *bpf_iter_num_next(struct bpf_iter_num *it) __ksym;
extern void bpf_iter_num_destroy(struct bpf_iter_num *it) __ksym;
extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;
extern struct task_struct *bpf_task_acquire(struct task_struct *p) __ksym;
extern void bpf_task_release(struct task_struct *p) __ksym;
extern void bpf_throw(u64 cookie) __ksym;
struct node_of_tree
{
    struct bpf_rb_node n;
    long key;
};
struct rnode
{
    struct bpf_refcount r;
    struct bpf_rb_node n;
    long key;
};
private(A) struct bpf_spin_lock lk;
private(A) struct bpf_rb_root rt __contains(node_of_tree, n);
private(B) struct bpf_spin_lock lk2;
private(B) struct bpf_rb_root rt2 __contains(rnode, n);
static bool less(struct bpf_rb_node *a, const struct bpf_rb_node *b)
{
    return container_of(a, struct node_of_tree, n)->key < container_of(b, struct node_of_tree, n)->key;
}
static bool rless(struct bpf_rb_node *a, const struct bpf_rb_node *b)
{
    return container_of(a, struct rnode, n)->key < container_of(b, struct rnode, n)->key;
}
SEC("tc") long ok_tree(void *c)
{
    struct node_of_tree *a = bpf_obj_new(struct node_of_tree);
    if (!a)
        return 1;
    a->key = 5;
    bpf_spin_lock(&lk);
    bpf_rbtree_add_impl(&rt, &a->n, less, 0, 0);
    bpf_spin_unlock(&lk);
    return 0;
}
SEC("tc") long ok_tree_pop(void *c)
{
    bpf_spin_lock(&lk);
    struct bpf_rb_node *r = bpf_rbtree_first(&rt);
    if (!r)
    {
        bpf_spin_unlock(&lk);
        return 0;
    }
    r = bpf_rbtree_remove(&rt, r);
    bpf_spin_unlock(&lk);
    if (!r)
        return 0;
    struct node_of_tree *n = container_of(r, struct node_of_tree, n);
    long k = n->key;
    bpf_obj_drop(n);
    return k;
}
SEC("tc") long bad_tree_first_unlock(void *c)
{
    bpf_spin_lock(&lk);
    struct bpf_rb_node *r = bpf_rbtree_first(&rt);
    bpf_spin_unlock(&lk);
    if (!r)
        return 0;
    return container_of(r, struct node_of_tree, n)->key;
}
SEC("tc") long bad_tree_wrong_lock(void *c)
{
    struct node_of_tree *a = bpf_obj_new(struct node_of_tree);
    if (!a)
        return 1;
    bpf_spin_lock(&lk2);
    bpf_rbtree_add_impl(&rt, &a->n, less, 0, 0);
    bpf_spin_unlock(&lk2);
    return 0;
}
SEC("tc") long bad_tree_wrong_type(void *c)
{
    struct rnode *a = bpf_obj_new(struct rnode);
    if (!a)
        return 1;
    bpf_spin_lock(&lk);
    bpf_rbtree_add_impl(&rt, &a->n, less, 0, 0);
    bpf_spin_unlock(&lk);
    return 0;
}
SEC("tc") long bad_tree_add_then_drop(void *c)
{
    struct node_of_tree *a = bpf_obj_new(struct node_of_tree);
    if (!a)
        return 1;
    bpf_spin_lock(&lk);
    bpf_rbtree_add_impl(&rt, &a->n, less, 0, 0);
    bpf_spin_unlock(&lk);
    bpf_obj_drop(a);
    return 0;
}
SEC("tc") long ok_refcount(void *c)
{
    struct rnode *a = bpf_obj_new(struct rnode), *b;
    if (!a)
        return 1;
    b = bpf_refcount_acquire_impl(a, 0);
    if (!b)
    {
        bpf_obj_drop(a);
        return 0;
    }
    bpf_spin_lock(&lk2);
    bpf_rbtree_add_impl(&rt2, &a->n, rless, 0, 0);
    bpf_spin_unlock(&lk2);
    long k = b->key;
    bpf_obj_drop(b);
    return k;
}
SEC("tc") long bad_refcount_leak(void *c)
{
    struct rnode *a = bpf_obj_new(struct rnode), *b;
    if (!a)
        return 1;
    b = bpf_refcount_acquire_impl(a, 0);
    bpf_obj_drop(a);
    return b ? 0 : 1;
}
struct wv
{
    struct bpf_wq w;
    int x;
};
struct
{
    __uint(type, BPF_MAP_TYPE_HASH);
    __type(key, int);
    __type(value, struct wv);
    __uint(max_entries, 4);
} wm SEC(".maps");
static int wcb(void *map, int *key, void *value)
{
    return 0;
}
static int wbad(void *map, int *key, void *value)
{
    return 5;
}
SEC("tc") long ok_wq(void *c)
{
    int k = 0;
    struct wv *v = bpf_map_lookup_elem(&wm, &k);
    if (!v)
        return 0;
    bpf_wq_init(&v->w, &wm, 0);
    bpf_wq_set_callback_impl(&v->w, wcb, 0, 0);
    bpf_wq_start(&v->w, 0);
    return 0;
}
SEC("tc") long bad_wq_ret(void *c)
{
    int k = 0;
    struct wv *v = bpf_map_lookup_elem(&wm, &k);
    if (!v)
        return 0;
    bpf_wq_set_callback_impl(&v->w, wbad, 0, 0);
    return 0;
}
SEC("tc") long bad_wq_off(void *c)
{
    int k = 0;
    struct wv *v = bpf_map_lookup_elem(&wm, &k);
    if (!v)
        return 0;
    bpf_wq_init((void *)&v->x, &wm, 0);
    return 0;
}
SEC("raw_tp/sys_enter") int ok_iter_task(void *c)
{
    struct bpf_iter_task it;
    struct task_struct *t;
    int n = 0;
    bpf_iter_task_new(&it, 0, BPF_TASK_ITER_ALL_PROCS);
    while ((t = bpf_iter_task_next(&it)))
        n += t->pid;
    bpf_iter_task_destroy(&it);
    return n;
}
SEC("fentry.s/do_unlinkat") int BPF_PROG(bad_iter_task_no_rcu, int d, struct filename *f)
{
    struct bpf_iter_task it;
    struct task_struct *t;
    int n = 0;
    bpf_iter_task_new(&it, 0, 0);
    while ((t = bpf_iter_task_next(&it)))
        n += t->pid;
    bpf_iter_task_destroy(&it);
    return 0;
}
SEC("fentry.s/do_unlinkat") int BPF_PROG(ok_iter_task_rcu, int d, struct filename *f)
{
    struct bpf_iter_task it;
    struct task_struct *t;
    int n = 0;
    bpf_rcu_read_lock();
    bpf_iter_task_new(&it, 0, 0);
    while ((t = bpf_iter_task_next(&it)))
        n += t->pid;
    bpf_iter_task_destroy(&it);
    bpf_rcu_read_unlock();
    return 0;
}
int garr[16];
SEC("raw_tp/sys_enter") int ok_iter_num_idx(void *c)
{
    struct bpf_iter_num it;
    int *v, s = 0;
    bpf_iter_num_new(&it, 0, 100);
    while ((v = bpf_iter_num_next(&it)))
    {
        int i = *v;
        if (i < 0 || i >= 16)
            continue;
        s += garr[i];
    }
    bpf_iter_num_destroy(&it);
    return s;
}
SEC("raw_tp/sys_enter") int bad_iter_num_idx(void *c)
{
    struct bpf_iter_num it;
    int *v, s = 0;
    bpf_iter_num_new(&it, 0, 16);
    while ((v = bpf_iter_num_next(&it)))
    {
        unsigned i = *v;
        s += garr[i];
    }
    bpf_iter_num_destroy(&it);
    return s;
}
SEC("raw_tp/sys_enter") int bad_iter_break_leak(void *c)
{
    struct bpf_iter_num it;
    int *v, s = 0;
    bpf_iter_num_new(&it, 0, 16);
    while ((v = bpf_iter_num_next(&it)))
    {
        if (*v == 3)
            return 1;
    }
    bpf_iter_num_destroy(&it);
    return s;
}
__noinline int gtask(struct task_struct *t __tag("arg:trusted"))
{
    return t->pid;
}
__noinline int gnull(struct task_struct *t __tag("arg:trusted") __tag("arg:nullable"))
{
    return t ? t->pid : 0;
}
SEC("tp_btf/task_newtask") int BPF_PROG(ok_gtrusted, struct task_struct *task, u64 f)
{
    return gtask(task) & 0;
}
SEC("tp_btf/task_newtask") int BPF_PROG(ok_gnullable, struct task_struct *task, u64 f)
{
    return (gnull(task) + gnull(0)) & 0;
}
SEC("fentry/do_unlinkat") int BPF_PROG(bad_guntrusted, int d, struct filename *f)
{
    struct task_struct *t = bpf_get_current_task_btf();
    return gtask(t->last_wakee) & 0;
}
__noinline int gctx(void *ctx __tag("arg:ctx"))
{
    return bpf_get_stackid(ctx, 0, 0);
}
struct
{
    __uint(type, BPF_MAP_TYPE_USER_RINGBUF);
    __uint(max_entries, 4096);
} ur SEC(".maps");
struct
{
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 4096);
} rb SEC(".maps");
static long drain(struct bpf_dynptr *d, void *ctx)
{
    char b[8];
    bpf_dynptr_read(b, 8, d, 0, 0);
    return 0;
}
static long drain_bad(struct bpf_dynptr *d, void *ctx)
{
    return 2;
}
static long drain_sub(struct bpf_dynptr *d, void *ctx)
{
    bpf_ringbuf_submit_dynptr(d, 0);
    return 0;
}
static long drain_null(struct bpf_dynptr *d, void *ctx)
{
    char *p = bpf_dynptr_data(d, 0, 8);
    return *p & 1;
}
static long drain_off(struct bpf_dynptr *d, void *ctx)
{
    char b[8];
    bpf_dynptr_read(b, 8, (void *)d + 8, 0, 0);
    return 0;
}
SEC("raw_tp/sys_enter") int ok_drain(void *c)
{
    return bpf_user_ringbuf_drain(&ur, drain, 0, 0);
}
SEC("raw_tp/sys_enter") int bad_drain_ret(void *c)
{
    return bpf_user_ringbuf_drain(&ur, drain_bad, 0, 0);
}
SEC("raw_tp/sys_enter") int bad_drain_submit(void *c)
{
    return bpf_user_ringbuf_drain(&ur, drain_sub, 0, 0);
}
SEC("raw_tp/sys_enter") int bad_drain_null(void *c)
{
    return bpf_user_ringbuf_drain(&ur, drain_null, 0, 0);
}
SEC("raw_tp/sys_enter") int bad_drain_off(void *c)
{
    return bpf_user_ringbuf_drain(&ur, drain_off, 0, 0);
}
SEC("raw_tp/sys_enter") int ok_rb_dynptr(void *c)
{
    struct bpf_dynptr d;
    bpf_ringbuf_reserve_dynptr(&rb, 16, 0, &d);
    char *p = bpf_dynptr_data(&d, 0, 8);
    if (p)
        *p = 1;
    bpf_ringbuf_submit_dynptr(&d, 0);
    return 0;
}
SEC("raw_tp/sys_enter") int bad_rb_dynptr_twice(void *c)
{
    struct bpf_dynptr d;
    bpf_ringbuf_reserve_dynptr(&rb, 16, 0, &d);
    bpf_ringbuf_submit_dynptr(&d, 0);
    bpf_ringbuf_submit_dynptr(&d, 0);
    return 0;
}
SEC("raw_tp/sys_enter") int bad_rb_dynptr_uaf(void *c)
{
    struct bpf_dynptr d;
    bpf_ringbuf_reserve_dynptr(&rb, 16, 0, &d);
    char *p = bpf_dynptr_data(&d, 0, 8);
    bpf_ringbuf_submit_dynptr(&d, 0);
    if (p)
        *p = 1;
    return 0;
}
SEC("tc") int ok_throw(struct __sk_buff *s)
{
    if (s->len > 5)
        bpf_throw(0);
    return 0;
}
SEC("lsm.s/file_open") int BPF_PROG(ok_copy_user, struct file *f)
{
    char b[8];
    bpf_copy_from_user(b, 8, 0);
    return 0;
}
SEC("lsm/file_open") int BPF_PROG(bad_copy_user, struct file *f)
{
    char b[8];
    bpf_copy_from_user(b, 8, 0);
    return 0;
}
SEC("iter/task") int ok_iter(struct bpf_iter__task *c)
{
    struct task_struct *t = c->task;
    if (!t)
        return 0;
    BPF_SEQ_PRINTF(c->meta->seq, "%d\n", t->pid);
    return 0;
}
SEC("iter/task") int bad_iter_null(struct bpf_iter__task *c)
{
    struct task_struct *t = c->task;
    BPF_SEQ_PRINTF(c->meta->seq, "%d\n", t->pid);
    return 0;
}
SEC("iter/task") int bad_iter_ret(struct bpf_iter__task *c)
{
    return 2;
}
struct
{
    __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, int);
    __type(value, long);
} ts SEC(".maps");
SEC("tp_btf/task_newtask") int BPF_PROG(ok_storage, struct task_struct *task, u64 f)
{
    long *p = bpf_task_storage_get(&ts, task, 0, 1);
    if (p)
        *p += 1;
    return 0;
}
SEC("tp_btf/task_newtask") int BPF_PROG(bad_storage_null, struct task_struct *task, u64 f)
{
    long *p = bpf_task_storage_get(&ts, task, 0, 1);
    *p += 1;
    return 0;
}
SEC("tp_btf/task_newtask") int BPF_PROG(bad_storage_oob, struct task_struct *task, u64 f)
{
    long *p = bpf_task_storage_get(&ts, task, 0, 1);
    if (p)
        p[1] += 1;
    return 0;
}
extern const struct rq runqueues __ksym;
extern const int bpf_prog_active __ksym;
SEC("raw_tp/sys_enter") int ok_percpu(void *c)
{
    struct rq *r = bpf_per_cpu_ptr(&runqueues, 0);
    if (!r)
        return 0;
    int *a = bpf_this_cpu_ptr(&bpf_prog_active);
    return r->cpu + *a;
}
SEC("raw_tp/sys_enter") int bad_percpu_null(void *c)
{
    struct rq *r = bpf_per_cpu_ptr(&runqueues, 0);
    return r->cpu;
}
SEC("raw_tp/sys_enter") int bad_percpu_write(void *c)
{
    int *a = bpf_this_cpu_ptr(&bpf_prog_active);
    *a = 5;
    return 0;
}
