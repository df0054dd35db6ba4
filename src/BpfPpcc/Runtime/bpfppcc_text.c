/*
 * bpfppcc_text.c - helpers about strings: bpf_snprintf, bpf_trace_printk, bpf_trace_vprintk, bpf_strtol, bpf_strtoul, bpf_strncmp.
 *
 * Formats are those that BPF allows: %d %i %u %x %X with l or ll, %c, %s, %p %px %pK (hexadecimal here), %ps %pS %pB (no symbols here:
 * hexadecimal), %pks %pus (strings), %pi4 %pI4 %pi6 %pI6 (addresses of 4 or 16 bytes), %%, each with flags and width. Everything else is
 * -EINVAL. Every argument is one 64-bit word.
 */
#include "bpfppcc_rt.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>

enum { LONGEST_STRING = 512, SPEC_ROOM = 16 };

/* Text as it grows: what does not fit is counted and dropped. */
struct output {
    char *text;
    size_t room;
    size_t length;
};

static void put(struct output *output, const char *text, size_t length)
{
    if (output->length < output->room) {
        size_t fits = output->room - output->length;
        memcpy(output->text + output->length, text, length < fits ? length : fits);
    }
    output->length += length;
}

struct arguments {
    const uint64_t *words;
    uint32_t count;
    uint32_t used;
};

static bool next_word(struct arguments *arguments, uint64_t *word)
{
    if (arguments->used == arguments->count)
        return false;
    memcpy(word, arguments->words + arguments->used++, sizeof *word);
    return true;
}

/* `flags`: what stands between '%' and the letter, without a length. */
static void put_number(struct output *output, const char *flags, uint64_t word, char letter, bool is_long)
{
    char spec[SPEC_ROOM + 8], text[128];
    bool is_signed = letter == 'd' || letter == 'i';
    if (!is_long)
        word = is_signed ? (uint64_t)(int64_t)(int32_t)word : (uint32_t)word;
    snprintf(spec, sizeof spec, "%%%sll%c", flags, letter);
    int length = is_signed ? snprintf(text, sizeof text, spec, (long long)word) : snprintf(text, sizeof text, spec, (unsigned long long)word);
    put(output, text, (size_t)length);
}

static void put_string(struct output *output, const char *flags, const char *string)
{
    char spec[SPEC_ROOM + 8], text[LONGEST_STRING + 128];
    snprintf(spec, sizeof spec, "%%%ss", flags);
    int length = snprintf(text, sizeof text, spec, string);
    put(output, text, (size_t)length < sizeof text ? (size_t)length : sizeof text - 1);
}

static void put_string_at(struct output *output, const char *flags, uint64_t address)
{
    char string[LONGEST_STRING];
    put_string(output, flags, bpfppcc_rt_probe_string(string, address, sizeof string) < 0 ? "" : string);
}

static void put_ipv4(struct output *output, const unsigned char *bytes, bool is_padded)
{
    char text[32];
    int length = snprintf(text, sizeof text, is_padded ? "%03u.%03u.%03u.%03u" : "%u.%u.%u.%u", bytes[0], bytes[1], bytes[2], bytes[3]);
    put(output, text, (size_t)length);
}

/* %pI6: all eight groups with colons; %pi6: without. */
static void put_ipv6(struct output *output, const unsigned char *bytes, bool has_colons)
{
    char text[8];
    for (int i = 0; i < 8; i++) {
        int length = snprintf(text, sizeof text, "%02x%02x%s", bytes[2 * i], bytes[2 * i + 1], has_colons && i < 7 ? ":" : "");
        put(output, text, (size_t)length);
    }
}

/* %pI4, %pi4, %pI6, %pi6. Returns how many characters of the format were read, or -EINVAL. */
static int put_address(struct output *output, const char *format, uint64_t address)
{
    unsigned char bytes[16] = { 0 };
    size_t size = format[1] == '4' ? 4 : format[1] == '6' ? 16 : 0;
    if (!size)
        return -EINVAL;
    if (!bpfppcc_rt_probe(bytes, address, size))
        memset(bytes, 0, sizeof bytes);
    if (size == 4)
        put_ipv4(output, bytes, format[0] == 'i');
    else
        put_ipv6(output, bytes, format[0] == 'I');
    return 2;
}

