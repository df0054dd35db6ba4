using System.IO.Compression;
using System.Text;
using BpfPpcc.Bpf;
using BpfPpcc.Diagnostics;
using BpfPpcc.Elf;
using BpfPpcc.Loading;
using Xunit;

namespace BpfPpcc.Tests.Loading;

/// <summary>What an object needs from elsewhere: kernel configuration, kernel symbols, library functions; and what it offers.</summary>
public sealed class ExternTests
{
    private const string Prologue = """
        #define SEC(n) __attribute__((section(n), used))
        #define __kconfig SEC(".kconfig")
        #define __ksym SEC(".ksyms")
        #define __weak __attribute__((weak))
        #define __hidden __attribute__((visibility("hidden")))
        typedef unsigned int u32; typedef unsigned long long u64;
        enum libbpf_tristate { TRI_NO, TRI_YES, TRI_MODULE };

        """;

    private const string Variables = Prologue + """
        extern int CONFIG_HZ __kconfig; extern _Bool CONFIG_BPF __kconfig; extern _Bool CONFIG_OFF __kconfig;
        extern enum libbpf_tristate CONFIG_MODULE __kconfig; extern char CONFIG_CHAR __kconfig; extern const char CONFIG_NAME[8] __kconfig;
        extern u64 CONFIG_HEX __kconfig; extern short CONFIG_MINUS __kconfig; extern int CONFIG_ABSENT __kconfig __weak;
        extern u32 LINUX_KERNEL_VERSION __kconfig; extern _Bool LINUX_HAS_SYSCALL_WRAPPER __kconfig; extern _Bool LINUX_HAS_BPF_COOKIE __kconfig;
        SEC("xdp") long prog(void *c) { return CONFIG_HZ + CONFIG_BPF + CONFIG_OFF + CONFIG_MODULE + CONFIG_CHAR + CONFIG_NAME[1] + CONFIG_HEX
            + CONFIG_MINUS + CONFIG_ABSENT + LINUX_KERNEL_VERSION + LINUX_HAS_SYSCALL_WRAPPER + LINUX_HAS_BPF_COOKIE; }
        """;

    private const string Config = """
        #
        # Automatically generated file; DO NOT EDIT.
        # Linux/powerpc 6.12.5-rc1 Kernel Configuration
        #
        CONFIG_HZ=250
        CONFIG_BPF=y
        CONFIG_OFF=n
        # CONFIG_ABSENT is not set
        CONFIG_MODULE=m
        CONFIG_CHAR=y
        CONFIG_NAME="abcdefghijk"
        CONFIG_HEX=0xdead000000000000
        CONFIG_MINUS=-3
        CONFIG_ARCH_HAS_SYSCALL_WRAPPER=y

        """;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Configuration_variables_have_the_values_of_the_file(bool isCompressed)
    {
        BpfModule module = LoadWith(Variables, isCompressed ? Compress(Config) : Encoding.UTF8.GetBytes(Config));
        BpfDataSection section = Assert.Single(module.DataSections, s => s.Name == ".kconfig");
        Assert.True(section.IsReadOnly);
        Assert.Equal(250, BitConverter.ToInt32(Value(section, "CONFIG_HZ")));
        Assert.Equal([1], Value(section, "CONFIG_BPF"));
        Assert.Equal([0], Value(section, "CONFIG_OFF"));
        Assert.Equal(2, BitConverter.ToInt32(Value(section, "CONFIG_MODULE")));
        Assert.Equal("y"u8.ToArray(), Value(section, "CONFIG_CHAR"));
        Assert.Equal("abcdefg\0"u8.ToArray(), Value(section, "CONFIG_NAME"));
        Assert.Equal(0xdead000000000000, BitConverter.ToUInt64(Value(section, "CONFIG_HEX")));
        Assert.Equal(-3, BitConverter.ToInt16(Value(section, "CONFIG_MINUS")));
        Assert.Equal(0, BitConverter.ToInt32(Value(section, "CONFIG_ABSENT")));
        Assert.Equal(6 << 16 | 12 << 8 | 5, BitConverter.ToInt32(Value(section, "LINUX_KERNEL_VERSION")));
        Assert.Equal([1], Value(section, "LINUX_HAS_SYSCALL_WRAPPER"));
        Assert.Equal([0], Value(section, "LINUX_HAS_BPF_COOKIE"));
        Assert.Equal(12, module.Function("prog").References.Values.OfType<BpfReference.DataAddress>().Count(r => r.Section == section.Index));
    }

