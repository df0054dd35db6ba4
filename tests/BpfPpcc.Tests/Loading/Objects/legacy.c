// Map definitions of before BTF.
#define SEC(n) __attribute__((section(n), used))
typedef unsigned int u32;
struct bpf_map_def { u32 type, key_size, value_size, max_entries, map_flags; };
struct bpf_map_def SEC("maps") table = { 1, 4, 8, 100, 0 };
struct bpf_map_def SEC("maps") array = { 2, 4, 8, 16, 0 };
static void *(*lookup)(void *, const void *) = (void *)1;
SEC("classifier") int prog(void *c)
{
    u32 k = 1;
    return lookup(&table, &k) && lookup(&array, &k);
}
char _license[] SEC("license") = "GPL";
u32 _version SEC("version") = 0x041200;