/* What follows "%p". */
static int put_pointer(struct output *output, const char *flags, const char *format, uint64_t word)
{
    switch (*format) {
    case 'k':
    case 'u':
        if (format[1] != 's')
            return -EINVAL;
        put_string_at(output, flags, word);
        return 2;
    case 'I':
    case 'i':
        return put_address(output, format, word);
    case 'x':
    case 'K':
    case 's':
    case 'S':
    case 'B':
        put_number(output, flags, word, 'x', true);
        return 1;
    default:
        if (*format && !isspace((unsigned char)*format) && !ispunct((unsigned char)*format))
            return -EINVAL;
        put_number(output, flags, word, 'x', true);
        return 0;
    }
}

/* What follows '%' and is not another '%'. Returns how many characters of the format were read, or -EINVAL. */
static int put_conversion(struct output *output, const char *format, struct arguments *arguments)
{
    char flags[SPEC_ROOM] = "";
    size_t width = strspn(format, "0+- ");
    width += strspn(format + width, "0123456789");
    uint64_t word;
    /* A width that the text buffers could not hold is one that nobody means. */
    size_t digits = strspn(format + strspn(format, "0+- "), "0123456789");
    if (width >= sizeof flags || digits > 2 || !next_word(arguments, &word))
        return -EINVAL;
    memcpy(flags, format, width);

    const char *at = format + width;
    int longs = 0;
    switch (*at) {
    case 'p': {
        int read = put_pointer(output, flags, at + 1, word);
        return read < 0 ? read : (int)(at - format) + 1 + read;
    }
    case 's':
        put_string_at(output, flags, word);
        return (int)(at - format) + 1;
    case 'c': {
        const char text[2] = { (char)word, 0 };
        put_string(output, flags, text);
        return (int)(at - format) + 1;
    }
    }
    for (; *at == 'l' && longs < 2; at++)
        longs++;
    if (!*at || !strchr("diuxX", *at))
        return -EINVAL;
    put_number(output, flags, word, *at, longs > 0);
    return (int)(at - format) + 1;
}

/* Length of the whole text without a NUL, or -EINVAL. */
static int64_t format_text(struct output *output, const char *format, struct arguments *arguments)
{
    while (*format) {
        unsigned char c = (unsigned char)*format;
        if (c >= 0x80 || (!isprint(c) && !isspace(c)))
            return -EINVAL;
        if (c != '%' || format[1] == '%') {
            put(output, format, 1);
            format += c == '%' ? 2 : 1;
            continue;
        }
        int read = put_conversion(output, format + 1, arguments);
        if (read < 0)
            return read;
        format += 1 + read;
    }
    return (int64_t)output->length;
}

enum { MAX_WORDS = 12 };

static bool words_are_possible(const void *data, uint32_t size)
{
    return size % 8 == 0 && size / 8 <= MAX_WORDS && (!size || data);
}

HELPER(snprintf, text, size, format, data, data_size)
{
    uint32_t room = (uint32_t)size;
    if (!words_are_possible(pointer(data), (uint32_t)data_size))
        return result_of(-EINVAL);
    struct output output = { pointer(text), room ? room - 1 : 0, 0 };
    struct arguments arguments = { pointer(data), (uint32_t)data_size / 8, 0 };
    int64_t length = format_text(&output, pointer(format), &arguments);
    if (room)
        output.text[output.length < room ? output.length : room - 1] = 0;
    return result_of(length < 0 ? length : length + 1);
}

static int64_t trace(const char *format, uint32_t size, const uint64_t *words, uint32_t count)
{
    char text[1024];
    if (!size || format[size - 1])
        return -EINVAL;
    struct output output = { text, sizeof text - 1, 0 };
    struct arguments arguments = { words, count, 0 };
    int64_t length = format_text(&output, format, &arguments);
    if (length < 0)
        return length;
    if (output.length > output.room)
        output.length = output.room;
    text[output.length] = 0;
    bpfppcc_hooks.print(text);
    return (int64_t)output.length;
}

