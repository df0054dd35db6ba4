/* Accesses to structs of the Linux kernel, against whose real types they are relocated. */
#define core __attribute__((preserve_access_index))
#define SEC(name) __attribute__((section(name), used))
#define exists(field) __builtin_preserve_field_info(field, 2)
#define info(field, kind) __builtin_preserve_field_info(field, kind)
#define type_info(type, kind) __builtin_preserve_type_info(*(type *)0, kind)
#define target_id(type) __builtin_btf_type_id(*(type *)0, 1)
#define value(type, name, kind) __builtin_preserve_enum_value(*(type *)name, kind)

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

struct list_head { struct list_head *next; } core;
struct mm_struct { u64 start_stack; struct { int mm_users; } nothing; } core;
struct upid { int nr; } core;
struct pid { u32 level; struct upid numbers[1]; } core;
struct task_struct {
	int pid;
	int tgid;
	struct mm_struct *mm;
	struct task_struct *real_parent;
	struct list_head children;
	char comm[16];
	long state;
	u32 sched_reset_on_fork : 1;
	u32 in_execve : 1;
	struct pid *thread_pid;
} core;
struct task_struct___new { u32 __state; } core;
struct net_device { int ifindex; u32 mtu; char name[16]; } core;
struct sk_buff { struct net_device *dev; u32 len; u8 pkt_type : 3; u8 cloned : 1; u64 tstamp; u8 *data; } core;
struct inet_sock { struct { int gone; } sk; u32 inet_id; } core;
struct sock_common { u32 skc_daddr; unsigned short skc_family; } core;
struct sock { struct sock_common __sk_common; u64 sk_cookie_gone; } core;
struct no_such_struct { int field; } core;
enum bpf_map_type { BPF_MAP_TYPE_RINGBUF = 1, BPF_MAP_TYPE_NOTHING = 2 };
enum pid_type___mine { PIDTYPE_TGID___mine = 0 };
struct file_operations { void *llseek; void *gone; } core;

SEC("kprobe/x") long task(void *context)
{
	struct task_struct *t = context;
	struct task_struct___new *n = context;
	long sum = t->pid + t->tgid + (long)t->mm + (long)t->real_parent->mm + (long)t->children.next + t->comm[7];
	if (exists(t->state))
		sum += t->state;
	if (exists(n->__state))
		sum += n->__state;
	sum += info(t->in_execve, 0) + info(t->in_execve, 1) + info(t->in_execve, 3) + info(t->in_execve, 4) + info(t->in_execve, 5);
	sum += t->thread_pid->numbers[0].nr + t->thread_pid->level;
	return sum;
}

SEC("kprobe/y") long net(void *context)
{
	struct sk_buff *s = context;
	struct sock *k = context;
	long sum = s->dev->ifindex + s->dev->mtu + s->dev->name[3] + s->len + s->tstamp + (long)s->data;
	sum += info(s->pkt_type, 0) + info(s->pkt_type, 1) + info(s->pkt_type, 4) + info(s->pkt_type, 5) + info(s->cloned, 4);
	sum += k->__sk_common.skc_daddr + k->__sk_common.skc_family + exists(k->sk_cookie_gone);
	return sum;
}

SEC("kprobe/z") long types(void *context)
{
	long sum = type_info(struct task_struct, 1) + type_info(struct no_such_struct, 0) + type_info(struct sk_buff, 0);
	sum += type_info(struct upid, 2) + type_info(struct pid, 2) + type_info(struct file_operations, 2);
	sum += target_id(struct task_struct) + target_id(struct no_such_struct);
	sum += value(enum bpf_map_type, BPF_MAP_TYPE_RINGBUF, 1) + value(enum bpf_map_type, BPF_MAP_TYPE_NOTHING, 0);
	sum += value(enum pid_type___mine, PIDTYPE_TGID___mine, 1);
	return sum;
}
