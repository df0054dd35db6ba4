/* One program for each way in which CO-RE relocates; see target.c for the types that they are relocated with. */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#define core __attribute__((preserve_access_index))
#define offset_of(field) __builtin_preserve_field_info(field, 0)
#define size_of(field) __builtin_preserve_field_info(field, 1)
#define exists(field) __builtin_preserve_field_info(field, 2)
#define is_signed(field) __builtin_preserve_field_info(field, 3)
#define left_shift(field) __builtin_preserve_field_info(field, 4)
#define right_shift(field) __builtin_preserve_field_info(field, 5)
#define local_id(type) __builtin_btf_type_id(*(type *)0, 0)
#define target_id(type) __builtin_btf_type_id(*(type *)0, 1)
#define type_exists(type) __builtin_preserve_type_info(*(type *)0, 0)
#define type_size(type) __builtin_preserve_type_info(*(type *)0, 1)
#define type_matches(type) __builtin_preserve_type_info(*(type *)0, 2)
#define value_exists(type, value) __builtin_preserve_enum_value(*(type *)value, 0)
#define value_of(type, value) __builtin_preserve_enum_value(*(type *)value, 1)
#define program(name, expression) \
	__attribute__((section("socket"), used)) long name(void *context) \
	{ \
		struct record *r = context; \
		struct record___flavor *f = context; \
		union choice *u = context; \
		anonymous_t *n = context; \
		struct missing *m = context; \
		struct pair *p = context; \
		return (long)(expression); \
	}

struct inner { u64 third; u32 second; } core;
struct record {
	int same_size;
	u32 widened;
	u32 narrowed;
	int signed_widened;
	struct inner nested[4];
	struct record *pointer;
	u8 deep;
	int bits : 9;
	u32 before : 3;
	u64 long_bits : 33;
	int gone;
	_Bool flag;
	double real;
	char *text;
	struct inner tail[];
} core;
struct record___flavor { int same_size; long not_there; } core;
union choice { struct inner c; u32 b; } core;
typedef struct { u32 member; } core anonymous_t;
typedef u64 number_t;
struct missing { int field; } core;
union other_kind { int value; } core;
enum colour { RED = 1, GREEN = 2, YELLOW = 3 };
enum colour___old { BLUE___old = 3 };
enum wide { HUGE = 0x100000000ULL, SMALL = 1 };
enum sign { MINUS = -1, PLUS = 1 };
enum unknown { SOMETHING = 4 };
struct matching { u64 c; struct inner *link; } core;
struct mismatching { u32 a; struct inner *link; } core;
struct pair { u8 x; u8 y; } core;

program(offset_same, r->same_size)
program(offset_wider, r->widened)
program(offset_narrower, r->narrowed)
program(offset_signed_wider, r->signed_widened)
program(offset_nested, r->nested[2].third)
program(offset_array, r->nested[1].second)
program(offset_beyond, r->nested[3].second)
program(offset_pointer, r->pointer)
program(offset_deep, r->deep)
program(offset_gone, r->gone)
program(offset_flavor, f->same_size)
program(offset_flavor_gone, f->not_there)
program(offset_union, u->b)
program(offset_union_nested, u->c.second)
program(offset_typedef, n->member)
program(offset_missing, m->field)
program(offset_flexible, r->tail[2].second)
program(offset_root, p[3].y)
program(offset_text, r->text)
program(number_offset, offset_of(r->deep))
program(number_offset_bits, offset_of(r->bits))
program(number_offset_long_bits, offset_of(r->long_bits))
program(number_size, size_of(r->widened))
program(number_size_array, size_of(r->nested))
program(number_size_element, size_of(r->nested[1]))
program(number_size_bits, size_of(r->bits))
program(number_exists, exists(r->deep))
program(number_exists_not, exists(r->gone))
program(number_exists_kind, exists(r->real))
program(number_exists_missing, exists(m->field))
program(number_exists_beyond, exists(r->nested[3]))
program(number_signed, is_signed(r->same_size))
program(number_signed_bits, is_signed(r->bits))
program(number_unsigned, is_signed(r->before))
program(number_left_shift, left_shift(r->bits))
program(number_left_shift_long, left_shift(r->long_bits))
program(number_right_shift, right_shift(r->bits))
program(number_right_shift_long, right_shift(r->long_bits))
program(number_right_shift_whole, right_shift(r->narrowed))
program(number_target_id, target_id(struct record))
program(number_target_id_missing, target_id(struct missing))
program(number_local_id, local_id(struct record))
program(number_type_exists, type_exists(struct inner))
program(number_type_exists_not, type_exists(struct missing))
program(number_type_exists_kind, type_exists(union other_kind))
program(number_type_exists_typedef, type_exists(number_t))
program(number_type_size, type_size(struct inner))
program(number_type_size_missing, type_size(struct missing))
program(number_type_size_typedef, type_size(anonymous_t))
program(number_matches, type_matches(struct matching))
program(number_matches_not, type_matches(struct mismatching))
program(number_matches_enum, type_matches(enum sign))
program(number_matches_enum_not, type_matches(enum colour))
program(number_enum, value_of(enum colour, RED))
program(number_enum_flavor, value_of(enum colour___old, BLUE___old))
program(number_enum_gone, value_of(enum colour, YELLOW))
program(number_enum_negative, value_of(enum sign, MINUS))
program(number_enum_wide, value_of(enum wide, HUGE))
program(number_enum_exists, value_exists(enum colour, GREEN))
program(number_enum_exists_not, value_exists(enum colour, YELLOW))
program(number_enum_exists_missing, value_exists(enum unknown, SOMETHING))

__attribute__((section("socket"), used)) long store(struct record *r)
{
	r->same_size = 5;
	r->widened = (u32)(long)r;
	r->deep = 1;
	return 0;
}

__attribute__((section("socket"), used)) long guarded(struct record *r, struct missing *m)
{
	long sum = 0;
	if (exists(r->gone))
		sum += r->gone;
	if (type_exists(struct missing))
		sum += m->field;
	if (value_exists(enum colour, YELLOW))
		sum += value_of(enum colour, YELLOW);
	return sum;
}

__attribute__((noinline)) static long helper(struct record *r)
{
	asm volatile("");
	return r->deep;
}

__attribute__((section("socket"), used)) long with_subprogram(struct record *r)
{
	return helper(r) + helper(r->pointer);
}