    [Fact]
    public void Definitions_count_before_the_file()
    {
        BpfModule module = LoadWith(Variables, Encoding.UTF8.GetBytes(Config), ("CONFIG_HZ", "1000"), ("CONFIG_BPF", "n"), ("LINUX_HAS_BPF_COOKIE", "y"));
        BpfDataSection section = module.DataSections.Single(s => s.Name == ".kconfig");
        Assert.Equal(1000, BitConverter.ToInt32(Value(section, "CONFIG_HZ")));
        Assert.Equal([0, 1], [.. Value(section, "CONFIG_BPF"), .. Value(section, "LINUX_HAS_BPF_COOKIE")]);
    }

    [Theory]
    [InlineData("int", "y")]
    [InlineData("_Bool", "m")]
    [InlineData("_Bool", "1")]
    [InlineData("unsigned char", "300")]
    [InlineData("short", "40000")]
    [InlineData("int", "\"text\"")]
    [InlineData("int", "12x")]
    [InlineData("struct { int a; }", "1")]
    public void Values_that_do_not_fit_are_refused(string type, string value)
    {
        byte[] bytes = Toolchain.CompileBpf($"{Prologue}typedef {type} type; extern type CONFIG_X __kconfig; SEC(\"xdp\") long prog(void *c) {{ return *(char *)&CONFIG_X; }}");
        var diagnostics = new DiagnosticBag();
        Assert.True(KernelConfiguration.Empty.TryDefine([("CONFIG_X", value)], diagnostics, out KernelConfiguration configuration));
        Assert.Null(ObjectLoader.Load(bytes, "test.o", new LoaderOptions { Configuration = configuration }, diagnostics));
        Assert.Equal(DiagnosticId.ConfigurationMalformed, Assert.Single(diagnostics.Diagnostics).Id);
    }

    [Fact]
    public void Branches_on_configuration_make_poison_unreachable()
    {
        byte[] program = Toolchain.CompileBpf(Prologue + """
            extern _Bool CONFIG_NEW __kconfig;
            struct s { int there, gone; } __attribute__((preserve_access_index));
            SEC("kprobe/f") long prog(void *c) { struct s *s = c; return CONFIG_NEW ? s->gone : s->there; }
            """);
        var target = new NamedFile("t", Toolchain.CompileBpf(Prologue + "struct s { int there; } *s; SEC(\"x\") int f(void *c) { return s->there; }"));
        foreach (string value in new[] { "n", "y" })
        {
            var options = new CompilerOptions { NoVerify = true, TargetBtf = target, Definitions = [("CONFIG_NEW", value)] };
            CompilationResult result = Compiler.Compile(program, options);
            Assert.Equal(value == "n", result.Output is not null);
        }
    }

    [Fact]
    public void Kernel_symbols_and_weak_functions_stay_undefined_in_the_output()
    {
        ElfFile file = CompileToElf(Prologue + """
            extern const int typed __ksym; extern const void untyped __ksym; extern const int optional __ksym __weak;
            extern int kfunc(void *p, short x) __ksym; extern int weak_kfunc(int x) __ksym __weak;
            SEC("xdp") long prog(void *c) { return typed + (long)&untyped + (&optional ? optional : 0) + kfunc(c, *(int *)c) + (weak_kfunc ? weak_kfunc(1) : 0); }
            """);
        (string, byte)[] undefined = [.. file.Symbols.Where(s => s.IsUndefined && s.Name != ".TOC.").Select(s => (s.Name, s.Binding)).Order()];
        Assert.Equal(
            [("kfunc", ElfConstants.STB_GLOBAL), ("optional", ElfConstants.STB_WEAK), ("typed", ElfConstants.STB_GLOBAL),
                ("untyped", ElfConstants.STB_GLOBAL), ("weak_kfunc", ElfConstants.STB_WEAK)], undefined);
    }

    [Fact]
    public void Library_functions_have_the_prototypes_of_C()
    {
        BpfModule module = Objects.Load(Toolchain.CompileBpf(Prologue + """
            void *memcpy(void *, const void *, u64); void *memset(void *, int, u64); int memcmp(const void *, const void *, u64);
            SEC("xdp") long prog(void *c) { u64 n = *(u64 *)c; memset(c, *(char *)c, n); memcpy(c, c + 4, n); return memcmp(c, c + 8, n); }
            """, "v3", "-g0", "-fno-builtin"));
        Dictionary<string, BpfReference.ExternCall> calls = module.Function("prog").References.Values.OfType<BpfReference.ExternCall>().ToDictionary(c => c.Name);
        Assert.Equal(new BpfScalar(4, IsSigned: true), calls["memset"].Prototype!.Parameters[1]);
        Assert.Equal(new BpfScalar(4, IsSigned: true), calls["memcmp"].Prototype!.Result);
        Assert.Equal([8, 8, 8], calls["memcpy"].Prototype!.Parameters.Select(p => p.Bytes));
    }

