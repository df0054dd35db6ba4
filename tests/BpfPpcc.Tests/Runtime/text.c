/* Helpers about strings: formats against printf where that says the same, numbers, comparisons, and memory that is not there. */
#define _GNU_SOURCE
#include "check.h"

#include <inttypes.h>
#include <sys/mman.h>

static char printed[2048];
static unsigned n_printed;
static void on_print(const char *text)
{
    n_printed++;
    snprintf(printed, sizeof printed, "%s", text);
}

static char text[128];
#define FORMAT(...) FORMAT_(__VA_ARGS__, 0)
#define FORMAT_(format, ...) \
    __extension__({ \
        const uint64_t words[] = { __VA_ARGS__ }; \
        (int64_t)HELPER(snprintf, text, sizeof text, format, words, sizeof words - 8); \
    })

static void formats(void)
{
    EQUAL(FORMAT("plain"), 6);
    TEXT(text, "plain");
    EQUAL(FORMAT("%d %i %u %x %X", (uint64_t)-5, 0x1fffffffeULL, (uint64_t)-1, 0xabcdef, 0xabcdef), 31);
    TEXT(text, "-5 -2 4294967295 abcdef ABCDEF");
    FORMAT("%ld %lld %lu %llu %lx %llX", (uint64_t)-5, (uint64_t)INT64_MIN, UINT64_MAX, 1, UINT64_MAX, 0xabc);
    TEXT(text, "-5 -9223372036854775808 18446744073709551615 1 ffffffffffffffff ABC");
    FORMAT("[%5d|%-5d|%05d|%+d|% d]", 42, 42, 42, 42, 42);
    TEXT(text, "[   42|42   |00042|+42| 42]");
    FORMAT("%c%c%%%3c|", 'a', 'b', 'c');
    TEXT(text, "ab%  c|");
    FORMAT("%s %8s %-4s.", (uintptr_t)"abc", (uintptr_t)"right", (uintptr_t)"l");
    TEXT(text, "abc    right l   .");
    FORMAT("%pks %pus", (uintptr_t)"kernel", (uintptr_t)"user");
    TEXT(text, "kernel user");
    FORMAT("%px %p, %ps", 0x1234, 0xabc, 0xdef);
    TEXT(text, "1234 abc, def");
    const unsigned char v4[] = { 192, 0, 2, 7 }, v6[] = { 0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 };
    FORMAT("%pI4 %pi4", (uintptr_t)v4, (uintptr_t)v4);
    TEXT(text, "192.0.2.7 192.000.002.007");
    FORMAT("%pI6 %pi6", (uintptr_t)v6, (uintptr_t)v6);
    TEXT(text, "2001:0db8:0000:0000:0000:0000:0000:0001 20010db8000000000000000000000001");
    FORMAT("%s.", 8);                                   /* an address that is none */
    TEXT(text, ".");

    static const char *const wrong[] = { "%", "%q", "%hd", "%llld", "%lc", "%pI5", "%pkx", "%pZ", "%f", "\x01", "caf\xc3\xa9", "%5", "%n", "%*d" };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        EQUAL(FORMAT(wrong[i], 1), -EINVAL);
    EQUAL(FORMAT("%d %d", 1), -EINVAL);                 /* too few arguments */
    uint64_t words[13] = { 0 };
    EQUAL(HELPER(snprintf, text, sizeof text, "x", words, 7), -EINVAL);
    EQUAL(HELPER(snprintf, text, sizeof text, "x", words, 13 * 8), -EINVAL);
    EQUAL(HELPER(snprintf, text, sizeof text, "x", NULL, 8), -EINVAL);
    EQUAL(HELPER(snprintf, text, sizeof text, "x", NULL, 0), 2);

    memset(text, '#', sizeof text);
    EQUAL(HELPER(snprintf, text, 4, "abcdef", NULL, 0), 7);            /* what it would have been */
    CHECK(!memcmp(text, "abc\0#", 5));
    EQUAL(HELPER(snprintf, text, 0, "abcdef", NULL, 0), 7);
    CHECK(text[0] == 'a');
}

static void tracing(void)
{
    EQUAL(HELPER(trace_printk, "%d %s %lx\n", 11, 5, "five", 0x55), 9 + 1);
    TEXT(printed, "5 five 55\n");
    EQUAL(HELPER(trace_printk, "abc", 3, 0, 0, 0), -EINVAL);           /* no NUL at its end */
    EQUAL(HELPER(trace_printk, "%d%d%d%d", 9, 0, 0, 0), -EINVAL);
    EQUAL(HELPER(trace_printk, "", 0, 0, 0, 0), -EINVAL);
    const uint64_t words[] = { 1, 2, 3, 4 };
    EQUAL(HELPER(trace_vprintk, "%d%d%d%d", 9, words, sizeof words), 4);
    TEXT(printed, "1234");
}

