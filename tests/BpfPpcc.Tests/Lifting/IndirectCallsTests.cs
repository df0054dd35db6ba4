using BpfPpcc.Diagnostics;
using BpfPpcc.Ir;
using BpfPpcc.Lifting;
using BpfPpcc.Loading;
using BpfPpcc.Tests.Assembler;
using BpfPpcc.Tests.Ir;
using BpfPpcc.Tests.Optimization;
using Xunit;

namespace BpfPpcc.Tests.Lifting;

public sealed class IndirectCallsTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    public void A_helper_number_through_the_stack_becomes_a_call_of_the_helper(int level)
    {
        (IrModule module, DiagnosticBag diagnostics) = Resolve("""
            r6 = 2
            *(u64 *)(r10 - 8) = r6
            r1 = 1
            r2 = 2
            r3 = *(u64 *)(r10 - 8)
            callx r3
            exit
            """, level);
        Assert.Empty(diagnostics.Diagnostics);
        Assert.Contains("call extern bpf_helper_map_update_elem(1, 2, 2, undefined)", IrPrinter.Print(module).Replace("arg3", "undefined", StringComparison.Ordinal), StringComparison.Ordinal);
        IrText.AssertWellFormed(module);
    }

    [Fact]
    public void A_function_of_the_module_stays_an_indirect_call()
    {
        (IrModule module, DiagnosticBag diagnostics) = Resolve("""
            .program main
            r2 = function f
            callx r2
            exit
            .subprogram f static
            r0 = 7
            exit
            """, 0);
        Assert.Empty(diagnostics.Diagnostics);
        Assert.Contains("call indirect [@f](", IrPrinter.Print(module), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("r2 = r1")]
    [InlineData("r2 = 65536")]
    [InlineData("r2 = -1")]
    [InlineData("r2 = 12")]
    [InlineData("r2 = data .bss+0")]
    public void Anything_else_is_an_error_with_its_place(string target)
    {
        (_, DiagnosticBag diagnostics) = Resolve($"""
            .data .bss size=8
            .program main section=xdp
            {target}
            .line prog.c 7 1 x
            callx r2
            exit
            """, 0);
        Diagnostic diagnostic = Assert.Single(diagnostics.Diagnostics);
        Assert.Equal(DiagnosticId.IndirectCallUnresolved, diagnostic.Id);
        Assert.Equal("main", diagnostic.Location!.Function);
        Assert.Equal(7, diagnostic.Location.Source!.Line);
        Assert.True(diagnostic.Location.Instruction > 0);
    }

    private static (IrModule Module, DiagnosticBag Diagnostics) Resolve(string text, int level)
    {
        BpfModule source = BpfAssembler.Assemble(text);
        IrModule module = IrText.Lift(IrText.Verify(source));
        OptimizedModule.Run(module, level);
        var diagnostics = new DiagnosticBag();
        Assert.Equal(IndirectCalls.Resolve(module, source, diagnostics), !diagnostics.HasErrors);
        return (module, diagnostics);
    }
}
