/* Every type of map against what the kernel documents, and hash maps against a model in an array. */
#include "check.h"

#include <stdbool.h>

static void arrays(void)
{
    struct bpfppcc_map *map = make(ARRAY, 4, 12, 4, 0);
    uint32_t key = 3, next, value[3] = { 1, 2, 3 };
    CHECK(map && map->values);
    uint32_t *found = bpfppcc_map_lookup(map, &key);
    CHECK(found && found == (uint32_t *)((char *)map->values + 3 * 16) && !found[0] && !found[2]);
    EQUAL(HELPER(map_update_elem, map, &key, value, BPFPPCC_ANY), 0);
    CHECK(found[0] == 1 && found[2] == 3);              /* elements do not move */
    EQUAL(HELPER(map_lookup_elem, map, &key), (uintptr_t)found);
    EQUAL(HELPER(map_update_elem, map, &key, value, BPFPPCC_NOEXIST), -EEXIST);
    EQUAL(HELPER(map_update_elem, map, &key, value, BPFPPCC_EXIST), 0);
    EQUAL(HELPER(map_update_elem, map, &key, value, 3), -EINVAL);
    EQUAL(HELPER(map_update_elem, map, &key, value, 1ULL << 32), -EINVAL);
    EQUAL(HELPER(map_delete_elem, map, &key), -EINVAL);
    EQUAL(HELPER(map_push_elem, map, value, 0), -EINVAL);
    key = 4;
    EQUAL(HELPER(map_lookup_elem, map, &key), 0);
    EQUAL(HELPER(map_update_elem, map, &key, value, 0), -E2BIG);
    EQUAL(bpfppcc_map_get(map, &key, value), -ENOENT);
    EQUAL(bpfppcc_map_next_key(map, NULL, &next), 0);
    EQUAL(next, 0);
    EQUAL(bpfppcc_map_next_key(map, &key, &next), 0);   /* a key that is none: the first */
    EQUAL(next, 0);
    key = 2;
    EQUAL(bpfppcc_map_next_key(map, &key, &next), 0);
    EQUAL(next, 3);
    EQUAL(bpfppcc_map_next_key(map, &next, &next), -ENOENT);
    bpfppcc_map_free(map);
    EQUAL(refusal(ARRAY, 8, 4, 4, 0), -EINVAL);
    EQUAL(refusal(ARRAY, 4, 0, 4, 0), -EINVAL);
    EQUAL(refusal(ARRAY, 4, 4, 0, 0), -EINVAL);
}

static void per_cpu(void)
{
    uint32_t types[] = { PERCPU_ARRAY, PERCPU_HASH, LRU_PERCPU_HASH };
    for (int i = 0; i < 3; i++) {
        struct bpfppcc_map *map = make(types[i], 4, 4, 8, 0);
        uint32_t key = 2, value = 20, all[8] = { 0 };
        EQUAL(bpfppcc_set_cpu(2), 0);
        EQUAL(HELPER(map_update_elem, map, &key, &value, 0), 0);
        for (uint32_t cpu = 0; cpu < 4; cpu++) {
            uint32_t *found = bpfppcc_map_lookup_percpu(map, &key, cpu);
            CHECK(found && *found == (cpu == 2 ? 20 : 0));
            EQUAL(HELPER(map_lookup_percpu_elem, map, &key, cpu), (uintptr_t)found);
        }
        EQUAL(HELPER(map_lookup_percpu_elem, map, &key, 4), 0);
        uint32_t *here = (uint32_t *)(uintptr_t)HELPER(map_lookup_elem, map, &key);
        CHECK(here && *here == 20);
        EQUAL(bpfppcc_set_cpu(3), 0);
        uint32_t *there = bpfppcc_map_lookup(map, &key);
        CHECK(there && there != here);
        value = 30;
        EQUAL(HELPER(map_update_elem, map, &key, &value, BPFPPCC_EXIST), 0);
        EQUAL(*there, 30);                              /* in place: each CPU writes its own */
        EQUAL(*here, 20);
        EQUAL(bpfppcc_map_get(map, &key, all), 0);
        CHECK(all[4] == 20 && all[6] == 30 && !all[0] && !all[2]);
        uint32_t values[8] = { 1, 0, 2, 0, 3, 0, 4, 0 };
        EQUAL(bpfppcc_map_update_percpu(map, &key, values, BPFPPCC_ANY), 0);
        EQUAL(*here, 3);
        EQUAL(*there, 4);
        bpfppcc_map_free(map);
    }
    EQUAL(bpfppcc_set_cpu(4), -EINVAL);
    EQUAL(bpfppcc_set_cpu(0), 0);
    struct bpfppcc_map *plain = make(ARRAY, 4, 4, 8, 0);
    uint32_t key = 0;
    EQUAL(HELPER(map_lookup_percpu_elem, plain, &key, 0), 0);
    bpfppcc_map_free(plain);
}

