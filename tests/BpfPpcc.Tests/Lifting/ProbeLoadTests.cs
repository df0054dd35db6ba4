using System.Text.RegularExpressions;
using BpfPpcc.Diagnostics;
using BpfPpcc.Elf;
using BpfPpcc.Ir;
using BpfPpcc.Tests.Assembler;
using BpfPpcc.Tests.Loading;
using BpfPpcc.Tests.Ir;
using BpfPpcc.Tests.Verification.Walk;
using BpfPpcc.Verification;
using Xunit;

namespace BpfPpcc.Tests.Lifting;

/// <summary>Loads that Linux lets fault: through pointers to kernel objects that need not be there (object-abi.md, Helpers and externs).</summary>
public sealed class ProbeLoadTests
{
    private const string Program =
        """
        .program main section=fentry/hook type=TRACING attach=24 target=hook
        r6 = *(u64 *)(r1 + 0)
        r6 = *(u64 *)(r6 + 8)
        *(u64 *)(r10 - 8) = r6
        r7 = *(u32 *)(r6 + 0)
        r8 = *(s32 *)(r6 + 4)
        r7 += r8
        *(u64 *)(r10 - 16) = r7
        r0 = 0
        exit
        """;

    [Fact]
    public void Loads_of_objects_that_may_be_gone_call_the_runtime()
    {
        var btf = new BtfBytes();
        uint number = btf.Int("int", 4);
        uint task = btf.Struct("task", 16, ("pid", number, 0), ("tgid", number, 4), ("parent", 3, 8));
        btf.Function("hook", btf.Prototype(number, ("t", btf.Pointer(task))), linkage: 1);
        var diagnostics = new DiagnosticBag();
        VerifiedModule? verified = Verifier.Verify(
            BpfAssembler.Assemble(Program) with { TargetBtf = btf.Parse() }, new VerifierOptions(), diagnostics);
        Assert.True(verified is not null, string.Join('\n', diagnostics.Diagnostics.Select(static diagnostic => diagnostic.Message)));
        Assert.Equal([1, 3, 4], verified.Facts[0].ProbeLoads.Order());
        IrModule lifted = IrText.Lift(verified);
        Assert.Equal(
            """
            program main stack=24 callable-from-c
            b0:
                v = load.u64 [arg0]
                v = add.64 v, 8
                v = call extern bpf_helper_probe_load(stack - 24, 8, v) writes -24..-16
                v = load.u64 [stack - 24]
                store.64 [stack - 8], v
                v = call extern bpf_helper_probe_load(stack - 24, 4, v) writes -24..-20
                v = load.u32 [stack - 24]
                v = add.64 v, 4
                v = call extern bpf_helper_probe_load(stack - 24, 4, v) writes -24..-20
                v = load.s32 [stack - 24]
                v = add.64 v, v
                store.64 [stack - 16], v
                return 0

            """,
            Regex.Replace(IrPrinter.Print(lifted), "v[0-9]+", "v"));
    }

    [Fact]
    public void Compiled_objects_ask_for_the_function()
    {
        const string Source =
            """
            struct task { int pid; int tgid; struct task *parent; };
            char _license[] __attribute__((section("license"))) = "GPL";
            __attribute__((section("fentry/hook"))) int probe(unsigned long long *ctx)
            {
                struct task *t = (struct task *)ctx[0];
                *(volatile int *)&t->parent->parent->pid;
                return 0;
            }
            """;
        const string Target =
            """
            struct task { int pid; int tgid; struct task *parent; };
            __attribute__((section("kernel"))) int hook(struct task *t) { return t->pid; }
            """;
        byte[] program = Toolchain.CompileBpf(Source);
        var options = new CompilerOptions { TargetBtf = new NamedFile("target.o", Toolchain.CompileBpf(Target)) };
        CompilationResult result = Compiler.Compile(program, options);
        Assert.True(result.Output is not null, string.Join('\n', result.Diagnostics.Select(static diagnostic => diagnostic.Message)));
        Assert.True(ElfReader.TryRead(result.Output, "probe", new DiagnosticBag(), out ElfFile? file));
        Assert.Contains(file!.Symbols, static symbol => symbol.Name == "bpf_helper_probe_load");
    }
}