    [Fact]
    public void Aliases_weak_and_hidden_functions_are_exported_as_such()
    {
        ElfFile file = CompileToElf(Prologue + """
            SEC("xdp") long prog(void *c) { return *(int *)c; }
            long other(void *c) __attribute__((alias("prog")));
            __hidden __attribute__((noinline)) int hidden(int x) { asm volatile(""); return x; }
            __weak __attribute__((noinline)) int weak(int x) { asm volatile(""); return x; }
            SEC("tc") long second(int *c) { return hidden(*c) + weak(*c); }
            """);
        ElfSymbol Symbol(string name) => Assert.Single(file.Symbols, s => s.Name == name);
        Assert.Equal((Symbol("prog").Value, Symbol("prog").Size), (Symbol("other").Value, Symbol("other").Size));
        Assert.Equal(ElfConstants.STB_GLOBAL, Symbol("other").Binding);
        Assert.Equal(ElfConstants.STV_HIDDEN, Symbol("hidden").Visibility);
        Assert.Equal(ElfConstants.STB_WEAK, Symbol("weak").Binding);
    }

    [Theory]
    [InlineData(".struct_ops")]
    [InlineData(".struct_ops.link")]
    public void Struct_ops_are_data_with_addresses_of_programs(string section)
    {
        BpfModule module = Objects.Load(Toolchain.CompileBpf(Prologue + $$"""
            struct ops { int flags; long (*first)(void *); long (*second)(void *); char name[8]; };
            SEC("struct_ops/first") long first(void *c) { return 1; }
            SEC("struct_ops/second") long second(void *c) { return 2; }
            SEC("{{section}}") struct ops ops = { 5, first, second, "mine" };
            """));
        BpfDataSection data = Assert.Single(module.DataSections);
        Assert.Equal(
            [(8L, module.Function("first").Index), (16L, module.Function("second").Index)],
            data.Relocations.Select(r => (r.Offset, Assert.IsType<BpfReference.FunctionAddress>(r.Target).Function)));
        Assert.All(module.Functions, f => Assert.Equal((BpfProgramType.STRUCT_OPS, BpfFunctionRole.Program), (f.ProgramType, f.Role)));
    }

    [Fact]
    public void Arena_variables_are_refused_by_name()
    {
        byte[] bytes = Toolchain.CompileBpf(Prologue + """
            __attribute__((address_space(1))) int counter;
            SEC("xdp") long prog(void *c) { return counter++; }
            """);
        CompilationResult result = Compiler.Compile(bytes, new CompilerOptions { NoVerify = true });
        Assert.Contains(result.Diagnostics, d => d.Id == DiagnosticId.ArenaUnsupported && d.Message.Contains("'counter'", StringComparison.Ordinal));
    }

    private static BpfModule LoadWith(string source, byte[] config, params (string, string)[] definitions)
    {
        var diagnostics = new DiagnosticBag();
        Assert.True(KernelConfiguration.TryRead(config, "config", diagnostics, out KernelConfiguration configuration));
        Assert.True(configuration.TryDefine([.. definitions], diagnostics, out configuration));
        BpfModule? module = ObjectLoader.Load(Toolchain.CompileBpf(source), "test.o", new LoaderOptions { Configuration = configuration }, diagnostics);
        Assert.True(module is not null, string.Join("\n", diagnostics.Diagnostics.Select(d => d.Message)));
        return module;
    }

    private static byte[] Value(BpfDataSection section, string name)
    {
        BpfVariable variable = Assert.Single(section.Variables, v => v.Name == name);
        return [.. section.Contents.AsSpan((int)variable.Offset, (int)variable.Size)];
    }

    private static byte[] Compress(string text)
    {
        using var bytes = new MemoryStream();
        using (var gzip = new GZipStream(bytes, CompressionLevel.Optimal))
            gzip.Write(Encoding.UTF8.GetBytes(text));
        return bytes.ToArray();
    }

    private static ElfFile CompileToElf(string source)
    {
        CompilationResult result = Compiler.Compile(Toolchain.CompileBpf(source), new CompilerOptions { NoVerify = true });
        Assert.True(result.Output is not null, string.Join("\n", result.Diagnostics.Select(d => d.Message)));
        Assert.True(ElfReader.TryRead(result.Output, "out.o", new DiagnosticBag(), out ElfFile? file));
        return file!;
    }
}