static void hash(void)
{
    struct bpfppcc_map *map = make(HASH, 4, 8, 3, 0);
    uint64_t value = 7;
    uint32_t key = 1, next;
    EQUAL(HELPER(map_lookup_elem, map, &key), 0);
    EQUAL(HELPER(map_delete_elem, map, &key), -ENOENT);
    EQUAL(bpfppcc_map_next_key(map, NULL, &next), -ENOENT);
    EQUAL(HELPER(map_update_elem, map, &key, &value, BPFPPCC_EXIST), -ENOENT);
    EQUAL(HELPER(map_update_elem, map, &key, &value, 3), -EINVAL);
    EQUAL(HELPER(map_update_elem, map, &key, &value, 4), -EINVAL);     /* BPF_F_LOCK without a lock */
    EQUAL(HELPER(map_update_elem, map, &key, &value, BPFPPCC_NOEXIST), 0);
    EQUAL(HELPER(map_update_elem, map, &key, &value, BPFPPCC_NOEXIST), -EEXIST);
    uint64_t *old = (uint64_t *)(uintptr_t)HELPER(map_lookup_elem, map, &key);
    CHECK(old && *old == 7 && (uintptr_t)old % 8 == 0);
    value = 8;
    EQUAL(HELPER(map_update_elem, map, &key, &value, BPFPPCC_EXIST), 0);
    uint64_t *new = bpfppcc_map_lookup(map, &key);
    CHECK(new && new != old && *new == 8 && *old == 7);                /* replaced, not overwritten */
    key = 2;
    EQUAL(HELPER(map_update_elem, map, &key, &value, 0), 0);
    key = 3;
    EQUAL(HELPER(map_update_elem, map, &key, &value, 0), 0);
    key = 4;
    EQUAL(HELPER(map_update_elem, map, &key, &value, 0), -E2BIG);
    key = 3;
    EQUAL(HELPER(map_update_elem, map, &key, &value, 0), 0);           /* full, but not new */
    EQUAL(HELPER(map_delete_elem, map, &key), 0);
    EQUAL(bpfppcc_map_delete(map, &key), -ENOENT);
    key = 4;
    EQUAL(HELPER(map_update_elem, map, &key, &value, 0), 0);
    EQUAL(HELPER(map_pop_elem, map, &value), -EINVAL);
    bpfppcc_map_free(map);
    EQUAL(refusal(HASH, 0, 4, 4, 0), -EINVAL);
    EQUAL(refusal(HASH, 4, 0, 4, 0), -EINVAL);
    EQUAL(refusal(HASH, 4, 4, 0, 0), -EINVAL);
}

/* A deleted element keeps its value for BPFPPCC_SPARE_ELEMENTS - 1 updates, whatever the map does. */
static void old_values_last(void)
{
    struct bpfppcc_map *map = make(HASH, 4, 4, 2, 0);
    for (uint32_t key = 0; key < 100; key++) {
        EQUAL(bpfppcc_map_update(map, &key, &key, BPFPPCC_NOEXIST), 0);
        uint32_t *value = bpfppcc_map_lookup(map, &key);
        EQUAL(bpfppcc_map_delete(map, &key), 0);
        for (uint32_t other = 1000; other < 1000 + BPFPPCC_SPARE_ELEMENTS - 1; other++) {
            uint32_t same = 5000;
            EQUAL(bpfppcc_map_update(map, &same, &other, BPFPPCC_ANY), 0);
        }
        EQUAL(*value, key);
    }
    bpfppcc_map_free(map);
}