static void numbers(void)
{
    int64_t number;
    uint64_t natural;
#define STRTOL(string, flags) (number = 4711, (int64_t)HELPER(strtol, string, strlen(string), flags, &number))
#define STRTOUL(string, flags) (natural = 4711, (int64_t)HELPER(strtoul, string, strlen(string), flags, &natural))
    EQUAL(STRTOL("123", 0), 3);
    EQUAL(number, 123);
    EQUAL(STRTOL(" \t-123 rest", 10), 6);
    EQUAL(number, -123);
    EQUAL(STRTOL("0x1F", 0), 4);
    EQUAL(number, 31);
    EQUAL(STRTOL("0x1F", 16), 4);
    EQUAL(STRTOL("1f", 16), 2);
    EQUAL(number, 31);
    EQUAL(STRTOL("0x", 0), 1);                          /* an octal 0, and the x left */
    EQUAL(number, 0);
    EQUAL(STRTOL("0x", 16), -EINVAL);
    EQUAL(STRTOL("0755", 0), 4);
    EQUAL(number, 493);
    EQUAL(STRTOL("0789", 0), 2);
    EQUAL(STRTOL("9", 8), -EINVAL);
    EQUAL(number, 0);
    EQUAL(STRTOL("9223372036854775807", 10), 19);
    EQUAL(number, INT64_MAX);
    EQUAL(STRTOL("9223372036854775808", 10), -ERANGE);
    EQUAL(STRTOL("-9223372036854775808", 10), 20);
    EQUAL(number, INT64_MIN);
    EQUAL(STRTOL("-9223372036854775809", 10), -ERANGE);
    EQUAL(STRTOL("+1", 10), -EINVAL);
    EQUAL(STRTOL("", 10), -EINVAL);
    EQUAL(STRTOL("  ", 10), -EINVAL);
    EQUAL(STRTOL("-", 10), -EINVAL);
    EQUAL(STRTOL("1", 2), -EINVAL);
    EQUAL(STRTOL("1", 32), -EINVAL);
    EQUAL(STRTOUL("18446744073709551615", 10), 20);
    EQUAL(natural, UINT64_MAX);
    EQUAL(STRTOUL("18446744073709551616", 10), -ERANGE);
    EQUAL(STRTOUL("-1", 10), -EINVAL);
    EQUAL(HELPER(strtoul, "1234", 2, 10, &natural), 2); /* its length, not a NUL, ends it */
    EQUAL(natural, 12);
    for (int i = 0; i < 1000; i++) {                    /* against the C library, where the rules agree */
        char string[40];
        uint64_t value = (uint64_t)chance(UINT32_MAX) << chance(33);
        snprintf(string, sizeof string, i % 3 ? i % 3 == 1 ? "%" PRIu64 : "0x%" PRIx64 : "0%" PRIo64, value);
        EQUAL(STRTOUL(string, 0), strlen(string));
        EQUAL(natural, strtoull(string, NULL, 0));
    }
}

static void comparisons(void)
{
    EQUAL(HELPER(strncmp, "abc", 3, "abc"), 0);
    EQUAL(HELPER(strncmp, "abc", 4, "abd"), -1);
    EQUAL(HELPER(strncmp, "abd", 2, "abc"), 0);
    EQUAL(HELPER(strncmp, "\xff", 2, "a"), 1);
    EQUAL(HELPER(strncmp, "ab\0x", 5, "ab\0y"), 0);
}

/* Two pages, of which the second is gone. */
static void memory_that_is_not_there(void)
{
    size_t page = 65536;
    char *pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), out[64];
    CHECK(pages != MAP_FAILED);
    strcpy(pages + page - 4, "end");
    CHECK(munmap(pages + page, page) == 0);
    uint64_t end = (uintptr_t)pages + page, value = 1;

    EQUAL(HELPER(probe_read, out, 4, end - 4), 0);
    TEXT(out, "end");
    memset(out, '#', sizeof out);
    EQUAL(HELPER(probe_read_kernel, out, 8, end - 4), -EFAULT);
    CHECK(!memcmp(out, "\0\0\0\0\0\0\0\0#", 9));
    EQUAL(HELPER(probe_read_user, out, 0x100000008ULL, end), -EFAULT); /* the size is 32 bits wide */
    EQUAL(HELPER(probe_read, out, 0, 0), 0);
    EQUAL(HELPER(probe_read, out, 1, 0), -EFAULT);
    EQUAL(HELPER(probe_read, out, 16, UINT64_MAX - 4), -EFAULT);
    EQUAL(HELPER(copy_from_user, out, 3, end - 3), 0);
    EQUAL(HELPER(probe_load, &value, 8, end - 7), -EFAULT);
    EQUAL(value, 0);
    EQUAL(HELPER(probe_load, &value, 2, "\1\1"), 0);
    CHECK(!memcmp(&value, "\1\1", 2));

    EQUAL(HELPER(probe_read_str, out, sizeof out, end - 4), 4);
    TEXT(out, "end");
    EQUAL(HELPER(probe_read_user_str, out, 3, end - 4), 3);            /* cut off, but with a NUL */
    TEXT(out, "en");
    pages[page - 1] = '!';
    EQUAL(HELPER(probe_read_kernel_str, out, sizeof out, end - 4), -EFAULT);
    TEXT(out, "");
    EQUAL(HELPER(probe_read_str, out, 4, end - 4), 4);
    TEXT(out, "end");
    EQUAL(HELPER(probe_read_str, out, 0, end), 0);
    munmap(pages, page);
}

int main(void)
{
    bpfppcc_hooks.print = on_print;
    formats();
    tracing();
    numbers();
    comparisons();
    memory_that_is_not_there();
    return report();
}