HELPER(trace_printk, format, size, a, b, c)
{
    const uint64_t words[] = { a, b, c };
    return result_of(trace(pointer(format), (uint32_t)size, words, 3));
}

HELPER(trace_vprintk, format, size, data, data_size, _5)
{
    if (!words_are_possible(pointer(data), (uint32_t)data_size))
        return result_of(-EINVAL);
    return result_of(trace(pointer(format), (uint32_t)size, pointer(data), (uint32_t)data_size / 8));
}

/* ---- numbers ---- */

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : 16;
}

struct text {
    const char *at;
    const char *end;
};

/* Base 0 asks the text: 0x and a digit is 16, 0 is 8, else 10. */
static unsigned skip_radix(struct text *text, unsigned base)
{
    bool has_prefix = text->end - text->at > 2 && text->at[0] == '0' && (text->at[1] | 0x20) == 'x' && digit_of(text->at[2]) < 16;
    if (!base)
        base = has_prefix ? 16 : text->at[0] == '0' ? 8 : 10;
    if (base == 16 && text->end - text->at > 1 && text->at[0] == '0' && (text->at[1] | 0x20) == 'x')
        text->at += 2;
    return base;
}

static int digits(struct text *text, unsigned base, uint64_t *value)
{
    const char *begin = text->at;
    bool overflows = false;
    *value = 0;
    for (; text->at < text->end && (unsigned)digit_of(*text->at) < base; text->at++)
        overflows |= __builtin_mul_overflow(*value, base, value) || __builtin_add_overflow(*value, (unsigned)digit_of(*text->at), value);
    if (text->at == begin)
        return -EINVAL;
    return overflows ? -ERANGE : 0;
}

/* Characters read, or a negative error. */
static int parse(const char *buffer, size_t size, uint64_t flags, uint64_t *value, bool *is_negative)
{
    enum { BASE_MASK = 0x1f, LONGEST_NUMBER = 63 };
    unsigned base = (unsigned)flags & BASE_MASK;
    *value = 0;
    *is_negative = false;
    if (!buffer || !size || (flags & ~(uint64_t)BASE_MASK) || (base != 0 && base != 8 && base != 10 && base != 16))
        return -EINVAL;
    struct text text = { buffer, buffer + size };
    while (text.at < text.end && isspace((unsigned char)*text.at))
        text.at++;
    *is_negative = text.at < text.end && *text.at == '-';
    text.at += *is_negative;
    if (text.at == text.end)
        return -EINVAL;
    if (text.end - text.at > LONGEST_NUMBER)
        text.end = text.at + LONGEST_NUMBER;
    int error = digits(&text, skip_radix(&text, base), value);
    return error ? error : (int)(text.at - buffer);
}

/* The number is 0 if there was none. */
static uint64_t store_number(void *to, int read, uint64_t value)
{
    if (read < 0)
        value = 0;
    memcpy(to, &value, sizeof value);
    return result_of(read);
}

HELPER(strtol, buffer, size, flags, to, _5)
{
    uint64_t value;
    bool is_negative;
    int read = parse(pointer(buffer), size, flags, &value, &is_negative);
    if (read > 0 && value > (uint64_t)INT64_MAX + is_negative)
        read = -ERANGE;
    return store_number(pointer(to), read, is_negative ? 0 - value : value);
}

HELPER(strtoul, buffer, size, flags, to, _5)
{
    uint64_t value;
    bool is_negative;
    int read = parse(pointer(buffer), size, flags, &value, &is_negative);
    if (read > 0 && is_negative)
        read = -EINVAL;
    return store_number(pointer(to), read, value);
}

HELPER(strncmp, first, size, second, _4, _5)
{
    const unsigned char *a = pointer(first), *b = pointer(second);
    for (uint32_t i = 0; i < (uint32_t)size; i++) {
        if (a[i] != b[i])
            return result_of(a[i] < b[i] ? -1 : 1);
        if (!a[i])
            break;
    }
    return 0;
}