/* Random operations on few keys, so that everything happens; the model knows nothing but the documentation. */
static void hash_model(uint32_t type, uint32_t key_size, uint32_t flags)
{
    enum { KEYS = 40, ROOM = 25, STEPS = 20000 };
    struct bpfppcc_map *map = make(type, key_size, 5, ROOM, flags);
    bool present[KEYS] = { 0 };
    unsigned char values[KEYS] = { 0 }, key[64], value[5];
    unsigned count = 0;
    for (int step = 0; step < STEPS && !failures; step++) {
        unsigned k = chance(KEYS), how = chance(4);
        memset(key, 0, sizeof key);
        key[key_size - 1] = (unsigned char)k;
        memset(value, step, sizeof value);
        if (chance(2)) {
            uint64_t update = chance(3);
            int want = update == BPFPPCC_NOEXIST && present[k] ? -EEXIST : update == BPFPPCC_EXIST && !present[k] ? -ENOENT
                : !present[k] && count == ROOM ? -E2BIG : 0;
            EQUAL(HELPER(map_update_elem, map, key, value, update), want);
            if (!want) {
                count += !present[k];
                present[k] = true;
                values[k] = (unsigned char)step;
            }
        } else if (how == 0) {
            EQUAL(HELPER(map_delete_elem, map, key), present[k] ? 0 : -ENOENT);
            count -= present[k];
            present[k] = false;
        } else {
            const unsigned char *found = (const unsigned char *)(uintptr_t)HELPER(map_lookup_elem, map, key);
            CHECK((found != NULL) == present[k]);
            if (found)
                CHECK(found[0] == values[k] && found[4] == values[k]);
        }
        if (step % 1000 == 0) {
            unsigned seen = 0;
            for (const void *from = NULL; !bpfppcc_map_next_key(map, from, key); from = key) {
                CHECK(present[key[key_size - 1]]);
                seen++;
            }
            EQUAL(seen, count);
        }
    }
    bpfppcc_map_free(map);
}

/* Exactly the least recently used goes; a host's lookup is no use, a program's is. */
static void lru(uint32_t type)
{
    enum { ROOM = 10, KEYS = 30 };
    struct bpfppcc_map *map = make(type, 4, 4, ROOM, 0);
    uint32_t used[KEYS] = { 0 };                        /* when; 0 is not present */
    unsigned count = 0;
    for (uint32_t step = 1; step < 5000 && !failures; step++) {
        uint32_t key = chance(KEYS);
        if (chance(3) == 0) {
            if (!used[key] && count == ROOM) {
                unsigned oldest = KEYS;
                for (unsigned i = 0; i < KEYS; i++)
                    if (used[i] && (oldest == KEYS || used[i] < used[oldest]))
                        oldest = i;
                used[oldest] = 0;
                count--;
            }
            count += !used[key];
            used[key] = step;
            EQUAL(HELPER(map_update_elem, map, &key, &step, 0), 0);
        } else if (chance(2)) {
            CHECK(!HELPER(map_lookup_elem, map, &key) == !used[key]);
            if (used[key])
                used[key] = step;
        } else {
            CHECK(!bpfppcc_map_lookup(map, &key) == !used[key]);
        }
        if (chance(50) == 0) {
            EQUAL(HELPER(map_delete_elem, map, &key), used[key] ? 0 : -ENOENT);
            count -= used[key] != 0;
            used[key] = 0;
        }
        for (uint32_t i = 0; i < KEYS; i++)
            CHECK(!bpfppcc_map_lookup(map, &i) == !used[i]);
    }
    bpfppcc_map_free(map);
}

struct lpm_key {
    uint32_t length;
    unsigned char bytes[4];
};

static bool bit(const unsigned char *bytes, unsigned i)
{
    return bytes[i / 8] >> (7 - i % 8) & 1;
}

static bool matches(const struct lpm_key *prefix, const struct lpm_key *key)
{
    if (prefix->length > key->length)
        return false;
    for (unsigned i = 0; i < prefix->length; i++)
        if (bit(prefix->bytes, i) != bit(key->bytes, i))
            return false;
    return true;
}

static struct lpm_key random_prefix(void)
{
    struct lpm_key key = { chance(33), { 10, 0, 0, 0 } };
    for (int i = 0; i < 4; i++)
        key.bytes[i] = (unsigned char)(chance(2) ? 10 : chance(2) ? 0x80 : chance(256));
    return key;
}

