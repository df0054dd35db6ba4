/* The target's types: what program.bpf.c was compiled with has changed in every way that CO-RE knows. */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

struct inner {
	u32 first;
	u32 second;
	u64 third;
};

struct record {
	u64 new_field;
	int same_size;
	union {
		struct {
			u64 widened;
			u16 narrowed;
		};
		u8 raw[32];
	};
	long long signed_widened;
	struct inner nested[3];
	struct record *pointer;
	struct {
		struct {
			u8 deep;
		};
	};
	u32 before : 5;
	int bits : 7;
	u64 long_bits : 40;
	_Bool flag;
	float real;
	const volatile char *text;
	struct inner tail[];
};

struct other_kind { int value; };
union choice { u64 a; u32 b; struct inner c; };
typedef struct { u8 padding[12]; u32 member; } anonymous_t;
typedef u64 number_t;
enum colour { BLUE = 7, RED = 70000, GREEN = 9 };
enum wide { HUGE = 0x7000000000000000ULL, SMALL = 3 };
enum sign { MINUS = -5, PLUS = 5 };
struct matching { u32 a; struct inner *link; u64 c; int extra; };
struct mismatching { u32 a; u64 link; };
struct pair { u8 x; u8 y; };

struct record *record;
struct other_kind *other_kind;
union choice *choice;
anonymous_t *anonymous;
number_t *number;
enum colour *colour;
enum wide *wide;
enum sign *sign;
struct matching *matching;
struct mismatching *mismatching;
struct pair *pair;

__attribute__((section("socket"))) int use(void *context)
{
	return record->same_size + other_kind->value + (int)choice->a + anonymous->member + (int)*number + *colour + (int)*wide + *sign
		+ matching->extra + (int)mismatching->link + pair->x;
}
