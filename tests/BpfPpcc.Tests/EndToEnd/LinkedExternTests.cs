using BpfPpcc.Tests.Loading;
using Xunit;

namespace BpfPpcc.Tests.EndToEnd;

/// <summary>What an object takes from others and offers to them, linked with a host in C and run.</summary>
public sealed class LinkedExternTests
{
    private const string Program = """
        #define SEC(n) __attribute__((section(n), used))
        typedef unsigned long u64;
        void *memcpy(void *, const void *, u64); void *memmove(void *, const void *, u64); void *memset(void *, int, u64);
        int memcmp(const void *, const void *, u64);
        extern int CONFIG_HZ SEC(".kconfig");
        extern int host_value SEC(".ksyms"); extern int host_function(signed char x, unsigned short y) SEC(".ksyms");
        extern int absent __attribute__((weak)) SEC(".ksyms"); extern int absent_function(int x) __attribute__((weak)) SEC(".ksyms");
        struct layout { int first; long second; } __attribute__((preserve_access_index));

        SEC("syscall") long fill(unsigned char *c) { u64 n = c[1]; memset(c + 2, *(int *)(c + 4) >> 24, n); memmove(c + 3, c + 2, n); memcpy(c + 20, c, n); return c[2 + n]; }
        SEC("syscall") long compare(unsigned char *c) { u64 n = c[0]; return memcmp(c + 1, c + 5, n) < 0 ? -1L : memcmp(c + 1, c + 5, n); }
        SEC("syscall") long configured(void *c) { return CONFIG_HZ; }
        SEC("syscall") long external(int *c) { return host_value + host_function(c[0], c[1]); }
        SEC("syscall") long weak(void *c) { return (&absent ? absent : 3) + (absent_function ? absent_function(1) : 40); }
        SEC("syscall") long relocated(void *c) { struct layout *l = c; return l->second; }
        long also(void *c) __attribute__((alias("configured")));

        struct ops { int flags; long (*first)(void *); long (*second)(void *); };
        SEC("struct_ops/first") long first(void *c) { return *(int *)c + 1; }
        SEC("struct_ops/second") long second(void *c) { return *(int *)c + 2; }
        SEC(".struct_ops") struct ops ops = { 5, first, second };
        """;

    private const string Target = """
        struct layout { long second; int third[3]; int first; } *l;
        __attribute__((section("x"), used)) int f(void *c) { return l->first; }
        """;

    private const string Host = """
        #include <stdio.h>
        #include <string.h>
        long fill(void *), compare(void *), configured(void *), external(void *), weak(void *), relocated(void *), also(void *);
        extern struct { int flags; long (*first)(void *); long (*second)(void *); } ops;
        int host_value = 1000;
        int host_function(signed char x, unsigned short y) { return x * 2 + y; }
        int main(void)
        {
            unsigned char bytes[64] = { 0, 9, 0, 0, 0, 0, 0, 0xab };
            long filled = fill(bytes);
            printf("%lx %x %x %x\n", filled, bytes[2], bytes[11], bytes[27]);
            unsigned char pair[16] = { 4, 1, 2, 3, 4, 1, 2, 3, 5 };
            printf("%ld ", compare(pair));
            pair[8] = 4;
            printf("%ld ", compare(pair));
            pair[8] = 3;
            printf("%d\n", compare(pair) > 0);
            int numbers[2] = { 0x1ff, 0x12345 };
            printf("%ld %ld %ld %ld\n", configured(0), also(0), external(numbers), weak(0));
            long words[4] = { 77, 88, 99 };
            int context = 5;
            printf("%ld %d %ld %ld\n", relocated(words), ops.flags, ops.first(&context), ops.second(&context));
            return 0;
        }
        """;

    [Fact]
    public void Externs_tables_and_relocated_accesses_work_when_linked_and_run()
    {
        string gcc = Tools.Require("powerpc64le-linux-gnu-gcc"), qemu = Tools.Require("qemu-ppc64le");
        var options = new CompilerOptions
        {
            NoVerify = true,
            Definitions = [("CONFIG_HZ", "250")],
            TargetBtf = new NamedFile("target.o", Toolchain.CompileBpf(Target)),
        };
        CompilationResult result = Compiler.Compile(Toolchain.CompileBpf(Program, "v3", "-fno-builtin"), options);
        Assert.True(result.Output is not null, string.Join("\n", result.Diagnostics.Select(d => d.Message)));
        using var directory = new TemporaryDirectory();
        string compiled = directory.Write("program.o", result.Output), host = directory.File("host.c"), linked = directory.File("host");
        File.WriteAllText(host, Host);
        Tools.RunChecked(gcc, ["-O1", "-Wall", "-Werror", "-static", "-o", linked, host, compiled]);
        // -1 * 2 + 0x2345: the arguments are narrowed as their types say.
        Assert.Equal("ab ab ab ab\n-1 0 1\n250 250 10027 43\n77 5 6 7\n", Tools.RunChecked(qemu, [linked]));
    }
}