static void lpm(void)
{
    enum { ROOM = 60, STEPS = 6000 };
    struct bpfppcc_map *map = make(LPM_TRIE, 8, 4, ROOM, NO_PREALLOC);
    struct lpm_key prefixes[ROOM];
    uint32_t values[ROOM];
    unsigned count = 0;
    for (uint32_t step = 0; step < STEPS && !failures; step++) {
        struct lpm_key key = random_prefix();
        int same = -1, best = -1;
        if (chance(2))
            key.length = 32;
        for (unsigned i = 0; i < count; i++) {
            if (prefixes[i].length == key.length && matches(&prefixes[i], &key))
                same = (int)i;
            if (matches(&prefixes[i], &key) && (best < 0 || prefixes[i].length > prefixes[best].length))
                best = (int)i;
        }
        const uint32_t *found = (const uint32_t *)(uintptr_t)HELPER(map_lookup_elem, map, &key);
        CHECK((found != NULL) == (best >= 0));
        if (found && best >= 0)
            EQUAL(*found, values[best]);
        if (chance(3) == 0) {
            EQUAL(HELPER(map_delete_elem, map, &key), same >= 0 ? 0 : -ENOENT);
            if (same >= 0) {
                prefixes[same] = prefixes[--count];
                values[same] = values[count];
            }
        } else {
            uint64_t flags = chance(3);
            int want = flags == BPFPPCC_NOEXIST && same >= 0 ? -EEXIST : flags == BPFPPCC_EXIST && same < 0 ? -ENOENT
                : same < 0 && count == ROOM ? -ENOSPC : 0;
            EQUAL(HELPER(map_update_elem, map, &key, &step, flags), want);
            if (!want) {
                if (same < 0)
                    same = (int)count++;
                prefixes[same] = key;
                values[same] = step;
            }
        }
    }
    struct lpm_key walk;
    unsigned seen = 0;
    for (const void *from = NULL; !bpfppcc_map_next_key(map, from, &walk); from = &walk)
        seen++;
    EQUAL(seen, count);
    struct lpm_key bad = { 33, { 0 } };
    uint32_t value = 0;
    EQUAL(HELPER(map_update_elem, map, &bad, &value, 0), -EINVAL);
    EQUAL(HELPER(map_delete_elem, map, &bad), -EINVAL);
    EQUAL(HELPER(map_lookup_elem, map, &bad), 0);
    bpfppcc_map_free(map);
    EQUAL(refusal(LPM_TRIE, 8, 4, 4, 0), -EINVAL);      /* without BPF_F_NO_PREALLOC */
    EQUAL(refusal(LPM_TRIE, 4, 4, 4, NO_PREALLOC), -EINVAL);
    EQUAL(refusal(LPM_TRIE, 4 + 257, 4, 4, NO_PREALLOC), -EINVAL);
    EQUAL(refusal(LPM_TRIE, 4 + 256, 4, 4, NO_PREALLOC), 0);
}

static void queues(void)
{
    for (int is_stack = 0; is_stack < 2; is_stack++) {
        struct bpfppcc_map *map = make(is_stack ? STACK : QUEUE, 0, 4, 3, 0);
        uint32_t value = 99;
        EQUAL(HELPER(map_peek_elem, map, &value), -ENOENT);
        EQUAL(value, 0);
        for (value = 1; value <= 3; value++)
            EQUAL(HELPER(map_push_elem, map, &value, 0), 0);
        EQUAL(HELPER(map_push_elem, map, &value, 0), -E2BIG);
        EQUAL(HELPER(map_push_elem, map, &value, BPFPPCC_NOEXIST), -EINVAL);
        EQUAL(HELPER(map_push_elem, map, &value, BPFPPCC_EXIST), 0);   /* 4 in, 1 out */
        for (int i = 0; i < 3; i++) {
            uint32_t want = is_stack ? 4 - (uint32_t)i : 2 + (uint32_t)i;
            EQUAL(HELPER(map_peek_elem, map, &value), 0);
            EQUAL(value, want);
            EQUAL(HELPER(map_pop_elem, map, &value), 0);
            EQUAL(value, want);
        }
        EQUAL(HELPER(map_pop_elem, map, &value), -ENOENT);
        EQUAL(bpfppcc_map_update(map, NULL, &value, 0), 0);
        EQUAL(bpfppcc_map_pop(map, &value), 0);
        EQUAL(HELPER(map_update_elem, map, &value, &value, 0), -EINVAL);
        EQUAL(HELPER(map_lookup_elem, map, &value), 0);
        bpfppcc_map_free(map);
    }
    EQUAL(refusal(QUEUE, 4, 4, 3, 0), -EINVAL);
    EQUAL(refusal(STACK, 0, 4, 0, 0), -EINVAL);
}

static void bloom(void)
{
    struct bpfppcc_map *map = make(BLOOM_FILTER, 0, 8, 1000, 0);
    unsigned wrong = 0;
    for (uint64_t value = 0; value < 1000; value++)
        EQUAL(HELPER(map_push_elem, map, &value, 0), 0);
    for (uint64_t value = 0; value < 1000; value++)
        EQUAL(HELPER(map_peek_elem, map, &value), 0);
    for (uint64_t value = 1000; value < 11000; value++)
        wrong += !HELPER(map_peek_elem, map, &value);
    CHECK(wrong < 500);                                 /* 5 functions: about 3 percent at most */
    uint64_t value = 1;
    EQUAL(HELPER(map_push_elem, map, &value, BPFPPCC_EXIST), -EINVAL);
    EQUAL(HELPER(map_pop_elem, map, &value), -EOPNOTSUPP);
    EQUAL(bpfppcc_map_delete(map, &value), -EOPNOTSUPP);
    EQUAL(bpfppcc_map_next_key(map, NULL, &value), -EOPNOTSUPP);
    bpfppcc_map_free(map);
    struct bpfppcc_map like = describe(BLOOM_FILTER, 0, 8, 10, 0);
    like.map_extra = 16;
    CHECK(!bpfppcc_map_new(&like) && errno == EINVAL);
}

static void maps_in_maps(void)
{
    struct bpfppcc_map template = describe(HASH, 4, 4, 10, 0);
    uint32_t types[] = { ARRAY_OF_MAPS, HASH_OF_MAPS };
    for (int i = 0; i < 2; i++) {
        struct bpfppcc_map like = describe(types[i], 4, 4, 2, 0);
        like.inner = &template;
        struct bpfppcc_map *outer = bpfppcc_map_new(&like), *inner = bpfppcc_map_new(outer->inner), *larger = make(HASH, 4, 4, 20, 0);
        struct bpfppcc_map *other = make(HASH, 8, 4, 10, 0), *nothing = NULL;
        uint32_t key = 1, value = 5;
        EQUAL(HELPER(map_lookup_elem, outer, &key), 0);
        EQUAL(bpfppcc_map_update(outer, &key, &inner, 0), 0);
        EQUAL(HELPER(map_lookup_elem, outer, &key), (uintptr_t)inner);
        EQUAL(HELPER(map_update_elem, HELPER(map_lookup_elem, outer, &key), &key, &value, 0), 0);
        CHECK(*(uint32_t *)bpfppcc_map_lookup(inner, &key) == 5);
        EQUAL(bpfppcc_map_update(outer, &key, &larger, 0), 0);         /* a hash may have another max_entries */
        EQUAL(bpfppcc_map_update(outer, &key, &other, 0), -EINVAL);
        EQUAL(bpfppcc_map_update(outer, &key, &outer, 0), -EINVAL);
        EQUAL(bpfppcc_map_update(outer, &key, &nothing, 0), -EINVAL);
        CHECK(bpfppcc_map_lookup(outer, &key) == larger);
        EQUAL(bpfppcc_map_delete(outer, &key), 0);
        EQUAL(bpfppcc_map_delete(outer, &key), -ENOENT);
        key = 2;
        EQUAL(bpfppcc_map_update(outer, &key, &inner, 0), types[i] == ARRAY_OF_MAPS ? -E2BIG : 0);
        bpfppcc_map_free(outer);
        bpfppcc_map_free(inner);
        bpfppcc_map_free(larger);
        bpfppcc_map_free(other);
    }
    struct bpfppcc_map array = describe(ARRAY, 4, 4, 10, 0), open_array = describe(ARRAY, 4, 4, 10, INNER_MAP);
    struct bpfppcc_map like = describe(ARRAY_OF_MAPS, 4, 4, 1, 0);
    uint32_t key = 0;
    like.inner = &array;
    struct bpfppcc_map *strict = bpfppcc_map_new(&like), *longer = make(ARRAY, 4, 4, 11, 0), *open_longer = make(ARRAY, 4, 4, 11, INNER_MAP);
    like.inner = &open_array;
    struct bpfppcc_map *lax = bpfppcc_map_new(&like);
    EQUAL(bpfppcc_map_update(strict, &key, &longer, 0), -EINVAL);
    EQUAL(bpfppcc_map_update(lax, &key, &open_longer, 0), 0);
    bpfppcc_map_free(strict);
    bpfppcc_map_free(lax);
    bpfppcc_map_free(longer);
    bpfppcc_map_free(open_longer);
}

static void access_flags(void)
{
    struct bpfppcc_map *map = make(HASH, 4, 4, 4, RDONLY_PROG);
    uint32_t key = 1, value = 2;
    EQUAL(bpfppcc_map_update(map, &key, &value, 0), 0);
    CHECK(HELPER(map_lookup_elem, map, &key) != 0);
    EQUAL(HELPER(map_update_elem, map, &key, &value, 0), -EPERM);
    EQUAL(HELPER(map_delete_elem, map, &key), -EPERM);
    bpfppcc_map_free(map);
    map = make(HASH, 4, 4, 4, RDONLY | WRONLY_PROG);
    EQUAL(HELPER(map_update_elem, map, &key, &value, 0), 0);
    EQUAL(HELPER(map_lookup_elem, map, &key), 0);
    EQUAL(bpfppcc_map_update(map, &key, &value, 0), -EPERM);
    EQUAL(bpfppcc_map_get(map, &key, &value), 0);
    bpfppcc_map_free(map);
    map = make(ARRAY, 4, 4, 4, WRONLY);
    EQUAL(bpfppcc_map_get(map, &key, &value), -EPERM);
    CHECK(!bpfppcc_map_lookup(map, &key));
    EQUAL(bpfppcc_map_next_key(map, NULL, &value), -EPERM);
    bpfppcc_map_free(map);
}

/* for_each_map_elem: every element once; the callback may delete what it is shown; 1 ends it. */
static struct bpfppcc_map *walked;
static unsigned sum, calls;

static uint64_t visit(uint64_t map, uint64_t key, uint64_t value, uint64_t ctx, uint64_t unused)
{
    (void)unused;
    CHECK((struct bpfppcc_map *)(uintptr_t)map == walked);
    calls++;
    sum += *(uint32_t *)(uintptr_t)value;
    if (*(int *)(uintptr_t)ctx)
        EQUAL(HELPER(map_delete_elem, map, key), 0);
    return calls == 5 && *(int *)(uintptr_t)ctx == 2;
}

static void for_each(void)
{
    uint32_t types[] = { ARRAY, HASH, LRU_HASH, PERCPU_HASH, PERCPU_ARRAY };
    int keep = 0, delete = 1, stop = 2;
    for (int i = 0; i < 5; i++) {
        walked = make(types[i], 4, 4, 10, 0);
        for (uint32_t key = 0; key < 10; key++)
            EQUAL(bpfppcc_map_update(walked, &key, &key, 0), 0);
        sum = calls = 0;
        EQUAL(HELPER(for_each_map_elem, walked, visit, &keep, 0), 10);
        EQUAL(sum, 45);
        EQUAL(HELPER(for_each_map_elem, walked, visit, &keep, 1), -EINVAL);
        sum = calls = 0;
        if (types[i] == HASH) {
            EQUAL(HELPER(for_each_map_elem, walked, visit, &stop, 0), 5);
            EQUAL(HELPER(for_each_map_elem, walked, visit, &delete, 0), 5);
            EQUAL(sum, 45);
            EQUAL(HELPER(for_each_map_elem, walked, visit, &keep, 0), 0);
        }
        bpfppcc_map_free(walked);
    }
}

int main(void)
{
    bpfppcc_hooks.cpus = 4;
    arrays();
    per_cpu();
    hash();
    old_values_last();
    hash_model(HASH, 4, 0);
    hash_model(HASH, 1, ZERO_SEED);
    hash_model(HASH, 13, NO_PREALLOC);
    hash_model(PERCPU_HASH, 64, 0);
    lru(LRU_HASH);
    lru(LRU_PERCPU_HASH);
    lpm();
    queues();
    bloom();
    maps_in_maps();
    access_flags();
    for_each();
    return report();
}
